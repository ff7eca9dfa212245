package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

// kept is a delivery's JSON. Of what stands before the state nothing changes.
type kept struct {
	ID        uuid.UUID      `json:"id"`
	Channel   notify.Channel `json:"channel"`
	Kind      string         `json:"kind"`
	State     notify.State   `json:"state"`
	Reason    string         `json:"reason"`
	Attempts  int            `json:"attempts"`
	NextAt    time.Time      `json:"next_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

// keep returns a delivery's arguments to enqueue, without user and notification.
func keep(d notify.Delivery) ([]any, error) {
	text, err := json.Marshal(kept{d.ID, d.Channel, d.Kind, d.State, reason(d), d.Attempts, utc(d.NextAt), utc(d.UpdatedAt)})
	pending, at := due(d)
	return []any{d.ID.String(), text, pending, at}, err
}

// reason is what others say, and may not be UTF-8.
func reason(d notify.Delivery) string { return strings.ToValidUTF8(d.Reason, "\ufffd") }

func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// due tells whether a delivery is pending, and when it is due or was settled.
func due(d notify.Delivery) (pending, at int64) {
	if d.State == notify.Pending {
		return 1, micros(d.NextAt)
	}
	return 0, micros(d.UpdatedAt)
}

func parseDelivery(user uuid.UUID, text string) (d notify.Delivery, err error) {
	if len(text) < 36 {
		return d, errForm
	}
	if d.Notification, err = uuid.Parse(text[:36]); err == nil {
		var k kept
		err = json.Unmarshal([]byte(text[36:]), &k)
		d.ID, d.User, d.Channel, d.Kind, d.State, d.Reason = k.ID, user, k.Channel, k.Kind, k.State, k.Reason
		d.Attempts, d.NextAt, d.UpdatedAt = k.Attempts, k.NextAt, k.UpdatedAt
	}
	if err != nil {
		return notify.Delivery{}, fmt.Errorf("redis: a delivery: %w", err)
	}
	return d, nil
}

func (s *Store) Enqueue(ctx context.Context, deliveries ...notify.Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	args := make([]any, 0, 7*len(deliveries))
	for _, d := range deliveries {
		k, err := keep(d)
		if err != nil {
			return err
		}
		args = append(args, d.User.String(), mark(d.User), k[0], d.Notification.String(), k[1], k[2], k[3])
	}
	return admitted(s.run(ctx, enqueue, args...))
}

func (s *Store) Take(ctx context.Context, over notify.Channel, now time.Time, lease time.Duration, max int) ([]notify.Delivery, error) {
	till := utc(now.Add(lease))
	answer, err := s.run(ctx, take, string(over), micros(now), micros(till), max).Slice()
	if err != nil {
		return nil, err
	}
	taken := make([]notify.Delivery, 0, len(answer)/2)
	for i := 0; i+1 < len(answer); i += 2 {
		user, err := uuid.Parse(str(answer, i))
		if err != nil {
			return nil, err
		}
		d, err := parseDelivery(user, str(answer, i+1))
		if err != nil {
			return nil, err
		}
		d.NextAt = till
		taken = append(taken, d)
	}
	return taken, nil
}

func (s *Store) Settle(ctx context.Context, d notify.Delivery) error {
	text, err := json.Marshal(struct {
		State     notify.State `json:"state"`
		Reason    string       `json:"reason"`
		Attempts  int          `json:"attempts"`
		NextAt    time.Time    `json:"next_at"`
		UpdatedAt time.Time    `json:"updated_at"`
	}{d.State, reason(d), d.Attempts, utc(d.NextAt), utc(d.UpdatedAt)})
	if err != nil {
		return err
	}
	text[0] = ',' // it is an end
	pending, at := due(d)
	return s.run(ctx, settle, d.User.String(), d.ID.String(), text, pending, at).Err()
}

func (s *Store) Deliveries(ctx context.Context, user, notification uuid.UUID) ([]notify.Delivery, error) {
	answer, err := s.ask(ctx, delivered, user.String(), notification.String())
	if err != nil {
		return nil, err
	}
	list := make([]notify.Delivery, 0, len(answer)/2)
	for i := 0; i+1 < len(answer); i += 2 {
		d, err := parseDelivery(user, str(answer, i+1))
		if err != nil {
			return nil, err
		}
		if at := str(answer, i); at != "" {
			if d.NextAt, err = moment(at); err != nil {
				return nil, err
			}
		}
		list = append(list, d)
	}
	return list, nil
}
