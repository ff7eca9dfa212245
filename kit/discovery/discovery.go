// Package discovery finds the running instances of a service.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/go-kit/kit/sd"
	"github.com/go-kit/log"
)

// Gateway is the tag of an instance whose service wants to be behind the
// gateway. A service in another language registers in Consul with it.
const Gateway = "trellis"

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

	// Watch sends the instances of one service that are up to ch, until stop
	// is called. However many watch a service, the registry is asked once.
	//
	// A watcher gets the present set as soon as it is known, and then the
	// newest one whenever it changes; a slow one misses those in between and
	// holds nobody up. An update carries an error only while nothing is known
	// yet: afterwards the last good set stands however long the registry is
	// away. When stop returns, nothing more is sent.
	Watch(service string, ch chan<- Update) (stop func())

	// Instancer is Watch as go-kit knows it: events carry the addresses of the
	// instances, and Stop ends what was subscribed through the Instancer it is
	// called on.
	Instancer(service string) sd.Instancer

	// Catalog watches the names of the services that have an instance tagged
	// Gateway. Its events are as those of Instancer, with names for addresses.
	Catalog() sd.Instancer

	// Close ends every watch. Instances still registered are no longer kept
	// announced. Calling it again is harmless.
	Close() error
}

// Update is what is known of a service: its instances that are up, sorted by
// address, or why nothing is.
type Update struct {
	Instances []Instance
	Err       error
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
