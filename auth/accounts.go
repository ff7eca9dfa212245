package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
)

// ReadUser returns a user to another service.
func (s *Service) ReadUser(ctx context.Context, r UserRequest) (Account, error) {
	u, err := s.store.User(ctx, r.ID)
	return Account{u, u.Disabled}, err
}

// FindUser returns the user whom a login names to another service.
func (s *Service) FindUser(ctx context.Context, r FindRequest) (Account, error) {
	u, err := s.store.FindUser(ctx, Username(r.Login), EmailKey(r.Login))
	return Account{u, u.Disabled}, err
}

// ConfirmPassword tells another service whether somebody who is logged in knows
// their password: ErrCredentials if not.
func (s *Service) ConfirmPassword(ctx context.Context, r ConfirmRequest) error {
	u, err := s.store.User(ctx, r.ID)
	if err != nil {
		return err
	}
	return s.confirm(ctx, &u, r.Password)
}

// CloseUser lets a user in no more, and ends their sessions. One who is not
// there is closed.
func (s *Service) CloseUser(ctx context.Context, r UserRequest) error {
	disabled, err := UserDisabled.About(ctx, r.ID, Disabled{})
	if err != nil {
		return err
	}
	err = s.store.CloseUser(ctx, r.ID, s.now(), disabled)
	s.feed.wake()
	if errors.Is(err, ErrNoUser) {
		return nil
	}
	return err
}

// SessionRecord is a session as its owner takes it along.
type SessionRecord struct {
	ID         uuid.UUID  `json:"id"`
	Device     string     `json:"device"`
	IP         string     `json:"ip"`
	CreatedAt  time.Time  `json:"created_at"`
	LastSeenAt time.Time  `json:"last_seen_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	EndedAt    *time.Time `json:"ended_at"`
}

// Export implements account.Holder.
func (s *Service) Export(ctx context.Context, user uuid.UUID, add account.Add) error {
	u, err := s.store.User(ctx, user)
	if errors.Is(err, ErrNoUser) {
		return nil
	}
	if err != nil {
		return err
	}
	sessions, err := s.store.AllSessions(ctx, user)
	if err != nil {
		return err
	}
	records := make([]SessionRecord, len(sessions))
	for i, o := range sessions {
		records[i] = SessionRecord{o.ID, o.Device, o.IP, o.CreatedAt, o.LastSeenAt, o.ExpiresAt, o.EndedAt}
	}
	for _, file := range []struct {
		name    string
		content any
	}{{"user.json", u}, {"sessions.json", records}} {
		w, err := add(file.name, s.now())
		if err != nil {
			return err
		}
		if err := json.MarshalWrite(w, file.content, jsontext.WithIndent("  ")); err != nil {
			return err
		}
	}
	return nil
}

// Erase implements account.Holder. What was counted for the user's logins by
// address stays for an hour: it is hashes, which only those who know both find.
func (s *Service) Erase(ctx context.Context, user uuid.UUID) (account.Receipt, error) {
	if err := s.forgetGuesses(ctx, user); err != nil {
		return account.Receipt{}, err
	}
	gone, err := UserErased.About(ctx, user, Erased{})
	if err != nil {
		return account.Receipt{}, err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	erased, err := s.store.EraseUser(ctx, user, now, gone)
	s.feed.wake()
	return account.Receipt{Service: "auth", ErasedAt: now, Erased: erased}, err
}

// forgetGuesses forgets the attempts that were counted for a user alone.
func (s *Service) forgetGuesses(ctx context.Context, user uuid.UUID) error {
	sessions, err := s.store.AllSessions(ctx, user)
	if err != nil {
		return err
	}
	names := []string{passwordGuess(user)}
	for _, o := range sessions {
		if o.KnownBy != nil {
			names = append(names, deviceGuess(user, o.KnownBy))
		}
	}
	slices.Sort(names)
	for some := range slices.Chunk(slices.Compact(names), 100) {
		keys := make([]Hash, len(some))
		for i, name := range some {
			keys[i] = sha256.Sum256([]byte(name))
		}
		if err := s.store.Attempts(ctx, keys, func(a []Attempts) error { clear(a); return nil }); err != nil {
			return err
		}
	}
	return nil
}
