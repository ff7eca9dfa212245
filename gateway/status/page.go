package status

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

// pageTemplate shows a Snapshot as it was at load. From then on page.js keeps
// it current, in the words of format.go.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"style":   func() template.CSS { return template.CSS(pageCSS) },
	"script":  func() template.JS { return template.JS(pageJS) },
	"at":      func(now time.Time, it any) shown { return shown{now, it} },
	"key":     func(q Request) string { return q.At.Format(time.RFC3339Nano) + " " + q.ID },
	"count":   count,
	"latency": latency,
	"span":    span,
	"clock":   clock,
	"note":    note,
	"again":   again,
}).Parse(pageHTML))

// shown is something and the moment that its times are told from.
type shown struct {
	Now time.Time
	It  any
}

func (p pages) html(w http.ResponseWriter, _ *http.Request) {
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, newView(p.source().arranged())); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes())
}

// policy lets the page have its one stylesheet, its one script and what that
// asks of us, and nothing else that loads or runs.
var policy = "default-src 'none'; style-src " + hash(pageCSS) + "; script-src " + hash(pageJS) +
	"; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// view is what the template takes.
type view struct {
	Snapshot
	Uptime                       time.Duration
	Remembered, RememberedFailed int
	Blank                        struct { // what page.js makes new rows of
		Service  Service
		Instance discovery.InstanceStatus
		Request  Request
	}
}

func newView(s Snapshot) view {
	return view{Snapshot: s, Uptime: s.At.Sub(s.Gateway.Started), Remembered: remembered, RememberedFailed: rememberedFailed}
}
