package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/trellis-go/trellis/auth"
)

// attemptsBehind returns what is kept.
func attemptsBehind(t *testing.T, s auth.Store, keys ...auth.Hash) (got []auth.Attempts) {
	t.Helper()
	ok(t, s.Attempts(t.Context(), keys, func(all []auth.Attempts) error {
		got = append([]auth.Attempts{}, all...)
		return nil
	}))
	return got
}

func attempts(t *testing.T, s auth.Store) {
	ctx := t.Context()
	a, b, c := auth.Hash{31: 1}, auth.Hash{2}, auth.Hash{255}
	zero := auth.Attempts{}
	one := auth.Attempts{Failures: 1, Last: noon, Until: noon.Add(time.Second)}
	two := auth.Attempts{Failures: 2, Last: noon.Add(-1), Until: time.Date(1901, 1, 1, 0, 0, 0, 5_999, time.FixedZone("", 3600))}
	twoKept := auth.Attempts{Failures: 2, Last: kept(two.Last), Until: kept(two.Until)}
	last := auth.Attempts{Last: noon}
	refused := errors.New("refused")
	for _, step := range []struct {
		keys    []auth.Hash
		had     []auth.Attempts
		have    []auth.Attempts
		returns error
		kept    []auth.Attempts // of a, b, c
	}{
		{[]auth.Hash{c, a}, []auth.Attempts{zero, zero}, []auth.Attempts{zero, zero}, nil, []auth.Attempts{zero, zero, zero}},
		{[]auth.Hash{c, a}, []auth.Attempts{zero, zero}, []auth.Attempts{one, two}, refused, []auth.Attempts{zero, zero, zero}},
		{[]auth.Hash{c, a}, []auth.Attempts{zero, zero}, []auth.Attempts{one, two}, nil, []auth.Attempts{twoKept, zero, one}},
		{[]auth.Hash{b, a, c}, []auth.Attempts{zero, twoKept, one}, []auth.Attempts{last, zero, one}, nil, []auth.Attempts{zero, last, one}},
		{[]auth.Hash{c}, []auth.Attempts{one}, []auth.Attempts{zero}, refused, []auth.Attempts{zero, last, one}},
		{[]auth.Hash{c}, []auth.Attempts{one}, []auth.Attempts{{Failures: 1 << 30}}, nil, []auth.Attempts{zero, last, {Failures: 1 << 30}}},
		{[]auth.Hash{a, b, c}, []auth.Attempts{zero, last, {Failures: 1 << 30}}, []auth.Attempts{zero, zero, zero}, nil, []auth.Attempts{zero, zero, zero}},
		{nil, nil, nil, refused, []auth.Attempts{zero, zero, zero}},
		{nil, nil, nil, nil, []auth.Attempts{zero, zero, zero}},
	} {
		err := s.Attempts(ctx, step.keys, func(all []auth.Attempts) error {
			equal(t, append([]auth.Attempts(nil), all...), step.had)
			copy(all, step.have)
			return step.returns
		})
		is(t, err, step.returns)
		equal(t, attemptsBehind(t, s, a, b, c), step.kept)
	}
}

// attemptsAtOnce: keys in any order, rows that come and go, no failure lost.
func attemptsAtOnce(t *testing.T, s auth.Store) {
	ctx := t.Context()
	user, address, gone := auth.Hash{1}, auth.Hash{200}, auth.Hash{100}
	const goroutines, times = 8, 10
	ok(t, errors.Join(atOnce(goroutines, func(i int) error {
		keys := []auth.Hash{user, address, gone}
		if i%2 == 1 {
			keys = []auth.Hash{gone, address, user}
		}
		for range times {
			err := s.Attempts(ctx, keys, func(all []auth.Attempts) error {
				for k := range all {
					if keys[k] == gone && all[k].Failures > 0 {
						all[k] = auth.Attempts{}
						continue
					}
					all[k].Failures++
					all[k].Last = noon
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})...))
	all := auth.Attempts{Failures: goroutines * times, Last: noon}
	equal(t, attemptsBehind(t, s, user, address, gone), []auth.Attempts{all, all, {}})
}

func purge(t *testing.T, s auth.Store) {
	ctx := t.Context()
	owner := addUser(t, s)
	before := noon
	with := func(expires time.Time, ended *time.Time) auth.Session {
		return addSession(t, s, owner, func(one *auth.Session) { one.ExpiresAt, one.EndedAt = expires, ended })
	}
	earlier, later := noon.Add(-time.Microsecond), noon.Add(time.Microsecond)
	live := []auth.Session{with(later, nil), with(noon, nil), with(later, new(noon)), with(later, &later)}
	gone := []auth.Session{with(earlier, nil), with(earlier, &earlier), with(later, &earlier), with(earlier, new(later))}
	keep, drop := auth.Hash{1}, auth.Hash{2}
	ok(t, s.Attempts(ctx, []auth.Hash{keep, drop}, func(all []auth.Attempts) error {
		all[0] = auth.Attempts{Failures: 1, Last: noon}
		all[1] = auth.Attempts{Failures: 9, Last: earlier, Until: noon.Add(time.Hour)}
		return nil
	}))
	u := user("links@example.com", "")
	ok(t, s.CreateUser(ctx, u))
	for n, expires := range []time.Time{earlier, noon} {
		l := link(n, u, auth.VerifyEmail)
		l.CreatedAt, l.ExpiresAt = noon.AddDate(-1, 0, 0), expires
		ok(t, s.AddLink(ctx, l))
	}
	left := user("", "")
	ok(t, s.CreateUser(ctx, left))
	addSession(t, s, left.ID, func(one *auth.Session) { one.EndedAt = &earlier })
	told := addSession(t, s, left.ID, func(one *auth.Session) { one.EndedAt = new(noon) })
	_, err := s.EraseUser(ctx, left.ID, noon)
	ok(t, err)
	signing := key("a", noon.AddDate(-1, 0, 0))
	_, err = s.UpdateKeys(ctx, func([]auth.Key) []auth.Key { return []auth.Key{signing} })
	ok(t, err)

	for range 2 {
		ok(t, s.Purge(ctx, before, before))
		for _, one := range live {
			got, err := s.Session(ctx, one.ID)
			ok(t, err)
			equal(t, got, one)
		}
		for _, one := range gone {
			_, err := s.Session(ctx, one.ID)
			is(t, err, auth.ErrNoSession)
		}
		equal(t, attemptsBehind(t, s, keep, drop), []auth.Attempts{{Failures: 1, Last: noon}, {}})
		_, err := s.LinkUser(ctx, auth.Hash{0}, auth.VerifyEmail, noon.AddDate(-1, 0, 0))
		is(t, err, auth.ErrLinkExpired)
		_, err = s.LinkUser(ctx, auth.Hash{1}, auth.VerifyEmail, noon.AddDate(-1, 0, 0))
		ok(t, err)
		ended, err := s.Ended(ctx, noon.AddDate(-1, 0, 0))
		ok(t, err)
		equal(t, len(ended), 3) // two of those that live on
		equal(t, slices.Contains(ended, auth.Ended{ID: told.ID, At: noon}), true)
	}
	_, err = s.User(ctx, owner)
	ok(t, err)
	keys, err := s.UpdateKeys(ctx, func(keys []auth.Key) []auth.Key { return keys })
	ok(t, err)
	equal(t, keys, []auth.Key{signing})
}

// purgeMany: as many as there are, however many a store takes at a time.
func purgeMany(t *testing.T, s auth.Store) {
	ctx := t.Context()
	keys := make([]auth.Hash, 2500)
	for i := range keys {
		keys[i] = auth.Hash{byte(i), byte(i >> 8)}
	}
	ok(t, s.Attempts(ctx, keys, func(all []auth.Attempts) error {
		for i := range all {
			all[i] = auth.Attempts{Failures: 1, Last: noon}
		}
		return nil
	}))
	ok(t, s.Purge(ctx, noon.Add(time.Second), noon.Add(time.Second)))
	equal(t, attemptsBehind(t, s, keys...), make([]auth.Attempts, len(keys)))
}
