package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/kit/sd"
	"github.com/go-kit/log"
	"github.com/hashicorp/consul/api"
)

// Consul is the registry kept by HashiCorp's Consul, reached through one agent.
//
// go-kit's sd/consul isn't used: it swallows registration errors, never
// registers again, and its watches cannot be cancelled.
type Consul struct {
	client *api.Client
	http   *http.Client // client's own
	token  bool         // whether it has one
	logger log.Logger
	life   context.Context // ends with Close
	end    context.CancelFunc
	work   sync.WaitGroup // watches and keepers

	mu     sync.Mutex
	boards map[string]*board // by service, and of the catalog
}

// answerTime is how long Consul may take to answer what it needn't wait for.
const answerTime = 3 * time.Second

// NewConsul returns the registry kept by the agent that config leads to. It
// does not call it: an agent that is away is an agent to wait for.
func NewConsul(config *api.Config, logger log.Logger) (*Consul, error) {
	client, err := api.NewClient(config)
	if err != nil {
		return nil, err
	}
	if logger == nil {
		logger = log.NewNopLogger()
	}
	c := &Consul{client: client, http: config.HttpClient, token: config.Token != "", logger: logger, boards: map[string]*board{}}
	c.life, c.end = context.WithCancel(context.Background())
	return c, nil
}

func openConsul(u *url.URL, logger log.Logger) (*Consul, error) {
	config, err := consulConfig(u)
	if err != nil {
		return nil, err
	}
	return NewConsul(config, logger)
}

func consulConfig(u *url.URL) (*api.Config, error) {
	switch {
	case u.User != nil:
		return nil, errors.New("a token in the URL ends up in logs: put it in CONSUL_HTTP_TOKEN")
	case u.Hostname() == "" || strings.Trim(u.Path, "/") != "":
		return nil, errors.New("names no host, or more than a host")
	}
	config := api.DefaultConfig()
	config.Address = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "8500"))
	if u.Scheme == "consul+https" {
		config.Scheme = "https"
	}
	for key, values := range u.Query() {
		switch value := values[0]; key {
		case "tls":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return nil, fmt.Errorf("tls=%q is neither true nor false", value)
			}
			if on {
				config.Scheme = "https"
			}
		case "ca":
			config.Scheme = "https"
			config.TLSConfig.CAFile = value
		default:
			return nil, fmt.Errorf("%q is not a parameter", key)
		}
	}
	return config, nil
}

// Watch implements Registry. The instances are those whose health checks pass.
func (c *Consul) Watch(service string, ch chan<- Update) (stop func()) {
	return c.service(service).watch(ch)
}

// Instancer implements Registry.
func (c *Consul) Instancer(service string) sd.Instancer { return &view{c.service(service), addr} }

func (c *Consul) service(service string) *board {
	return c.watched(service, func(q *api.QueryOptions) ([]Instance, *api.QueryMeta, error) {
		const anyTag, passing = "", true
		entries, meta, err := c.client.Health().Service(url.PathEscape(service), anyTag, passing, q)
		if err != nil {
			return nil, nil, err
		}
		var instances []Instance
		for _, e := range entries {
			if e.Service.Port != 0 {
				instances = append(instances, found(e))
			}
		}
		return instances, meta, nil
	})
}

// found is an instance as Consul tells of it, whoever registered it.
func found(e *api.ServiceEntry) Instance {
	host := strings.Trim(cmp.Or(e.Service.Address, e.Node.Address), "[]")
	return Instance{
		ID: e.Service.ID, Service: e.Service.Service, Addr: net.JoinHostPort(host, strconv.Itoa(e.Service.Port)),
		Tags: e.Service.Tags, Version: e.Service.Meta[metaVersion], Zone: e.Service.Meta[metaZone],
		Weight: min(max(e.Service.Weights.Passing, 1), 100),
	}
}

// Catalog implements Registry.
func (c *Consul) Catalog() sd.Instancer {
	const noService = ""
	return &view{c.watched(noService, func(q *api.QueryOptions) ([]Instance, *api.QueryMeta, error) {
		services, meta, err := c.client.Catalog().Services(q)
		if err != nil {
			return nil, nil, err
		}
		var names []Instance
		for name, tags := range services {
			if slices.Contains(tags, Gateway) {
				names = append(names, Instance{Service: name})
			}
		}
		return names, meta, nil
	}), name}
}

func (c *Consul) watched(what string, ask question) *board {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.boards[what]
	if !ok {
		b = new(board)
		c.boards[what] = b
		if !c.start(func() { c.watch(b, ask, log.With(c.logger, "watch", cmp.Or(what, "catalog"))) }) {
			b.close()
		}
	}
	return b
}

// start does work in the background, unless the registry is closed. c.mu is held.
func (c *Consul) start(work func()) bool {
	if c.life.Err() != nil {
		return false
	}
	c.work.Go(work)
	return true
}

// Close implements Registry.
func (c *Consul) Close() error {
	c.mu.Lock()
	c.end()
	boards := slices.Collect(maps.Values(c.boards))
	c.mu.Unlock()
	c.work.Wait()
	for _, b := range boards {
		b.close()
	}
	c.http.CloseIdleConnections()
	return nil
}

// refused tells whether Consul understood and said no: asking again is no use.
func refused(err error) bool {
	status, ok := errors.AsType[api.StatusError](err)
	return ok && status.Code >= 400 && status.Code < 500 && status.Code != http.StatusTooManyRequests
}

// unknown tells whether Consul has never heard of what it was asked about.
func unknown(err error) bool {
	status, ok := errors.AsType[api.StatusError](err)
	return ok && status.Code == http.StatusNotFound
}

// backoff is how long to wait after so many failures in a row: twice as long
// each time up to two seconds, less a part left to chance.
func backoff(failures int) time.Duration {
	d := min(100*time.Millisecond<<min(failures-1, 10), 2*time.Second)
	return d/2 + rand.N(d/2)
}
