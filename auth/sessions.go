package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

const (
	accessLife = 10 * time.Minute
	deviceLife = 365 * 24 * time.Hour
	allScopes  = "*" // what a login may do; a personal access token may do less

	refreshCookie = "trellis_refresh"
	deviceCookie  = "trellis_device"
	cookiePath    = "/v1/auth"
)

// open begins a session for a user who has shown who they are.
func (s *Service) open(ctx context.Context, u User, c client, kind string) (Tokens, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Tokens{}, err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	session := Session{
		ID: id, User: u.ID, Device: shorten(c.UserAgent), Cookie: kind == "cookie",
		CreatedAt: now, LastSeenAt: now, RotatedAt: now, ExpiresAt: now.Add(sessionLife),
	}
	if addr := endpoint.From(ctx).Client; addr.IsValid() {
		session.IP = addr.String()
	}
	device := ""
	if session.Cookie {
		if device = c.Device; deviceHash(device) == nil {
			device = uuid.NewString()
		}
		session.KnownBy = deviceHash(device)
	}
	events, err := s.onNewDevice(ctx, u, session, c)
	if err != nil {
		return Tokens{}, err
	}
	refresh := session.begin()
	switch err := s.store.CreateSession(ctx, session, u.Password, events...); {
	case errors.Is(err, ErrNoUser): // the password was changed since it was verified
		return Tokens{}, ErrCredentials
	case err != nil:
		return Tokens{}, err
	}
	return s.tokens(u, session, refresh, device)
}

// onNewDevice is what is told of a session on a device that no session of the
// user's knows. With the first one there is none that could; but of an account
// older than a session's life the sessions may be forgotten, so that one is told
// of, too. So is the first login of who was imported: that cannot be told apart.
func (s *Service) onNewDevice(ctx context.Context, u User, o Session, c client) ([]event.Message, error) {
	had, err := s.store.HadSession(ctx, u.ID)
	if err != nil || !had && s.now().Sub(u.CreatedAt) <= sessionLife {
		return nil, err
	}
	known, err := s.store.KnowsDevice(ctx, u.ID, deviceHash(c.Device))
	if err != nil || known {
		return nil, err
	}
	return messages(NewDevice.About(ctx, u.ID, Login{o.ID, o.Device, o.IP}))
}

// messages makes of one event the several that a Store takes.
func messages(m event.Message, err error) ([]event.Message, error) { return []event.Message{m}, err }

// shorten bounds what a client says of itself.
func shorten(userAgent string) string {
	if len(userAgent) > 400 {
		userAgent = userAgent[:400]
	}
	return strings.ToValidUTF8(userAgent, "�")
}

// deviceHash is what the store knows a device's cookie by; nil for none.
func deviceHash(cookie string) []byte {
	if len(cookie) < 32 || len(cookie) > 64 {
		return nil
	}
	return hash([]byte(cookie))
}

// tokens is the answer with which a session begins or goes on.
func (s *Service) tokens(u User, session Session, refresh refreshToken, device string) (Tokens, error) {
	now := s.now()
	access, err := s.signer.Sign(s.keys.signing(now), token.Caller{
		ID: u.ID.String(), Session: session.ID.String(), Roles: u.Roles, Scope: allScopes, Expires: now.Add(accessLife),
	}, now)
	if err != nil {
		return Tokens{}, err
	}
	t := Tokens{AccessToken: access, TokenType: "Bearer", ExpiresIn: int(accessLife.Seconds()), User: u}
	if !session.Cookie {
		t.RefreshToken = refresh.String()
		return t, nil
	}
	t.cookies = append(t.cookies, cookie(refreshCookie, refresh.String(), sessionLife))
	if device != "" {
		t.cookies = append(t.cookies, cookie(deviceCookie, device, deviceLife))
	}
	return t, nil
}

func cookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: cookiePath, MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode,
	}
}

// Logout ends this session of the caller's, the others, or all.
func (s *Service) Logout(ctx context.Context, r LogoutRequest) (Farewell, error) {
	user, current, err := s.caller(ctx)
	if err != nil {
		return Farewell{}, err
	}
	_, err = s.store.EndSessions(ctx, user, s.now(), func(o Session) bool {
		switch r.Scope {
		case "others":
			return o.ID != current
		case "all":
			return true
		}
		return o.ID == current
	})
	s.feed.wake()
	if err != nil || r.Scope == "others" {
		return Farewell{}, err
	}
	gone := cookie(refreshCookie, "", 0)
	gone.MaxAge = -1
	return Farewell{[]*http.Cookie{gone}}, nil
}

// ListSessions returns the caller's sessions, the last seen first.
func (s *Service) ListSessions(ctx context.Context, _ endpoint.None) (page transport.Page[SessionInfo], err error) {
	user, current, err := s.caller(ctx)
	if err != nil {
		return page, err
	}
	sessions, err := s.store.Sessions(ctx, user, s.now())
	if err != nil {
		return page, err
	}
	infos := make([]SessionInfo, len(sessions))
	for i, o := range sessions {
		infos[i] = SessionInfo{o.ID, o.Device, o.IP, o.CreatedAt, o.LastSeenAt, o.ID == current}
	}
	return transport.NewPage(infos, ""), nil
}

// EndSession ends one of the caller's sessions.
func (s *Service) EndSession(ctx context.Context, r SessionRequest) error {
	user, _, err := s.caller(ctx)
	if err != nil {
		return err
	}
	ended, err := s.store.EndSessions(ctx, user, s.now(), func(o Session) bool { return o.ID == r.ID })
	s.feed.wake()
	if err == nil && len(ended) == 0 {
		return ErrNoSession
	}
	return err
}
