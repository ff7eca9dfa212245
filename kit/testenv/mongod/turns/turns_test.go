package turns

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// message returns an OP_MSG whose document has one field of that name.
func message(flags uint32, name string) []byte {
	body := binary.LittleEndian.AppendUint32(nil, flags)
	body = append(body, 0)
	body = binary.LittleEndian.AppendUint32(body, uint32(4+1+len(name)+1+1))
	body = append(append(append(body, 10), name...), 0, 0)
	m := binary.LittleEndian.AppendUint32(nil, uint32(header+len(body)))
	m = append(m, make([]byte, 8)...)
	return append(binary.LittleEndian.AppendUint32(m, opMsg), body...)
}

// connect serves a client, and returns the client's end and the server's.
func (whose turn) connect(t *testing.T) (client, server net.Conn) {
	client, clientFar := net.Pipe()
	server, serverFar := net.Pipe()
	for _, end := range []net.Conn{client, clientFar, server, serverFar} {
		t.Cleanup(func() { end.Close() })
	}
	go func() {
		defer clientFar.Close()
		defer serverFar.Close()
		_ = whose.serve(clientFar, serverFar)
	}()
	return client, server
}

// echo replies to each request with itself.
func echo(server net.Conn) {
	for {
		request, err := read(server)
		if err != nil {
			return
		}
		if _, err := server.Write(request); err != nil {
			return
		}
	}
}

func ask(t *testing.T, client net.Conn, request []byte) []byte {
	t.Helper()
	if _, err := client.Write(request); err != nil {
		t.Fatal(err)
	}
	reply, err := read(client)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whose := make(turn, 1)
		ann, annServer := whose.connect(t)
		bob, bobServer := whose.connect(t)
		if _, err := ann.Write(message(0, "update")); err != nil {
			t.Fatal(err)
		}
		request, err := read(annServer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bob.Write(message(0, "update")); err != nil {
			t.Fatal(err)
		}
		bobServer.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := read(bobServer); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the server got %v while it was at work for another client", err)
		}
		bobServer.SetReadDeadline(time.Time{})
		if _, err := annServer.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := read(bobServer); err != nil { // though ann has not read her reply
			t.Fatal(err)
		}
	})
}

func TestNobodyHoldsUpTheOthers(t *testing.T) {
	for _, c := range []struct {
		name string
		hold func(client, server net.Conn)
		wait time.Duration
	}{
		{"half a request", func(client, _ net.Conn) { client.Write(message(0, "update")[:20]) }, 0},
		{"a reply not taken", func(client, server net.Conn) { go echo(server); client.Write(message(0, "find")) }, 0},
		{"a long getMore", func(client, server net.Conn) { client.Write(message(0, "getMore")); read(server) }, 0},
		{"gone while it has its turn", func(client, server net.Conn) { client.Write(message(0, "update")); client.Close() }, exchangeTimeout},
		{"a server that hangs", func(client, server net.Conn) { client.Write(message(0, "update")); read(server) }, exchangeTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				whose := make(turn, 1)
				c.hold(whose.connect(t))
				synctest.Wait()

				other, server := whose.connect(t)
				go echo(server)
				begin := time.Now()
				ask(t, other, message(0, "update"))
				if got := time.Since(begin); got != c.wait {
					t.Errorf("waited for %s, want %s", got, c.wait)
				}
			})
		})
	}
}

func TestOneReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := make(turn, 1).connect(t)
		go echo(server)
		if _, err := client.Write(message(moreToCome, "insert")); err != nil {
			t.Fatal(err)
		}
		if got, want := ask(t, client, message(exhaustAllowed, "hello")), message(0, "hello"); !bytes.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestTooLong(t *testing.T) {
	for _, length := range []uint32{0, header - 1, maxMessage + 1, 1<<32 - 1} {
		m := message(0, "find")
		binary.LittleEndian.PutUint32(m, length)
		if got, err := read(bytes.NewReader(m)); err == nil {
			t.Errorf("length %d: got %d bytes", length, len(got))
		}
	}
}

func TestServeEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, l, func() (net.Conn, error) {
			near, far := net.Pipe()
			go echo(far)
			return near, nil
		})
	}()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ask(t, client, message(0, "ping"))
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the client's connection: %v", err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(message(moreToCome|exhaustAllowed, "getMore"))
	f.Add(message(0, "")[:header])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 4 && binary.LittleEndian.Uint32(b) > 1<<16 {
			t.Skip("it would only take memory")
		}
		request, err := read(bytes.NewReader(b))
		if err != nil {
			return
		}
		mayWait(request)
		nameDuplicate(request)
		if wantOneReply(request); len(request) != int(binary.LittleEndian.Uint32(b)) {
			t.Errorf("%d bytes of %d", len(request), len(b))
		}
	})
}
