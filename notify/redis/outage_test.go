package redis_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/redis"
)

// ear is a Live that runs until the test ends.
type ear struct {
	mu    sync.Mutex
	gaps  int
	heard []string // epochs and types
}

func listen(t *testing.T, s *redis.Store) *ear {
	e := &ear{}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		s.Live(ctx, func(_ uuid.UUID, epoch string, n notify.Entry) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.heard = append(e.heard, epoch+" "+n.Type)
		}, func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.gaps++
		})
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	testenv.Eventually(t, "it listens", func() bool { return e.count() > 0 })
	return e
}

func (e *ear) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.gaps
}

func (e *ear) hears(t *testing.T, epoch, kind string) {
	t.Helper()
	testenv.Eventually(t, kind+" is heard", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.heard) > 0 && e.heard[len(e.heard)-1] == epoch+" "+kind
	})
}

// signals adds an entry, and returns where the stream then is.
func signals(t *testing.T, s *redis.Store, user uuid.UUID, kind string) notify.Position {
	t.Helper()
	if err := s.Signal(t.Context(), user, kind, jsontext.Value(`{}`), ""); err != nil {
		t.Fatal(err)
	}
	p, err := s.Position(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func resyncs(t *testing.T, s *redis.Store, user uuid.UUID, p notify.Position) {
	t.Helper()
	if list, _, err := s.Since(t.Context(), user, p, 10); !errors.Is(err, notify.ErrResync) {
		t.Errorf("since %+v: %+v, %v", p, list, err)
	}
}

// Redis comes back with nothing: streams begin anew, and who listens is told.
func TestAllIsLost(t *testing.T) {
	t.Parallel()
	server := testenv.RedisServer(t)
	a, b := open(t, server.URL), open(t, server.URL)
	user := uuid.New()
	ears := []*ear{listen(t, a), listen(t, b)}
	before := signals(t, a, user, "before")
	for _, e := range ears {
		e.hears(t, before.Epoch, "before")
	}
	if err := errors.Join(server.Kill(), server.Restart()); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "it is empty", func() bool {
		p, err := b.Position(t.Context(), user)
		return err == nil && p == notify.Position{}
	})
	resyncs(t, b, user, before)
	for _, e := range ears {
		testenv.Eventually(t, "they listen again", func() bool { return e.count() > 1 })
	}
	after := signals(t, b, user, "after")
	if after.Epoch == before.Epoch || after.Seq != 1 {
		t.Errorf("the stream was at %+v and is at %+v", before, after)
	}
	resyncs(t, a, user, before)
	for _, e := range ears {
		e.hears(t, after.Epoch, "after")
	}
}

// Redis comes back as it was a while ago: who has seen more does not take what
// comes then for what comes next.
func TestTheEndIsLost(t *testing.T) {
	t.Parallel()
	server := testenv.RedisServer(t)
	s := open(t, server.URL)
	user := uuid.New()
	one := signals(t, s, user, "1")
	signals(t, s, user, "2")
	if err := s.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	three := signals(t, s, user, "3")
	if err := errors.Join(server.Kill(), server.Restart()); err != nil {
		t.Fatal(err)
	}
	var at notify.Position
	testenv.Eventually(t, "it is back", func() (ok bool) {
		var err error
		at, err = s.Position(t.Context(), user)
		return err == nil
	})
	if (at != notify.Position{Epoch: one.Epoch, Seq: 2}) {
		t.Fatalf("the stream is at %+v", at)
	}
	resyncs(t, s, user, three)
	if list, _, err := s.Since(t.Context(), user, one, 10); err != nil || len(list) != 1 || list[0].Type != "2" {
		t.Errorf("behind what is kept: %+v, %v", list, err)
	}
	for range 3 {
		at = signals(t, s, user, "other")
	}
	if at.Seq != 5 || at.Epoch == one.Epoch {
		t.Errorf("the stream is at %+v", at)
	}
	resyncs(t, s, user, three)
	resyncs(t, s, user, one)
	if list, _, err := s.Since(t.Context(), user, notify.Position{Epoch: at.Epoch, Seq: 3}, 10); err != nil || len(list) != 2 {
		t.Errorf("in the new epoch: %+v, %v", list, err)
	}
}

// A connection that is lost, or on which nobody answers, is made anew.
func TestListensAgain(t *testing.T) {
	t.Parallel()
	server := testenv.RedisServer(t)
	s, admin := open(t, server.URL), open(t, server.URL)
	redis.Impatient(s)
	user := uuid.New()
	e := listen(t, s)
	for name, harm := range map[string]func() error{
		"killed": func() error { return admin.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err() },
		"paused": func() error {
			gaps := e.count()
			if err := server.Pause(); err != nil {
				return err
			}
			<-time.After(500 * time.Millisecond) // is the silence itself
			if e.count() != gaps {
				t.Error("it listens to nobody")
			}
			return server.Resume()
		},
	} {
		gaps := e.count()
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, name+": it listens again", func() bool { return e.count() > gaps })
		p := signals(t, admin, user, name)
		e.hears(t, p.Epoch, name)
	}
	gaps := e.count()
	<-time.After(time.Second) // of silence, which is no gap
	if e.count() != gaps {
		t.Error("a silence is taken for a gap")
	}
}

func TestForgottenScripts(t *testing.T) {
	t.Parallel()
	server := testenv.RedisServer(t)
	s := open(t, server.URL)
	user := uuid.New()
	for seq := range int64(3) {
		if err := s.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if p := signals(t, s, user, "signal"); p.Seq != seq+1 {
			t.Errorf("the stream is at %+v", p)
		}
		in, err := s.Inbox(t.Context(), user, notify.Query{Limit: 1})
		if err != nil || in.Position.Seq != seq+1 {
			t.Errorf("%+v, %v", in, err)
		}
	}
}

// What is lost of one user, though Redis should not, does not hold up others.
func TestPartIsLost(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.Redis(t))
	ctx, user, other, now := t.Context(), uuid.New(), uuid.New(), time.Now()
	publish := func(user uuid.UUID, key string) notify.Notification {
		t.Helper()
		n, added, err := s.Publish(ctx, notify.Notification{ID: uuid.New(), User: user, Category: notify.System, CreatedAt: now}, notify.Keys{Collapse: key},
			notify.Delivery{ID: uuid.New(), Channel: notify.Email, State: notify.Pending, NextAt: now}, notify.Delivery{ID: uuid.New(), State: notify.Sent})
		if err != nil || !added {
			t.Fatal(err)
		}
		return n
	}
	publish(user, "key")
	theirs := publish(other, "key")
	for _, one := range []uuid.UUID{user, other} {
		if err := s.SetTimer(ctx, notify.Timer{Key: one.String(), User: one, At: now}); err != nil {
			t.Fatal(err)
		}
	}
	mine := s.Prefix + "{" + user.String() + "}:"
	if err := errors.Join(s.Del(ctx, mine+"meta", mine+"items", mine+"deliveries").Err(), s.HDel(ctx, s.Prefix+"timers", user.String()).Err()); err != nil {
		t.Fatal(err)
	}
	taken, err := s.Take(ctx, notify.Email, now, time.Minute, 10)
	if err != nil || len(taken) != 1 || taken[0].Notification != theirs.ID {
		t.Errorf("%+v, %v", taken, err)
	}
	rung, err := s.Ring(ctx, now, time.Minute, 10)
	if err != nil || len(rung) != 1 || rung[0].User != other {
		t.Errorf("%+v, %v", rung, err)
	}
	if err := s.Purge(ctx, now); err != nil {
		t.Error(err)
	}
	if due, ringing := s.ZCard(ctx, s.Prefix+"due:email").Val(), s.ZCard(ctx, s.Prefix+"ringing").Val(); due != 1 || ringing != 1 {
		t.Errorf("%d are still due, %d will ring", due, ringing)
	}
	_, _, err = s.ReadAll(ctx, user, 10, "", now)
	if list, err2 := s.Deliveries(ctx, user, theirs.ID); err != nil || err2 != nil || len(list) != 0 {
		t.Errorf("%v, %+v, %v", err, list, err2)
	}
	publish(user, "key")
	for range notify.MaxInbox + 1 {
		publish(user, "")
	}
	in, err := s.Inbox(ctx, user, notify.Query{Limit: notify.MaxInbox})
	if err != nil || len(in.Notifications) != notify.MaxInbox || in.Unread != notify.MaxInbox || in.More {
		t.Errorf("%d, %d unread, %v", len(in.Notifications), in.Unread, err)
	}
}

// Two databases of one server are two worlds.
func TestDatabasesApart(t *testing.T) {
	t.Parallel()
	a, b := open(t, testenv.Redis(t)), open(t, testenv.Redis(t))
	user := uuid.New()
	e := listen(t, a)
	signals(t, b, user, "theirs")
	p := signals(t, a, user, "ours")
	e.hears(t, p.Epoch, "ours")
	if len(e.heard) != 1 || p.Seq != 1 {
		t.Errorf("%q was heard, and the stream is at %+v", e.heard, p)
	}
}
