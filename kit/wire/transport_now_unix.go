//go:build unix

package wire

import (
	"io"
	"net"
	"syscall"
)

// prober looks at a connection without waiting.
type prober struct {
	raw  syscall.RawConn
	call func(fd uintptr) bool

	into  []byte
	flags int
	n     int
	err   error
	one   [1]byte
}

func newProber(c net.Conn) *prober {
	p := &prober{}
	if s, ok := c.(syscall.Conn); ok {
		p.raw, _ = s.SyscallConn()
	}
	p.call = func(fd uintptr) bool {
		for {
			p.n, _, p.err = syscall.Recvfrom(int(fd), p.into, p.flags)
			if p.err != syscall.EINTR {
				return true // the socket doesn't block
			}
		}
	}
	return p
}

func (p *prober) recv(into []byte, flags int) (int, error) {
	if p.raw == nil {
		return 0, errNotYet
	}
	p.into, p.flags = into, flags
	err := p.raw.Read(p.call)
	p.into = nil
	switch {
	case err != nil:
		return 0, err
	case p.err == syscall.EAGAIN || p.err == syscall.EWOULDBLOCK:
		return 0, errNotYet
	case p.err != nil:
		return 0, p.err
	case p.n == 0:
		return 0, io.EOF
	}
	return p.n, nil
}

// quiet tells whether the connection is open and has nothing to be read.
func (p *prober) quiet() bool {
	_, err := p.recv(p.one[:], syscall.MSG_PEEK)
	return err == errNotYet
}

// read reads what has come in, or returns errNotYet.
func (p *prober) read(into []byte) (int, error) { return p.recv(into, 0) }
