package redis

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/notify"
)

func (s *Store) PutTicket(ctx context.Context, hash [32]byte, t notify.Ticket, life time.Duration) error {
	return admitted(s.run(ctx, ticket, t.User.String(), mark(t.User), hex.EncodeToString(hash[:]), t.Session, life.Milliseconds()))
}

func (s *Store) TakeTicket(ctx context.Context, hash [32]byte) (t notify.Ticket, err error) {
	text, err := s.GetDel(ctx, s.Prefix+"ticket:"+hex.EncodeToString(hash[:])).Result()
	if errors.Is(err, goredis.Nil) {
		return t, notify.ErrNoTicket
	}
	if err != nil {
		return t, err
	}
	if len(text) < 36 {
		return t, errForm
	}
	t.Session = text[36:]
	t.User, err = uuid.Parse(text[:36])
	return t, err
}

// crowd is how many users one script looks at: others wait for it.
const crowd = 1000

func (s *Store) Present(ctx context.Context, users []uuid.UUID, life time.Duration) error {
	for some := range slices.Chunk(users, crowd) {
		args := make([]any, 0, 1+2*len(some))
		args = append(args, life.Milliseconds())
		for _, user := range some {
			args = append(args, user.String(), mark(user))
		}
		if err := s.run(ctx, present, args...).Err(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) IsPresent(ctx context.Context, user uuid.UUID) (bool, error) {
	n, err := s.Exists(ctx, s.key(user, "present")).Result()
	return n > 0, err
}

func (s *Store) PutSubscription(ctx context.Context, user uuid.UUID, sub notify.Subscription) error {
	sub.CreatedAt = utc(sub.CreatedAt)
	text, err := json.Marshal(sub)
	if err != nil {
		return err
	}
	return admitted(s.run(ctx, subscribe, user.String(), mark(user), sub.ID, hash(sub.Endpoint), micros(sub.CreatedAt), text, notify.MaxSubscriptions))
}

func (s *Store) DeleteSubscription(ctx context.Context, user uuid.UUID, id string) error {
	return s.run(ctx, leave, user.String(), id).Err()
}

func (s *Store) Subscriptions(ctx context.Context, user uuid.UUID) ([]notify.Subscription, error) {
	texts, err := s.HVals(ctx, s.key(user, "subscriptions")).Result()
	if err != nil {
		return nil, err
	}
	list := make([]notify.Subscription, len(texts))
	for i, text := range texts {
		_, text, _ = strings.Cut(text, " ") // behind the endpoint's hash and the time
		if err := json.Unmarshal([]byte(text), &list[i]); err != nil {
			return nil, fmt.Errorf("redis: a subscription: %w", err)
		}
	}
	slices.SortFunc(list, func(a, b notify.Subscription) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), bytes.Compare([]byte(a.ID), []byte(b.ID)))
	})
	return list, nil
}
