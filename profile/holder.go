package profile

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/event"
)

// unfinished is in which time whoever writes a blob for an account that is
// erased has noticed, and stopped.
const unfinished = 5 * time.Minute

// holder is what this service does with its own part of an account. It is an
// account.Holder.
type holder struct{ *Service }

// Export is account.Holder's.
func (h holder) Export(ctx context.Context, user uuid.UUID, add account.Add) error {
	r, err := h.store.Get(ctx, user)
	if errors.Is(err, ErrNotFound) || r.ErasedAt != nil {
		return nil
	}
	if err != nil {
		return err
	}
	jobs := []AccountJob{}
	for _, t := range r.Tasks {
		jobs = append(jobs, t.view())
	}
	for _, f := range []struct {
		name string
		of   any
	}{{"profile.json", r.view()}, {"preferences.json", r.Wishes}, {"jobs.json", jobs}} {
		w, err := add(f.name, r.Profile.UpdatedAt)
		if err != nil {
			return err
		}
		if err := json.MarshalWrite(w, f.of, json.Deterministic(true), jsontext.Multiline(true)); err != nil {
			return err
		}
	}
	if r.Avatar == nil {
		return nil
	}
	blob, _, err := h.store.OpenBlob(ctx, r.Avatar.Blob)
	if err != nil {
		return err
	}
	defer blob.Close()
	w, err := add("avatar."+strings.TrimPrefix(r.Avatar.Type, "image/"), r.Profile.UpdatedAt)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, blob)
	return err
}

// Erase is account.Holder's. It leaves the jobs that erase the account, and the
// user's id until the last of these is done.
func (h holder) Erase(ctx context.Context, user uuid.UUID) (account.Receipt, error) {
	r, err := h.store.Erase(ctx, user, func(r *Record) ([]event.Message, error) {
		r.erase(h.now())
		return nil, nil
	})
	if err != nil {
		return account.Receipt{}, err
	}
	if err := h.clean(ctx, user); err != nil {
		return account.Receipt{}, err
	}
	if r.latest(KindErasure) == nil && r.User != uuid.Nil {
		_, err := h.store.Update(ctx, user, func(r *Record) ([]event.Message, error) {
			if len(r.Waste) > 0 {
				return nil, errors.New("there is waste left")
			}
			r.User = uuid.Nil
			return nil, nil
		})
		if err != nil {
			return account.Receipt{}, err
		}
	}
	receipt := account.Receipt{Service: ownName, ErasedAt: *r.ErasedAt, Erased: map[string]int{}}
	for _, c := range r.Erased {
		receipt.Erased[c.Of] = c.Number
	}
	return receipt, nil
}

// erase empties a record. The first time counts.
func (r *Record) erase(now time.Time) {
	if r.ErasedAt != nil {
		return
	}
	kept := Record{User: r.User, Revision: r.Revision, ErasedAt: new(micros(now)), Waste: r.Waste}
	for i := range kept.Waste { // what is being written right now must not come behind its removal
		if at := micros(now.Add(unfinished)); kept.Waste[i].DueAt.After(at) {
			kept.Waste[i].DueAt = at
		}
	}
	profiles, avatars, exports := 0, 0, 0
	if r.Profile.Version > 0 {
		profiles = 1
	}
	if r.Avatar != nil {
		avatars = 1
		kept.discard(r.Avatar.Blob, now)
	}
	for _, t := range r.Tasks {
		if t.Kind == KindErasure {
			kept.Tasks = append(kept.Tasks, t)
			continue
		}
		exports++
		if t.Archive != uuid.Nil {
			kept.discard(t.Archive, now)
		}
	}
	kept.Erased = []Count{{"avatars", avatars}, {"devices", len(r.Wishes.Devices)}, {"exports", exports}, {"preferences", len(r.Wishes.Account)}, {"profiles", profiles}}
	*r = kept
}
