package email

import (
	"context"
	"net"
)

// OpenTrusting is Open with other roots of trust.
var OpenTrusting = open

// DialInstead has the server's part played by another.
func (s *SMTP) DialInstead(addr string) {
	s.dial = func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", addr) }
}
