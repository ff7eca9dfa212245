package discovery

import "context"

// Pick does what a request does before it is sent.
func Pick(ctx context.Context, b *Balancer, service string) error {
	p, err := b.pool(ctx, service)
	if err != nil {
		return err
	}
	t, done := p.pick(new(Sending), nil)
	if t == nil {
		return p.unavailable(nil)
	}
	done(true)
	return nil
}
