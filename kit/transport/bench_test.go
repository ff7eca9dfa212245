package transport_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

// benchBody is a request of 1 kB, as a note would be.
var benchBody = `{"name":"A thing","note":"for the benchmark","email":"a@example.com","color":"red","size":7,"tags":["one","two","three"],"maker":"me",` +
	`"parent":"0190f3c4-7b7a-7cc0-98b8-5d1f0c9a7e55","due_at":"2024-01-02T03:04:05.000006Z","extra":"` + strings.Repeat("lorem ipsum ", 60) + `"}`

// BenchmarkPost is a POST without the network, beside what a handler with
// encoding/json takes for the same:
//
//	Trellis    the whole route: middleware, decoding, validation, encoding
//	Plain      json.Decoder and json.Encoder
//	Validated  the same and go-playground/validator between them
func BenchmarkPost(b *testing.B) {
	make := func(_ context.Context, r CreateRequest) (Thing, error) {
		return Thing{Name: r.Name, Color: r.Color, Size: r.Size, Tags: r.Tags, DueAt: r.DueAt, Version: 1}, nil
	}
	trellis := handlerOf(b, unlimited([]transport.Route{transport.Post("/v1/things", endpoint.New(make, "").Public())}), transport.Options{})
	check := func(any) error { return nil }
	var plain http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
		var req CreateRequest
		if err := errors.Join(json.NewDecoder(r.Body).Decode(&req), check(&req)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		res, _ := make(r.Context(), req)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(res)
	}
	v := validator.New(validator.WithRequiredStructEnabled())
	if err := v.RegisterValidation("maxbytes", func(fl validator.FieldLevel) bool { return fl.Field().Len() <= 40 }); err != nil {
		b.Fatal(err)
	}
	for _, bm := range []struct {
		name  string
		h     http.Handler
		check func(any) error
	}{{"Trellis", trellis, nil}, {"Plain", plain, check}, {"Validated", plain, v.Struct}} {
		b.Run(bm.name, func(b *testing.B) {
			h := bm.h
			check = bm.check
			r := httptest.NewRequest("POST", "/v1/things", nil)
			r.Header.Set("Content-Type", "application/json")
			r.ContentLength = int64(len(benchBody))
			body := strings.NewReader("")
			r.Body = readCloser{body}
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			b.SetBytes(int64(len(benchBody)))
			for b.Loop() {
				body.Reset(benchBody)
				h.ServeHTTP(w, r)
				if w.status != 0 && w.status != 200 {
					b.Fatal(w.status)
				}
			}
		})
	}
}

// discard is an answer that goes nowhere.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
