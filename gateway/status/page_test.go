package status_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/gateway/status"
	"github.com/trellis-go/trellis/kit/discovery"
)

var tag = regexp.MustCompile(`<[^>]*>`)

// words is what a page shows, without its stylesheet and script.
func words(page string) string {
	_, body, _ := strings.Cut(page, "<body>")
	body, _, _ = strings.Cut(body, "<script>")
	return strings.Join(strings.Fields(html.UnescapeString(tag.ReplaceAllString(body, " "))), " ")
}

func TestPageWithoutScript(t *testing.T) {
	t.Parallel()
	rec := get(telling(busy()), "/")
	if got := rec.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if !strings.Contains(rec.Body.String(), `<noscript><meta http-equiv="refresh" content="5"></noscript>`) {
		t.Error("the page does not refresh by itself")
	}
	got := words(rec.Body.String())
	for _, want := range []string{
		"Gateway degraded Version v1.2.3 , up for 1 h 30 min",
		"The traffic file is refused.",
		"Requests 1,234,567", "Refused, 4xx 8,901", "Failed, 5xx 23", "Running 1,234 of 512", "Queued 7", "Shed 42",
		"notes degraded 1 of 2 up Operations 14",
		"10.0.0.9:80 warming 35 %, for 12 s closed 0 1.24 ms 0 0 v1 east 2",
		"10.0.0.10:80 ejected for 2 min 0 s half-open 3 – 5,000 12",
		"11:59:59.000 503 3.00 s notes.get no_instance 10.0.0.9:80 after 3 tries 192.0.2.1 u-1 r-1",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		took time.Duration
		want string
	}{
		{0, "–"}, {850, "0.85 µs"}, {12300, "12.3 µs"}, {999_400, "999 µs"}, {999_600, "1.00 ms"},
		{9_996_000, "10.0 ms"}, {99_960_000, "100 ms"}, {999_600_000, "1.00 s"}, {75 * time.Second, "75.0 s"},
	} {
		s := status.Snapshot{At: noon, Recent: []status.Request{{At: noon.AddDate(0, 0, -1), Status: 200, Took: tt.took}}}
		if got := words(get(telling(s), "/").Body.String()); !strings.Contains(got, "03-03 12:00:00 200 "+tt.want+" ") {
			t.Errorf("%d ns is not %q in %s", tt.took, tt.want, got)
		}
	}
	for _, tt := range []struct {
		up   time.Duration
		want string
	}{
		{-time.Second, "0 s"}, {59 * time.Second, "59 s"}, {61 * time.Second, "1 min 1 s"}, {3661 * time.Second, "1 h 1 min"}, {99 * time.Hour, "4 d 3 h"},
	} {
		s := status.Snapshot{At: noon, Gateway: status.Gateway{Started: noon.Add(-tt.up)}}
		if got := words(get(telling(s), "/").Body.String()); !strings.Contains(got, "up for "+tt.want+" .") {
			t.Errorf("%v is not %q in %s", tt.up, tt.want, got)
		}
	}
}

// Services choose their names, and clients their request IDs.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>`
	s := busy()
	s.Gateway.Version, s.Gateway.Problems = evil, []string{evil}
	v := &s.Services[0]
	v.Service = evil
	v.Instances[0] = discovery.InstanceStatus{
		Instance: discovery.Instance{ID: evil, Addr: evil, Version: evil, Zone: evil}, State: evil, Breaker: evil,
	}
	q := &s.Recent[0]
	q.ID, q.Endpoint, q.Code, q.User, q.Instance = evil, evil, evil, evil, evil
	page := get(telling(s), "/").Body.String()
	if strings.Count(page, "<script") != 1 || strings.Contains(page, "<img") {
		t.Error("a name became markup")
	}
	if n := strings.Count(words(page), evil); n < 12 {
		t.Errorf("%d of the names are shown", n)
	}
	if body := get(telling(s), "/status.json").Body.String(); strings.Contains(body, "<") {
		t.Error("a name is markup in JSON")
	}
}

// The policy allows what the page has, byte for byte, and nothing else.
func TestContentSecurityPolicy(t *testing.T) {
	t.Parallel()
	rec := get(telling(busy()), "/")
	allowed := func(name string) string {
		_, text, _ := strings.Cut(rec.Body.String(), "<"+name+">")
		text, _, _ = strings.Cut(text, "</"+name+">")
		hash := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
	}
	want := fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		allowed("style"), allowed("script"))
	if got := rec.Header().Get("Content-Security-Policy"); got != want {
		t.Errorf("policy\n%s, want\n%s", got, want)
	}
	for _, sink := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=", " onclick="} {
		if strings.Contains(rec.Body.String(), sink) {
			t.Errorf("the page has %q", sink)
		}
	}
}

func TestPageOfNothing(t *testing.T) {
	t.Parallel()
	got := words(get(telling(status.Snapshot{}), "/").Body.String())
	for _, want := range []string{"not ready", "No service has registered yet", "No requests yet"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}
