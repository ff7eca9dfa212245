package webapp

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-go/trellis/kit/transport"
)

// file is a file of the build in the forms that there are of it, the smallest
// first; the last is the file as it is.
type file struct{ forms []form }

// form is a file in one coding, with what is said of it: always, and with its body.
type form struct {
	coding       string
	body         []byte
	etag         string
	always, also http.Header
}

// codings are those of compressed files, by what their names end in.
var codings = map[string]string{".br": "br", ".gz": "gzip"}

const identity = "identity"

// types are here and not asked of the system, which may say other things.
var types = map[string]string{
	".css":         "text/css; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".jpg":         "image/jpeg",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".map":         "application/json",
	".png":         "image/png",
	".svg":         "image/svg+xml",
	".txt":         "text/plain; charset=utf-8",
	".wasm":        "application/wasm",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff2":       "font/woff2",
}

// newFile reads a file of the build, and those beside it that have it compressed.
func newFile(build fs.FS, name string) (*file, error) {
	body, err := fs.ReadFile(build, name)
	if err != nil {
		return nil, err
	}
	f := &file{}
	for ending, coding := range codings {
		smaller, err := fs.ReadFile(build, name+ending)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		case len(smaller) < len(body):
			f.forms = append(f.forms, newForm(name, coding, smaller))
		}
	}
	slices.SortFunc(f.forms, func(a, b form) int { return len(a.body) - len(b.body) })
	f.forms = append(f.forms, newForm(name, identity, body))
	if len(f.forms) > 1 {
		for _, form := range f.forms {
			form.always["Vary"] = []string{"Accept-Encoding"}
		}
	}
	return f, nil
}

func newForm(name, coding string, body []byte) form {
	media := types[path.Ext(name)]
	if media == "" {
		media = "application/octet-stream"
	}
	cache := "no-cache"
	if strings.HasPrefix(name, "assets/") { // another content would have another name
		cache = "public, max-age=31536000, immutable"
	}
	etag := fmt.Sprintf(`"%.16x"`, sha256.Sum256(body))
	f := form{
		coding: coding, body: body, etag: etag,
		always: http.Header{"Cache-Control": {cache}, "Etag": {etag}},
		also:   http.Header{"Content-Type": {media}, "Content-Length": {strconv.Itoa(len(body))}},
	}
	if coding != identity {
		f.also["Content-Encoding"] = []string{coding}
	}
	return f
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) error {
	form := f.choose(r.Header["Accept-Encoding"])
	maps.Copy(w.Header(), form.always)
	if transport.Unchanged(r, form.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	maps.Copy(w.Header(), form.also)
	_, err := w.Write(form.body)
	return err
}

// choose picks the form that the client wants most, of several the smallest.
// Who refuses all gets the file as it is.
func (f *file) choose(accept []string) *form {
	best, most := &f.forms[len(f.forms)-1], 0.
	for i := range f.forms {
		if q := quality(accept, f.forms[i].coding); q > most {
			best, most = &f.forms[i], q
		}
	}
	return best
}

// quality is how much a client wants a coding, from 0 for not at all to 1, by
// its Accept-Encoding (RFC 9110, 12.5.3). It takes the identity when it says
// nothing of it, but wants it less than what it names.
func quality(accept []string, coding string) float64 {
	others := 0.
	if coding == identity {
		others = .0001
	}
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			name, parameter, _ := strings.Cut(item, ";")
			switch name = strings.TrimSpace(name); {
			case strings.EqualFold(name, coding):
				return weight(parameter)
			case name == "*":
				others = weight(parameter)
			}
		}
	}
	return others
}

// weight reads "q=0.5"; what cannot be read is a refusal.
func weight(parameter string) float64 {
	name, value, said := strings.Cut(strings.TrimSpace(parameter), "=")
	if name == "" && !said {
		return 1
	}
	q, err := strconv.ParseFloat(value, 64)
	if err != nil || !strings.EqualFold(name, "q") || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}
