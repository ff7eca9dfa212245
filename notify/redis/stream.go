package redis

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/notify"
)

func (s *Store) Signal(ctx context.Context, user uuid.UUID, kind string, data jsontext.Value, key string) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return admitted(s.change(ctx, signal, user, dedupe("signal ", key), notify.DedupeFor.Milliseconds(), kind, text, notify.MaxStream))
}

func (s *Store) Since(ctx context.Context, user uuid.UUID, p notify.Position, max int) ([]notify.Entry, notify.Position, error) {
	pipe := s.TxPipeline() // or an entry that comes in between would be one that is missing
	behind := pipe.Do(ctx, "xrange", s.key(user, "stream"), strconv.FormatUint(uint64(p.Seq)+1, 10), "+", "count", max)
	at, err := s.position(ctx, pipe, user)
	if err != nil || p == at {
		return nil, at, err
	}
	list, err := behind.Slice()
	if err != nil {
		return nil, at, err
	}
	entries := make([]notify.Entry, len(list))
	for i := range list {
		if entries[i], err = parseEntry(list[i]); err != nil {
			return nil, at, err
		}
	}
	if len(entries) == 0 || entries[0].Seq != p.Seq+1 || p.Epoch != at.Epoch && p != (notify.Position{}) {
		return nil, at, notify.ErrResync
	}
	return entries, at, nil
}

// parseEntry reads one of what XRANGE returns.
func parseEntry(v any) (e notify.Entry, err error) {
	pair, _ := v.([]any)
	if len(pair) != 2 {
		return e, errForm
	}
	fields, _ := pair[1].([]any)
	if len(fields) != 6 {
		return e, errForm
	}
	seq, _, _ := strings.Cut(str(pair, 0), "-")
	e.Seq, err = strconv.ParseInt(seq, 10, 64)
	e.Type, e.Unread, e.Data = str(fields, 1), int(num(fields, 3)), jsontext.Value(str(fields, 5))
	return e, err
}

func (s *Store) Position(ctx context.Context, user uuid.UUID) (notify.Position, error) {
	return s.position(ctx, s.Pipeline(), user)
}

// position asks where a user's stream is, together with what is in the pipe.
func (s *Store) position(ctx context.Context, pipe goredis.Pipeliner, user uuid.UUID) (p notify.Position, err error) {
	at := pipe.HMGet(ctx, s.key(user, "meta"), "epoch", "seq")
	forgotten := pipe.Exists(ctx, s.Prefix+"forgotten:"+mark(user))
	if _, err = pipe.Exec(ctx); err != nil {
		return p, err
	}
	if forgotten.Val() > 0 {
		return p, notify.ErrForgotten
	}
	return parsePosition(at.Val()), nil
}

func parsePosition(at []any) (p notify.Position) {
	if len(at) == 2 {
		p.Epoch, p.Seq = str(at, 0), num(at, 1)
	}
	return p
}

func (s *Store) Live(ctx context.Context, entry func(uuid.UUID, string, notify.Entry), gap func()) {
	for ctx.Err() == nil {
		s.listen(ctx, entry, gap)
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// listen tells of entries until the connection is lost.
func (s *Store) listen(ctx context.Context, entry func(uuid.UUID, string, notify.Entry), gap func()) {
	sub := s.Subscribe(ctx, s.live)
	stop := context.AfterFunc(ctx, func() { _ = sub.Close() })
	defer func() {
		if stop() {
			_ = sub.Close()
		}
	}()
	for asked := false; ; {
		message, err := sub.ReceiveTimeout(ctx, s.silence)
		if err == nil {
			asked = false
		}
		switch m := message.(type) {
		case *goredis.Message:
			if user, epoch, e, ok := parseLive(m.Payload); ok {
				entry(user, epoch, e)
			}
		case *goredis.Subscription:
			gap()
		case nil:
			if !isTimeout(err) || asked || sub.Ping(ctx) != nil {
				return
			}
			asked = true
		}
	}
}

func isTimeout(err error) bool {
	e, ok := err.(interface{ Timeout() bool })
	return ok && e.Timeout()
}

// parseLive reads "USER EPOCH SEQ UNREAD N ", the N bytes of the type, and data.
func parseLive(text string) (user uuid.UUID, epoch string, e notify.Entry, ok bool) {
	var fields [5]string
	for i := range fields {
		if fields[i], text, ok = strings.Cut(text, " "); !ok {
			return
		}
	}
	user, err := uuid.Parse(fields[0])
	n, err2 := strconv.Atoi(fields[4])
	if err != nil || err2 != nil || n < 0 || n > len(text) {
		return user, epoch, e, false
	}
	e.Seq, _ = strconv.ParseInt(fields[2], 10, 64)
	e.Unread, _ = strconv.Atoi(fields[3])
	e.Type, e.Data = text[:n], jsontext.Value(text[n:])
	return user, fields[1], e, true
}
