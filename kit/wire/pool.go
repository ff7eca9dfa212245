package wire

import (
	"slices"
	"sync"
	"time"
)

// pool keeps connections that are idle. Of those to a host the one that was
// used last is taken first, so that the others grow old.
type pool struct {
	timeout time.Duration
	most    int // to a host

	mu     sync.Mutex
	idle   map[string][]*clientConn // by host, the longest idle first
	closed bool                     // and nobody has asked for a connection since
	timer  *time.Timer              // runs while anything is idle, and at most once after
	armed  bool
}

// get returns a connection that its server has not closed, as far as can be
// seen, or nil.
func (p *pool) get(host string) *clientConn {
	for {
		c := p.pop(host)
		if c == nil {
			return nil
		}
		if time.Since(c.since) < p.timeout && c.now.quiet() {
			c.reused = true
			return c
		}
		c.cut()
	}
}

func (p *pool) pop(host string) *clientConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = false
	all := p.idle[host]
	if len(all) == 0 {
		return nil
	}
	last := len(all) - 1
	c := all[last]
	all[last] = nil
	p.idle[host] = all[:last]
	return c
}

func (p *pool) put(c *clientConn) {
	if !p.keep(c) {
		c.cut()
	}
}

func (p *pool) keep(c *clientConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.idle[c.host]
	if p.closed || len(all) >= p.most {
		return false
	}
	if p.idle == nil {
		p.idle = map[string][]*clientConn{}
	}
	c.since = time.Now()
	p.idle[c.host] = append(all, c)
	if !p.armed {
		p.arm(p.timeout)
	}
	return true
}

// arm sets the timer. p.mu is held.
func (p *pool) arm(d time.Duration) {
	p.armed = true
	if p.timer == nil {
		p.timer = time.AfterFunc(d, p.prune)
		return
	}
	p.timer.Reset(d)
}

// prune closes what has been idle for too long.
func (p *pool) prune() {
	var old []*clientConn
	defer func() { cutAll(old) }()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	next := time.Duration(-1)
	for host, all := range p.idle {
		n := 0
		for n < len(all) && now.Sub(all[n].since) >= p.timeout {
			n++
		}
		old = append(old, all[:n]...)
		if n == len(all) {
			delete(p.idle, host)
			continue
		}
		p.idle[host] = slices.Delete(all, 0, n)
		if left := p.timeout - now.Sub(all[0].since); next < 0 || left < next {
			next = left
		}
	}
	if p.armed = false; next >= 0 {
		p.arm(next)
	}
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.armed = false
	p.mu.Unlock()
	for _, all := range idle {
		cutAll(all)
	}
}

func cutAll(all []*clientConn) {
	for _, c := range all {
		c.cut()
	}
}
