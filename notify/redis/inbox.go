package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/notify"
)

// content is what of a notification's JSON no script changes. Scripts look for
// the first two members.
type content struct {
	Category  notify.Category `json:"category"`
	Title     string          `json:"title"`
	Body      string          `json:"body"`
	Data      jsontext.Value  `json:"data"`
	Link      string          `json:"link"`
	CreatedAt time.Time       `json:"created_at"`
}

func (s *Store) Publish(ctx context.Context, n notify.Notification, keys notify.Keys, deliveries ...notify.Delivery) (notify.Notification, bool, error) {
	n.Normalize()
	text, err := json.Marshal(content{n.Category, n.Title, n.Body, n.Data, n.Link, n.CreatedAt})
	if err != nil {
		return notify.Notification{}, false, err
	}
	times, err := times(n)
	if err != nil {
		return notify.Notification{}, false, err
	}
	args := []any{n.ID.String(), dedupe("notification ", keys.Dedupe), notify.DedupeFor.Milliseconds(), keys.Collapse}
	args = append(append(args, times...), text[1:], notify.MaxInbox, notify.MaxStream)
	for _, d := range deliveries {
		kept, err := keep(d)
		if err != nil {
			return notify.Notification{}, false, err
		}
		args = append(args, kept...)
	}
	answer, err := s.change(ctx, publish, n.User, args...).Slice()
	switch {
	case err != nil || len(answer) == 0:
		return notify.Notification{}, false, err
	case len(answer) == 1:
		return notify.Notification{}, false, notify.ErrForgotten
	}
	n.Seq = num(answer, 1)
	n.ID, err = uuid.Parse(str(answer, 0))
	return n, err == nil, err
}

// times are a notification's state, as JSON.
func times(n notify.Notification) (args []any, err error) {
	for _, t := range []*time.Time{n.ReadAt, n.ArchivedAt, n.SnoozedUntil} {
		text, err := json.Marshal(t)
		if err != nil {
			return nil, err
		}
		args = append(args, text)
	}
	return args, nil
}

func parse(user uuid.UUID, text string) (notify.Notification, error) {
	n := notify.Notification{User: user}
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return notify.Notification{}, fmt.Errorf("redis: a notification: %w", err)
	}
	return n, nil
}

func (s *Store) Inbox(ctx context.Context, user uuid.UUID, q notify.Query) (in notify.Inbox, err error) {
	part := "inbox"
	switch q.Status {
	case notify.Unread:
		part = "unread"
	case notify.Archived:
		part = "archived"
	case notify.Snoozed:
		part = "snoozed"
	}
	bound := "+inf"
	if q.Before > 0 {
		bound = fmt.Sprintf("(%d", q.Before)
	}
	category, err := json.Marshal(q.Category)
	if err != nil {
		return in, err
	}
	answer, err := s.ask(ctx, list, user.String(), part, bound, category, q.Limit)
	if err != nil {
		return in, err
	}
	if len(answer) != 4 {
		return in, errForm
	}
	in.Position = notify.Position{Epoch: str(answer, 0), Seq: num(answer, 1)}
	in.Unread = int(num(answer, 2))
	texts, _ := answer[3].([]any)
	if in.More = len(texts) > q.Limit; in.More {
		texts = texts[:q.Limit]
	}
	in.Notifications = make([]notify.Notification, 0, len(texts))
	for i := range texts {
		n, err := parse(user, str(texts, i))
		if err != nil {
			return notify.Inbox{}, err
		}
		in.Notifications = append(in.Notifications, n)
	}
	return in, nil
}

func (s *Store) Notification(ctx context.Context, user, id uuid.UUID) (notify.Notification, error) {
	n, _, err := s.get(ctx, user, id)
	return n, err
}

func (s *Store) get(ctx context.Context, user, id uuid.UUID) (n notify.Notification, text string, err error) {
	text, err = s.HGet(ctx, s.key(user, "items"), id.String()).Result()
	if errors.Is(err, goredis.Nil) {
		return n, "", notify.ErrNotFound
	}
	if err == nil {
		n, err = parse(user, text)
	}
	return n, text, err
}

func (s *Store) Update(ctx context.Context, user, id uuid.UUID, change func(*notify.Notification) error) (notify.Notification, error) {
	for {
		was, text, err := s.get(ctx, user, id)
		if err != nil {
			return was, err
		}
		n := was
		if err := change(&n); err != nil {
			return notify.Notification{}, err
		}
		n, changed := was.InState(n)
		if !changed {
			return n, nil
		}
		times, err := times(n)
		if err != nil {
			return notify.Notification{}, err
		}
		answer, err := s.change(ctx, update, user, append(append([]any{text, id.String()}, times...), notify.MaxStream)...).Slice()
		if err != nil {
			return notify.Notification{}, err
		}
		if len(answer) > 0 {
			n.Seq = num(answer, 0)
			return n, nil
		}
	}
}

func (s *Store) ReadAll(ctx context.Context, user uuid.UUID, upTo int64, category notify.Category, now time.Time) (wasRead, unread int, err error) {
	of, err := json.Marshal(category)
	if err != nil {
		return 0, 0, err
	}
	at, err := json.Marshal(now.UTC().Truncate(time.Microsecond))
	if err != nil {
		return 0, 0, err
	}
	answer, err := s.change(ctx, read, user, upTo, of, at, notify.MaxStream).Slice()
	if err != nil {
		return 0, 0, err
	}
	if len(answer) != 2 {
		return 0, 0, errForm
	}
	return int(num(answer, 0)), int(num(answer, 1)), nil
}

func (s *Store) Delete(ctx context.Context, user, id uuid.UUID) error {
	found, err := s.change(ctx, remove, user, id.String(), notify.MaxStream).Int()
	if err == nil && found == 0 {
		err = notify.ErrNotFound
	}
	return err
}
