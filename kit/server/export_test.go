package server

import (
	"net"
	"net/http"

	"github.com/go-kit/log"
)

// Serve serves as Run does, over any listener: one of pipes, in a test that
// does not wait for real timeouts.
func Serve(ln net.Listener, h http.Handler, logger log.Logger) *http.Server {
	s := newServer(h, logger)
	go func() { _ = s.Serve(guardedListener{slowListener{ln}}) }()
	return s
}
