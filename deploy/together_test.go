package deploy_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxzan/gws"
	"github.com/trellis-go/trellis/kit/testenv"
)

// house is the whole system, running.
type house struct {
	client
	mail  string // the page with the mails
	store func(t *testing.T) map[string]string
}

// houses are the two ways in which the system runs: all in one process on
// embedded stores, and each service a process, two of notify, on real servers.
var houses = []struct {
	name string
	open func(t *testing.T) house
}{
	{"embedded", func(t *testing.T) house {
		folder, addrs := t.TempDir(), localPorts(t)
		run(t, folder, "local", append(localEnv(addrs), "PROFILE_GRACE=2s")...)
		return house{client{base: "http://" + addrs[2]}, "http://" + addrs[6], func(t *testing.T) map[string]string { return sqliteTexts(t, folder) }}
	}},
	{"processes", func(t *testing.T) house {
		consul, redis := testenv.Consul(t), testenv.RedisServer(t)
		stores := map[string]string{"auth": testenv.Postgres(t), "notes": testenv.Postgres(t), "profile": testenv.Mongo(t), "notify": redis.URL}
		shared := []string{"TRELLIS_DISCOVERY=" + consul.URL, "TRELLIS_EVENTS=" + redis.URL, "TRELLIS_DRAIN=100ms", secret, "PROFILE_GRACE=2s"}
		mails := t.TempDir()
		h := house{}
		for _, name := range []string{"auth", "notes", "profile", "notify", "notify", "gateway"} {
			addrs, prefix := ports(t, 2), strings.ToUpper(name)+"_"
			env := append(slices.Clone(shared), prefix+"ADDR="+addrs[0])
			switch name {
			case "gateway":
				h.base = "http://" + addrs[0]
				env = append(env, prefix+"ADMIN="+addrs[1], prefix+"REDIS="+redis.URL)
			case "notify":
				h.mail = "http://" + addrs[1] // both show the mails of the same folder
				env = append(env, prefix+"MAIL_ADDR="+addrs[1], prefix+"MAIL_DIR="+mails)
			}
			if stores[name] != "" {
				env = append(env, prefix+"STORE="+stores[name])
			}
			run(t, t.TempDir(), name, env...)
		}
		h.store = func(t *testing.T) map[string]string { return serverTexts(t, stores) }
		return h
	}},
}

// paths are some of each service's, so that the gateway knows them all.
var paths = []string{"/v1/auth/login", "/v1/notes", "/v1/profile", "/v1/notifications"}

// Accounts, notes, profiles and notifications, as their user meets them.
func TestTogether(t *testing.T) {
	t.Parallel()
	for _, kind := range houses {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			h := kind.open(t)
			h.routed(t, paths...)
			t.Run("account", func(t *testing.T) { t.Parallel(); h.account(t) })
			t.Run("sharing", func(t *testing.T) { t.Parallel(); h.sharing(t) })
			t.Run("theft", func(t *testing.T) { t.Parallel(); h.theft(t) })
			t.Run("leaving", func(t *testing.T) { t.Parallel(); h.leaving(t) })
		})
	}
}

// account: a welcome and a profile, a verified email, a new password.
func (h house) account(t *testing.T) {
	email := "carla@example.com"
	carla := h.signup(t, email)
	testenv.Eventually(t, "a profile", func() bool {
		return carla.must(t, 200, "GET", "/v1/profile", nil)["version"] != nil
	})
	testenv.Eventually(t, "a welcome", func() bool { return carla.told(t, "account") != nil })

	h.verify(t, email)
	if me := carla.must(t, 200, "GET", "/v1/auth/me", nil); me["email_verified"] != true {
		t.Errorf("she is %v", me)
	}
	h.must(t, 202, "POST", "/v1/auth/password/forgot", map[string]any{"email": email})
	token := h.link(t, email, "reset")
	h.must(t, 204, "POST", "/v1/auth/password/reset", map[string]any{"token": token, "password": "zinn-teller-93"})
	h.must(t, 410, "POST", "/v1/auth/password/reset", map[string]any{"token": token, "password": "zinn-teller-94"})
	carla.token = h.must(t, 200, "POST", "/v1/auth/login", map[string]any{"login": email, "password": "zinn-teller-93"})["access_token"].(string)
	testenv.Eventually(t, "she is told of the new password", func() bool { return carla.told(t, "security") != nil })
}

// sharing: what one does, the other sees, on what they have open.
func (h house) sharing(t *testing.T) {
	dora, emil := h.signup(t, "dora@example.com"), h.signup(t, "emil@example.com")
	testenv.Eventually(t, "welcomes", func() bool { return dora.told(t, "account") != nil && emil.told(t, "account") != nil })
	doras, emils := dora.listen(t), emil.listen(t)
	n := dora.must(t, 201, "POST", "/v1/notes", map[string]any{"title": "Seeds <b>"})
	note := "/v1/notes/" + n["id"].(string)
	doras.await(t, "note.created", n["id"].(string))

	dora.must(t, 422, "POST", note+"/shares", map[string]any{"user": "emil@example.com"}) // anybody may have signed up with it
	h.verify(t, "emil@example.com")
	begin := time.Now()
	share := dora.must(t, 201, "POST", note+"/shares", map[string]any{"user": "emil@example.com", "role": "editor"})
	emils.await(t, "notification", `"sharing"`)
	if took := time.Since(begin); took > time.Second {
		t.Logf("a share took %v to show", took)
	}
	if got := emil.must(t, 200, "GET", note, nil); got["role"] != "editor" {
		t.Errorf("he reads it as %v", got["role"])
	}
	emil.must(t, 200, "PATCH", note, map[string]any{"body": "peas"}, "If-Match", `"1"`)
	doras.await(t, "note.changed", n["id"].(string))
	emils.await(t, "note.changed", n["id"].(string))
	for _, path := range []string{"/v1/notes/changes", "/v1/notes?shared=true&q=pea", note + "/revisions/1"} {
		if got, _ := json.Marshal(emil.must(t, 200, "GET", path, nil)); !strings.Contains(string(got), "Seeds") {
			t.Errorf("%s: %s", path, got)
		}
	}

	dora.must(t, 200, "PATCH", note, map[string]any{"reminder_at": time.Now().Add(time.Second)}, "If-Match", `"2"`)
	doras.await(t, "notification", `"reminder"`)

	dora.must(t, 204, "DELETE", note+"/shares/"+share["id"].(string), nil)
	emil.must(t, 404, "GET", note, nil)
	doras.whole(t)
	emils.whole(t)
}

// theft: who uses a refresh token twice ends the session, and its owner hears of it.
func (h house) theft(t *testing.T) {
	account := map[string]any{"email": "frida@example.com", "password": "kupfer-dach-77"}
	stolen := h.must(t, 201, "POST", "/v1/auth/signup", account)["refresh_token"]
	second := h.must(t, 200, "POST", "/v1/auth/refresh", map[string]any{"refresh_token": stolen})["refresh_token"]
	h.must(t, 200, "POST", "/v1/auth/refresh", map[string]any{"refresh_token": second})
	if p := h.must(t, 401, "POST", "/v1/auth/refresh", map[string]any{"refresh_token": stolen}); p["code"] != "refresh_reused" {
		t.Errorf("the thief is told %v", p)
	}
	frida := h.client
	frida.token = h.must(t, 200, "POST", "/v1/auth/login", map[string]any{"login": account["email"], "password": account["password"]})["access_token"].(string)
	testenv.Eventually(t, "she is told", func() bool { return frida.told(t, "security") != nil })
}

// leaving: what is exported is all, and what is erased is gone everywhere.
func (h house) leaving(t *testing.T) {
	const email, text = "gustav.leaves@example.com", "a text that gustav alone has"
	gustav, other := h.signup(t, email), h.signup(t, "hanna@example.com")
	testenv.Eventually(t, "a welcome", func() bool { return gustav.told(t, "account") != nil })
	id := gustav.must(t, 200, "GET", "/v1/auth/me", nil)["id"].(string)
	n := gustav.must(t, 201, "POST", "/v1/notes", map[string]any{"title": text, "tags": []string{"gustavtag"}})
	shared := other.must(t, 201, "POST", "/v1/notes", map[string]any{"title": "hers"})
	h.verify(t, email)
	h.verify(t, "hanna@example.com")
	gustav.must(t, 201, "POST", "/v1/notes/"+n["id"].(string)+"/shares", map[string]any{"user": "hanna@example.com", "role": "editor"})
	other.must(t, 200, "PATCH", "/v1/notes/"+n["id"].(string), map[string]any{"title": "no more"}, "If-Match", `"1"`)
	other.must(t, 201, "POST", "/v1/notes/"+shared["id"].(string)+"/shares", map[string]any{"user": email, "role": "editor"})
	gustav.must(t, 200, "PATCH", "/v1/notes/"+shared["id"].(string), map[string]any{"body": "by a guest"}, "If-Match", `"1"`)
	gustav.must(t, 200, "PATCH", "/v1/profile", map[string]any{"bio": "gustavbio"}, "If-Match", etag(gustav.must(t, 200, "GET", "/v1/profile", nil)))

	job := gustav.must(t, 202, "POST", "/v1/account/export", map[string]any{})
	path := "/v1/account/jobs/" + job["id"].(string)
	testenv.Eventually(t, "the export", func() bool { return gustav.must(t, 200, "GET", path, nil)["status"] == "done" })
	holds := gustav.download(t, path+"/download")
	for _, want := range []string{email, text, "gustavtag", "gustavbio", "Welcome"} {
		if !strings.Contains(holds, want) {
			t.Errorf("the export has no %q", want)
		}
	}

	gustav.must(t, 403, "DELETE", "/v1/account", map[string]any{"password": "another"})
	gone := gustav.must(t, 202, "DELETE", "/v1/account", map[string]any{"password": "kupfer-dach-77"})
	testenv.Eventually(t, "the erasure", func() bool {
		status, receipts, err := h.call(t, "POST", "/v1/account/receipts", map[string]any{"token": gone["receipt_token"]})
		if err != nil || status != 200 {
			return false
		}
		got, _ := json.Marshal(receipts)
		for _, service := range []string{"auth", "notes", "profile", "notify"} {
			if !strings.Contains(string(got), `"service":"`+service+`"`) {
				return false
			}
		}
		return receipts["status"] == "done"
	})
	h.must(t, 401, "POST", "/v1/auth/login", map[string]any{"login": email, "password": "kupfer-dach-77"})
	gustav.must(t, 401, "GET", "/v1/notes", nil)
	testenv.Eventually(t, "nothing is left", func() bool {
		var left []string
		for where, has := range h.store(t) {
			for _, trace := range []string{email, text, "gustavtag", "gustavbio", id} {
				if trace == id && eventTables.MatchString(where) || streamTables.MatchString(where) {
					continue
				}
				if strings.Contains(has, trace) {
					left = append(left, where+": "+trace)
				}
			}
		}
		if len(left) > 0 {
			t.Log("left:", left)
		}
		return len(left) == 0
	})
	other.must(t, 200, "GET", "/v1/notes/"+shared["id"].(string), nil)
	h.signup(t, email)
}

var (
	// eventTables are where it is told, by their id and for a day, that somebody was erased.
	eventTables = regexp.MustCompile(`outbox|events`)
	// streamTables have what others were told as it happened: their last thousand entries.
	streamTables = regexp.MustCompile(`entries|:stream`)
)

func etag(resource map[string]any) string { return fmt.Sprintf(`"%v"`, resource["version"]) }

// told returns the newest notification of a category, or nil.
func (c client) told(t *testing.T, category string) map[string]any {
	t.Helper()
	list, _ := c.must(t, 200, "GET", "/v1/notifications?category="+category, nil)["data"].([]any)
	if len(list) == 0 {
		return nil
	}
	return list[0].(map[string]any)
}

// verify follows the link in the mail with which an address is verified.
func (h house) verify(t *testing.T, email string) {
	t.Helper()
	h.must(t, 204, "POST", "/v1/auth/email/verify", map[string]any{"token": h.link(t, email, "verify")})
}

// link returns the token of the newest mail to an address with a link to a page.
func (h house) link(t *testing.T, email, page string) (token string) {
	t.Helper()
	find := regexp.MustCompile(`/` + page + `#token=([A-Za-z0-9_-]+)`)
	mails := client{base: h.mail}
	testenv.Eventually(t, "a mail with a link to "+page, func() bool {
		list, _ := mails.must(t, 200, "GET", "/messages", nil)["messages"].([]any)
		for _, m := range list {
			m := m.(map[string]any)
			if to, _ := json.Marshal(m["to"]); !strings.Contains(string(to), email) {
				continue
			}
			text, _ := json.Marshal(mails.must(t, 200, "GET", "/messages/"+url.PathEscape(m["id"].(string)), nil))
			if found := find.FindSubmatch(text); found != nil {
				token = string(found[1])
				return true
			}
		}
		return false
	})
	return token
}

// download returns the names and texts of all files in a zip.
func (c client) download(t *testing.T, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	res, err := testenv.Client.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("download: %s, %v", res.Status, err)
	}
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s\n%s\n", f.Name, text)
	}
	return all.String()
}

// listener is a WebSocket that a user has open.
type listener struct {
	gws.BuiltinEventHandler

	mu    sync.Mutex
	heard []heard
	more  chan struct{} // closed when there is more
	close error
}

type heard struct {
	Epoch string          `json:"epoch"`
	Seq   int64           `json:"seq"`
	Type  string          `json:"type"`
	Data  json.RawMessage `json:"data"`
}

// listen opens the user's stream, from now on, as a page there does.
func (c client) listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{more: make(chan struct{})}
	ticket := c.must(t, 201, "POST", "/v1/realtime/ticket", map[string]any{})["ticket"].(string)
	conn, _, err := gws.NewClient(l, &gws.ClientOption{
		Addr:          "ws" + strings.TrimPrefix(c.base, "http") + "/v1/realtime/ws?ticket=" + ticket,
		RequestHeader: http.Header{"Origin": {c.base}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.WriteClose(1000, nil) })
	go conn.ReadLoop()
	if err := conn.WriteMessage(gws.OpcodeText, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	l.await(t, "hello", "")
	return l
}

func (l *listener) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	var h heard
	err := json.Unmarshal(m.Bytes(), &h)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.close = err
	}
	l.heard = append(l.heard, h)
	close(l.more)
	l.more = make(chan struct{})
}

func (l *listener) OnClose(_ *gws.Conn, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close = err
	close(l.more)
	l.more = make(chan struct{})
}

// await waits for a message of a type with a text in its data.
func (l *listener) await(t *testing.T, kind, part string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		l.mu.Lock()
		for _, h := range l.heard {
			if h.Type == kind && strings.Contains(string(h.Data), part) {
				l.mu.Unlock()
				return
			}
		}
		more, closed := l.more, l.close
		l.mu.Unlock()
		if closed != nil {
			t.Fatalf("no %s %s: %v", kind, part, closed)
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("no %s %s within a minute", kind, part)
		}
	}
}

// whole fails the test if anything is missing or there twice.
func (l *listener) whole(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := 1; i < len(l.heard); i++ {
		if was, is := l.heard[i-1], l.heard[i]; is.Seq != was.Seq+1 || is.Epoch != was.Epoch {
			t.Errorf("%s %s/%d comes after %s/%d", is.Type, is.Epoch, is.Seq, was.Epoch, was.Seq)
		}
	}
}
