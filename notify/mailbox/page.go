package mailbox

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/server"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string

	pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(pageCSS) },
		"date":  func(t time.Time) string { return t.Local().Format("2 Jan 2006, 15:04:05") },
	}).Parse(pageHTML))
)

// Handler serves the box to whoever develops:
//
//	GET /                    the mails
//	GET /view/{id}           one of them
//	GET /view/{id}/html      its HTML by itself, which may load and run nothing
//	GET /messages?to=        for programs: {"messages": […]}, the newest first
//	GET /messages/{id}       one of them
//	GET /messages/{id}/eml   as it was kept
//
// It is a Console: there is no login, and in the mails are links that are as
// good as one. So it belongs on a loopback address.
func (b *Box) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", b.page)
	mux.HandleFunc("GET /view/{id}", b.view)
	mux.HandleFunc("GET /view/{id}/html", b.html)
	mux.HandleFunc("GET /messages", b.messages)
	mux.HandleFunc("GET /messages/{id}", b.message)
	mux.HandleFunc("GET /messages/{id}/eml", b.eml)
	return server.Console(mux, policy)
}

// The pages have their stylesheet and a frame with a mail; a mail has the
// styles that are in it, and is in a sandbox that lets it open links only.
var (
	policy     = "default-src 'none'; style-src " + hash(pageCSS) + "; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	mailPolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (b *Box) page(w http.ResponseWriter, _ *http.Request) {
	mails, err := b.list()
	if err != nil {
		fail(w, err)
		return
	}
	render(w, http.StatusOK, "list", mails)
}

func (b *Box) view(w http.ResponseWriter, r *http.Request) {
	m, err := b.find(r)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		render(w, http.StatusNotFound, "gone", nil)
	case err != nil:
		fail(w, err)
	default:
		render(w, http.StatusOK, "view", m)
	}
}

func (b *Box) html(w http.ResponseWriter, r *http.Request) {
	m, err := b.find(r)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Security-Policy", mailPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	text := m.HTML
	if i := strings.Index(text, "<head>"); i >= 0 { // links open beside the frame, not in it
		text = text[:i+len("<head>")] + `<base target="_blank">` + text[i+len("<head>"):]
	}
	_, _ = w.Write([]byte(text))
}

func (b *Box) messages(w http.ResponseWriter, r *http.Request) {
	mails, err := b.list()
	if err != nil {
		fail(w, err)
		return
	}
	list := make([]Mail, 0, len(mails))
	for _, m := range mails {
		if to := r.URL.Query().Get("to"); to == "" || strings.Contains(strings.ToLower(m.To), strings.ToLower(to)) {
			list = append(list, m)
		}
	}
	answer(w, map[string]any{"messages": list})
}

func (b *Box) message(w http.ResponseWriter, r *http.Request) {
	m, err := b.find(r)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, m)
}

func (b *Box) eml(w http.ResponseWriter, r *http.Request) {
	m, err := b.find(r)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "message/rfc822")
	w.Header().Set("Content-Disposition", `attachment; filename="`+m.ID.String()+ending+`"`)
	http.ServeFile(w, r, b.path(m.ID))
}

// find reads the mail that a path names.
func (b *Box) find(r *http.Request) (Mail, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return Mail{}, fs.ErrNotExist
	}
	return b.read(entry{id: id})
}

func render(w http.ResponseWriter, status int, name string, data any) {
	var body bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&body, name, data); err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

func answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n'))
}

func fail(w http.ResponseWriter, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		http.Error(w, "There is no such mail.", http.StatusNotFound)
		return
	}
	http.Error(w, err.Error(), http.StatusInternalServerError)
}
