package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/trellis-go/trellis/kit/wire"
)

// closer is what both transports are.
type closer interface {
	http.RoundTripper
	CloseIdleConnections()
}

func transports() map[string]closer {
	return map[string]closer{
		"wire": &wire.Transport{},
		"http": &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256},
	}
}

// outcome is what a caller sees of a round trip.
type outcome struct {
	Proto, Status string
	Code          int
	Header        http.Header
	Length        int64
	Coding        []string
	Close         bool
	Body          string
	Trailer       http.Header
	Failed        bool
	BodyFailed    bool
}

func carry(rt http.RoundTripper, r *http.Request) (o outcome, err error) {
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return outcome{Failed: true}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	o = outcome{
		Proto: resp.Proto, Status: resp.Status, Code: resp.StatusCode, Header: resp.Header, Length: resp.ContentLength,
		Coding: resp.TransferEncoding, Close: resp.Close, Body: string(b), Trailer: resp.Trailer, BodyFailed: err != nil,
	}
	if resp.Request != r {
		return o, errors.New("the response has another request")
	}
	return o, err
}

func request(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "test")
	return r
}

// raw is a server that hands every connection to a function.
func raw(t testing.TB, serve func(n int, c net.Conn, in *bufio.Reader)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(n, c, bufio.NewReader(c))
			})
		}
	})
	return "http://" + l.Addr().String()
}

// hear reads one request.
func hear(in *bufio.Reader) (*http.Request, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(b))
	return r, err
}

// answers are what servers say. stricter are those that http.Transport takes.
var answers = []struct {
	name, text string
	method     string
	stricter   bool
}{
	{name: "length", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx-lower: a\r\nX-Two: 1\r\nX-Two:  2 \r\n\r\nhello"},
	{name: "empty", text: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{name: "no reason", text: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"},
	{name: "until close", text: "HTTP/1.1 200 OK\r\n\r\nall of this"},
	{name: "close", text: "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok"},
	{name: "old", text: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{name: "old, kept", text: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"},
	{name: "pragma", text: "HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 2\r\n\r\nok"},
	{name: "chunks", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, the rest\r\n0\r\n\r\n"},
	{name: "trailers", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-None\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 9\r\nx-more: 1\r\n\r\n"},
	{name: "trailers, unannounced", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 9\r\n\r\n"},
	{name: "trailer of no chunks", text: "HTTP/1.1 200 OK\r\nTrailer: X\r\nContent-Length: 2\r\n\r\nok"},
	{name: "HEAD", method: "HEAD", text: "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"},
	{name: "HEAD of chunks", method: "HEAD", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{name: "204", text: "HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n"},
	{name: "204 with a length", text: "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"},
	{name: "304", text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 700\r\nEtag: \"a\"\r\n\r\n"},
	{name: "304 of chunks", text: "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{name: "interim", text: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{name: "many interim", stricter: true, text: strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 6) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{name: "garbage behind", text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n"},
	{name: "large header", text: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 60<<10) + "\r\nContent-Length: 2\r\n\r\nok"},
	{name: "large body", text: "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("0123456789", 30000)},
	{name: "large chunk", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n" + strings.Repeat("0123456789", 30000) + "\r\n0\r\n\r\n"},
	{name: "nothing", text: ""},
	{name: "cut in the status", text: "HTTP/1.1 2"},
	{name: "cut in the header", text: "HTTP/1.1 200 OK\r\nContent-Le"},
	{name: "cut in the body", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"},
	{name: "cut in a chunk", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"},
	{name: "cut before the last chunk", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n"},
	{name: "cut before the trailers", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\n"},
	{name: "another protocol", text: "SSH-2.0-OpenSSH\r\n\r\n"},
	{name: "two lengths", text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok?"},
	{name: "no length", text: "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"},
	{name: "gzip coding", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
	{name: "bad chunk", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello"},
	{name: "name with a space", stricter: true, text: "HTTP/1.1 200 OK\r\nX : 1\r\nContent-Length: 2\r\n\r\nok"},
	{name: "value with a NUL", text: "HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 2\r\n\r\nok"},

	{name: "length and chunks", stricter: true, text: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
	{name: "one length twice", stricter: true, text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"},
	{name: "bare LF", stricter: true, text: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"},
	{name: "folded", stricter: true, text: "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok"},
	{name: "old chunks", stricter: true, text: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
	{name: "header too large", stricter: true, text: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10) + "\r\nContent-Length: 2\r\n\r\nok"},
	{name: "too many lines", stricter: true, text: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: 1\r\n", 101) + "\r\n"},
	{name: "switched", stricter: true, text: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"},
	{name: "underscored", stricter: true, text: "HTTP/1.1 200 OK\r\nContent_Length: 1\r\nContent-Length: 2\r\n\r\nok"},
}

func TestTransportAnswers(t *testing.T) {
	for _, c := range answers {
		for _, slow := range []bool{false, true} {
			if slow && len(c.text) > 1000 {
				continue
			}
			t.Run(fmt.Sprintf("%s/slow=%v", c.name, slow), func(t *testing.T) {
				t.Parallel()
				url := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) {
					if _, err := hear(in); err != nil {
						return
					}
					if !slow {
						io.WriteString(conn, c.text)
						return
					}
					for i := range len(c.text) { // a byte a packet
						io.WriteString(conn, c.text[i:i+1])
						time.Sleep(20 * time.Microsecond)
					}
				})
				got := map[string]outcome{}
				errs := map[string]error{}
				for name, rt := range transports() {
					got[name], errs[name] = carry(rt, request(t, c.method, url, nil))
					rt.CloseIdleConnections()
				}
				if c.stricter {
					if errs["wire"] == nil || errs["http"] != nil {
						t.Fatalf("%v; http.Transport: %v", errs["wire"], errs["http"])
					}
					if !strings.Contains(errs["wire"].Error(), "wire: the answer") {
						t.Fatal(errs["wire"])
					}
					return
				}
				if d := cmp.Diff(got["http"], got["wire"]); d != "" {
					t.Fatalf("- http.Transport, + wire.Transport (%v, %v):\n%s", errs["http"], errs["wire"], d)
				}
				if errors.Is(errs["wire"], io.EOF) && got["wire"].BodyFailed {
					t.Fatal(errs["wire"])
				}
			})
		}
	}
}

// plainReader hides what a body is.
type plainReader struct {
	io.Reader
	closed atomic.Bool
}

func (r *plainReader) Close() error { r.closed.Store(true); return nil }

// Requests arrive as http.Transport sends them.
func TestTransportRequests(t *testing.T) {
	type seen struct {
		Method, URI, Host, Body string
		Header                  http.Header
		Length                  int64
		Coding                  []string
		Close                   bool
	}
	cases := map[string]func(*http.Request){
		"plain":           func(r *http.Request) {},
		"no method":       func(r *http.Request) { r.Method = "" },
		"DELETE":          func(r *http.Request) { r.Method = "DELETE" },
		"POST of nothing": func(r *http.Request) { r.Method = "POST" },
		"PUT of no body":  func(r *http.Request) { r.Method, r.Body = "PUT", http.NoBody },
		"OPTIONS *":       func(r *http.Request) { r.Method, r.URL.Path = "OPTIONS", "*" },
		"no path":         func(r *http.Request) { r.URL.Path = "" },
		"two slashes":     func(r *http.Request) { r.URL.Path = "//a//b" },
		"escaped":         func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a/b c/ü", "/a%2Fb%20c/%C3%BC" },
		"to be escaped":   func(r *http.Request) { r.URL.Path = "/a b/ü?#%" },
		"query":           func(r *http.Request) { r.URL.RawQuery = "a=b&c=%20" },
		"query of UTF-8":  func(r *http.Request) { r.URL.RawQuery = "a=ü" },
		"empty query":     func(r *http.Request) { r.URL.ForceQuery = true },
		"fragment":        func(r *http.Request) { r.URL.Fragment = "x" },
		"opaque":          func(r *http.Request) { r.URL.Opaque = "/opaque" },
		"host":            func(r *http.Request) { r.Host = "notes" },
		"host with port":  func(r *http.Request) { r.Host = "[::1]:80" },
		"bad host":        func(r *http.Request) { r.Host = "a/b" },
		"bad method":      func(r *http.Request) { r.Method = "A B" },
		"bad name":        func(r *http.Request) { r.Header["A B"] = []string{"1"} },
		"empty name":      func(r *http.Request) { r.Header[""] = []string{"1"} },
		"bad value":       func(r *http.Request) { r.Header["A"] = []string{"1\r\nB: 2"} },
		"NUL":             func(r *http.Request) { r.Header["A"] = []string{"\x00"} },
		"control in path": func(r *http.Request) { r.URL.RawQuery = "a\r\nb" },
		"no URL host":     func(r *http.Request) { r.URL.Host = "" },
		"scheme":          func(r *http.Request) { r.URL.Scheme = "ftp" },
		"nil header":      func(r *http.Request) { r.Header = nil },
		"values":          func(r *http.Request) { r.Header["X-A"] = []string{" 1 ", "", "3\t"} },
		"lower case":      func(r *http.Request) { r.Header["x-a"] = []string{"1"} },
		"user agents":     func(r *http.Request) { r.Header["User-Agent"] = []string{"a", "b"} },
		"no user agent":   func(r *http.Request) { r.Header["User-Agent"] = nil },
		"empty agent":     func(r *http.Request) { r.Header["User-Agent"] = []string{""} },
		"framing": func(r *http.Request) {
			r.Header["Content-Length"], r.Header["Transfer-Encoding"], r.Header["Host"], r.Header["Trailer"] = []string{"7"}, []string{"chunked"}, []string{"x"}, []string{"A"}
		},
		"close":            func(r *http.Request) { r.Close = true },
		"connection close": func(r *http.Request) { r.Header.Set("Connection", "close") },
		"expect": func(r *http.Request) {
			r.Method = "POST"
			withBody(r, "hello", 5)
			r.Header.Set("Expect", "100-continue")
		},
		"body":              func(r *http.Request) { r.Method = "POST"; withBody(r, "hello", 5) },
		"GET with a body":   func(r *http.Request) { withBody(r, "hello", 5) },
		"unknown length":    func(r *http.Request) { r.Method = "POST"; withBody(r, "hello", -1) },
		"length of zero":    func(r *http.Request) { r.Method = "POST"; withBody(r, "hello", 0) },
		"length, no body":   func(r *http.Request) { r.Method, r.ContentLength = "POST", 5 },
		"64 KiB":            func(r *http.Request) { r.Method = "POST"; withBody(r, strings.Repeat("x", 64<<10), 64<<10) },
		"more than 64 KiB":  func(r *http.Request) { r.Method = "POST"; withBody(r, strings.Repeat("x", 64<<10+1), 64<<10+1) },
		"short body":        func(r *http.Request) { r.Method = "POST"; withBody(r, "hello", 6) },
		"long body":         func(r *http.Request) { r.Method = "POST"; withBody(r, "hello", 4) },
		"large header":      func(r *http.Request) { r.Header["X-A"] = []string{strings.Repeat("x", 100<<10)} },
		"body that fails":   func(r *http.Request) { r.Method = "POST"; withBody(r, "hello", 5).Reader = failing{} },
		"body, bytewise":    func(r *http.Request) { r.Method = "POST"; b := withBody(r, "hello", 5); b.Reader = bytewise{b.Reader} },
		"body that is idle": func(r *http.Request) { r.Method = "POST"; withBody(r, "", 5).Reader = idler{} },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			var last atomic.Pointer[http.Request]
			var body atomic.Pointer[string]
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				text := string(b)
				last.Store(r)
				body.Store(&text)
			}))
			s.Config.DisableGeneralOptionsHandler = true
			s.Start()
			defer s.Close() // one for each test: http.Transport may send a request that it gave up
			got, errs := map[string]*seen{}, map[string]error{}
			for name, rt := range transports() {
				if name == "http" && (strings.HasSuffix(t.Name(), "idle") || strings.HasSuffix(t.Name(), "long_body")) { // reads for ever; may see the answer first
					got["http"] = nil
					continue
				}
				r := request(t, "GET", s.URL+"/x", nil)
				change(r)
				before := r.Header.Clone()
				last.Store(nil)
				if _, errs[name] = carry(rt, r); errs[name] == nil && last.Load() != nil {
					in := last.Load()
					got[name] = &seen{in.Method, in.RequestURI, in.Host, *body.Load(), in.Header, in.ContentLength, in.TransferEncoding, in.Close}
				} else {
					got[name] = nil
				}
				if !cmp.Equal(before, r.Header) {
					t.Error("the request's header was changed")
				}
				if b, ok := r.Body.(*plainReader); ok && !within(time.Second, b.closed.Load) {
					t.Error("the body is open")
				}
				rt.CloseIdleConnections()
			}
			if d := cmp.Diff(got["http"], got["wire"]); d != "" {
				t.Errorf("- http.Transport, + wire.Transport (%v, %v):\n%s", errs["http"], errs["wire"], d)
			}
		})
	}
}

func withBody(r *http.Request, text string, length int64) *plainReader {
	b := &plainReader{Reader: strings.NewReader(text)}
	r.Body, r.ContentLength = b, length
	return b
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken off") }

type bytewise struct{ io.Reader }

func (b bytewise) Read(p []byte) (int, error) { return b.Reader.Read(p[:min(1, len(p))]) }

type idler struct{}

func (idler) Read([]byte) (int, error) { return 0, nil }

func within(d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}

// noLeak fails a test that leaves goroutines behind.
func noLeak(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		if !within(5*time.Second, func() bool { return runtime.NumGoroutine() <= before }) {
			b := make([]byte, 1<<20)
			t.Errorf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, b[:runtime.Stack(b, true)])
		}
	})
}

func TestTransportDialError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	body := &plainReader{Reader: strings.NewReader("hello")}
	r := request(t, "POST", "http://"+l.Addr().String(), nil)
	r.Body, r.ContentLength = body, 5
	_, err = new(wire.Transport).RoundTrip(r)
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" || !body.closed.Load() {
		t.Fatal(err, body.closed.Load())
	}
}

func TestTransportManyAtOnce(t *testing.T) {
	noLeak(t)
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.URL.Path, b)
	}))
	defer s.Close()
	rt := &wire.Transport{DialTimeout: 30 * time.Second}
	defer rt.CloseIdleConnections()
	var all sync.WaitGroup
	gate := make(chan struct{}, 2000) // at once: each takes two descriptors
	for i := range n {
		all.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if i%7 == 0 {
				time.AfterFunc(time.Duration(i%5000)*time.Microsecond, cancel)
			}
			r := request(t, "POST", fmt.Sprintf("%s/%d", s.URL, i), strings.NewReader(fmt.Sprint("body ", i))).WithContext(ctx)
			o, err := carry(rt, r)
			if err != nil {
				if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
					t.Errorf("%d: %v", i, err)
				}
				return
			}
			if want := fmt.Sprintf("/%d body %d", i, i); o.Body != want {
				t.Errorf("%q for %q", o.Body, want)
			}
		})
	}
	all.Wait()
}
