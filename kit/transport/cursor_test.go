package transport_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/trellis-go/trellis/kit/transport"
)

var cursors = transport.NewCursors(bytes.Repeat([]byte{1}, 32))

type place struct {
	At int64  `json:"at"`
	ID string `json:"id"`
}

func TestCursor(t *testing.T) {
	t.Parallel()
	want := place{1 << 60, "é\x00"}
	sealed, err := cursors.Seal("list", want)
	if err != nil {
		t.Fatal(err)
	}
	if url.QueryEscape(sealed) != sealed {
		t.Errorf("%s does not fit in a query", sealed)
	}
	var got place
	if err := cursors.Open("list", sealed, &got); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	refused := func(what, query, cursor string, c transport.Cursors) {
		t.Helper()
		var got place
		if err := c.Open(query, cursor, &got); !errors.Is(err, transport.ErrCursor) || got != (place{}) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	refused("another list", "lis", sealed, cursors)
	refused("no list", "", sealed, cursors)
	refused("another key", "list", sealed, transport.NewCursors(make([]byte, 32)))
	refused("empty", "list", "", cursors)
	refused("padded", "list", sealed+"=", cursors)
	refused("no base64", "list", "!"+sealed, cursors)
	raw, _ := base64.RawURLEncoding.DecodeString(sealed)
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			refused(fmt.Sprint("bit ", bit, " of byte ", i), "list", base64.RawURLEncoding.EncodeToString(raw), cursors)
			raw[i] ^= 1 << bit
		}
	}
	for i := range sealed {
		refused(fmt.Sprint("cut at ", i), "list", sealed[:i], cursors)
		for _, c := range []byte("A_9 \x00") {
			if sealed[i] != c {
				refused(fmt.Sprintf("%q at %d", c, i), "list", sealed[:i]+string(c)+sealed[i+1:], cursors)
			}
		}
	}
	if err := cursors.Open("list", sealed, new(int)); !errors.Is(err, transport.ErrCursor) {
		t.Errorf("a place of another type: %v", err)
	}
	if _, err := cursors.Seal("list", make(chan int)); err == nil {
		t.Error("a channel is a place")
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for i := range 5 {
		s.put(fmt.Sprint(i))
	}
	type page struct {
		Data []Thing `json:"data"`
		Page struct {
			NextCursor *string `json:"next_cursor"`
			HasMore    bool    `json:"has_more"`
		} `json:"page"`
	}
	get := func(path string) (p page, link string) {
		t.Helper()
		a := s.do("GET", path, "").is(t, 200)
		if err := json.Unmarshal([]byte(a.body), &p, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%v: %s", err, a.body)
		}
		return p, a.Header.Get("Link")
	}
	path, names := "/v1/things?color=red&limit=2&x=%C3%A9", ""
	for range 3 {
		p, link := get(path)
		for _, thing := range p.Data {
			names += thing.Name
		}
		if p.Page.HasMore != (p.Page.NextCursor != nil) || p.Page.HasMore != (link != "") {
			t.Errorf("more is %v, the next cursor %v, Link %q", p.Page.HasMore, p.Page.NextCursor, link)
		}
		var more bool
		if path, more = strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`); !more {
			break
		}
		if q, _ := url.Parse(path); q.Query().Get("cursor") != *p.Page.NextCursor || q.Query().Get("x") != "é" || q.Path != "/v1/things" {
			t.Errorf("Link is %s", link)
		}
	}
	if names != "01234" || path != "" {
		t.Errorf("the pages have %s, and then comes %q", names, path)
	}
	if a := s.do("GET", "/v1/things?color=green", "").is(t, 200); a.body != `{"data":[],"page":{"next_cursor":null,"has_more":false}}` {
		t.Errorf("an empty page is %s", a.body)
	}

	p, _ := get("/v1/things?color=red&limit=1")
	cursor := *p.Page.NextCursor
	for what, query := range map[string]string{
		"another list": "color=green&cursor=" + cursor,
		"no list":      "cursor=" + cursor,
		"made up":      "color=red&cursor=abc",
		"cut":          "color=red&cursor=" + cursor[1:],
	} {
		t.Run(what, func(t *testing.T) { s.do("GET", "/v1/things?"+query, "").refused(t, 400, "cursor_invalid") })
	}
}

// FuzzCursorOpen looks for a cursor that opens though it was not sealed.
func FuzzCursorOpen(f *testing.F) {
	sealed, err := cursors.Seal("list", place{7, "x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("list", sealed)
	f.Add("", "")
	f.Add("list", strings.Repeat("A", 40))
	f.Fuzz(func(t *testing.T, query, cursor string) {
		var p place
		err := cursors.Open(query, cursor, &p)
		switch {
		case err != nil && !errors.Is(err, transport.ErrCursor):
			t.Errorf("the error is %v", err)
		case err == nil && (query != "list" || strings.NewReplacer("\r", "", "\n", "").Replace(cursor) != sealed):
			t.Errorf("%q opens for %q as %+v", cursor, query, p)
		}
	})
}

func BenchmarkCursor(b *testing.B) {
	want := place{1 << 60, "0190f3c4-7b7a-7cc0-98b8-5d1f0c9a7e55"}
	sealed, err := cursors.Seal("list", want)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := cursors.Seal("list", want); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var got place
			if err := cursors.Open("list", sealed, &got); err != nil {
				b.Fatal(err)
			}
		}
	})
}
