package notify

import "net/http"

// Streams serves users' streams, over what can tell them live. Both methods are
// handlers for transport.Raw.
type Streams interface {
	// WebSocket serves a stream to whoever shows a ticket, in the query.
	WebSocket(http.ResponseWriter, *http.Request) error
	// Events serves the caller's stream as server-sent events.
	Events(http.ResponseWriter, *http.Request) error
}
