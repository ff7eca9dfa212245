package redis

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

func (s *Store) SetTimer(ctx context.Context, t notify.Timer) error {
	return admitted(s.run(ctx, setTimer, t.User.String(), mark(t.User), t.Key, micros(t.At), t.Data))
}

func (s *Store) Timers(ctx context.Context, user uuid.UUID) ([]notify.Timer, error) {
	list, err := parseTimers(s.ask(ctx, timers, user.String()))
	slices.SortFunc(list, func(a, b notify.Timer) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
	return list, err
}

func (s *Store) Ring(ctx context.Context, now time.Time, lease time.Duration, max int) ([]notify.Timer, error) {
	return parseTimers(s.run(ctx, ring, micros(now), micros(now.Add(lease)), max).Slice())
}

// Rung knows a timer that was set anew by that nobody has it, or by what it is.
func (s *Store) Rung(ctx context.Context, t notify.Timer) error {
	return s.run(ctx, rung, t.Key, fmt.Sprintf("%s1%d %s", t.User, micros(t.At), t.Data)).Err()
}

// parseTimers reads keys, each before what is kept of its timer.
func parseTimers(answer []any, err error) ([]notify.Timer, error) {
	if err != nil {
		return nil, err
	}
	list := make([]notify.Timer, 0, len(answer)/2)
	for i := 0; i+1 < len(answer); i += 2 {
		t, err := parseTimer(str(answer, i), str(answer, i+1))
		if err != nil {
			return nil, fmt.Errorf("redis: a timer: %w", err)
		}
		list = append(list, t)
	}
	return list, nil
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
