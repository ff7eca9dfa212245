package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

func (s *Store) SetTimer(ctx context.Context, t notify.Timer) error {
	return admitted(s.run(ctx, setTimer, t.User.String(), mark(t.User), t.Key, micros(t.At), t.Data))
}

func (s *Store) StopTimer(ctx context.Context, key string) error {
	return s.run(ctx, stopTimer, key).Err()
}

func (s *Store) Ring(ctx context.Context, now time.Time, lease time.Duration, max int) ([]notify.Timer, error) {
	answer, err := s.run(ctx, ring, micros(now), micros(now.Add(lease)), max).Slice()
	if err != nil {
		return nil, err
	}
	rung := make([]notify.Timer, 0, len(answer)/2)
	for i := 0; i+1 < len(answer); i += 2 {
		t, err := parseTimer(str(answer, i), str(answer, i+1))
		if err != nil {
			return nil, fmt.Errorf("redis: a timer: %w", err)
		}
		rung = append(rung, t)
	}
	return rung, nil
}

// Rung knows a timer that was set anew by that nobody has it, or by what it is.
func (s *Store) Rung(ctx context.Context, t notify.Timer) error {
	return s.run(ctx, stopTimer, t.Key, fmt.Sprintf("%s1%d %s", t.User, micros(t.At), t.Data)).Err()
}

// parseTimer reads a user, 0 or 1, a time, " " and data.
func parseTimer(key, text string) (t notify.Timer, err error) {
	if len(text) < 37 {
		return t, errForm
	}
	at, data, _ := strings.Cut(text[37:], " ")
	n, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return t, err
	}
	t = notify.Timer{Key: key, At: time.UnixMicro(n).UTC(), Data: []byte(data)}
	t.User, err = uuid.Parse(text[:36])
	return t, err
}
