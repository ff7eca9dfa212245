package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/testenv"
)

// What a service's bytes become on their way to the client.
func TestAnswers(t *testing.T) {
	t.Parallel()
	f := start(t)
	type has map[string][]string // header; nil for none
	huge := strings.Repeat("x", 1<<20)
	cases := []struct {
		name, method, answer string
		status               int
		header, trailer      has
		body                 string
		cut                  bool
	}{
		{name: "with a length", answer: "200 OK\r\nContent-Length: 2\r\n\r\nhi", status: 200, header: has{"Content-Length": {"2"}}, body: "hi"},
		{name: "chunked", answer: "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", status: 200, header: has{"Content-Length": nil}, body: "hi"},
		{name: "until it closes", answer: "200 OK\r\n\r\nhi", status: 200, body: "hi"},
		{name: "HEAD", method: "HEAD", answer: "200 OK\r\nContent-Length: 17\r\n\r\n", status: 200, header: has{"Content-Length": {"17"}}},
		{name: "HEAD without a length", method: "HEAD", answer: "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", status: 200},
		{name: "204", answer: "204 No Content\r\nEtag: \"1\"\r\n\r\n", status: 204, header: has{"Etag": {`"1"`}, "Content-Length": nil}},
		{name: "304", answer: "304 Not Modified\r\nEtag: \"1\"\r\nContent-Length: 9\r\n\r\n", status: 304, header: has{"Etag": {`"1"`}}},
		{name: "unknown status", answer: "799 Odd\r\nContent-Length: 0\r\n\r\n", status: 799},
		{name: "informational first", answer: "103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", status: 200, header: has{"X-Early": nil}, body: "hi"},
		{name: "said twice", answer: "200 OK\r\nX-A: 1\r\nX-A: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n", status: 200,
			header: has{"X-A": {"1", "2"}, "Set-Cookie": {"a=1", "b=2"}}},
		{name: "hop by hop", answer: "200 OK\r\nConnection: X-Hop, x-hop2\r\nX-Hop2: 2\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n", status: 200,
			header: has{"X-Hop": nil, "X-Hop2": nil, "Keep-Alive": nil, "Proxy-Authenticate": nil, "Upgrade": nil, "Connection": nil, "X-Kept": {"1"}}},
		{name: "what the gateway says", answer: "200 OK\r\nX-Request-Id: no\r\nServer: no\r\nRatelimit: no\r\nRatelimit-Policy: no\r\nContent-Length: 0\r\n\r\n", status: 200,
			header: has{"Server": nil, "X-Request-Id": {"mine"}}},
		{name: "no type is guessed", answer: "200 OK\r\nContent-Length: 6\r\n\r\n<html>", status: 200, header: has{"Content-Type": nil}, body: "<html>"},
		{name: "a huge header", answer: "200 OK\r\nX-Huge: " + huge + "\r\nContent-Length: 0\r\n\r\n", status: 200, header: has{"X-Huge": {huge}}},
		{name: "trailers", answer: "200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nX-Late: 2\r\n\r\n", status: 200,
			body: "hi", trailer: has{"X-Sum": {"1"}, "X-Late": {"2"}}},
		{name: "trailers without a body", answer: "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Late: 2\r\n\r\n", status: 200, trailer: has{"X-Late": {"2"}}},
		{name: "trailers that would be headers",
			answer: "200 OK\r\nTrailer: X-Request-Id, Vary, Set-Cookie, X-User-Id\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Request-Id: no\r\nVary: no\r\nSet-Cookie: a=1\r\nX-User-Id: root\r\n" +
				"Content-Length: 9\r\nTransfer-Encoding: gzip\r\nConnection: close\r\nRatelimit: no\r\nContent-Type: no\r\nCache-Control: no\r\nX-Late: 2\r\n\r\n",
			status: 200, header: has{"Trailer": nil, "X-Request-Id": {"mine"}}, body: "hi", trailer: has{"X-Late": {"2"}}},
		{name: "101 unasked", answer: "101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", status: 502},
		{name: "101 to nothing", answer: "101 Switching Protocols\r\n\r\n", status: 502},
		{name: "status too low", answer: "099 Low\r\nContent-Length: 0\r\n\r\n", status: 502},
		{name: "no HTTP", answer: "hello", status: 502},
		{name: "two lengths", answer: "200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi", status: 502},
		{name: "nothing", answer: "-", status: 502},
		{name: "less than said", answer: "200 OK\r\nContent-Length: 20\r\n\r\nhi", status: 200, body: "hi", cut: true},
		{name: "no last chunk", answer: "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", status: 200, body: "hi", cut: true},
		{name: "a bad chunk", answer: "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nzz\r\n", status: 200, body: "hi", cut: true},
	}
	var paths []string
	for i, tt := range cases {
		paths = append(paths, fmt.Sprint("/v1/case", i))
		f.raw(t, fmt.Sprint("case", i), document("GET "+paths[i]+" "+public), func(conn net.Conn, _ *http.Request) {
			if tt.answer != "-" {
				_, _ = io.WriteString(conn, "HTTP/1.1 "+tt.answer)
			}
		})
	}
	f.known(t, paths...)
	for i, tt := range cases {
		method := max(tt.method, "GET")
		w := f.dial(t)
		w.send(method+" "+paths[i]+" HTTP/1.1", "Host: x", "X-Request-Id: mine")
		res, err := http.ReadResponse(w.in, &http.Request{Method: method})
		if err != nil {
			if !tt.cut { // else it was cut before any of it was sent
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		body, err := whole(res)
		if tt.cut != (err != nil) {
			t.Errorf("%s: the body ended with %v", tt.name, err)
		}
		if res.StatusCode != tt.status || tt.status != 502 && body != tt.body && !(tt.cut && strings.HasPrefix(tt.body, body)) {
			t.Errorf("%s: %d %q", tt.name, res.StatusCode, body)
		}
		if tt.status == 502 && (!strings.Contains(body, `"bad_gateway"`) || res.Header.Get("Retry-After") == "") {
			t.Errorf("%s: %v %s", tt.name, res.Header, body)
		}
		for name, want := range tt.header {
			if got := res.Header[name]; !slices.Equal(got, want) {
				t.Errorf("%s: %s: %.100q", tt.name, name, got)
			}
		}
		if len(res.Trailer) != len(tt.trailer) {
			t.Errorf("%s: trailers %v", tt.name, res.Trailer)
		}
		for name, want := range tt.trailer {
			if got := res.Trailer[name]; !slices.Equal(got, want) {
				t.Errorf("%s: trailer %s: %q", tt.name, name, got)
			}
		}
		line := f.logged(t, "mine")
		if want := tt.status; tt.cut && line.Status != 500 || !tt.cut && line.Status != want {
			t.Errorf("%s: logged as %+v", tt.name, line)
		}
	}
}

// An informational answer of the service's takes nothing away of what the
// gateway says, and what both say is said once.
func TestBothSaySomething(t *testing.T) {
	t.Parallel()
	f := start(t, from("https://notes.example"))
	f.service(t, "things", document("POST /v1/things "+public), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Last", "yes")
		w.Header().Set("Vary", "Accept")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.WriteHeader(http.StatusCreated)
	})
	f.known(t, "/v1/things")
	res, _ := f.do(t, "POST", "/v1/things", strings.NewReader(strings.Repeat("x", 100_000)), "Expect", "100-continue", "Origin", "https://notes.example")
	if res.StatusCode != http.StatusCreated || res.Header.Get("X-Last") != "yes" {
		t.Errorf("answered %s %v", res.Status, res.Header)
	}
	for name, want := range map[string]string{"Vary": "Origin,Accept", "Access-Control-Allow-Origin": "https://notes.example"} {
		if got := strings.Join(res.Header[name], ","); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, name := range []string{"Ratelimit", "Ratelimit-Policy", endpoint.RequestIDHeader} {
		if len(res.Header[name]) != 1 {
			t.Errorf("%s: %q", name, res.Header[name])
		}
	}
}

// What belongs to the client's connection goes no further, and what comes in
// a trailer, when all has been decided, neither.
func TestRequestsHops(t *testing.T) {
	t.Parallel()
	f := start(t)
	type got struct {
		header, trailer http.Header
		body            string
	}
	seen := make(chan got, 1)
	f.service(t, "things", document("POST /v1/things "+public), func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- got{r.Header, r.Trailer, string(body)}
	})
	f.known(t, "/v1/things")
	for _, connection := range []string{"X-Request-Id, X-Forwarded-For", "content-length, Host,X-Hop", "Transfer-Encoding", ", ,X-User-Id", "keep-alive, TE"} {
		w := f.dial(t)
		w.send("POST /v1/things HTTP/1.1", "Host: x", "X-Request-Id: mine", "Connection: "+connection, "Transfer-Encoding: chunked", "Trailer: X-User-Id, X-Sum",
			"X-Hop: 1", "TE: trailers", "Keep-Alive: 9", "Proxy-Authorization: Basic x", "Proxy-Connection: close", "HTTP2-Settings: x", "Upgrade: h2c", "A-Dup: 1", "A-Dup: 2")
		w.say("2\r\nhi\r\n0\r\nX-User-Id: root\r\nX-Sum: 1\r\n\r\n")
		if res := w.answer("POST"); res.StatusCode != 200 {
			t.Fatalf("%s: %s", connection, res.Status)
		}
		s := <-seen
		if s.body != "hi" || len(s.trailer) != 0 {
			t.Errorf("%s: %q, trailer %v", connection, s.body, s.trailer)
		}
		for name, want := range map[string][]string{
			"X-Request-Id": {"mine"}, "X-Forwarded-For": {"127.0.0.1"}, "A-Dup": {"1", "2"}, "Te": nil, "Trailer": nil, "Keep-Alive": nil,
			"Proxy-Authorization": nil, "Proxy-Connection": nil, "Http2-Settings": nil, "Upgrade": nil, "Connection": nil, "X-User-Id": nil, "X-Sum": nil,
		} {
			if !slices.Equal(s.header[name], want) {
				t.Errorf("Connection: %s: %s forwarded: %q", connection, name, s.header[name])
			}
		}
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.service(t, "things", document("POST /v1/wanted "+public, "POST /v1/refused "+public), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/refused" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.Copy(w, r.Body)
	})
	f.known(t, "/v1/wanted", "/v1/refused")
	w := f.dial(t)
	w.send("POST /v1/wanted HTTP/1.1", "Host: x", "Expect: 100-continue", "Content-Length: 5")
	if res := w.answer("POST"); res.StatusCode != 100 {
		t.Fatalf("asked whether to send: %s", res.Status)
	}
	w.say("hello")
	if body, err := whole(w.answer("POST")); body != "hello" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
	w = f.dial(t)
	w.send("POST /v1/refused HTTP/1.1", "Host: x", "Expect: 100-continue", "Content-Length: 5")
	if res := w.answer("POST"); res.StatusCode != http.StatusForbidden { // and no 100 before it
		t.Errorf("refused: %s", res.Status)
	}
}

// The header of a stream comes before its first byte, and then each piece.
func TestStreams(t *testing.T) {
	t.Parallel()
	f := start(t)
	proceed := make(chan struct{})
	f.service(t, "things", document("GET /v1/events "+public, "GET /v1/lines "+public), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", map[string]string{"/v1/events": "text/event-stream", "/v1/lines": "application/x-ndjson"}[r.URL.Path])
		for _, text := range []string{"", "one\n", "two\n"} {
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-proceed:
			case <-r.Context().Done():
			}
		}
	})
	f.known(t, "/v1/events", "/v1/lines")
	for _, path := range []string{"/v1/events", "/v1/lines"} {
		res, err := testenv.Client.Get(f.url + path)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(res.Body)
		for _, want := range []string{"one\n", "two\n"} {
			proceed <- struct{}{}
			if got, err := lines.ReadString('\n'); got != want || err != nil {
				t.Errorf("%s: %q, %v", path, got, err)
			}
		}
		proceed <- struct{}{}
		if _, err := lines.ReadByte(); err != io.EOF {
			t.Errorf("%s: ended with %v", path, err)
		}
		res.Body.Close()
	}
}

// A service may answer while the body still comes, whether it goes on reading
// or not.
func TestAnswersWhileTheBodyComes(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.service(t, "things", document("POST /v1/echo "+public, "POST /v1/early "+public), func(w http.ResponseWriter, r *http.Request) {
		duplex := http.NewResponseController(w)
		if r.URL.Path == "/v1/early" {
			w.Header().Set("Connection", "close") // or net/http would read the body first
			w.WriteHeader(http.StatusConflict)
			return
		}
		_ = duplex.EnableFullDuplex()
		piece := make([]byte, 100)
		for {
			n, err := r.Body.Read(piece)
			_, _ = w.Write(piece[:n])
			_ = duplex.Flush()
			if err != nil {
				return
			}
		}
	})
	f.known(t, "/v1/echo", "/v1/early")
	w := f.dial(t)
	w.send("POST /v1/echo HTTP/1.1", "Host: x", "Transfer-Encoding: chunked")
	w.say("3\r\none\r\n")
	res := w.answer("POST")
	piece := make([]byte, 3)
	if _, err := io.ReadFull(res.Body, piece); string(piece) != "one" || err != nil {
		t.Fatalf("%q, %v", piece, err)
	}
	w.say("3\r\ntwo\r\n0\r\n\r\n")
	if rest, err := whole(res); rest != "two" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}

	w = f.dial(t)
	w.send("POST /v1/early HTTP/1.1", "Host: x", "Content-Length: 1000")
	w.say("the beginning")
	if res := w.answer("POST"); res.StatusCode != http.StatusConflict || !res.Close { // what comes then is no next request
		t.Errorf("%s, close: %v", res.Status, res.Close)
	}
}

// Neither a request's body nor an answer's is held, whatever its size. It runs
// alone, for what it measures is the whole process's.
func TestBigBodies(t *testing.T) {
	const size = 64 << 20
	f := start(t)
	f.service(t, "things", document("POST /v1/things "+having(public, `"x-body-max":100000000`)), func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if r.ContentLength >= 0 {
			w.Header().Set("Content-Length", fmt.Sprint(n))
		}
		_, _ = io.CopyN(w, zeros{}, n)
	})
	f.known(t, "/v1/things")
	for name, length := range map[string]int64{"with a length": size, "chunked": -1} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := http.NewRequest("POST", f.url+"/v1/things", io.LimitReader(zeros{}, size))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		res, err := testenv.Client.Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		runtime.ReadMemStats(&after)
		if n != size || err != nil {
			t.Errorf("%s: %d bytes came back, %v", name, n, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > size/8 {
			t.Errorf("%s: took %d bytes of memory", name, took)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A client that goes is nobody's failure, and the service hears of it.
func TestClientGoes(t *testing.T) {
	t.Parallel()
	f := start(t)
	heard := make(chan error, 1)
	f.service(t, "things", document("GET /v1/early "+public, "GET /v1/late "+public), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/late" {
			_, _ = io.WriteString(w, "one\n")
			_ = http.NewResponseController(w).Flush()
		}
		heard <- nil
		<-r.Context().Done()
		heard <- r.Context().Err()
	})
	f.known(t, "/v1/early", "/v1/late")
	for _, path := range []string{"/v1/early", "/v1/late"} {
		w := f.dial(t)
		w.send("GET "+path+" HTTP/1.1", "Host: x", "X-Request-Id: mine")
		<-heard
		if path == "/v1/late" {
			if _, err := w.answer("GET").Body.Read(make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		if err := <-heard; err == nil {
			t.Error(path, "the service heard nothing")
		}
		if line := f.logged(t, "mine"); line.Status != 499 || line.Code != "canceled" {
			t.Errorf("%s: logged as %+v", path, line)
		}
	}
}

// A body that is the client's fault is the client's error, and does not count
// against the service.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.service(t, "things", document("POST /v1/small "+having(public, `"x-body-max":10`)), func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})
	f.known(t, "/v1/small")
	for _, tt := range []struct {
		name, framing, body string
		status              int
		code                string
	}{
		{"small enough", "Content-Length: 10", "ten bytes!", 200, ""},
		{"small enough, chunked", "Transfer-Encoding: chunked", "a\r\nten bytes!\r\n0\r\n\r\n", 200, ""},
		{"too large", "Content-Length: 11", "more than 1", 413, "body_too_large"},
		{"too large, unsent", "Content-Length: 100000000", "", 413, "body_too_large"},
		{"too large, chunked", "Transfer-Encoding: chunked", "b\r\nmore than 1\r\n0\r\n\r\n", 413, "body_too_large"},
		{"a bad chunk", "Transfer-Encoding: chunked", "3\r\nabc\r\nzz\r\n", 400, "body_unreadable"},
		{"a bad first chunk", "Transfer-Encoding: chunked", "-1\r\n", 400, "body_unreadable"},
		{"broken off", "Content-Length: 10", "ten", 400, "body_unreadable"},
		{"broken off, chunked", "Transfer-Encoding: chunked", "3\r\nabc\r\n", 400, "body_unreadable"},
	} {
		for range 6 { // a breaker opens after five
			w := f.dial(t)
			w.send("POST /v1/small HTTP/1.1", "Host: x", tt.framing)
			w.say(tt.body)
			if tt.status == 400 {
				_ = w.CloseWrite() // after a whole body it would mean that the client has gone
			}
			res := w.answer("POST")
			if body, _ := whole(res); res.StatusCode != tt.status || !strings.Contains(body, tt.code) {
				t.Errorf("%s: %d %s", tt.name, res.StatusCode, body)
			}
		}
	}
	for _, service := range f.Status(&f.recent).Services {
		if service.Instances[0].Failures != 0 {
			t.Errorf("the service is blamed: %+v", service.Instances[0])
		}
	}
}

// A client that sends nothing of its body holds nothing for long, also when
// nobody wants the body.
func TestSlowBodies(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the ten seconds that a client has")
	}
	t.Parallel()
	f := start(t)
	f.service(t, "things", document("POST /v1/things "+public), func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	_, leave := f.service(t, "gone", document("POST /v1/gone "+public), nil)
	f.known(t, "/v1/things", "/v1/gone")
	leave()
	for path, want := range map[string]int{"/v1/things": 408, "/v1/gone": 503} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := f.dial(t)
			w.send("POST "+path+" HTTP/1.1", "Host: x", "Content-Length: 1000")
			w.say("the beginning")
			if res := w.answer("POST"); res.StatusCode != want {
				t.Errorf("%s", res.Status)
			}
		})
	}
}
