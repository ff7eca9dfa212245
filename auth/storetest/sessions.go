package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
)

func sessionIsKeptWhole(t *testing.T, s auth.Store) {
	ctx := t.Context()
	owner := addUser(t, s)
	whole := auth.Session{ID: id(), User: owner, Device: "Mozilla/5.0 (🧮)", IP: "2001:db8::1",
		CreatedAt: noon, LastSeenAt: noon.Add(1), ExpiresAt: noon.Add(time.Hour), EndedAt: new(noon.Add(time.Minute)), Cookie: true,
		KnownBy: []byte{0, 255}, Chain: []byte{1, 0}, Generation: 1 << 40, Current: []byte{2}, Previous: []byte{3}, Salt: []byte{4},
		RotatedAt: noon.Add(time.Second), RotatedBy: []byte{5}}
	list := []auth.Session{session(owner), whole}
	for _, at := range moments {
		one := session(owner)
		one.CreatedAt, one.LastSeenAt, one.ExpiresAt, one.EndedAt, one.RotatedAt = at, at, at, &at, at
		list = append(list, one)
	}
	for _, one := range list {
		ok(t, s.CreateSession(ctx, one, hashOf(t, s, owner)))
	}
	for i, want := range list {
		want.CreatedAt, want.LastSeenAt, want.ExpiresAt, want.RotatedAt = kept(want.CreatedAt), kept(want.LastSeenAt), kept(want.ExpiresAt), kept(want.RotatedAt)
		if want.EndedAt != nil {
			want.EndedAt = new(kept(*want.EndedAt))
		}
		got, err := s.Session(ctx, want.ID)
		ok(t, err)
		equal(t, got, want)

		// as it is changed, so it is kept: here into the one before
		into := list[(i+1)%len(list)]
		ok(t, s.UpdateSession(ctx, want.ID, silent(func(one *auth.Session) error {
			equal(t, *one, want)
			id := one.ID
			*one = into
			one.ID = id
			return nil
		})))
		changed, err := s.Session(ctx, want.ID)
		ok(t, err)
		ok(t, s.UpdateSession(ctx, want.ID, silent(func(one *auth.Session) error {
			equal(t, *one, changed)
			*one = want
			return nil
		})))
		got, err = s.Session(ctx, want.ID)
		ok(t, err)
		equal(t, got, want)
	}
	_, err := s.Session(ctx, id())
	is(t, err, auth.ErrNoSession)
}

func updateSession(t *testing.T, s auth.Store) {
	ctx := t.Context()
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		returns error
		kept    bool
	}{
		"nil":                  {nil, true},
		"an error":             {refused, false},
		"ErrNoSession":         {auth.ErrNoSession, false},
		"ErrNoSession, caused": {auth.ErrNoSession.Because(refused), false},
	} {
		t.Run(name, func(t *testing.T) {
			one := addSession(t, s, addUser(t, s), nil)
			other := addSession(t, s, one.User, nil)
			err := s.UpdateSession(ctx, one.ID, silent(func(session *auth.Session) error {
				equal(t, *session, one)
				session.EndedAt, session.Generation = new(noon), 7
				return test.returns
			}))
			is(t, err, test.returns)
			want := one
			if test.kept {
				want.EndedAt, want.Generation = new(noon), 7
			}
			got, err := s.Session(ctx, one.ID)
			ok(t, err)
			equal(t, got, want)
			got, err = s.Session(ctx, other.ID)
			ok(t, err)
			equal(t, got, other)
		})
	}
	is(t, s.UpdateSession(ctx, id(), silent(func(*auth.Session) error {
		t.Error("change was called")
		return nil
	})), auth.ErrNoSession)
}

func updateSessionAtOnce(t *testing.T, s auth.Store) {
	ctx := t.Context()
	one := addSession(t, s, addUser(t, s), nil)
	const goroutines, times = 8, 10
	ok(t, errors.Join(atOnce(goroutines, func(int) error {
		for range times {
			if err := s.UpdateSession(ctx, one.ID, silent(func(session *auth.Session) error {
				session.Generation++
				return nil
			})); err != nil {
				return err
			}
		}
		return nil
	})...))
	got, err := s.Session(ctx, one.ID)
	ok(t, err)
	equal(t, got.Generation, int64(goroutines*times))
}

// ids of sessions, in their order.
func ids(sessions []auth.Session) (list []uuid.UUID) {
	for _, one := range sessions {
		list = append(list, one.ID)
	}
	return list
}

func sessions(t *testing.T, s auth.Store) {
	ctx := t.Context()
	owner, other := addUser(t, s), addUser(t, s)
	seen := func(at time.Time) func(*auth.Session) {
		return func(one *auth.Session) { one.LastSeenAt = at }
	}
	expires := func(at time.Time) func(*auth.Session) {
		return func(one *auth.Session) { one.ExpiresAt = at }
	}
	oldest := addSession(t, s, owner, seen(noon.AddDate(-100, 0, 0)))
	newest := addSession(t, s, owner, seen(noon.Add(time.Microsecond)))
	middle := addSession(t, s, owner, nil)
	barely := addSession(t, s, owner, func(one *auth.Session) {
		expires(noon.Add(time.Microsecond))(one)
		seen(noon.Add(-time.Hour))(one)
	})
	addSession(t, s, owner, expires(noon))
	addSession(t, s, owner, func(one *auth.Session) { one.EndedAt = new(noon.Add(-time.Hour)) })
	theirs := addSession(t, s, other, nil)

	for name, test := range map[string]struct {
		user uuid.UUID
		want []auth.Session
	}{
		"the last seen first": {owner, []auth.Session{newest, middle, barely, oldest}},
		"another's":           {other, []auth.Session{theirs}},
		"nobody's":            {id(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Sessions(ctx, test.user, noon)
			ok(t, err)
			equal(t, len(got), len(test.want))
			equal(t, ids(got), ids(test.want))
			if len(test.want) > 0 {
				equal(t, got, test.want)
			}
		})
	}
}

func endSessions(t *testing.T, s auth.Store) {
	ctx := t.Context()
	owner, other := addUser(t, s), addUser(t, s)
	first, second, third := addSession(t, s, owner, nil), addSession(t, s, owner, nil), addSession(t, s, owner, nil)
	ended := addSession(t, s, owner, func(one *auth.Session) { one.EndedAt = new(noon.Add(-time.Hour)) })
	theirs := addSession(t, s, other, nil)
	everything := func(auth.Session) bool { return true }
	for _, step := range []struct {
		user uuid.UUID
		pick func(auth.Session) bool
		want []uuid.UUID
	}{
		{owner, func(auth.Session) bool { return false }, nil},
		{owner, func(one auth.Session) bool { return one.ID == second.ID || one.ID == ended.ID || one.ID == theirs.ID }, ids([]auth.Session{second})},
		{owner, everything, ids([]auth.Session{first, third})},
		{owner, everything, nil},
		{id(), everything, nil},
	} {
		got, err := s.EndSessions(ctx, step.user, noon, func(one auth.Session) bool {
			if one.User != owner || one.EndedAt != nil {
				t.Errorf("pick was given %+v", one)
			}
			return step.pick(one)
		})
		ok(t, err)
		slices.SortFunc(got, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
		equal(t, len(got), len(step.want))
		if len(step.want) > 0 {
			equal(t, got, step.want)
		}
	}
	for _, want := range []auth.Session{first, second, third} {
		want.EndedAt = new(noon)
		got, err := s.Session(ctx, want.ID)
		ok(t, err)
		equal(t, got, want)
	}
	for _, want := range []auth.Session{ended, theirs} {
		got, err := s.Session(ctx, want.ID)
		ok(t, err)
		equal(t, got, want)
	}
}

// endSessionsAtOnce: each session is ended by one caller, and a change that
// goes on meanwhile doesn't bring it back.
func endSessionsAtOnce(t *testing.T, s auth.Store) {
	ctx := t.Context()
	owner := addUser(t, s)
	var all []uuid.UUID
	for range 8 {
		all = append(all, addSession(t, s, owner, nil).ID)
	}
	ended := make([][]uuid.UUID, 8)
	ok(t, errors.Join(atOnce(16, func(i int) (err error) {
		if i < len(ended) {
			ended[i], err = s.EndSessions(ctx, owner, noon, func(auth.Session) bool { return true })
			return err
		}
		return s.UpdateSession(ctx, all[i-len(ended)], silent(func(one *auth.Session) error { one.Generation++; return nil }))
	})...))
	got := slices.Concat(ended...)
	slices.SortFunc(got, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	equal(t, got, all)
	for _, one := range all {
		session, err := s.Session(ctx, one)
		ok(t, err)
		if session.EndedAt == nil || session.Generation != 1 {
			t.Errorf("a change was lost: %+v", session)
		}
	}
}

// ended: whatever ended a session, it is told; to the microsecond, and one
// that only expired is not.
func ended(t *testing.T, s auth.Store) {
	ctx := t.Context()
	owner, other := addUser(t, s), addUser(t, s)
	after := func(d time.Duration) time.Time { return noon.Add(d) }
	early := addSession(t, s, owner, func(one *auth.Session) { one.EndedAt = new(after(-time.Hour)) })
	addSession(t, s, other, func(one *auth.Session) { one.ExpiresAt = after(-time.Hour) })
	loggedOut, reused, kept := addSession(t, s, other, nil), addSession(t, s, other, nil), addSession(t, s, other, nil)
	replaced := addSession(t, s, owner, nil)
	_, err := s.EndSessions(ctx, other, after(0), func(one auth.Session) bool { return one.ID == loggedOut.ID })
	ok(t, err)
	ok(t, s.UpdateSession(ctx, reused.ID, silent(func(one *auth.Session) error {
		one.EndedAt = new(after(time.Microsecond))
		return nil
	})))
	_, err = s.ChangePassword(ctx, owner, hashOf(t, s, owner), "new", kept.ID, after(time.Minute))
	ok(t, err)
	crowded := addUser(t, s)
	first := addSession(t, s, crowded, func(one *auth.Session) { one.LastSeenAt = after(-time.Hour) })
	for range auth.MaxSessions {
		addSession(t, s, crowded, func(one *auth.Session) { one.CreatedAt = after(time.Hour) })
	}

	for name, test := range map[string]struct {
		after time.Time
		want  []uuid.UUID
	}{
		"all":                   {after(-2 * time.Hour), []uuid.UUID{early.ID, loggedOut.ID, reused.ID, replaced.ID, first.ID}},
		"just before one":       {after(-time.Microsecond), []uuid.UUID{loggedOut.ID, reused.ID, replaced.ID, first.ID}},
		"at the time of one":    {after(0), []uuid.UUID{reused.ID, replaced.ID, first.ID}},
		"in another zone":       {after(0).In(time.FixedZone("", 3600)), []uuid.UUID{reused.ID, replaced.ID, first.ID}},
		"after all of them":     {after(time.Hour), nil},
		"after all, by a while": {after(24 * time.Hour), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Ended(ctx, test.after)
			ok(t, err)
			var list []uuid.UUID
			for _, one := range got {
				list = append(list, one.ID)
				session, err := s.Session(ctx, one.ID)
				ok(t, err)
				equal(t, one.At, *session.EndedAt)
			}
			equal(t, list, test.want)
		})
	}
}

func knowsDevice(t *testing.T, s auth.Store) {
	ctx := t.Context()
	owner, other := addUser(t, s), addUser(t, s)
	addSession(t, s, owner, func(one *auth.Session) { one.KnownBy = []byte("laptop") })
	addSession(t, s, owner, func(one *auth.Session) { one.KnownBy, one.EndedAt = []byte("phone"), new(noon) })
	addSession(t, s, owner, nil)
	for _, test := range []struct {
		user   uuid.UUID
		device []byte
		want   bool
	}{
		{owner, []byte("laptop"), true},
		{owner, []byte("phone"), true},
		{owner, []byte("lap"), false},
		{owner, []byte{}, false},
		{owner, nil, false},
		{other, []byte("laptop"), false},
		{id(), []byte("laptop"), false},
	} {
		got, err := s.KnowsDevice(ctx, test.user, test.device)
		ok(t, err)
		if got != test.want {
			t.Errorf("%q: got %v", test.device, got)
		}
	}
}

func hadSession(t *testing.T, s auth.Store) {
	live, ended, none := addUser(t, s), addUser(t, s), addUser(t, s)
	addSession(t, s, live, nil)
	addSession(t, s, ended, func(one *auth.Session) { one.EndedAt = new(noon) })
	for user, want := range map[uuid.UUID]bool{live: true, ended: true, none: false, id(): false} {
		got, err := s.HadSession(t.Context(), user)
		ok(t, err)
		equal(t, got, want)
	}
}

func allSessions(t *testing.T, s auth.Store) {
	owner := addUser(t, s)
	addSession(t, s, addUser(t, s), nil)
	began := func(d time.Duration) func(*auth.Session) {
		return func(one *auth.Session) { one.CreatedAt = noon.Add(d) }
	}
	first, third := addSession(t, s, owner, began(-time.Hour)), addSession(t, s, owner, began(time.Hour))
	second := addSession(t, s, owner, func(one *auth.Session) { one.EndedAt, one.ExpiresAt = new(noon), noon.Add(-time.Hour) })
	got, err := s.AllSessions(t.Context(), owner)
	ok(t, err)
	equal(t, got, []auth.Session{third, second, first})
	got, err = s.AllSessions(t.Context(), id())
	ok(t, err)
	equal(t, len(got), 0)
}
