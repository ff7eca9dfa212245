package token_test

import (
	"testing"
	"time"

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
