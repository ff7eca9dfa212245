package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-go/trellis/auth"
)

// Bench measures a kind of store: what each request costs it, and an import.
func Bench(b *testing.B, open func(b *testing.B) auth.Store) {
	s := open(b)
	ctx := b.Context()
	crowd := make([]auth.User, 2000)
	for i := range crowd {
		crowd[i] = user(number("user", i)+"@example.com", number("user", i))
	}
	if _, err := s.ImportUsers(ctx, crowd); err != nil {
		b.Fatal(err)
	}
	logins := make([]auth.Session, len(crowd))
	for i, u := range crowd {
		logins[i] = session(u.ID)
	}
	for _, one := range logins[:64] {
		ok(b, s.CreateSession(ctx, one, hashOf(b, s, one.User)))
	}
	var turn atomic.Int64
	for _, bench := range []struct {
		name string
		one  func(i int) error
	}{
		{"FindUser", func(i int) error {
			_, err := s.FindUser(ctx, number("user", i%len(crowd)), number("user", i%len(crowd))+"@example.com")
			return err
		}},
		{"CreateUser", func(i int) error {
			u := user(fmt.Sprint(id(), "@example.com"), "")
			return s.CreateUser(ctx, u, happened(b, u.ID, i))
		}},
		{"Session", func(i int) error { _, err := s.Session(ctx, logins[i%64].ID); return err }},
		{"UpdateSession", func(i int) error {
			return s.UpdateSession(ctx, logins[i%64].ID, silent(func(one *auth.Session) error {
				one.Generation++
				one.LastSeenAt = one.LastSeenAt.Add(time.Second)
				return nil
			}))
		}},
		{"Attempts/none", func(i int) error {
			return s.Attempts(ctx, []auth.Hash{{1, byte(i)}, {2, byte(i)}}, func([]auth.Attempts) error { return nil })
		}},
		{"Attempts/failed", func(i int) error {
			return s.Attempts(ctx, []auth.Hash{{1, byte(i)}, {2, byte(i)}}, func(all []auth.Attempts) error {
				for i := range all {
					all[i].Failures++
					all[i].Last = noon
				}
				return nil
			})
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := bench.one(int(turn.Add(1))); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	b.Run("ImportUsers/2000", func(b *testing.B) {
		for round := 0; b.Loop(); round++ {
			b.StopTimer()
			users := make([]auth.User, 2000)
			for i := range users {
				name := fmt.Sprint(id())
				users[i] = user(name+"@example.com", name)
			}
			b.StartTimer()
			if _, err := s.ImportUsers(ctx, users); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ImportUsers/2000again", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.ImportUsers(ctx, crowd); err != nil {
				b.Fatal(err)
			}
		}
	})
}
