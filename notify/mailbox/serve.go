package mailbox

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Serve serves Handler until ctx ends.
func (b *Box) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: b.Handler(), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // pages are nothing to wait for
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
