package server

import (
	"context"
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

// OpenCertificate is what Env.ServeTLS does first.
var OpenCertificate = openCertificate

// Run is what Env.ServeTLS does from then on.
func (c *Certificate) Run(ctx context.Context) { c.run(ctx) }

// Serial is the number of the certificate that is shown.
func (c *Certificate) Serial() int64 { return c.pair.Load().Leaf.SerialNumber.Int64() }

// ServeTLS serves as Run does, over any listener.
func ServeTLS(ln net.Listener, c *Certificate, h http.Handler, logger log.Logger) *http.Server {
	s := newServer(h, logger)
	go func() { _ = s.Serve(secure(slowListener{ln}, c)) }()
	return s
}

// ShareSecret gives the services of a process that are alone a secret.
func ShareSecret(c *Common, apps ...App) error { return c.share(apps) }
