package wire_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/trellis-go/trellis/kit/wire"
)

// Whatever a server says, what a Transport takes an http.Transport takes as
// the same, and what it doesn't take but that one does it refuses for how it
// is written.
func FuzzTransport(f *testing.F) {
	for _, a := range answers {
		if len(a.text) < 1000 {
			f.Add([]byte(a.text), a.method == "HEAD")
		}
	}
	var text atomic.Pointer[[]byte]
	url := raw(f, func(_ int, c net.Conn, in *bufio.Reader) {
		if _, err := hear(in); err == nil {
			c.Write(*text.Load())
		}
	})
	f.Fuzz(func(t *testing.T, b []byte, head bool) {
		text.Store(&b)
		method := "POST" // isn't repeated
		if head {
			method = "HEAD"
		}
		ours, theirs := &wire.Transport{}, &http.Transport{DisableCompression: true, DisableKeepAlives: true}
		got, err := carry(ours, request(t, method, url, nil))
		ours.CloseIdleConnections()
		want, wantErr := carry(theirs, request(t, method, url, nil))
		switch {
		case len(got.Body) > len(b):
			t.Fatalf("a body of %d bytes in %d", len(got.Body), len(b))
		case err == nil:
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%q: - http.Transport (%v), + wire.Transport\n%s", b, wantErr, d)
			}
		case wantErr == nil && !strings.Contains(err.Error(), "wire: the answer can't be taken"):
			t.Fatalf("%q: %v; http.Transport takes it: %+v", b, err, want)
		}
	})
}
