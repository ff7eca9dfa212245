package auth

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"
)

// What parses as a refresh token is written back as it was, and only what the
// session marked is exchanged.
func FuzzParseRefresh(f *testing.F) {
	s := Session{ID: uuid.New(), ExpiresAt: time.Now().Add(time.Hour)}
	genuine := s.begin().String()
	f.Add(genuine)
	f.Add(genuine[:len(genuine)-1])
	f.Add(genuine + "A")
	f.Add("trr_")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := parseRefresh(text)
		if err != nil {
			return
		}
		if token.String() != text {
			t.Errorf("%q is written back as %q", text, token)
		}
		copied := s
		if _, err := copied.exchange(token, nil, time.Now()); err == nil && text != genuine {
			t.Errorf("%q was exchanged and never issued", text)
		} else if err != nil && copied.EndedAt != nil {
			t.Errorf("%q ended the session and was never issued", text)
		}
	})
}

func TestKeysTurnOver(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	keys := turn(nil, start)
	if len(keys) != 2 || !keys[0].SignsFrom.Equal(start) || keys[1].SignsFrom.Sub(start) != keyLife {
		t.Fatalf("at first: %+v", keys)
	}
	first, second := keys[0], keys[1]
	for _, tt := range []struct {
		name string
		at   time.Duration
		want int // keys
	}{
		{"before the turn", keyLife - time.Second, 2},
		{"just after it, the first is still published", keyLife + time.Second, 3},
		{"all that the first signed has expired", keyLife + keyBehind + time.Second, 2},
	} {
		if keys = turn(keys, start.Add(tt.at)); len(keys) != tt.want {
			t.Fatalf("%s: %d keys, want %d", tt.name, len(keys), tt.want)
		}
	}
	if keys[0].ID != second.ID || bytes.Equal(first.Seed, second.Seed) {
		t.Errorf("the second key does not follow the first")
	}
	late := turn(keys, start.Add(100*keyLife)) // the service was off for years
	if next := late[len(late)-1]; next.SignsFrom.Sub(start.Add(100*keyLife)) < keyAhead {
		t.Errorf("the next key signs %v after it is published", next.SignsFrom.Sub(start.Add(100*keyLife)))
	}
}
