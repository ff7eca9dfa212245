package transport

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/go-json-experiment/json"
	"github.com/trellis-go/trellis/kit/fault"
)

// Cursors seals the places at which lists go on, so that a client can neither
// read meaning into them nor make one up.
type Cursors struct{ key []byte }

// NewCursors returns cursors sealed with a key that only the service's instances know.
func NewCursors(key []byte) Cursors { return Cursors{key} }

const tagSize = 16 // bytes of HMAC-SHA256 kept

// ErrCursor is the error for a cursor that was not made here, or for another list.
var ErrCursor = fault.New(fault.Malformed, "cursor_invalid", "This cursor was not made for this list.")

// Seal makes a cursor of a place in the list that a query names.
func (c Cursors) Seal(query string, place any) (string, error) {
	text, err := json.Marshal(place)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(c.tag(query, text), text...)), nil
}

// Open reads a cursor's place into what place points at. It answers ErrCursor
// unless Seal made the cursor for the same query.
func (c Cursors) Open(query, cursor string, place any) error {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(sealed) < tagSize {
		return ErrCursor
	}
	tag, text := sealed[:tagSize], sealed[tagSize:]
	if !hmac.Equal(tag, c.tag(query, text)) {
		return ErrCursor
	}
	if err := json.Unmarshal(text, place); err != nil {
		return ErrCursor.Because(err)
	}
	return nil
}

func (c Cursors) tag(query string, text []byte) []byte {
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(query))
	mac.Write([]byte{0})
	mac.Write(text)
	return mac.Sum(nil)[:tagSize]
}
