package redis_test

import (
	"context"
	"net"
	"testing"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notify"
)

// between lets something happen between commands that are not one transaction.
type between struct{ happens func() }

func (between) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (between) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

func (b between) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, all []goredis.Cmder) error {
		if all[0].Name() == "multi" {
			return next(ctx, all)
		}
		for i := range all {
			if err := next(ctx, all[i:i+1]); err != nil {
				return err
			}
			b.happens()
		}
		return nil
	}
}

// What comes while somebody reads is not what they have missed.
func TestSinceMeanwhile(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	s, other := open(t, url), open(t, url)
	user := uuid.New()
	p := signals(t, other, user, "before")
	s.AddHook(between{func() { signals(t, other, user, "meanwhile") }})
	for range 3 {
		entries, at, err := s.Since(t.Context(), user, p, notify.MaxStream)
		if err != nil || p.Seq+int64(len(entries)) != at.Seq {
			t.Fatalf("behind %+v %d entries, up to %+v; %v", p, len(entries), at, err)
		}
		p = at
	}
}
