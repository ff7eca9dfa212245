package webapp_test

import (
	"bytes"
	"net/http"
	"os"
	"testing"
	"testing/fstest"
)

// discard is a client that takes everything.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// What an asset costs with all that stands before it, log, metrics and limits,
// beside the standard library's file server alone, which does not compress.
func BenchmarkAsset(b *testing.B) {
	script := bytes.Repeat([]byte("trellis "), 25<<10)
	files := fstest.MapFS{"assets/a.js": {Data: script}, "assets/a.js.br": {Data: script[:len(script)/4]}}
	folder := b.TempDir()
	if err := os.CopyFS(folder, files); err != nil {
		b.Fatal(err)
	}
	site := handler(b, files, nil)
	for _, with := range []struct {
		name, accept string
		http.Handler
	}{
		{"site", "", site},
		{"site/br", "gzip, deflate, br, zstd", site},
		{"FileServerFS", "", http.FileServerFS(os.DirFS(folder))},
	} {
		b.Run(with.name, func(b *testing.B) {
			r, err := http.NewRequestWithContext(b.Context(), "GET", "/assets/a.js", nil)
			if err != nil {
				b.Fatal(err)
			}
			r.RemoteAddr = "127.0.0.1:1"
			r.Header["Accept-Encoding"] = []string{with.accept}
			b.ReportAllocs()
			for b.Loop() {
				with.ServeHTTP(discard{http.Header{}}, r)
			}
		})
	}
}
