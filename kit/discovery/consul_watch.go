package discovery

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/hashicorp/consul/api"
	"github.com/trellis-go/trellis/kit/pause"
	"golang.org/x/time/rate"
)

// question asks Consul for the present instances.
type question func(*api.QueryOptions) ([]Instance, *api.QueryMeta, error)

const (
	// patience is how long Consul may hold a question back until the answer
	// changes. It bounds for how long a connection that died without a word
	// goes unnoticed.
	patience = 30 * time.Second

	// grace is how long what was good stays so after Consul came back without it.
	grace = 10 * time.Second
)

// watch keeps a board up to date until the registry closes.
//
// The default consistency is asked for, not "stale": what that gains, answers
// while Consul has no leader, the last good answer gives as well, and a server
// that lags behind would name instances that have gone.
func (c *Consul) watch(b *board, ask question, logger log.Logger) {
	var (
		belief   belief
		index    uint64
		failures int
		pace     = rate.NewLimiter(10, 10) // a service that flaps shall not make us spin
	)
	for pace.Wait(c.life) == nil {
		found, next, err := c.ask(ask, index, belief.recheck(time.Now()))
		if err == nil && index == 0 && len(found)+len(belief.now) == 0 {
			err = c.mayRead()
		}
		switch {
		case c.life.Err() != nil:
			return
		case err != nil:
			if failures++; failures == 1 {
				level.Warn(logger).Log("msg", "registry is away, last good instances stand", "err", err)
			}
			belief.shake()
			b.fail(err)
			index = 0
			pause.For(c.life, backoff(failures))
			continue
		case next < index: // Consul restarted or was restored: its count begins anew
			level.Warn(logger).Log("msg", "registry began anew, last good instances stand", "index", next, "was", index)
			belief.shake()
			index = 0
			continue
		case failures > 0:
			level.Info(logger).Log("msg", "registry is back")
			failures = 0
		}
		index = next
		b.show(belief.hear(found, time.Now()))
	}
}

func (c *Consul) ask(ask question, index uint64, wait time.Duration) ([]Instance, uint64, error) {
	limit := answerTime
	if index > 0 {
		limit += wait + wait/16 // Consul adds up to a sixteenth
	}
	ctx, cancel := context.WithTimeout(c.life, limit)
	defer cancel()
	options := &api.QueryOptions{WaitIndex: index, WaitTime: wait}
	found, meta, err := ask(options.WithContext(ctx))
	switch {
	case err != nil:
		return nil, 0, err
	case len(found) == 0 && meta.ResultsFilteredByACLs:
		return nil, 0, errors.New("CONSUL_HTTP_TOKEN may not read this")
	}
	return found, max(meta.LastIndex, 1), nil // asked to wait for more than 0, Consul wouldn't wait
}

// mayRead tells whether an empty answer is to be believed. To who has no token
// Consul doesn't say that there is something to be seen with one.
func (c *Consul) mayRead() error {
	if c.token {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.life, answerTime)
	defer cancel()
	_, err := c.client.Raw().Query("/v1/agent/self", new(any), new(api.QueryOptions).WithContext(ctx))
	if status, ok := errors.AsType[api.StatusError](err); ok && status.Code == http.StatusForbidden {
		return errors.New("Consul shows nothing without a token: set CONSUL_HTTP_TOKEN")
	}
	return nil
}

// belief is what to make of Consul's answers. While it stays up they are the
// truth, the empty one too: the last instance has left. After it was away or
// restarted it may know nothing yet, or half: instances need a moment to
// register again. So each one that was good before is held until Consul has
// named it again or grace is over.
type belief struct {
	now   []Instance
	held  []Instance //  those of now that Consul has not confirmed since it was shaken
	until time.Time  // when held ones go; zero until the first answer
}

func (b *belief) shake() { b.held, b.until = b.now, time.Time{} }

func (b *belief) hear(found []Instance, now time.Time) []Instance {
	if b.until.IsZero() {
		b.until = now.Add(grace)
	}
	if !now.Before(b.until) {
		b.held = nil
	}
	b.held = slices.DeleteFunc(slices.Clone(b.held), func(h Instance) bool {
		return slices.ContainsFunc(found, func(f Instance) bool { return byAddr(h, f) == 0 })
	})
	b.now = slices.Concat(found, b.held)
	return b.now
}

// recheck returns after how long at most to look again.
func (b *belief) recheck(now time.Time) time.Duration {
	if len(b.held) == 0 || b.until.IsZero() {
		return patience
	}
	return min(patience, max(b.until.Sub(now), time.Millisecond))
}
