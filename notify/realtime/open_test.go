package realtime_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notify/realtime"
)

// refused sees that an answer is a problem.
func refused(t *testing.T, res *http.Response, status int, code string) {
	t.Helper()
	body, _ := io.ReadAll(res.Body)
	var p transport.Problem
	if err := json.Unmarshal(body, &p); err != nil || res.StatusCode != status || p.Code != code || res.Header.Get("X-Request-Id") == "" {
		t.Errorf("%s %q, %v, want %d %s", res.Status, body, err, status, code)
	}
	if retry := res.Header.Get("Retry-After"); (retry == "") != (status != 429 && status < 502) {
		t.Errorf("%d has Retry-After: %q", status, retry)
	}
}

func TestTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	for _, query := range []string{"", "?ticket=", "?ticket=unknown", "?ticket=" + strings.Repeat("x", 1000), "?Ticket=x"} {
		_, res := w.shake("/v1/realtime/ws"+query, handshake, "")
		refused(t, res, 401, "ticket_invalid")
	}
	path := w.ticket(user, "s1")
	w.dial(path)
	_, res := w.shake(path, handshake, "")
	refused(t, res, 401, "ticket_invalid")

	w.revoked.Add("s2", time.Now().Add(time.Hour))
	_, res = w.shake(w.ticket(user, "s2"), handshake, "")
	refused(t, res, 401, "session_ended")

	path = w.ticket(user, "s1")
	w.store.erase(t, user)
	_, res = w.shake(path, handshake, "")
	refused(t, res, 401, "ticket_invalid")

	refused(t, w.ask("GET", "/v1/realtime/events", ""), 401, "token_missing")
	refused(t, w.ask("GET", "/v1/realtime/events", w.token(user, "s2")), 401, "session_ended")
	refused(t, w.ask("GET", "/v1/realtime/events", w.token(user, "s1")), 410, "user_erased")
	if n := w.hub.Open(); n != 1 {
		t.Errorf("%d streams are open", n)
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	path := w.ticket(user, "s1")
	for _, tt := range []struct {
		old, new, code string
		status         int
	}{
		{"Upgrade: websocket\r\n", "", "websocket_required", 426},
		{"Upgrade: websocket\r\n", "Upgrade: h2c\r\n", "websocket_required", 426},
		{"Connection: keep-alive, Upgrade\r\n", "", "websocket_required", 426},
		{"Version: 13", "Version: 8", "websocket_version", 426},
		{"Sec-WebSocket-Version: 13\r\n", "", "websocket_version", 426},
		{"dGhlIHNhbXBsZSBub25jZQ==", "", "websocket_key", 400},
		{"dGhlIHNhbXBsZSBub25jZQ==", "dGhl", "websocket_key", 400},
		{"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ!==", "websocket_key", 400},
	} {
		_, res := w.shake(path, strings.Replace(handshake, tt.old, tt.new, 1), "")
		refused(t, res, tt.status, tt.code)
		if h := res.Header; tt.code == "websocket_required" && h.Get("Upgrade") != "websocket" ||
			tt.code == "websocket_version" && h.Get("Sec-WebSocket-Version") != "13" {
			t.Errorf("%s: %v", tt.code, h)
		}
	}
	for query, code := range map[string]string{"&epoch=e-1": "invalid", "&seq=1": "invalid", "&epoch=e&epoch=e&seq=1": "invalid", "&epoch=e-1&seq=-1": "invalid", "&epoch=e-1&seq=x": "invalid",
		"&epoch=" + strings.Repeat("x", 65) + "&seq=1": "invalid", "&x=%zz": "query_malformed"} {
		_, res := w.shake(path+query, handshake, "")
		refused(t, res, map[string]int{"invalid": 422, "query_malformed": 400}[code], code)
	}
	if res := w.ask("HEAD", path, ""); res.StatusCode != 426 {
		t.Errorf("HEAD: %s", res.Status)
	}
	// None of this has used the ticket up.
	_, res := w.shake(path, strings.Replace(handshake, "keep-alive, Upgrade", "keep-alive\r\nConnection: upgrade", 1)+
		"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\nX-Request-ID: mine\r\n", "")
	h := res.Header
	if res.StatusCode != 101 || h.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || h.Get("X-Request-Id") != "mine" ||
		h["Sec-Websocket-Extensions"] != nil || h["Sec-Websocket-Protocol"] != nil || len(h["Connection"]) != 1 || len(h["Upgrade"]) != 1 {
		t.Errorf("%s %v", res.Status, h)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{Origins: []string{"https://app.example", "http://localhost:3000"}})
	for headers, welcome := range map[string]bool{
		"":                                                 true,
		"Origin: https://app.example":                      true,
		"Origin: http://localhost:3000":                    true,
		"Origin: http://app.example":                       false,
		"Origin: https://app.example.evil":                 false,
		"Origin: https://app.example:8443":                 false,
		"Origin: null":                                     false,
		"Origin: ":                                         false,
		"Origin: evil":                                     false,
		"Origin: file://HOST":                              false,
		"Origin: http://HOST":                              true,
		"Origin: https://HOST":                             true,
		"Origin: http://HOST\r\nOrigin: http://evil":       false,
		"Origin: http://HOST\r\nX-Forwarded-Host: x.y":     false,
		"Origin: http://x.y\r\nX-Forwarded-Host: x.y":      true,
		"Origin: http://X.y\r\nX-Forwarded-Host: x.Y:80":   true,
		"Origin: https://x.y\r\nX-Forwarded-Host: x.y:443": true,
		"Origin: https://x.y\r\nX-Forwarded-Host: x.y:80":  false,
	} {
		headers = strings.ReplaceAll(headers, "HOST", w.addr)
		if headers != "" {
			headers += "\r\n"
		}
		path := w.ticket(uuid.New(), "s1")
		_, res := w.shake(path, headers+handshake, "")
		if welcome && res.StatusCode != 101 {
			t.Errorf("%q: %s", headers, res.Status)
		} else if !welcome {
			refused(t, res, 403, "origin_refused")
			w.dial(path) // the ticket is not used up
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{PerUser: 2, PerInstance: 3})
	user, other := uuid.New(), uuid.New()
	first := w.live(user, "s1")
	w.follow(user, "s2", "")
	_, res := w.shake(w.ticket(user, "s1"), handshake, "")
	refused(t, res, 429, "too_many_streams")
	refused(t, w.ask("GET", "/v1/realtime/events", w.token(user, "s1")), 429, "too_many_streams")
	w.live(other, "s3")
	path := w.ticket(other, "s3")
	_, res = w.shake(path, handshake, "")
	refused(t, res, 503, "too_many_streams_here")
	refused(t, w.ask("GET", "/v1/realtime/events", w.token(other, "s3")), 503, "too_many_streams_here")
	first.conn.Close()
	testenv.Eventually(t, "two are open", func() bool { return w.hub.Open() == 2 })
	w.dial(path) // it was not used up
}

func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	w.tell(user, `1`)
	token := w.token(user, "s1")
	for _, id := range []string{"x", "1", "-", "e-1-", "e-1-x", "e-1-+1", "e-1-1.0", strings.Repeat("x", 65) + "-1"} {
		refused(t, w.ask("GET", "/v1/realtime/events", token, "Last-Event-ID: "+id), 422, "invalid")
	}
	res := w.ask("HEAD", "/v1/realtime/events", token)
	if body, err := io.ReadAll(res.Body); res.StatusCode != 200 || len(body) > 0 || err != nil || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %s %v %q %v", res.Status, res.Header, body, err)
	}
	res = w.ask("GET", "/v1/realtime/events?epoch=&seq=0", token)
	want := strings.ReplaceAll(`retry: 1000

event: hello
data: {"type":"hello","epoch":"NOW","seq":1}

id: NOW-1
event: note.changed
data: {"epoch":"NOW","seq":1,"type":"note.changed","data":1,"unread":0}

`, "NOW", w.epoch(user))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v, %q, %v", res.Header, got, err)
	}
}
