//go:build unix

package wire_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/trellis-go/trellis/kit/wire"
)

// cpu is the time that the process took of the processors, in nanoseconds.
func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// bare is a server that does as little as one can: what it takes is the same
// for every client.
func bare(b *testing.B, answer string) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in, out := make([]byte, 8<<10), []byte(answer)
				for n := 0; ; {
					m, err := c.Read(in[n:])
					if err != nil {
						return
					}
					n += m
					if end := bytes.Index(in[:n], []byte("\r\n\r\n")); end < 0 || in[0] == 'P' && n < end+4+1024 {
						continue
					}
					n = 0
					if _, err := c.Write(out); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// floor writes and reads the same bytes with nothing around it.
type floor struct{ addr string }

func (f floor) run(b *testing.B, text []byte, answer string, next func() bool) {
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		b.Error(err)
		return
	}
	defer c.Close()
	in := make([]byte, len(answer))
	for next() {
		if _, err := c.Write(text); err != nil {
			b.Error(err)
			return
		}
		if _, err := io.ReadFull(c, in); err != nil {
			b.Error(err)
			return
		}
	}
}

func BenchmarkTransport(b *testing.B) {
	answer := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: 0123456789abcdef\r\n" +
		"Date: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 200\r\n\r\n" + strings.Repeat("x", 200)
	addr := bare(b, answer)
	header := http.Header{
		"User-Agent": {"bench"}, "Accept": {"application/json"}, "X-Request-Id": {"0123456789abcdef"},
		"Traceparent": {"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}, "X-User-Id": {"42"}, "X-Forwarded-For": {"10.0.0.1"},
	}
	body := strings.Repeat("x", 1024)
	kinds := []struct {
		name string
		of   func(ctx context.Context) *http.Request
	}{
		{"GET", func(ctx context.Context) *http.Request {
			r, _ := http.NewRequestWithContext(ctx, "GET", "http://"+addr+"/v1/notes?limit=20", nil)
			r.Header = header
			return r
		}},
		{"POST", func(ctx context.Context) *http.Request {
			r, _ := http.NewRequestWithContext(ctx, "POST", "http://"+addr+"/v1/notes", strings.NewReader(body))
			r.Header = header
			return r
		}},
		{"POSTstream", func(ctx context.Context) *http.Request {
			r, _ := http.NewRequestWithContext(ctx, "POST", "http://"+addr+"/v1/notes", &plainReader{Reader: strings.NewReader(body)})
			r.Header, r.ContentLength = header, 1024
			return r
		}},
	}
	for _, k := range kinds {
		for _, parallel := range []bool{false, true} {
			mode := "/sequential/"
			if parallel {
				mode = "/parallel/"
			}
			measure := func(name string, run func(next func() bool)) {
				b.Run(k.name+mode+name, func(b *testing.B) {
					b.ReportAllocs()
					before := cpu(b)
					if parallel {
						b.SetParallelism(8)
						b.RunParallel(func(pb *testing.PB) { run(pb.Next) })
					} else {
						run(b.Loop)
					}
					b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
				})
			}
			var text bytes.Buffer
			if err := k.of(b.Context()).Write(&text); err != nil {
				b.Fatal(err)
			}
			measure("floor", func(next func() bool) { floor{addr}.run(b, text.Bytes(), answer, next) })
			measure("made", func(next func() bool) { // the request alone, which costs both the same
				for next() {
					ctx, cancel := context.WithCancel(context.Background())
					_ = k.of(ctx)
					cancel()
				}
			})
			for _, name := range []string{"wire", "http"} {
				rt := closer(&wire.Transport{})
				if name == "http" {
					rt = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256, WriteBufferSize: 4 << 10, ReadBufferSize: 4 << 10}
				}
				measure(name, func(next func() bool) {
					in := make([]byte, 4<<10)
					for next() {
						ctx, cancel := context.WithCancel(context.Background())
						resp, err := rt.RoundTrip(k.of(ctx))
						if err != nil {
							b.Error(err)
							cancel()
							return
						}
						for err == nil {
							_, err = resp.Body.Read(in)
						}
						resp.Body.Close()
						cancel()
						if err != io.EOF {
							b.Error(err)
						}
					}
				})
				rt.CloseIdleConnections()
			}
		}
	}
}
