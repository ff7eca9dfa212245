package realtime

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/notify"
)

const maxTicket = 100 // bytes

// WebSocket serves a stream to whoever shows a ticket.
func (h *Hub) WebSocket(w http.ResponseWriter, r *http.Request) error {
	if err := checkUpgrade(w.Header(), r); err != nil {
		return err
	}
	if !h.welcome(r) {
		return fault.New(fault.Forbidden, "origin_refused", "Pages from there may not open streams.")
	}
	if err := h.admit(); err != nil { // before the ticket is used up
		return err
	}
	q, from, err := parseQuery(r)
	if err != nil {
		return err
	}
	ticket := q.Get("ticket")
	if ticket == "" || len(ticket) > maxTicket {
		return notify.ErrNoTicket
	}
	owner, err := h.store.TakeTicket(r.Context(), sha256.Sum256([]byte(ticket)))
	if err != nil {
		return err
	}
	endpoint.From(r.Context()).Caller = &token.Caller{ID: owner.User.String(), Session: owner.Session} // for the log
	s := &socket{stream: stream{user: owner.User, session: owner.Session}}
	if err := h.enter(r.Context(), &s.stream); err != nil {
		return err
	}
	if err := s.upgrade(w, r); err != nil {
		h.leave(&s.stream)
		return err
	}
	h.metrics.opened("websocket")
	s.stream.open(s, from, from != nil)
	go s.serve() // and not here, on a stack and with a request that are no longer needed
	return nil
}

// checkUpgrade tells what is wrong with a handshake (RFC 6455, 4.2.1).
func checkUpgrade(answer http.Header, r *http.Request) error {
	in := r.Header
	key, err := base64.StdEncoding.DecodeString(in.Get("Sec-WebSocket-Key"))
	switch {
	case r.Method != http.MethodGet || r.ProtoMajor != 1 || !has(in, "Upgrade", "websocket") || !has(in, "Connection", "upgrade"):
		answer.Set("Connection", "Upgrade")
		answer.Set("Upgrade", "websocket")
		return fault.New(http.StatusUpgradeRequired, "websocket_required", "This is for WebSockets (RFC 6455).")
	case in.Get("Sec-WebSocket-Version") != "13":
		answer.Set("Sec-WebSocket-Version", "13")
		return fault.New(http.StatusUpgradeRequired, "websocket_version", "This speaks version 13 of WebSocket.")
	case err != nil || len(key) != 16:
		return fault.New(fault.Malformed, "websocket_key", "Sec-WebSocket-Key takes 16 bytes in base64.")
	}
	return nil
}

// has tells whether a header that is a list has a token.
func has(h http.Header, name, token string) bool {
	for _, line := range h[name] {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// welcome tells whether the page that opens a WebSocket, if it is one, may:
// browsers ask nobody else. X-Forwarded-Host is believed of everybody, since no
// page can set it.
func (h *Hub) welcome(r *http.Request) bool {
	origin := r.Header["Origin"]
	if len(origin) == 0 {
		return true
	}
	if len(origin) > 1 || origin[0] == "" {
		return false
	}
	if slices.Contains(h.options.Origins, origin[0]) {
		return true
	}
	u, err := url.Parse(origin[0])
	if err != nil || u.Host == "" {
		return false
	}
	host := r.Host
	if forwarded := r.Header["X-Forwarded-Host"]; len(forwarded) == 1 {
		host = forwarded[0]
	}
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return port != "" && strings.EqualFold(strings.TrimSuffix(u.Host, port), strings.TrimSuffix(host, port))
}
