//go:build linux

package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/wire"
)

// full is a port that takes no more connections, and refuses none.
func full(t *testing.T) (addr string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr = fmt.Sprint("127.0.0.1:", name.(*syscall.SockaddrInet4).Port)
	for range 10 {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("the port takes whatever comes")
	return ""
}

// A dial that gets no reply ends with the context, or in time.
func TestTransportDialTakesLong(t *testing.T) {
	addr := full(t)
	noLeak(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	begin := time.Now()
	rt := &wire.Transport{DialTimeout: time.Minute}
	if _, err := rt.RoundTrip(request(t, "GET", "http://"+addr, nil).WithContext(ctx)); err != context.DeadlineExceeded {
		t.Error(err)
	}
	rt = &wire.Transport{DialTimeout: 30 * time.Millisecond}
	_, err := rt.RoundTrip(request(t, "GET", "http://"+addr, nil))
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" || !op.Timeout() {
		t.Error(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Error(took)
	}
}
