package notes

import (
	"context"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/event"
)

var _ account.Holder = (*Service)(nil)

// Export writes notes.json, a list of the user's notes as the API shows them,
// each with its shares and revisions, and shared-with-me.json, a list of the
// shares of others' notes with the user.
func (s *Service) Export(ctx context.Context, user uuid.UUID, add account.Add) error {
	type owned struct {
		Note
		Shares    []Share    `json:"shares"`
		Revisions []Revision `json:"revisions"`
	}
	err := s.export(add, "notes.json", func(put func(any) error) error {
		return s.store.Export(ctx, user, func(n Note, shares []Share, was []Revision) error { return put(owned{n, shares, was}) })
	})
	if err != nil {
		return err
	}
	return s.export(add, "shared-with-me.json", func(put func(any) error) error {
		return s.store.SharedWith(ctx, user, func(share Share) error { return put(share) })
	})
}

// export adds a file with a JSON list of what list puts, one a line.
func (s *Service) export(add account.Add, name string, list func(put func(any) error) error) error {
	w, err := add(name, s.now())
	if err != nil {
		return err
	}
	before := "[\n"
	err = list(func(v any) error {
		if _, err := io.WriteString(w, before); err != nil {
			return err
		}
		before = ",\n"
		return json.MarshalWrite(w, v, json.Deterministic(true))
	})
	if err != nil {
		return err
	}
	end := "\n]\n"
	if before != ",\n" {
		end = "[]\n"
	}
	_, err = io.WriteString(w, end)
	return err
}

// eraseBatch bounds a transaction.
const eraseBatch = 200

// Erase removes the user's notes, and their shares of others' notes. Those who
// could read the notes are told that they are gone, each by an event of their
// own: what is on its way about the user goes too. The receipt is the first
// erasure's, however often that was begun.
func (s *Service) Erase(ctx context.Context, user uuid.UUID) (account.Receipt, error) {
	var all Erased
	for done := false; !done; {
		var err error
		all, done, err = s.store.Erase(ctx, user, eraseBatch, micros(s.now()), func(n Note, shares []Share) (events []event.Message, err error) {
			for _, share := range shares {
				reader := share.User.ID
				m, err := NoteDeleted.About(ctx, reader, Change{Note: n.ID, Version: n.Version, Readers: []uuid.UUID{reader}})
				if err != nil {
					return nil, err
				}
				events = append(events, m)
			}
			return events, nil
		})
		if err != nil {
			return account.Receipt{}, err
		}
	}
	return account.Receipt{
		Service: "notes", ErasedAt: all.At,
		Erased: map[string]int{"notes": all.Notes, "shares": all.Shares},
	}, nil
}
