// Package webapp serves the page, and lets calls of the API through to the
// gateway, so that both are of one origin.
package webapp

import (
	"crypto/rand"
	"embed"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

//go:embed all:dist
var dist embed.FS

// Built is what `npm run build` has made of the page; nothing, if it never ran.
func Built() fs.FS {
	built, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // only for a name that is none
	}
	return built
}

// Site is the page as it was built, ready to be served.
type Site struct {
	page    []string         // in parts, between which the nonce belongs; nil when it is not built
	files   map[string]*file // the others, by their paths
	trusted transport.Proxies
}

// noncePlace stands in the page where each answer has a nonce of its own.
const noncePlace = "__NONCE__"

// New reads a build. Trusted are those whose word is believed that a request
// came over TLS.
func New(build fs.FS, trusted transport.Proxies) (*Site, error) {
	s := &Site{files: map[string]*file{}, trusted: trusted}
	return s, fs.WalkDir(build, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") || codings[path.Ext(name)] != "" {
			return err
		}
		if name == "index.html" {
			text, err := fs.ReadFile(build, name)
			s.page = strings.Split(string(text), noncePlace)
			return err
		}
		s.files["/"+name], err = newFile(build, name)
		return err
	})
}

var (
	errNotBuilt   = fault.New(fault.Unavailable, "not_built", "The page is not built: run make build.")
	errNoSuchPath = fault.New(fault.NotFound, "no_such_path", "There is nothing at this path.")
)

// Page answers with the page.
func (s *Site) Page(w http.ResponseWriter, r *http.Request) error { return s.show(w, r, http.StatusOK) }

// Home answers with the page at "/". At any other path it is for those that
// nobody else answers: there the page itself tells people that there is nothing.
func (s *Site) Home(w http.ResponseWriter, r *http.Request) error {
	switch {
	case r.URL.Path == "/":
		return s.Page(w, r)
	case path.Ext(r.URL.Path) == "" && strings.Contains(r.Header.Get("Accept"), "text/html"):
		return s.show(w, r, http.StatusNotFound)
	}
	return errNoSuchPath
}

// File answers with another file of the build.
func (s *Site) File(w http.ResponseWriter, r *http.Request) error {
	f := s.files[r.URL.Path]
	if f == nil {
		return errNoSuchPath
	}
	return f.serve(w, r)
}

func (s *Site) show(w http.ResponseWriter, r *http.Request, status int) error {
	if s.page == nil {
		return errNotBuilt
	}
	nonce := rand.Text()
	page := strings.Join(s.page, nonce)
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	h.Set("Content-Security-Policy", policy(nonce))
	h.Set("Content-Type", types[".html"])
	if s.trusted.Scheme(r) == "https" {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	w.WriteHeader(status)
	_, err := io.WriteString(w, page)
	return err
}
