package transport_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-kit/log"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// things is a service that uses all that routes can do. It keeps nothing but
// what a test needs, and fails in every way on request.
type things struct {
	cursors transport.Cursors

	mu     sync.Mutex
	things map[uuid.UUID]Thing
	echoed EchoRequest    // the last
	call   *endpoint.Call // of the last echo
}

func (s *things) routes() []transport.Route {
	return []transport.Route{
		transport.Get("/v1/things", endpoint.New(s.List, "List the things.")),
		transport.Post("/v1/things", endpoint.New(s.Create, "Make a thing.").Limit(10)).Created().MaxBody(maxThing),
		transport.Get("/v1/things/{id}", endpoint.New(s.Get, "Read a thing.")),
		transport.Put("/v1/things/{id}", endpoint.New(s.Rename, "Give a thing another name.")),
		transport.Patch("/v1/things/{id}", endpoint.New(s.Change, "Change parts of a thing.")),
		transport.Delete("/v1/things/{id}", endpoint.Do(s.Delete, "Remove a thing.")),
		transport.Post("/v1/things/{id}/reminders", endpoint.Do(s.Remind, "Remind of a thing.")).Accepted(),
		transport.Post("/v1/things/{id}/farewell", endpoint.New(s.Farewell, "Say farewell to a thing, now or later.")).NoContent().Or(http.StatusAccepted),
		transport.Get("/v1/things/{id}/rank", endpoint.New(s.Rank, "Say how good a thing is, if it is.")).Or(http.StatusNoContent),
		transport.Get("/v1/colors", endpoint.New(s.Colors, "List the colors.").Public()),
		transport.Put("/v1/words/{word}/{number}", endpoint.New(s.Echo, "Take every kind of parameter.")),
		transport.Post("/v1/failures/{how}", endpoint.New(s.Fail, "Fail in some way.").Public()),
		transport.Post("/internal/v1/things", endpoint.New(s.Adopt, "Take over a thing.").Internal()),
		transport.Get("/v1/streams/{how}", transport.Raw("Stream", "Follow what happens.", s.Stream).Public()),
		transport.Get("/v1/socket", transport.Raw("Socket", "Talk both ways.", s.Socket)),
	}
}

const maxThing = 4 << 10

// Color is what a thing looks like.
type Color string

// Thing is what the service keeps.
type Thing struct {
	ID      uuid.UUID  `json:"id"`
	Name    string     `json:"name"`
	Color   Color      `json:"color"`
	Size    int        `json:"size"`
	Tags    []string   `json:"tags"`
	DueAt   *time.Time `json:"due_at"`
	Version int64      `json:"version"`
}

func (t Thing) ETag() string     { return transport.ETag(t.Version) }
func (t Thing) Location() string { return "/v1/things/" + t.ID.String() }

// program is what is known of who makes things.
type program struct {
	UserAgent string `header:"user-agent" json:"-" validate:"max=200"`
	Device    string `cookie:"device" json:"-" validate:"omitempty,min=3"`
}

// Maker says who made a thing.
type Maker struct {
	Maker string `json:"maker" validate:"max=10"`
}

type CreateRequest struct {
	program
	Maker
	Dry    bool       `query:"dry" json:"-"`
	Depth  *int       `query:"depth" json:"-" validate:"omitempty,min=1,max=3"`
	Name   string     `json:"name" validate:"required,max=20"`
	Note   string     `json:"note" validate:"maxbytes=40"`
	Email  string     `json:"email" validate:"omitempty,email"`
	Color  Color      `json:"color,omitempty" validate:"omitempty,oneof=red green"`
	Size   int        `json:"size" validate:"min=0,max=100"`
	Tags   []string   `json:"tags" validate:"max=3,dive,min=2,max=5"`
	Parts  []Part     `json:"parts,omitzero" validate:"omitempty,min=2,dive"`
	Parent *uuid.UUID `json:"parent"`
	DueAt  *time.Time `json:"due_at"`
	Extra  any        `json:"extra"`
}

// Part is a part of a thing.
type Part struct {
	Name string `json:"name" validate:"required"`
}

func (s *things) Create(ctx context.Context, r CreateRequest) (Thing, error) {
	id, err := endpoint.NewID(ctx)
	if err != nil || r.Dry {
		return Thing{}, err
	}
	t := Thing{ID: id, Name: r.Name, Color: r.Color, Size: r.Size, Tags: r.Tags, DueAt: r.DueAt, Version: 1}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.things[id] = t
	return t, nil
}

type ListRequest struct {
	Color  Color      `query:"color" json:"-" validate:"omitempty,oneof=red green"`
	Big    *bool      `query:"big" json:"-"`
	Since  *time.Time `query:"since" json:"-"`
	Limit  *int       `query:"limit" json:"-" validate:"omitempty,min=1,max=100"`
	Cursor string     `query:"cursor" json:"-"`
}

func (s *things) List(_ context.Context, r ListRequest) (page transport.Page[Thing], err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []Thing{}
	for _, t := range s.things {
		if r.Color == "" || t.Color == r.Color {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b Thing) int { return cmp.Compare(a.Name, b.Name) })
	list := "things " + string(r.Color)
	if r.Cursor != "" {
		var after string
		if err := s.cursors.Open(list, r.Cursor, &after); err != nil {
			return page, err
		}
		all = slices.DeleteFunc(all, func(t Thing) bool { return t.Name <= after })
	}
	limit := 20
	if r.Limit != nil {
		limit = *r.Limit
	}
	next := ""
	if len(all) > limit {
		all = all[:limit]
		if next, err = s.cursors.Seal(list, all[limit-1].Name); err != nil {
			return page, err
		}
	}
	return transport.NewPage(all, next), nil
}

type ThingRequest struct {
	ID uuid.UUID `path:"id" json:"-"`
}

var (
	errNoThing = fault.New(fault.NotFound, "no_such_thing", "There is no such thing.")
	errStale   = fault.New(fault.Stale, "stale", "The thing has changed.")
)

func (s *things) Get(_ context.Context, r ThingRequest) (Thing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.things[r.ID]
	if !ok {
		return t, errNoThing
	}
	return t, nil
}

func (s *things) update(id uuid.UUID, match *transport.IfMatch, change func(*Thing)) (Thing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.things[id]
	switch {
	case !ok:
		return t, errNoThing
	case !match.Matches(t.Version):
		return Thing{}, errStale.With(t)
	}
	change(&t)
	t.Version++
	s.things[id] = t
	return t, nil
}

type RenameRequest struct {
	ID      uuid.UUID          `path:"id" json:"-"`
	IfMatch *transport.IfMatch `header:"If-Match" json:"-"`
	Name    string             `json:"name" validate:"required"`
}

func (s *things) Rename(_ context.Context, r RenameRequest) (Thing, error) {
	return s.update(r.ID, r.IfMatch, func(t *Thing) { t.Name = r.Name })
}

type ChangeRequest struct {
	ID      uuid.UUID                      `path:"id" json:"-"`
	IfMatch transport.IfMatch              `header:"If-Match" json:"-"`
	Name    transport.Optional[string]     `json:"name,omitzero" validate:"omitempty,min=2,max=20"`
	Color   transport.Optional[Color]      `json:"color,omitzero" validate:"omitempty,oneof=red green"`
	Size    transport.Optional[int]        `json:"size,omitzero" validate:"omitempty,max=100"`
	Tags    transport.Optional[[]string]   `json:"tags,omitzero" validate:"omitempty,max=3,dive,min=1"`
	DueAt   transport.Optional[*time.Time] `json:"due_at,omitzero"`
}

func (s *things) Change(_ context.Context, r ChangeRequest) (Thing, error) {
	return s.update(r.ID, &r.IfMatch, func(t *Thing) {
		r.Name.To(&t.Name)
		r.Color.To(&t.Color)
		r.Size.To(&t.Size)
		r.Tags.To(&t.Tags)
		r.DueAt.To(&t.DueAt)
	})
}

type DeleteRequest struct {
	ID      uuid.UUID         `path:"id" json:"-"`
	IfMatch transport.IfMatch `header:"If-Match" json:"-"`
}

func (s *things) Delete(_ context.Context, r DeleteRequest) error {
	_, err := s.update(r.ID, &r.IfMatch, func(*Thing) {})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.things, r.ID)
	}
	return err
}

func (s *things) Remind(ctx context.Context, r ThingRequest) error {
	_, err := s.Get(ctx, r)
	return err
}

// Farewell is an answer of headers alone, and of what it was.
type Farewell struct{ status int }

func (Farewell) Headers() http.Header {
	return http.Header{"Set-Cookie": {"a=; Max-Age=0", "b=; Max-Age=0"}}
}

func (f Farewell) StatusCode() int { return f.status }

type FarewellRequest struct {
	ID     uuid.UUID `path:"id" json:"-"`
	Status int       `query:"status" json:"-"`
}

func (s *things) Farewell(_ context.Context, r FarewellRequest) (Farewell, error) {
	return Farewell{r.Status}, nil
}

// Rank is an answer that may be none.
type Rank struct {
	Stars int `json:"stars"`
}

func (r Rank) StatusCode() int {
	if r.Stars == 0 {
		return http.StatusNoContent
	}
	return http.StatusOK
}

func (s *things) Rank(ctx context.Context, r ThingRequest) (Rank, error) {
	t, err := s.Get(ctx, r)
	return Rank{t.Size}, err
}

// Palette is an answer that everybody may keep.
type Palette struct {
	Colors []Color `json:"colors"`
}

func (Palette) Headers() http.Header { return http.Header{"Cache-Control": {"public, max-age=60"}} }

func (s *things) Colors(context.Context, endpoint.None) (Palette, error) {
	return Palette{[]Color{"red", "green"}}, nil
}

type EchoRequest struct {
	Word    string                             `path:"word" json:"-"`
	Number  int64                              `path:"number" json:"-"`
	Text    string                             `query:"text" json:"-"`
	Flag    bool                               `query:"flag" json:"-"`
	Maybe   *bool                              `query:"maybe" json:"-"`
	Count   *int                               `query:"count" json:"-"`
	Ref     *uuid.UUID                         `query:"ref" json:"-"`
	Since   time.Time                          `query:"since" json:"-"`
	Until   *time.Time                         `query:"until" json:"-"`
	Color   Color                              `query:"color" json:"-"`
	Agent   string                             `header:"x-agent" json:"-"`
	Match   *transport.IfMatch                 `header:"if-match" json:"-"`
	Session string                             `cookie:"session" json:"-"`
	Title   transport.Optional[string]         `json:"title,omitzero"`
	Times   transport.Optional[*time.Time]     `json:"times,omitzero"`
	Map     map[string][]int                   `json:"map,omitempty"`
	Nested  transport.Optional[map[string]any] `json:"nested,omitzero"`
}

func (s *things) Echo(ctx context.Context, r EchoRequest) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	call := *endpoint.From(ctx)
	s.echoed, s.call = r, &call
	return Result{r.Word}, nil
}

type FailRequest struct {
	How string `path:"how" json:"-"`
}

// Result is an answer that may be anything.
type Result struct {
	Value any `json:"value"`
}

// coded is an error as teams wrote them for go-kit.
type coded int

func (c coded) Error() string   { return fmt.Sprintf("secret %d", int(c)) }
func (c coded) StatusCode() int { return int(c) }

var failures = map[string]error{
	"unclassified":       errors.New("pq: password=hunter2"),
	"wrapped":            fmt.Errorf("hunter2: %w", fault.New(fault.Conflict, "taken", "It is taken.")),
	"coded":              fmt.Errorf("hunter2: %w", coded(http.StatusForbidden)),
	"coded 503":          coded(http.StatusServiceUnavailable),
	"coded nonsense":     coded(200),
	"unauthenticated":    fault.New(fault.Unauthenticated, "credentials_wrong", "No."),
	"token invalid":      token.ErrInvalid.Because(errors.New("hunter2")),
	"too many":           fault.New(fault.TooMany, "slow_down", "Slow down.").After(1500 * time.Millisecond),
	"too many, for ever": fault.New(fault.TooMany, "slow_down", "Slow down."),
	"unavailable":        fault.New(fault.Unavailable, "away", "Away."),
	"bad gateway":        fault.New(fault.BadGateway, "bad", "Bad.").Because(errors.New("hunter2")),
	"deadline":           fmt.Errorf("query: %w", context.DeadlineExceeded),
	"canceled":           fmt.Errorf("query: %w", context.Canceled),
	"gone":               fault.New(fault.Gone, "expired", "It has expired."),
	"stale":              errStale.With(Thing{Name: "now"}),
	"stale, unencodable": errStale.With(make(chan int)),
	"not UTF-8":          fault.New(fault.Conflict, "odd", "\xff is odd."),
	"fields":             fault.Breaks(fault.Field{Pointer: "/a~1b", Code: "odd", Detail: "is odd"}, fault.Field{Parameter: "p", Code: "even", Detail: "is even"}),
}

func (s *things) Fail(_ context.Context, r FailRequest) (res Result, err error) {
	switch r.How {
	case "panic":
		panic("hunter2")
	case "abort":
		panic(http.ErrAbortHandler)
	case "unencodable":
		return Result{[]any{strings.Repeat("x", 10_000), math.NaN()}}, nil
	case "big":
		return Result{strings.Repeat("x", 10_000)}, nil
	}
	if err := failures[r.How]; err != nil {
		return res, err
	}
	return Result{"fine"}, nil
}

type AdoptRequest struct {
	Thing Thing `json:"thing"`
}

func (s *things) Adopt(_ context.Context, r AdoptRequest) (Thing, error) { return r.Thing, nil }

func (s *things) Stream(w http.ResponseWriter, r *http.Request) error {
	out := http.NewResponseController(w)
	switch r.PathValue("how") {
	case "events":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: first\n\n")
		if err := out.Flush(); err != nil {
			return err
		}
		<-r.Context().Done() // the client has seen the event and gone
		return nil
	case "nothing":
		return nil
	case "refused":
		return fault.New(fault.Gone, "resync", "Begin again.")
	case "broken":
		_, _ = io.WriteString(w, "half")
		return errors.New("hunter2")
	case "flushed":
		if err := out.Flush(); err != nil {
			return err
		}
		return errors.New("hunter2")
	case "panicked":
		_, _ = io.WriteString(w, "half")
		panic("hunter2")
	case "aborted":
		panic(http.ErrAbortHandler)
	}
	return errNoThing
}

// Socket echoes lines in upper case once the connection is the service's own.
func (s *things) Socket(w http.ResponseWriter, r *http.Request) error {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n")
	_ = rw.Flush()
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			return nil
		}
		_, _ = rw.WriteString(strings.ToUpper(line))
		_ = rw.Flush()
	}
}

// server is the things service behind real HTTP.
type server struct {
	*httptest.Server
	*things
	t testing.TB
}

type staticKeys ed25519.PublicKey

func (k staticKeys) Key(_ context.Context, id string) (ed25519.PublicKey, error) {
	if id != "test" {
		return nil, token.ErrInvalid
	}
	return ed25519.PublicKey(k), nil
}

var signing = token.Key{ID: "test", Private: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))}

// tokenFor returns an access token of the user.
func tokenFor(user string) string {
	text, err := token.Signer{Issuer: "test", Audience: "test"}.Sign(signing, token.Caller{ID: user, Expires: time.Now().Add(time.Hour)}, time.Now())
	if err != nil {
		panic(err)
	}
	return text
}

var alice = sync.OnceValue(func() string { return tokenFor("alice") })

func newStack(logger log.Logger) *endpoint.Stack {
	tracer, err := telemetry.NewTracer("things", "127.0.0.1:0", "", 0)
	if err != nil {
		panic(err)
	}
	keys := staticKeys(signing.Private.Public().(ed25519.PublicKey))
	return endpoint.NewStack(logger, telemetry.NewMetrics(), tracer, token.NewVerifier(keys, "test", "test"))
}

func newThings() *things {
	return &things{cursors: transport.NewCursors(bytes.Repeat([]byte{1}, 32)), things: map[uuid.UUID]Thing{}}
}

// unlimited takes the limits from routes, so that a test is not mistaken for a flood.
func unlimited(routes []transport.Route) []transport.Route {
	for i := range routes {
		routes[i].Rate = endpoint.Rate{}
	}
	return routes
}

func handler(t testing.TB, s *things) http.Handler {
	t.Helper()
	return handlerOf(t, unlimited(s.routes()), transport.Options{})
}

func handlerOf(t testing.TB, routes []transport.Route, o transport.Options) http.Handler {
	t.Helper()
	o.Stack = newStack(log.NewNopLogger())
	if o.Keeper == nil {
		o.Keeper = forgetful{}
	}
	h, err := transport.Handler(routes, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// forgetful keeps nothing: every request is the first. keepertest tries those that keep.
type forgetful struct{}

func (forgetful) Begin(_ context.Context, _ transport.Hash, id uuid.UUID, fingerprint transport.Hash) (transport.Kept, error) {
	return transport.Kept{ID: id, Fingerprint: fingerprint}, nil
}
func (forgetful) Finish(context.Context, transport.Hash, []byte) error      { return nil }
func (forgetful) Hold(context.Context, transport.Hash, time.Duration) error { return nil }

func serve(t testing.TB) *server {
	t.Helper()
	s := newThings()
	return serveBehind(t, s, handler(t, s))
}

func serveBehind(t testing.TB, s *things, h http.Handler) *server {
	t.Helper()
	srv := httptest.NewServer(h)
	srv.Config.ErrorLog = nil
	t.Cleanup(srv.Close)
	return &server{srv, s, t}
}

// put keeps a thing.
func (s *server) put(name string) Thing {
	t := Thing{ID: uuid.New(), Name: name, Color: "red", Tags: []string{}, Version: 1}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.things.things[t.ID] = t
	return t
}

// answer is what a request was answered.
type answer struct {
	*http.Response
	body string
}

// do sends a request as alice; head holds header lines as "Name: value", of
// which "Name:" removes one.
func (s *server) do(method, path, body string, head ...string) answer {
	s.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, in)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+alice())
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range head {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Del(name)
		if value = strings.TrimSpace(value); value != "" {
			r.Header.Set(name, value)
		}
	}
	return s.send(r)
}

func (s *server) send(r *http.Request) answer {
	s.t.Helper()
	res, err := s.noRedirects().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return read(s.t, res)
}

func (s *server) noRedirects() *http.Client {
	return &http.Client{Transport: s.Client().Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func read(t testing.TB, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res, string(body)}
}

// raw sends bytes on a connection of their own, and reads an answer to a method.
func (s *server) raw(method, bytes string) answer {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	if _, err := io.WriteString(conn, bytes); err != nil {
		s.t.Fatal(err)
	}
	return readResponse(s.t, conn, method)
}

func readResponse(t testing.TB, conn io.Reader, method string) answer {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	return read(t, res)
}

// method is one of a service, whatever its request.
func method[Req any](context.Context, Req) (endpoint.None, error) { return endpoint.None{}, nil }

func (s *server) dial() io.ReadWriteCloser {
	s.t.Helper()
	return dial(s.t, s.Listener.Addr().String())
}

// problem reads a problem, and checks what is true of every one.
func (a answer) problem(t testing.TB) transport.Problem {
	t.Helper()
	if a.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%s with Content-Type %q: %s", a.Status, a.Header.Get("Content-Type"), a.body)
	}
	var p transport.Problem
	if err := json.Unmarshal([]byte(a.body), &p, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if p.Status != a.StatusCode || p.Code == "" || p.Detail == "" || p.Title == "" || p.Type == "" {
		t.Errorf("%s: a problem lacks something: %s", a.Status, a.body)
	}
	if p.RequestID == "" || p.RequestID != a.Header.Get("X-Request-Id") {
		t.Errorf("request_id is %q, and X-Request-Id %q", p.RequestID, a.Header.Get("X-Request-Id"))
	}
	if strings.Contains(a.body, "hunter2") {
		t.Errorf("a secret is shown: %s", a.body)
	}
	return p
}

// refused checks that an answer is a problem of a status and code.
func (a answer) refused(t testing.TB, status int, code string) transport.Problem {
	t.Helper()
	p := a.problem(t)
	if a.StatusCode != status || p.Code != code {
		t.Errorf("%s %s, want %d %s: %s", a.Status, p.Code, status, code, a.body)
	}
	return p
}

// is checks an answer's status.
func (a answer) is(t testing.TB, status int) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s, want %d: %s", a.Status, status, a.body)
	}
	return a
}

// thing reads the thing that an answer has.
func (a answer) thing(t testing.TB) (thing Thing) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &thing); err != nil {
		t.Fatalf("%s: %v: %s", a.Status, err, a.body)
	}
	return thing
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// soon is how long what happens promptly may take on a busy machine.
const soon = 20 * time.Second
