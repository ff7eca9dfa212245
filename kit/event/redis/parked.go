package redis

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/trellis-go/trellis/kit/event"
)

// parcel is a parked event as it is stored.
type parcel struct {
	Message  event.Message `json:"message"`
	Reason   string        `json:"reason"`
	Attempts int           `json:"attempts"`
	ParkedAt time.Time     `json:"parked_at"`
}

func (b *bus) Park(ctx context.Context, g event.Group, d event.Delivery, reason string) error {
	text, err := json.Marshal(parcel{d.Message, reason, d.Attempts, time.Now().UTC()})
	if err != nil {
		return err
	}
	key, id := entry(d)
	return b.settle(ctx, g, []any{g.Name, key, id, d.Subject.String(), d.ID.String(), text})
}

func (b *bus) Parked(ctx context.Context, group string) ([]event.Parked, error) {
	all, err := b.client.HGetAll(ctx, parked+group).Result()
	if err != nil {
		return nil, err
	}
	list := make([]event.Parked, 0, len(all))
	for id, text := range all {
		var p parcel
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return nil, err
		}
		list = append(list, event.Parked{ID: id, Message: p.Message, Reason: p.Reason, Attempts: p.Attempts, ParkedAt: p.ParkedAt})
	}
	slices.SortFunc(list, func(a, b event.Parked) int { return a.ParkedAt.Compare(b.ParkedAt) })
	return list, nil
}

func (b *bus) CountParked(ctx context.Context, group string) (int, error) {
	n, err := b.client.HLen(ctx, parked+group).Result()
	return int(n), err
}

const replayAtOnce = 500

func (b *bus) Replay(ctx context.Context, group string, ids ...string) (n int, err error) {
	list, err := b.Parked(ctx, group)
	if err != nil {
		return 0, err
	}
	if len(ids) > 0 {
		list = slices.DeleteFunc(list, func(p event.Parked) bool { return !slices.Contains(ids, p.ID) })
	}
	for some := range slices.Chunk(list, replayAtOnce) {
		args := make([]any, 0, 3*len(some))
		for i := range some {
			text, err := json.Marshal(&some[i].Message)
			if err != nil {
				return n, err
			}
			args = append(args, some[i].ID, some[i].Message.Subject.String(), text)
		}
		moved, err := replay.Run(ctx, b.client, []string{parked + group, replayed + group}, args...).Int()
		n += moved
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (b *bus) Discard(ctx context.Context, group string, ids ...string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	n, err := b.client.HDel(ctx, parked+group, ids...).Result()
	return int(n), err
}
