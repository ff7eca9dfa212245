package wire_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/wire"
)

// browser is a request as browsers send it.
var browser = strings.ReplaceAll(`GET /v1/notes?limit=20&archived=false HTTP/1.1
Host: notes.example.com
Connection: keep-alive
Authorization: Bearer eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJodHRwOi8vbG9jYWxob3N0IiwiZXhwIjoxNzAwMDAwMDAwfQ.c2lnbmF0dXJlLXRoYXQtaXMtbm9uZQ
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36
Accept: application/json
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-GB,en;q=0.9
Referer: https://notes.example.com/

`, "\n", "\r\n")

// repeat is a client that sends one request for ever.
type repeat struct {
	script
	text string
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	if r.at += n; r.at == len(r.text) {
		r.at = 0
	}
	return n, nil
}

// What the guard costs a request, beside what net/http's parser costs it.
func BenchmarkGuard(b *testing.B) {
	chunks := "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("400\r\n"+strings.Repeat("x", 1<<10)+"\r\n", 64) + "0\r\n\r\n"
	for _, bench := range []struct{ name, text string }{{"header", browser}, {"64KiB-chunked", chunks}} {
		b.Run(bench.name, func(b *testing.B) {
			c := wire.Guard(&repeat{text: bench.text}, maxHeader)
			p := make([]byte, 4<<10)
			b.SetBytes(int64(len(bench.text)))
			b.ReportAllocs()
			for b.Loop() {
				for left := len(bench.text); left > 0; {
					n, err := c.Read(p[:min(left, len(p))])
					if err != nil {
						b.Fatal(err)
					}
					left -= n
				}
			}
		})
	}
	b.Run("net-http", func(b *testing.B) {
		in := bufio.NewReader(nil)
		b.SetBytes(int64(len(browser)))
		b.ReportAllocs()
		for b.Loop() {
			in.Reset(strings.NewReader(browser))
			if _, err := http.ReadRequest(in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The guard takes nothing from the heap for a request on an open connection.
func TestNothingIsAllocated(t *testing.T) {
	c := wire.Guard(&repeat{text: browser}, maxHeader)
	p := make([]byte, len(browser))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := io.ReadFull(c, p); err != nil || !bytes.HasPrefix(p, []byte("GET")) {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a request", n)
	}
}
