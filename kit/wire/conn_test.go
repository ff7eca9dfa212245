package wire_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/fault"
)

// What is wrong with a request leaves the handler of the one before alone.
func TestHandlerIsNotCanceled(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, piece int) {
		for _, second := range []string{"\x00\r\n", "GET / HTTP/9.9\r\n\r\n", "\n", "\rx"} {
			began, finish := make(chan context.Context), make(chan bool)
			c := serve(t, piece, func(_ http.ResponseWriter, r *http.Request) { began <- r.Context(); <-finish })
			send(t, c, good)
			ctx := <-began
			send(t, c, second)
			select {
			case <-ctx.Done():
				t.Errorf("%q cancels the handler before it", second)
			case <-time.After(20 * time.Millisecond):
			}
			close(finish)
			in := bufio.NewReader(c)
			for _, want := range []int{200, 400} {
				res, err := http.ReadResponse(in, nil)
				if second[0] == 'G' && want == 400 {
					want = 505
				}
				if err != nil || res.StatusCode != want {
					t.Fatalf("%q: answer %v, %v, want %d", second, res, err, want)
				}
				_, _ = io.Copy(io.Discard, res.Body)
			}
		}
	})
}

// A client that goes still cancels its handler.
func TestGoneClientIsNoticed(t *testing.T) {
	t.Parallel()
	began, canceled := make(chan bool), make(chan bool)
	c := serve(t, 1<<20, func(_ http.ResponseWriter, r *http.Request) {
		began <- true
		<-r.Context().Done()
		close(canceled)
	})
	send(t, c, "GET / HTTP/1.1\r\n"+host+"\r\n") // net/http listens when there is no body to read
	<-began
	c.Close()
	<-canceled
}

// A connection that a handler takes over carries any bytes, from the first.
func TestHijack(t *testing.T) {
	t.Parallel()
	const frames = "\x81\x05\x00\nGET  bad\r\n\x00"
	for name, early := range map[string]bool{"after the answer": false, "before it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, piece int) {
				sent := make(chan bool, 1)
				c := serve(t, piece, func(w http.ResponseWriter, _ *http.Request) {
					<-sent
					w.Header().Set("Connection", "Upgrade")
					w.Header().Set("Upgrade", "echo")
					w.WriteHeader(http.StatusSwitchingProtocols)
					conn, both, err := http.NewResponseController(w).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					defer conn.Close()
					_, _ = io.Copy(conn, both)
				})
				text := "GET / HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n"
				if early {
					send(t, c, text+frames)
					sent <- true
				} else {
					send(t, c, text)
					sent <- true
				}
				in := bufio.NewReader(c)
				if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
					t.Fatalf("answer %v, %v", res, err)
				}
				if !early {
					send(t, c, frames)
				}
				if err := c.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(in); err != nil || string(got) != frames {
					t.Errorf("it echoes %q, %v", got, err)
				}
			})
		})
	}
}

// A client that sends a large body for a refused request can read why.
func TestRefusalCanBeRead(t *testing.T) {
	t.Parallel()
	c := serve(t, 1<<20, func(http.ResponseWriter, *http.Request) {})
	go func() {
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\n"+host+"Content-Length: 100000\r\nContent-Length: 1\r\n\r\n"+strings.Repeat("x", 100000))
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(body), `"instance":"/"`) {
		t.Errorf("answer %s, %v", body, err)
	}
	if n, err := io.Copy(io.Discard, c); n != 0 || err != nil {
		t.Errorf("behind the answer come %d bytes, %v", n, err)
	}
}

// The handler learns what is wrong with a body in a form that it can answer.
func TestBodyError(t *testing.T) {
	t.Parallel()
	got := make(chan error, 1)
	c := serve(t, 1<<20, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		got <- err
	})
	send(t, c, "POST / HTTP/1.1\r\n"+host+"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloo")
	err := <-got
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != fault.Malformed || f.Code != "malformed_request" {
		t.Errorf("error %v", err)
	}
}

// Bodies of all sizes pass, whatever the pieces they are read in.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, piece int) {
		var text strings.Builder
		var want []int
		for n := 1; n < 60000; n = n*3 + 1 {
			res, err := http.NewRequest("POST", "http://x/", io.LimitReader(zeros{}, int64(n)))
			if err != nil {
				t.Fatal(err)
			}
			if n%2 == 0 {
				res.ContentLength = int64(n)
			}
			if err := res.Write(&text); err != nil {
				t.Fatal(err)
			}
			want = append(want, n)
		}
		got := make(chan int, len(want))
		c := serve(t, piece, func(_ http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil {
				t.Error(err)
			}
			got <- int(n)
		})
		go send(t, c, text.String())
		for _, want := range want {
			if got := <-got; got != want {
				t.Errorf("a body has %d bytes, want %d", got, want)
			}
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func send(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Error(err)
	}
}
