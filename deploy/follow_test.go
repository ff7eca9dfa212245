package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lxzan/gws"
	"github.com/trellis-go/trellis/kit/pause"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/token"
)

// follower keeps a user's stream open, whatever happens to the other end, as
// a webapp does: when it is closed it asks for a ticket again and goes on from
// where it was.
type follower struct {
	client
	t *testing.T

	mu      sync.Mutex
	epoch   string
	seq     int64
	heard   []heard
	opened  int
	resyncs int
}

func (f *follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.once(ctx); err != nil && ctx.Err() == nil {
			pause.For(ctx, 50*time.Millisecond)
		}
	}
}

// once opens the stream and reads it until it is closed.
func (f *follower) once(ctx context.Context) error {
	status, answer, err := f.call(f.t, "POST", "/v1/realtime/ticket", map[string]any{})
	if err != nil || status != http.StatusCreated {
		return errors.Join(err, fmt.Errorf("ticket: %d", status))
	}
	query := url.Values{"ticket": {answer["ticket"].(string)}}
	f.mu.Lock()
	if f.epoch != "" {
		query.Set("epoch", f.epoch)
		query.Set("seq", strconv.FormatInt(f.seq, 10))
	}
	f.opened++
	f.mu.Unlock()
	conn, _, err := gws.NewClient(follows{f: f, ctx: ctx}, &gws.ClientOption{Addr: "ws" + strings.TrimPrefix(f.base, "http") + "/v1/realtime/ws?" + query.Encode()})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.NetConn().Close() })
	defer stop()
	_ = conn.WriteMessage(gws.OpcodeText, []byte(`{}`))
	conn.ReadLoop()
	return nil
}

type follows struct {
	gws.BuiltinEventHandler
	f   *follower
	ctx context.Context
}

func (h follows) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	var e heard
	if err := json.Unmarshal(m.Bytes(), &e); err != nil {
		h.f.t.Errorf("%v in %s", err, m.Bytes())
		return
	}
	f := h.f
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e.Type {
	case "hello":
		if f.epoch == "" {
			f.epoch, f.seq = e.Epoch, e.Seq
		}
	case "resync":
		f.resyncs++
		f.epoch, f.seq = e.Epoch, e.Seq
		f.heard = append(f.heard, f.missed(h.ctx, e.Seq)...)
	default:
		f.heard = append(f.heard, e)
		if e.Epoch != f.epoch || e.Seq != f.seq+1 {
			f.t.Errorf("%s/%d comes after %s/%d", e.Epoch, e.Seq, f.epoch, f.seq)
		}
		f.epoch, f.seq = e.Epoch, e.Seq
	}
}

// missed reads in the inbox what the stream does not have any more: what came
// up to an entry, and was not heard.
func (f *follower) missed(ctx context.Context, upTo int64) (list []heard) {
	known := map[string]bool{}
	for _, h := range f.heard {
		known[h.id()] = true
	}
	for query := "?limit=100"; query != ""; {
		status, page, err := f.call(f.t, "GET", "/v1/notifications"+query, nil)
		if err != nil || status != http.StatusOK {
			if !pause.For(ctx, 50*time.Millisecond) {
				return nil
			}
			continue
		}
		for _, n := range page["data"].([]any) {
			text, _ := json.Marshal(n)
			h := heard{Type: "notification", Data: text}
			if seq, _ := n.(map[string]any)["seq"].(float64); int64(seq) <= upTo && !known[h.id()] {
				list = append(list, h)
			}
		}
		query = ""
		if next, ok := page["page"].(map[string]any)["next_cursor"].(string); ok {
			query = "?limit=100&cursor=" + url.QueryEscape(next)
		}
	}
	slices.Reverse(list) // the newest are first
	return list
}

// id is that of a notification.
func (h heard) id() string {
	var n struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(h.Data, &n)
	return n.ID
}

// titles are those of the notifications that were heard, but for the welcome.
func (f *follower) titles() (titles []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.heard {
		var n struct {
			Title string `json:"title"`
		}
		if e.Type == "notification" && json.Unmarshal(e.Data, &n) == nil && strings.HasPrefix(n.Title, "n") {
			titles = append(titles, n.Title)
		}
	}
	return titles
}

// While each instance of notify is killed, restarted and stopped, and Redis is
// killed, every client hears everything that was accepted, once, in order; what
// was said just before Redis was killed they may have to read in the inbox.
func TestStreamsUnderFire(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	consul := testenv.Consul(t)
	redis, err := testenv.StartRedis(t.Context(), t.TempDir(), 0) // in a folder of its own it keeps what it was told
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Stop() })
	shared := []string{"TRELLIS_DISCOVERY=" + consul.URL, "TRELLIS_EVENTS=" + redis.URL, secret}
	var members []*member
	var gateway string
	authStore := testenv.Postgres(t)
	for _, name := range []string{"auth", "notify", "notify", "gateway"} {
		addrs, prefix := ports(t, 2), strings.ToUpper(name)+"_"
		m := &member{name: name, addr: addrs[0], env: append(slices.Clone(shared), prefix+"ADDR="+addrs[0])}
		switch name {
		case "auth":
			m.env = append(m.env, "AUTH_STORE="+authStore)
		case "notify":
			m.env = append(m.env, "NOTIFY_STORE="+redis.URL, "NOTIFY_MAIL_ADDR="+addrs[1])
			members = append(members, m)
		case "gateway":
			m.env = append(m.env, "GATEWAY_ADMIN="+addrs[1])
			gateway = "http://" + addrs[0]
		}
		m.start(t)
	}
	c := client{base: gateway}
	c.routed(t, "/v1/auth/login", "/v1/notifications")

	const users = 10
	following, stop := context.WithCancel(t.Context())
	defer stop()
	followers := make([]*follower, users)
	var ids []string
	var running sync.WaitGroup
	for i := range followers {
		f := &follower{client: c.signup(t, fmt.Sprintf("follower%d@example.com", i)), t: t}
		ids = append(ids, f.must(t, 200, "GET", "/v1/auth/me", nil)["id"].(string))
		testenv.Eventually(t, "a welcome", func() bool { return f.told(t, "account") != nil })
		followers[i] = f
		running.Go(func() { f.run(following) })
	}
	defer running.Wait()
	defer stop()
	for _, f := range followers {
		testenv.Eventually(t, "the stream is open", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.epoch != "" })
	}

	// Whatever is not accepted is sent again, with the same key, until it is.
	publishing, enough := context.WithCancel(t.Context())
	defer enough()
	var sent []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; publishing.Err() == nil; i++ {
			title := "n" + strconv.Itoa(i)
			accepted := false
			for at := 0; !accepted && t.Context().Err() == nil; at++ {
				if accepted = publish(t, members[at%len(members)], ids, title); !accepted {
					pause.For(t.Context(), 10*time.Millisecond)
				}
			}
			sent = append(sent, title)
			pause.For(publishing, 5*time.Millisecond)
		}
	}()
	reach := func(what string) {
		t.Helper()
		begin := time.Now()
		mark := followers[0].count()
		testenv.Eventually(t, "streams go on after "+what, func() bool {
			for _, f := range followers {
				if f.count() < mark+20 {
					return false
				}
			}
			return true
		})
		t.Logf("%s: all streams went on within %v", what, time.Since(begin).Round(time.Millisecond))
	}
	reach("the start")
	for i, m := range members {
		m.signal(t, syscall.SIGKILL)
		<-m.done
		reach(fmt.Sprintf("the kill of instance %d", i))
		m.start(t)
		c.routed(t, "/v1/notifications")
		m.ready(t)
		m.signal(t, syscall.SIGTERM)
		<-m.done
		if code := m.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("instance %d, told to stop, ended with %d", i, code)
		}
		reach(fmt.Sprintf("the stop of instance %d", i))
		m.start(t)
		m.ready(t)
	}
	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := redis.Restart(); err != nil {
		t.Fatal(err)
	}
	reach("the kill of Redis")
	enough()
	<-done
	for _, f := range followers {
		testenv.Eventually(t, "all is heard", func() bool { return len(f.titles()) >= len(sent) })
	}
	stop()
	running.Wait()
	defer func() {
		for i, f := range followers {
			if got := f.titles(); t.Failed() && !slices.Equal(got, sent) {
				t.Logf("client %d heard %d of %d, the last %v of %v, opened its stream %d times and began anew %d times",
					i, len(got), len(sent), last(got), last(sent), f.opened, f.resyncs)
			}
		}
	}()
	for i, f := range followers {
		if got := f.titles(); !slices.Equal(got, sent) {
			t.Errorf("client %d heard something else", i)
		}
		if f.resyncs > 1 { // once, when Redis began anew
			t.Errorf("client %d had to begin anew %d times", i, f.resyncs)
		}
	}
	t.Logf("%d notifications to %d clients, whose streams were opened %d times", len(sent), users, opened(followers))
}

func last(titles []string) []string { return titles[max(0, len(titles)-3):] }

func (f *follower) count() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.heard) }

func opened(followers []*follower) (n int) {
	for _, f := range followers {
		n += f.opened
	}
	return n
}

// ready waits until the instance takes work.
func (m *member) ready(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, m.name+" is ready", func() bool {
		status, _, err := client{base: "http://" + m.addr}.call(t, "GET", "/readyz", nil)
		return err == nil && status == 200
	})
}

// publish tells users something at an instance, as another service does. It
// returns whether that was accepted.
func publish(t *testing.T, m *member, ids []string, title string) bool {
	key := token.ServiceKey(strings.TrimPrefix(secret, "TRELLIS_SECRET="))
	service, err := key.Sign("test", time.Now())
	if err != nil {
		t.Error(err)
		return true
	}
	status, answer, err := client{base: "http://" + m.addr, token: service}.call(t, "POST", "/internal/v1/notifications", map[string]any{
		"user_ids": ids, "category": "system", "title": title, "body": "", "dedupe_key": title,
	})
	if err == nil && status >= 400 && status < 500 {
		t.Errorf("%s is refused: %d %v", title, status, answer)
		return true
	}
	return err == nil && status == http.StatusAccepted
}
