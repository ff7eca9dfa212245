package token_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/token"
)

// A token that was verified before, as nearly every request has.
func BenchmarkVerifyCached(b *testing.B) {
	w := newWorld()
	text := w.sign(b, token.Caller{ID: "u1", Session: "s1", Expires: time.Now().Add(time.Hour)})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.verifier.Verify(b.Context(), text); err != nil {
			b.Fatal(err)
		}
	}
}

// A token that is seen for the first time: its signature is checked.
func BenchmarkVerifyFirst(b *testing.B) {
	w := newWorld()
	text := w.sign(b, token.Caller{ID: "u1", Session: "s1", Expires: time.Now().Add(time.Hour)})
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		w.forget()
		b.StartTimer()
		if _, err := w.verifier.Verify(b.Context(), text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	w := newWorld()
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.signer.Sign(w.key, token.Caller{ID: "u1", Session: "s1", Expires: now.Add(time.Hour)}, now); err != nil {
			b.Fatal(err)
		}
	}
}

// As BenchmarkVerifyCached, of a service that heeds ended sessions.
func BenchmarkCachedBesideEnded(b *testing.B) {
	for _, n := range []int{0, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w, r := heeding()
			for i := range n {
				r.Add(uuid.NewString(), time.Now().Add(time.Duration(i+1)*time.Minute))
			}
			r.Complete()
			text := w.of(b, uuid.NewString())
			if _, err := w.verifier.Verify(b.Context(), text); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if w.verifier.Cached(text) == nil {
					b.Fatal("it is not in the cache")
				}
			}
		})
	}
}
