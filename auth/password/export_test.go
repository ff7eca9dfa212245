package password

import "context"

// Run lets tests hold a computation.
func (h *Hasher) Run(ctx context.Context, compute func()) error { return h.run(ctx, compute) }

// Matches is Verify without the queue and without Waste.
func Matches(encoded, password string) (bool, error) {
	h, err := parse(encoded)
	return err == nil && h.matches(password), err
}
