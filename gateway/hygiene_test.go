package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/gateway"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// However a client spells it, only the gateway says who is calling, where from
// and by which method.
func TestNothingIsSpoofed(t *testing.T) {
	t.Parallel()
	f := start(t)
	seen := make(chan http.Header, 1)
	f.service(t, "things", document("GET /v1/mine "+personal, "GET /v1/open "+public), func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
	f.known(t, "/v1/open", "/v1/mine")
	bearer := "Authorization: Bearer " + f.token(t)
	for _, lines := range [][]string{
		{"X-User-Id: root"}, {"X-User-ID: root"}, {"x-user-id: root", "X-USER-ID: root"}, {"X_User_Id: root"}, {"X-User_Id: root"}, {"x_user-id: root"},
		{"X-User-Id: root", "Connection: X-User-Id"}, {"Connection: X-User-Id, X-User-Roles"}, {"X-User-Roles: admin"}, {"X_USER_ROLES: admin"}, {"X-User-: x"}, {"X-User-Anything: x"},
		{"X-Internal-Caller: x"}, {"X-Forwarded-For: 6.6.6.6"}, {"X_Forwarded_For: 6.6.6.6"}, {"X-Forwarded: 6.6.6.6"}, {"Forwarded: for=6.6.6.6"}, {"X-Real-IP: 6.6.6.6"}, {"True-Client-IP: 6.6.6.6"},
		{"X-Forwarded-Host: evil"}, {"X-Forwarded-Proto: https"}, {"X-Forwarded-Port: 6"}, {"X-Forwarded-Prefix: /evil"}, {"X-Original-URL: /evil"}, {"X-Rewrite-Url: /evil"},
		{"X-HTTP-Method-Override: DELETE"}, {"X-HTTP-Method: DELETE"}, {"X-Method-Override: DELETE"}, {"X-Shadow: 1"}, {"Proxy: evil"},
		{"X_Request_Id: evil"}, {"X_Request_Timeout: 6"}, {"Content_Length: 6"}, {"Transfer_Encoding: chunked"},
	} {
		for _, path := range []string{"/v1/open", "/v1/mine"} {
			w := f.dial(t)
			w.send(append([]string{"GET " + path + " HTTP/1.1", "Host: notes.example", bearer}, lines...)...)
			if res := w.answer("GET"); res.StatusCode != 200 {
				t.Fatalf("%q: %s", lines, res.Status)
			}
			h := <-seen
			for name, values := range h {
				for _, forbidden := range []string{"root", "evil", "6.6.6.6", "6", "DELETE", "chunked", "x"} {
					if slices.Contains(values, forbidden) {
						t.Errorf("%q on %s: passed %s: %q", lines, path, name, values)
					}
				}
			}
			id, roles := h["X-User-Id"], h["X-User-Roles"]
			switch path {
			case "/v1/open":
				if id != nil || roles != nil || h["User-Agent"] != nil {
					t.Errorf("%q: on a public route %q, %q", lines, id, roles)
				}
			case "/v1/mine":
				if len(id) != 1 || uuid.Validate(id[0]) != nil || !slices.Equal(roles, []string{"admin"}) || h.Get("Authorization") == "" {
					t.Errorf("%q: identity %q, %q", lines, id, roles)
				}
			}
			for name, want := range map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "notes.example", "Forwarded": `for=127.0.0.1;host="notes.example";proto=http`} {
				if got := strings.Join(h[name], ","); got != want {
					t.Errorf("%q: %s: %q", lines, name, got)
				}
			}
		}
	}
}

// A trusted proxy is believed, and its word passed on.
func TestBehindAProxy(t *testing.T) {
	t.Parallel()
	f := start(t, behind("127.0.0.0/8"))
	seen := make(chan http.Header, 1)
	f.service(t, "things", document("GET /v1/things "+public), func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
	f.known(t, "/v1/things")
	f.do(t, "GET", "/v1/things", nil, "X-Forwarded-For", "6.6.6.6, 2001:db8::1", "X-Forwarded-Proto", "https", "Connection", "X-Forwarded-Proto")
	h := <-seen
	for name, want := range map[string]string{"X-Forwarded-For": "2001:db8::1", "X-Forwarded-Proto": "https"} {
		if got := strings.Join(h[name], ","); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := h.Get("Forwarded"); !strings.HasPrefix(got, `for="[2001:db8::1]";host=`) || !strings.HasSuffix(got, ";proto=https") {
		t.Errorf("Forwarded: %q", got)
	}
}

// A service of ours that passes requests on is believed wherever it runs; who
// only says that it is one is not.
func TestBehindAServiceOfOurs(t *testing.T) {
	t.Parallel()
	key := token.NewServiceKey()
	f := start(t, func(o *gateway.Options) { o.Stack.Services = key })
	seen := make(chan http.Header, 1)
	f.service(t, "things", document("GET /v1/things "+public), func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
	f.known(t, "/v1/things")
	now := time.Now()
	sign := func(key token.ServiceKey, at time.Time) string {
		text, err := key.Sign("webapp", at)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, tt := range []struct {
		name, shown, client, proto string
	}{
		{"of ours", sign(key, now), "192.0.2.7", "https"},
		{"of others", sign(token.NewServiceKey(), now), "127.0.0.1", "http"},
		{"long ago", sign(key, now.Add(-time.Hour)), "127.0.0.1", "http"},
		{"a user", f.token(t), "127.0.0.1", "http"},
		{"nobody", "", "127.0.0.1", "http"},
	} {
		f.do(t, "GET", "/v1/things", nil, transport.ForwarderHeader, tt.shown, "X-Forwarded-For", "6.6.6.6, 192.0.2.7", "X-Forwarded-Proto", "https")
		h := <-seen
		if h.Get("X-Forwarded-For") != tt.client || h.Get("X-Forwarded-Proto") != tt.proto {
			t.Errorf("%s: the service sees %s, %s", tt.name, h.Get("X-Forwarded-For"), h.Get("X-Forwarded-Proto"))
		}
		if h[transport.ForwarderHeader] != nil {
			t.Errorf("%s: its token was passed on", tt.name)
		}
	}
	f.do(t, "GET", "/v1/things", nil, transport.ForwarderHeader, sign(key, now))
	if got := (<-seen).Get("X-Forwarded-For"); got != "0.0.0.0" {
		t.Errorf("of nobody's: %s", got)
	}
}

// A host is told, and decides nothing.
func TestHosts(t *testing.T) {
	t.Parallel()
	f := start(t)
	seen := make(chan *http.Request, 1)
	f.service(t, "things", document("GET /v1/things "+public), func(_ http.ResponseWriter, r *http.Request) { seen <- r })
	f.service(t, "secret", document("GET /v1/secret"), func(http.ResponseWriter, *http.Request) { t.Error("the wrong service") })
	f.known(t, "/v1/things", "/v1/secret")
	for _, tt := range []struct{ target, host, told, quoted string }{
		{"/v1/things", "notes.example", "notes.example", "notes.example"},
		{"/v1/things", "secret", "secret", "secret"},
		{"/v1/things", "127.0.0.1:9", "127.0.0.1:9", "127.0.0.1:9"},
		{"/v1/things", "[::1]:80", "[::1]:80", "[::1]:80"},
		{"/v1/things", "", "", ""},
		{"http://secret/v1/things", "x", "secret", "secret"},
		{"http://user:pass@secret:8/v1/things", "x", "secret:8", "secret:8"},
		{`http://a";proto=https;x="/v1/things`, "x", `a";proto=https;x="`, `a\";proto=https;x=\"`},
		{"http://secret/v1/things#here", "x", "", "404"},
		{"/v1/things", "a b", "", "400"},
		{"/v1/things", `a\"b`, "", "400"},
	} {
		w := f.dial(t)
		w.send("GET "+tt.target+" HTTP/1.1", "Host: "+tt.host)
		if res := w.answer("GET"); res.StatusCode != 200 {
			if got := res.Status[:3]; got != tt.quoted {
				t.Errorf("%s of %s: %s", tt.target, tt.host, res.Status)
			}
			continue
		}
		r := <-seen
		if r.Host != "things" || r.RequestURI != "/v1/things" {
			t.Errorf("%s of %s: the service sees %s of %s", tt.target, tt.host, r.RequestURI, r.Host)
		}
		if got := r.Header["X-Forwarded-Host"]; !slices.Equal(got, []string{tt.told}) {
			t.Errorf("%s of %s: X-Forwarded-Host: %q", tt.target, tt.host, got)
		}
		if got, want := r.Header.Get("Forwarded"), `for=127.0.0.1;host="`+tt.quoted+`";proto=http`; got != want {
			t.Errorf("%s of %s: Forwarded: %s", tt.target, tt.host, got)
		}
	}
}

func TestRequestIDAndTrace(t *testing.T) {
	t.Parallel()
	f := start(t)
	seen := make(chan http.Header, 1)
	f.service(t, "things", document("GET /v1/things "+public), func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
	f.known(t, "/v1/things")
	res, _ := f.do(t, "GET", "/v1/things", nil, "X-Request-Id", "from-the-client", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	h := <-seen
	if res.Header.Get("X-Request-Id") != "from-the-client" || h.Get("X-Request-Id") != "from-the-client" {
		t.Errorf("request id: answered %v, forwarded %v", res.Header, h)
	}
	if tp := h.Get("Traceparent"); !strings.HasPrefix(tp, "00-0af7651916cd43dd8448eb211c80319c-") || strings.Contains(tp, "b7ad6b7169203331") {
		t.Errorf("traceparent forwarded: %s", tp)
	}
}
