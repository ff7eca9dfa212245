package discovery

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Instance is one running copy of a service.
type Instance struct {
	ID      string   `json:"id"`             // unique in the registry; Service-Addr when empty
	Service string   `json:"service"`        // letters, digits, "-", "_" and "."
	Addr    string   `json:"addr"`           // host:port where others reach it, IPv6 in brackets
	Check   string   `json:"-"`              // path that answers 200 while it is ready; "/readyz" when empty
	TLS     bool     `json:"-"`              // whether the check speaks TLS, with whatever certificate
	Tags    []string `json:"tags,omitempty"` // among them Gateway, or not
	Version string   `json:"version"`        // of the program, to send it a share of traffic; "" when unknown
	Zone    string   `json:"zone"`           // where it runs; near ones are preferred; "" when unknown
	Weight  int      `json:"weight"`         // its share of traffic beside others', 1 to 100; 1 when 0
}

var (
	serviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	instanceID  = regexp.MustCompile(`^[A-Za-z0-9._:\[\]-]+$`)
	label       = regexp.MustCompile(`^[A-Za-z0-9._+()-]{0,128}$`)
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
	if i.Weight == 0 {
		i.Weight = 1
	}
	if i.Weight < 1 || i.Weight > 100 {
		return i, fmt.Errorf("discovery: %s: weight %d: takes 1 to 100", i.Service, i.Weight)
	}
	if !label.MatchString(i.Version) || !label.MatchString(i.Zone) {
		return i, fmt.Errorf("discovery: %s: version %q, zone %q: take up to 128 letters, digits and '-', '_', '.', '+', '(', ')'", i.Service, i.Version, i.Zone)
	}
	i.Tags = slices.Clone(i.Tags)
	return i, nil
}

func byAddr(a, b Instance) int {
	return cmp.Or(strings.Compare(a.Addr, b.Addr), strings.Compare(a.Service, b.Service))
}

func (i Instance) equal(other Instance) bool {
	return slices.Equal(i.Tags, other.Tags) && i.Addr == other.Addr && i.ID == other.ID && i.Service == other.Service &&
		i.Version == other.Version && i.Zone == other.Zone && i.Weight == other.Weight
}
