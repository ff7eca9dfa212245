package storetest

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/profile"
)

// Bench measures the store that open opens, which closes it when the benchmark ends.
func Bench(b *testing.B, open func(b *testing.B) profile.Store) {
	s := open(b)
	user := uuid.New()
	put(b, s, user, full())
	b.Run("Get", func(b *testing.B) {
		for b.Loop() {
			get(b, s, user)
		}
	})
	b.Run("GetParallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				get(b, s, user)
			}
		})
	})
	b.Run("Update", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Update(b.Context(), user, func(r *profile.Record) ([]event.Message, error) {
				r.Profile.Version++
				return []event.Message{message(b, user, r.Profile.Version)}, nil
			})
			must(b, err)
			published(b, s)
		}
	})
	b.Run("Blob64KiB", func(b *testing.B) {
		data, id := make([]byte, 64<<10), uuid.New()
		_, err := s.PutBlob(b.Context(), id, bytes.NewReader(data))
		must(b, err)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			r, _, err := s.OpenBlob(b.Context(), id)
			must(b, err)
			var got bytes.Buffer
			_, err = got.ReadFrom(r)
			must(b, err)
		}
	})
}
