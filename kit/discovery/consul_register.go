package discovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/hashicorp/consul/api"
)

// Register implements Registry. Consul asks the instance's health check every
// second, from the agent's side of the network, and drops an instance that
// fails it for a minute; should that one recover, it is announced again.
func (c *Consul) Register(ctx context.Context, i Instance) (func(context.Context) error, error) {
	i, err := i.complete()
	if err != nil {
		return nil, err
	}
	if c.life.Err() != nil {
		return nil, errClosed
	}
	k := &keeper{c, registration(i), log.With(c.logger, "service", i.Service, "instance", i.ID), make(chan struct{}), make(chan struct{})}
	err = k.announce(ctx)
	known := err == nil

	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && ctx.Err() != nil {
		c.start(func() { k.depart(c.life) }) // it may have been heard all the same
	}
	switch {
	case err != nil && (ctx.Err() != nil || refused(err)):
		return nil, fmt.Errorf("discovery: %s: register: %w", i.Service, err)
	case err != nil:
		level.Warn(k.logger).Log("msg", "registry is away, will register later", "err", err)
	}
	if !c.start(func() { k.keep(known) }) {
		return nil, errClosed
	}
	return k.leave(), nil
}

// What Consul keeps of an instance under names of ours.
const (
	metaVersion = "version"
	metaZone    = "zone"
)

func registration(i Instance) *api.AgentServiceRegistration {
	host, port, _ := net.SplitHostPort(i.Addr)
	number, _ := strconv.Atoi(port)
	scheme := "http"
	if i.TLS {
		scheme = "https"
	}
	return &api.AgentServiceRegistration{
		ID:      i.ID,
		Name:    i.Service,
		Tags:    i.Tags,
		Address: host,
		Port:    number,
		Weights: &api.AgentWeights{Passing: i.Weight, Warning: 1},
		Meta:    map[string]string{metaVersion: i.Version, metaZone: i.Zone},
		Check: &api.AgentServiceCheck{
			HTTP:                           scheme + "://" + i.Addr + i.Check,
			TLSSkipVerify:                  true, // it asks whether the instance is well, not who it is
			Interval:                       "1s",
			Timeout:                        "1s",
			DeregisterCriticalServiceAfter: "1m",
		},
	}
}

// keeper keeps one instance announced.
type keeper struct {
	*Consul
	registration *api.AgentServiceRegistration
	logger       log.Logger
	stop, done   chan struct{}
}

// keep looks every second whether the agent still knows the instance: one
// that restarted may have forgotten it, and one that was away never knew.
func (k *keeper) keep(known bool) {
	defer close(k.done)
	failures := 0
	for {
		wait := time.Second*3/4 + rand.N(time.Second/2)
		if failures > 0 {
			wait = backoff(failures)
		}
		select {
		case <-k.life.Done():
			return
		case <-k.stop:
			return
		case <-time.After(wait):
		}
		again, err := k.remind(known)
		switch {
		case k.life.Err() != nil:
			return
		case err != nil:
			if failures++; failures == 1 {
				level.Warn(k.logger).Log("msg", "registry is away", "err", err)
			}
			continue
		case again:
			level.Info(k.logger).Log("msg", "registered")
		}
		known, failures = true, 0
	}
}

// remind announces the instance if the agent doesn't know it.
func (k *keeper) remind(known bool) (again bool, err error) {
	if known {
		ctx, cancel := context.WithTimeout(k.life, answerTime)
		defer cancel()
		_, _, err := k.client.Agent().Service(k.registration.ID, new(api.QueryOptions).WithContext(ctx))
		if !unknown(err) {
			return false, err
		}
	}
	return true, k.announce(k.life)
}

func (k *keeper) announce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	options := api.ServiceRegisterOpts{ReplaceExistingChecks: true}
	return k.client.Agent().ServiceRegisterOpts(k.registration, options.WithContext(ctx))
}

// leave returns how the instance leaves. It waits for an announcement that is
// under way, lest that one arrive last.
func (k *keeper) leave() func(context.Context) error {
	stop := sync.OnceFunc(func() { close(k.stop) })
	return func(ctx context.Context) error {
		stop()
		select {
		case <-k.done:
		case <-ctx.Done():
			return fmt.Errorf("discovery: %s: leave: %w", k.registration.Name, ctx.Err())
		}
		if err := k.depart(ctx); err != nil && !unknown(err) {
			return fmt.Errorf("discovery: %s: leave: %w", k.registration.Name, err)
		}
		return nil
	}
}

func (k *keeper) depart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return k.client.Agent().ServiceDeregisterOpts(k.registration.ID, new(api.QueryOptions).WithContext(ctx))
}
