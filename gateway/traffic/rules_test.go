package traffic_test

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/trellis-go/trellis/gateway/traffic"
)

func mustParse(t testing.TB, text string) *traffic.Rules {
	t.Helper()
	rules, err := traffic.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

var anAddress = netip.MustParseAddr("192.0.2.1")

func TestPick(t *testing.T) {
	t.Parallel()
	rules := mustParse(t, `
services:
  notes:
    versions:
      - {version: "2.0.0", percent: 100, header: "X-Canary: yes"}
      - {version: "3.0.0", header: "x-canary:next"}
  profile:
    versions:
      - {version: "2.0.0", percent: 0}
    shadow: {version: "2.1.0", percent: 1}
  auth:
    shadow: {service: auth-next, percent: 1}
`)
	header := func(values ...string) http.Header { return http.Header{"X-Canary": values} }
	named := []string{"2.0.0", "3.0.0"}
	tests := []struct {
		name    string
		service string
		header  http.Header
		version string
		except  []string
	}{
		{"by percentage", "notes", nil, "2.0.0", named},
		{"by header", "notes", header("yes"), "2.0.0", named},
		{"header before percentage", "notes", header("next"), "3.0.0", named},
		{"one of several headers", "notes", header("no", "next"), "3.0.0", named},
		{"the first in the list of several", "notes", header("next", "yes"), "2.0.0", named},
		{"another header", "notes", header("Yes"), "2.0.0", named},
		{"nobody", "profile", header("yes"), "", []string{"2.0.0", "2.1.0"}},
		{"a shadow elsewhere", "auth", nil, "", nil},
		{"nothing said", "notify", header("yes"), "", nil},
	}
	for _, test := range tests {
		version, except := rules.Pick(test.service, "somebody", anAddress, test.header)
		if version != test.version || !slices.Equal(except, test.except) {
			t.Errorf("%s: %q, except %q; want %q, except %q", test.name, version, except, test.version, test.except)
		}
	}
}

func userID(i int) string { return fmt.Sprintf("0190a5e4-7c1f-7b3a-8000-%012x", i) }

var userIDs = sync.OnceValue(func() []string {
	ids := make([]string, 100_000)
	for i := range ids {
		ids[i] = userID(i)
	}
	return ids
})

// users returns which version each of 100,000 users gets.
func users(t *testing.T, service, versions string) []string {
	rules := mustParse(t, "services: {"+service+": {versions: ["+versions+"]}}")
	picks := make([]string, len(userIDs()))
	for i, id := range userIDs() {
		picks[i], _ = rules.Pick(service, id, anAddress, nil)
	}
	return picks
}

func share(picks []string, is func(i int) bool) (percent float64) {
	n := 0
	for i := range picks {
		if is(i) {
			n++
		}
	}
	return 100 * float64(n) / float64(len(picks))
}

func TestShares(t *testing.T) {
	t.Parallel()
	for _, shares := range [][]float64{{0}, {0.01}, {0.5}, {10}, {50}, {99.5}, {100}, {10, 20, 30}, {33.3, 33.3, 33.4}, {0, 100}} {
		list := ""
		for i, percent := range shares {
			list += fmt.Sprintf(`{version: "%d", percent: %g},`, i, percent)
		}
		picks := users(t, "notes", list)
		rest := 100.0
		for i, percent := range shares {
			got := share(picks, func(u int) bool { return picks[u] == fmt.Sprint(i) })
			deviation := math.Sqrt(percent * (100 - percent) / float64(len(picks)))
			if math.Abs(got-percent) > 5*deviation {
				t.Errorf("%v: version %d has %g%%", shares, i, got)
			}
			rest -= percent
		}
		if got := share(picks, func(u int) bool { return picks[u] == "" }); rest < 0.01 && got > 0 {
			t.Errorf("%v: %g%% get no version", shares, got)
		}
	}
}

func TestUsersStay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		before, after string
		stays         string
	}{
		{"raised", `{version: a, percent: 10}`, `{version: a, percent: 10.01}`, "a"},
		{"raised to all", `{version: a, percent: 10}`, `{version: a, percent: 100}`, "a"},
		{"raised beside another", `{version: a, percent: 10}, {version: b, percent: 20}`, `{version: a, percent: 30}, {version: b, percent: 20}`, "a"},
		{"raised after another", `{version: a, percent: 10}, {version: b, percent: 20}`, `{version: a, percent: 10}, {version: b, percent: 50}`, "b"},
		{"another raised after it", `{version: a, percent: 10}, {version: b, percent: 20}`, `{version: a, percent: 10}, {version: b, percent: 90}`, "a"},
		{"another added", `{version: a, percent: 10}`, `{version: a, percent: 10}, {version: b, percent: 20}`, "a"},
		{"a header added", `{version: a, percent: 10}`, `{version: a, percent: 10, header: "X-Canary: yes"}`, "a"},
	}
	for _, test := range tests {
		before, after := users(t, "notes", test.before), users(t, "notes", test.after)
		if lost := share(before, func(u int) bool { return before[u] == test.stays && after[u] != test.stays }); lost > 0 {
			t.Errorf("%s: %g%% of users lost %s", test.name, lost, test.stays)
		}
	}
}

// Who is the first with one version or service is not the first with the next.
func TestUsersTakeTurns(t *testing.T) {
	t.Parallel()
	first := users(t, "notes", `{version: a, percent: 10}`)
	for name, second := range map[string][]string{
		"version": users(t, "notes", `{version: b, percent: 10}`),
		"service": users(t, "profile", `{version: a, percent: 10}`),
	} {
		if both := share(first, func(u int) bool { return first[u] != "" && second[u] != "" }); math.Abs(both-1) > 0.2 {
			t.Errorf("another %s: %g%% of users are in both, want 1%%", name, both)
		}
	}
}

// Which users get a version is a promise: another build of the gateway must
// not send them elsewhere.
func TestPicksAreForEver(t *testing.T) {
	t.Parallel()
	rules := mustParse(t, `services: {notes: {versions: [{version: "2.0.0", percent: 25}]}}`)
	var picked []int
	for i := range 40 {
		if version, _ := rules.Pick("notes", userID(i), anAddress, nil); version != "" {
			picked = append(picked, i)
		}
	}
	if want := []int{0, 5, 18, 27, 30, 32, 34, 37}; !slices.Equal(picked, want) {
		t.Errorf("users %v get 2.0.0, want %v", picked, want)
	}
}

// Somebody without a token is known by address: an IPv6 one by its network.
func TestPickByAddress(t *testing.T) {
	t.Parallel()
	rules := mustParse(t, `services: {notes: {versions: [{version: "2.0.0", percent: 50}]}}`)
	pick := func(user, address string) string {
		version, _ := rules.Pick("notes", user, netip.MustParseAddr(address), nil)
		return version
	}
	got := make([]string, 256)
	for i := range got {
		network := fmt.Sprintf("2001:db8:0:%x:", i)
		got[i] = pick("", network+":1")
		if pick("", network+"a:b:c:d") != got[i] {
			t.Errorf("%s/64 gets both versions", network)
		}
		v4 := fmt.Sprintf("192.0.2.%d", i)
		if pick("", v4) != pick("", "::ffff:"+v4) {
			t.Errorf("%s gets both versions", v4)
		}
		if pick("u", v4) != pick("u", "192.0.2.1") {
			t.Errorf("a user at %s gets both versions", v4)
		}
	}
	if half := share(got, func(i int) bool { return got[i] != "" }); math.Abs(half-50) > 20 {
		t.Errorf("%g%% of networks get 2.0.0, want 50%%", half)
	}
}

func TestShadow(t *testing.T) {
	t.Parallel()
	rules := mustParse(t, `
services:
  notes:   {shadow: {service: notes-next, percent: 100}}
  profile: {shadow: {version: "2.1.0", percent: 100}}
  auth:    {shadow: {version: "2.1.0", percent: 0}}
  notify:  {shadow: {service: notes, percent: 5}}
`)
	tests := []struct {
		service, version, method string
		want                     traffic.Shadow
	}{
		{"notes", "", "GET", traffic.Shadow{Service: "notes-next"}},
		{"notes", "1.0.0", "POST", traffic.Shadow{Service: "notes-next"}},
		{"profile", "", "GET", traffic.Shadow{Service: "profile", Version: "2.1.0"}},
		{"profile", "2.0.0", "HEAD", traffic.Shadow{Service: "profile", Version: "2.1.0"}},
		{"profile", "2.1.0", "GET", traffic.Shadow{}},
		{"profile", "", "POST", traffic.Shadow{}},
		{"profile", "", "DELETE", traffic.Shadow{}},
		{"auth", "", "GET", traffic.Shadow{}},
		{"gateway", "", "GET", traffic.Shadow{}},
	}
	for _, test := range tests {
		got, ok := rules.Shadow(test.service, test.version, test.method)
		if ok != (test.want != traffic.Shadow{}) || ok && got != test.want {
			t.Errorf("%s %s of %s %s: %v, %t; want %v", test.method, test.service, test.version, got, got, ok, test.want)
		}
	}
	n := 0
	for range 100_000 {
		if _, ok := rules.Shadow("notify", "", "POST"); ok {
			n++
		}
	}
	if n < 4500 || n > 5500 {
		t.Errorf("%d of 100000 requests are copied, want 5%%", n)
	}
	if got, want := rules.Services(), []string{"auth", "notes", "notes-next", "notify", "profile"}; !slices.Equal(got, want) {
		t.Errorf("speaks of %v, want %v", got, want)
	}
}

func BenchmarkPick(b *testing.B) {
	rules := mustParse(b, `
services:
  notes:   {versions: [{version: "2.0.0", percent: 10, header: "X-Canary: yes"}, {version: "2.1.0", percent: 10}]}
  profile: {versions: [{version: "2.0.0", header: "X-Canary: yes"}]}
`)
	header := http.Header{"Accept": {"*/*"}, "User-Agent": {"curl"}, "Authorization": {"Bearer x"}}
	canary := http.Header{"X-Canary": {"yes"}}
	address := netip.MustParseAddr("2001:db8::1")
	for _, bench := range []struct {
		name, service, user string
		header              http.Header
	}{
		{"nothing said", "auth", userID(1), header},
		{"by header", "profile", userID(1), canary},
		{"by user", "notes", userID(1), header},
		{"by address", "notes", "", header},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rules.Pick(bench.service, bench.user, address, bench.header)
			}
		})
	}
}

func BenchmarkShadow(b *testing.B) {
	rules := mustParse(b, `services: {notes: {shadow: {service: notes-next, percent: 5}}}`)
	b.ReportAllocs()
	for b.Loop() {
		rules.Shadow("notes", "", "GET")
	}
}
