// Package discovery finds the running instances of a service.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"

	"github.com/go-kit/kit/sd"
	"github.com/go-kit/log"
)

// Gateway is the tag of an instance whose service wants to be behind the
// gateway. A service in another language registers in Consul with it.
const Gateway = "trellis"

// Instance is one running copy of a service.
type Instance struct {
	ID      string   // unique in the registry; Service-Addr when empty
	Service string   // letters, digits, "-", "_" and "."
	Addr    string   // host:port where others reach it, IPv6 in brackets
	Check   string   // path that answers 200 while it is ready; "/readyz" when empty
	Tags    []string // among them Gateway, or not
}

// Registry knows which instances of each service are up. All its methods may
// be called at the same time.
type Registry interface {
	// Register announces an instance, and keeps it announced until leave is
	// called. An instance that makes no sense, or that the registry refuses,
	// is an error. A registry that is away is not: it is logged, and the
	// instance is announced once the registry is back.
	//
	// When leave returns nil, the registry no longer names the instance.
	// Calling it again is harmless.
	Register(ctx context.Context, i Instance) (leave func(context.Context) error, err error)

	// Instancer watches one service: its events carry the addresses of the
	// instances that are up, sorted. However many ask for a service, it is
	// watched once, and until Close: Stop ends only what was subscribed
	// through the Instancer it is called on.
	//
	// A subscriber gets the present set as soon as it is known, and then the
	// newest one whenever it changes; a slow one misses those in between and
	// holds nobody up. An event carries an error only while nothing is known
	// yet: afterwards the last good set stands however long the registry is
	// away. When Deregister returns, nothing more is sent.
	Instancer(service string) sd.Instancer

	// Catalog watches the names of the services that have an instance tagged
	// Gateway. Its events are as those of Instancer, with names for addresses.
	Catalog() sd.Instancer

	// Close ends every watch. Instances still registered are no longer kept
	// announced. Calling it again is harmless.
	Close() error
}

// Open returns the registry that a URL names: "memory:", for services that
// share a process, or an agent of Consul, "consul://127.0.0.1:8500".
// "consul+https://" or "?tls=true" reaches it over TLS, "?ca=FILE" over TLS
// with certificates of that authority. The rest, tokens first of all, comes
// from Consul's own variables: CONSUL_HTTP_TOKEN, CONSUL_HTTP_TOKEN_FILE, …
func Open(rawURL string, logger log.Logger) (Registry, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("discovery: no URL; takes %s", takes) // err would show the password
	}
	switch u.Scheme {
	case "memory":
		return new(Memory), nil
	case "consul", "consul+https":
		c, err := openConsul(u, logger)
		if err != nil {
			return nil, fmt.Errorf("discovery: got %q: %w; takes %s", u.Redacted(), err, takes)
		}
		return c, nil
	}
	return nil, fmt.Errorf("discovery: got %q; takes %s", u.Redacted(), takes)
}

const takes = `"memory:" or "consul://host:port" with ?tls=true and ?ca=FILE`

var errClosed = errors.New("discovery: the registry is closed")

var (
	serviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	instanceID  = regexp.MustCompile(`^[A-Za-z0-9._:\[\]-]+$`)
)

// complete returns i with defaults filled in, or what is wrong with it.
func (i Instance) complete() (Instance, error) {
	if !serviceName.MatchString(i.Service) {
		return i, fmt.Errorf("discovery: service name %q: takes letters, digits, '-', '_' and '.'", i.Service)
	}
	host, port, err := net.SplitHostPort(i.Addr)
	if err != nil {
		return i, fmt.Errorf("discovery: %s: address %q: takes host:port", i.Service, i.Addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return i, fmt.Errorf("discovery: %s: address %q: takes a port from 1 to 65535", i.Service, i.Addr)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return i, fmt.Errorf("discovery: %s: address %q: takes a host that others can reach", i.Service, i.Addr)
	}
	if i.ID == "" {
		i.ID = i.Service + "-" + i.Addr
	}
	if !instanceID.MatchString(i.ID) {
		return i, fmt.Errorf("discovery: %s: instance ID %q: takes letters, digits and '-', '_', '.', ':', '[', ']'", i.Service, i.ID)
	}
	if i.Check == "" {
		i.Check = "/readyz"
	}
	if i.Check[0] != '/' {
		return i, fmt.Errorf("discovery: %s: check %q: takes a path", i.Service, i.Check)
	}
	i.Tags = slices.Clone(i.Tags)
	return i, nil
}
