package storetest

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/search"
)

// Bench measures the store that open opens, which closes it when the benchmark ends.
func Bench(b *testing.B, open func(b *testing.B) notes.Store) {
	s := open(b)
	owner := uuid.New()
	batch := many(owner, 10_000)
	for i := range batch {
		batch[i].Tags = []string{"all", fmt.Sprint("tag ", i%100)}
		if i%200 == 0 {
			batch[i].Body += "Rarely."
		}
	}
	_, err := s.Import(b.Context(), batch)
	must(b, err)
	b.Run("Create", func(b *testing.B) {
		owner := uuid.New()
		for b.Loop() {
			must(b, s.Create(b.Context(), note(owner), message(owner, "create")))
		}
	})
	b.Run("Get", func(b *testing.B) {
		for b.Loop() {
			get(b, s, batch[0])
		}
	})
	b.Run("GetParallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				get(b, s, batch[0])
			}
		})
	})
	page := notes.Query{Status: notes.Active, Sort: notes.ByUpdatedDesc, Limit: 20, MaxBytes: 4 << 20}
	page.After = new(page.Sort.PlaceOf(batch[5000]))
	for name, tag := range map[string]string{"List20": "", "List20OfTag": "tag 7", "List20OfTagOfAll": "all"} {
		b.Run(name, func(b *testing.B) {
			q := page
			q.Tag = tag
			for b.Loop() {
				got, _, err := s.List(b.Context(), owner, q)
				must(b, err)
				if len(got) != q.Limit {
					b.Fatal(len(got))
				}
			}
		})
	}
	indexAll(b, s)
	for name, text := range map[string]string{"Search20": "rare", "Search20OfAll": "play wor", "SearchNothing": "zebra"} {
		b.Run(name, func(b *testing.B) {
			q := notes.Query{Status: notes.Active, Search: search.Parse(text), Limit: 20, MaxBytes: 4 << 20}
			for b.Loop() {
				_, _, err := s.List(b.Context(), owner, q)
				must(b, err)
			}
		})
	}
	all, err := s.Changes(b.Context(), owner, notes.Position{}, len(batch), 0)
	must(b, err)
	middle, end := notes.Position{Seq: all.Changes[5000].Seq}, all.Seq
	for name, since := range map[string]notes.Position{"Changes200": middle, "ChangesNone": end} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := s.Changes(b.Context(), owner, since, 200, 4<<20)
				must(b, err)
			}
		})
	}
	reader := uuid.New()
	for _, n := range batch[:1000] {
		share(b, s, n, reader, notes.RoleViewer)
	}
	b.Run("GetShared", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Get(b.Context(), reader, batch[0].ID)
			must(b, err)
		}
	})
	b.Run("List20Of1000Shared", func(b *testing.B) {
		q := notes.Query{Shared: true, Status: notes.Active, Sort: notes.ByUpdatedDesc, Limit: 20, MaxBytes: 4 << 20}
		for b.Loop() {
			got, _, err := s.List(b.Context(), reader, q)
			must(b, err)
			if len(got) != q.Limit {
				b.Fatal(len(got))
			}
		}
	})
	b.Run("Search20Of1000Shared", func(b *testing.B) {
		q := notes.Query{Shared: true, Status: notes.Active, Search: search.Parse("play"), Limit: 20, MaxBytes: 4 << 20}
		for b.Loop() {
			_, _, err := s.List(b.Context(), reader, q)
			must(b, err)
		}
	})
	b.Run("RemindNobody", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Remind(b.Context(), day, 100, func(n notes.Note) (event.Message, error) { return message(n.Owner, remindedOf), nil })
			must(b, err)
		}
	})
	b.Run("Update", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Update(b.Context(), owner, batch[0].ID, func(n *notes.Note, _ []notes.Share) ([]event.Message, error) {
				n.Version++
				return []event.Message{message(owner, "update")}, nil
			})
			must(b, err)
		}
	})
	b.Run("Import20000", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Import(b.Context(), many(uuid.New(), 20_000))
			must(b, err)
		}
	})
}
