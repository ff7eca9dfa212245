package redis_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notify"
)

// Of what is over nothing is left, and each thing that is over goes though
// others come.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.Redis(t))
	ctx, user, now := t.Context(), uuid.New(), time.Now()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func(name string, want int64) {
		t.Helper()
		if got := s.ZCard(ctx, s.Prefix+"{"+user.String()+"}:"+name).Val(); got != want {
			t.Errorf("%d %s, want %d", got, name, want)
		}
	}
	for i := range 5 {
		life := time.Duration(i+1) * time.Minute
		must(s.PutTicket(ctx, [32]byte{byte(i)}, notify.Ticket{User: user}, life))
		must(s.Signal(ctx, user, "signal", jsontext.Value(`{}`), fmt.Sprint(i)))
		must(s.SetTimer(ctx, notify.Timer{Key: fmt.Sprint(i), User: user, At: now}))
		n, _, err := s.Publish(ctx, notify.Notification{ID: uuid.New(), User: user, CreatedAt: now}, notify.Keys{Dedupe: fmt.Sprint(i), Collapse: fmt.Sprint(i)},
			notify.Delivery{ID: uuid.New(), State: notify.Failed, UpdatedAt: now})
		must(err)
		must(s.Delete(ctx, user, n.ID))
		must(s.PutSubscription(ctx, user, notify.Subscription{ID: fmt.Sprint(i), Endpoint: fmt.Sprint(i)}))
		must(s.DeleteSubscription(ctx, user, fmt.Sprint(i)))
	}
	count("tickets", 5)
	count("dedupe", 10)
	age(t, s.Client, 3*time.Minute+time.Second)
	must(s.PutTicket(ctx, [32]byte{5}, notify.Ticket{User: user}, time.Minute))
	count("tickets", 3)
	age(t, s.Client, notify.DedupeFor-time.Hour)
	must(s.Signal(ctx, user, "signal", jsontext.Value(`{}`), "later"))
	age(t, s.Client, 2*time.Hour)
	must(s.Signal(ctx, user, "signal", jsontext.Value(`{}`), "later still"))
	count("dedupe", 2)
	count("tickets", 0)
	rung, err := s.Ring(ctx, now, time.Minute, 10)
	must(err)
	for _, r := range rung {
		must(s.Rung(ctx, r))
	}
	must(s.Present(ctx, []uuid.UUID{user}, time.Minute))
	age(t, s.Client, notify.DedupeFor)
	must(s.Purge(ctx, now.Add(notify.SettledFor+time.Minute)))

	keys, err := s.Keys(ctx, "*").Result()
	must(err)
	slices.Sort(keys)
	mine := s.Prefix + "{" + user.String() + "}:"
	if want := []string{mine + "meta", mine + "stream"}; !slices.Equal(keys, want) {
		t.Errorf("left are %q, want %q", keys, want)
	}
	for _, key := range keys {
		if s.TTL(ctx, key).Val() > 0 {
			t.Errorf("%s goes too", key)
		}
	}
}
