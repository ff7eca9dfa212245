package notify_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/notify"
)

// What is taken for a link of the webapp leads to no other host, also as
// browsers read it, to whom a backslash is a slash and a tab is nothing.
func FuzzLink(f *testing.F) {
	for _, link := range []string{"/", "/notes/1?a=b#c", "//example.org", `/\example.org`, "/\t/example.org", "https://example.org", "/%2f/example.org", "/..//example.org", "/a b"} {
		f.Add(link)
	}
	base := &url.URL{Scheme: "https", Host: "trellis.example.org", Path: "/inbox"}
	f.Fuzz(func(t *testing.T, link string) {
		if !notify.InWebapp(link) {
			return
		}
		for _, read := range []string{link, strings.NewReplacer("\t", "", "\r", "", "\n", "", `\`, "/").Replace(link)} {
			if to, err := base.Parse(read); err == nil && (to.Host != base.Host || to.Scheme != base.Scheme) {
				t.Errorf("%q leads to %s", link, to)
			}
			if strings.HasPrefix(read, "//") {
				t.Errorf("%q begins with a host", link)
			}
		}
	})
}

func FuzzSubscription(f *testing.F) {
	good := browser("phone")
	f.Add(good.ID, good.Endpoint, good.Keys.P256DH, good.Keys.Auth)
	f.Add("", "https://", "====", "\xff")
	f.Add("a/b", "https://user@[::1]:99999/", "BAAA", "AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, id, endpoint, p256dh, auth string) {
		err := notify.SubscribeRequest{ID: id, Endpoint: endpoint, Keys: notify.PushKeys{P256DH: p256dh, Auth: auth}}.Check()
		if err != nil {
			if fault.Of(err).Kind != fault.Invalid || len(fault.Of(err).Fields) == 0 {
				t.Errorf("%v", err)
			}
			return
		}
		if u, err := url.Parse(endpoint); err != nil || u.Scheme != "https" || u.Host == "" {
			t.Errorf("took %q", endpoint)
		}
	})
}
