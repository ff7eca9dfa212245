package transport_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/transport"
)

func proxies(t testing.TB, text string) (p transport.Proxies) {
	t.Helper()
	if err := p.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusted := proxies(t, "10.0.0.0/8, 2001:db8::/32, 127.0.0.1")
	for _, tt := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no header", "10.0.0.1:1", nil, "10.0.0.1"},
		{"an untrusted peer's header", "198.51.100.1:1", []string{"1.1.1.1"}, "198.51.100.1"},
		{"an untrusted neighbour", "127.0.0.2:1", []string{"1.1.1.1"}, "127.0.0.2"},
		{"one proxy", "10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"what the client made up", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"the client claims to be a proxy", "10.0.0.1:1", []string{"1.1.1.1,10.9.9.9,198.51.100.1"}, "198.51.100.1"},
		{"a chain", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1, 10.0.0.3 ,10.0.0.2"}, "198.51.100.1"},
		{"proxies all the way", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"several lines", "10.0.0.1:1", []string{"1.1.1.1", "198.51.100.1, 10.0.0.3", "10.0.0.2"}, "198.51.100.1"},
		{"an empty line", "10.0.0.1:1", []string{"198.51.100.1", ""}, "198.51.100.1"},
		{"ports", "10.0.0.1:1", []string{"198.51.100.1:4711, 10.0.0.2:80"}, "198.51.100.1"},
		{"IPv6", "[2001:db8::1]:1", []string{"2001:4860::1, 2001:db8::2"}, "2001:4860::1"},
		{"IPv6 in brackets", "[2001:db8::1]:1", []string{"[2001:4860::1], [2001:db8::2]:80"}, "2001:4860::1"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"a zone", "10.0.0.1:1", []string{"fe80::1%eth0"}, "fe80::1"},
		{"garbage", "10.0.0.1:1", []string{"unknown"}, "10.0.0.1"},
		{"garbage in the middle", "10.0.0.1:1", []string{"198.51.100.1, _hidden, 10.0.0.2"}, "10.0.0.2"},
		{"a gap", "10.0.0.1:1", []string{"198.51.100.1,,10.0.0.2"}, "10.0.0.2"},
		{"a comma at the end", "10.0.0.1:1", []string{"198.51.100.1,"}, "10.0.0.1"},
		{"a comma at the beginning", "10.0.0.1:1", []string{",198.51.100.1"}, "198.51.100.1"},
		{"quotes", "10.0.0.1:1", []string{`"198.51.100.1"`}, "10.0.0.1"},
		{"an octal address", "10.0.0.1:1", []string{"010.0.0.1"}, "10.0.0.1"},
		{"brackets around nothing", "10.0.0.1:1", []string{"[]"}, "10.0.0.1"},
		{"no peer", "@", []string{"1.1.1.1"}, "invalid IP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.forwarded, "X-Real-Ip": {"9.9.9.9"}, "Forwarded": {"for=9.9.9.9"}}}
			if got := trusted.Client(r); got.String() != tt.want {
				t.Errorf("the client is %s, want %s", got, tt.want)
			}
		})
	}
	if got := (transport.Proxies)(nil).Client(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {"1.1.1.1"}}}); got.String() != "10.0.0.1" {
		t.Errorf("who trusts nobody is told %s", got)
	}
}

// The call that an endpoint sees has the client's address.
func TestClientAddressOfCall(t *testing.T) {
	t.Parallel()
	things := newThings()
	s := serveBehind(t, things, handlerOf(t, things.routes(), transport.Options{Trusted: proxies(t, "127.0.0.1,::1")}))
	s.do("PUT", "/v1/words/a/1", "", "X-Forwarded-For: 6.6.6.6, 198.51.100.1").is(t, 200)
	if got := s.call.Client.String(); got != "198.51.100.1" {
		t.Errorf("the client is %s", got)
	}
}

func TestProxies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "[]",
		" , ":                        "[]",
		"10.0.0.1":                   "[10.0.0.1/32]",
		"::1":                        "[::1/128]",
		"10.1.2.3/8 ,2001:db8::1/32": "[10.0.0.0/8 2001:db8::/32]",
		"::ffff:10.0.0.1":            "[10.0.0.1/32]",
	} {
		if got := fmt.Sprint(proxies(t, text)); got != want {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"10.0.0.0/33", "example.com", "10.0.0", "10.0.0.1:80", "10.0.0.1 10.0.0.2", "[::1]"} {
		var p transport.Proxies
		if err := p.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q is read as %v, %v", text, p, err)
		}
	}
}

// FuzzClient looks for headers that make up a client, or bring the service down.
func FuzzClient(f *testing.F) {
	f.Add("10.0.0.1:1", "1.1.1.1, 10.0.0.2", "[::1]:80")
	f.Add("1.2.3.4:5", "a,b,,", "")
	f.Add("", ",", "::ffff:1.1.1.1%x")
	trusted := proxies(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, peer, first, second string) {
		got := trusted.Client(&http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {first, second}}})
		from, err := netip.ParseAddrPort(peer)
		if err != nil {
			if got.IsValid() {
				t.Fatalf("nobody is %s", got)
			}
			return
		}
		direct := from.Addr().Unmap()
		if got == direct {
			return
		}
		if !netip.MustParsePrefix("10.0.0.0/8").Contains(direct) {
			t.Fatalf("%s is taken for %s by its own word", direct, got)
		}
		if !slices.ContainsFunc(strings.Split(first+","+second, ","), func(hop string) bool { return names(hop, got) }) {
			t.Fatalf("%s is nowhere in %q, %q", got, first, second)
		}
	})
}

// names tells whether an entry of the header is the address, with or without
// brackets, a port and a zone.
func names(hop string, a netip.Addr) bool {
	hop = strings.TrimSpace(hop)
	for _, text := range []string{hop, strings.TrimSuffix(strings.TrimPrefix(hop, "["), "]")} {
		if b, err := netip.ParseAddr(text); err == nil && b.Unmap().WithZone("") == a {
			return true
		}
	}
	b, err := netip.ParseAddrPort(hop)
	return err == nil && b.Addr().Unmap().WithZone("") == a
}

func BenchmarkClientAddress(b *testing.B) {
	trusted := proxies(b, "10.0.0.0/8,127.0.0.1")
	for name, r := range map[string]*http.Request{
		"Direct":  {RemoteAddr: "198.51.100.1:4711", Header: http.Header{}},
		"Proxied": {RemoteAddr: "10.0.0.1:4711", Header: http.Header{"X-Forwarded-For": {"1.1.1.1, 198.51.100.1, 10.0.0.2"}}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !trusted.Client(r).IsValid() {
					b.Fatal("nobody")
				}
			}
		})
	}
}
