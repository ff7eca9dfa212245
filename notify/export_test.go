package notify

import (
	"context"
	"errors"
	"time"
)

// SetNow makes the service live by another clock.
func (s *Service) SetNow(now func() time.Time) { s.now = now }

// RingOnce does what Ring does at one time.
func (s *Service) RingOnce(ctx context.Context) (int, error) { return s.ring(ctx) }

// Step sends what is due now, and returns how many deliveries that were.
func (s *Sender) Step(ctx context.Context) (int, error) {
	mails, err := s.take(ctx, Email, 100)
	pushes, err2 := s.take(ctx, Push, 100)
	deliveries := append(mails, pushes...)
	for _, d := range deliveries {
		s.settle(ctx, d)
	}
	return len(deliveries), errors.Join(err, err2)
}

// Words returns a language's texts, for what must hold for all of them.
func Words() map[string]any { return map[string]any{"en": english, "pl": polish} }

// Device and Fill are tested on their own.
func Device(locale, agent string) string       { return wordsFor(locale).device(agent) }
func Fill(text string, pairs ...string) string { return fill(text, pairs...) }
func Clip(text string, max int) string         { return clip(text, max) }
func Backoff(attempts int) time.Duration       { return backoff(attempts) }

// Check is what Subscribe refuses.
func (r SubscribeRequest) Check() error { return r.check() }

// InWebapp tells whether a link is one of the webapp's.
func InWebapp(link string) bool { return inWebapp(link) }
