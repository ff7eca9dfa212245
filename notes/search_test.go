package notes_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notes"
)

func TestSearch(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		make := func(title, body string, tags ...string) notes.Note {
			n, err := h.Create(h.ann, notes.CreateRequest{Title: title, Body: body, Tags: tags})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		title := make("☕ Café", "Straße 😀 cafe\u0301 — CAFETERIA, decaf", "to drink")
		tag := make("Errands", "", "bank", "café")
		body := make("Sunday", "A walk, then a café.\n")
		make("Nothing", "at all")

		page, err := h.List(h.ann, notes.ListRequest{Q: "cafe"})
		if err != nil {
			t.Fatal(err)
		}
		title.Highlights = []notes.Highlight{{"title", 2, 6}, {"body", 9, 14}, {"body", 17, 26}}
		tag.Highlights = []notes.Highlight{{"tags/1", 0, 4}}
		body.Highlights = []notes.Highlight{{"body", 15, 19}}
		if diff := cmp.Diff([]notes.Note{title, tag, body}, page.Data); diff != "" || page.Page.HasMore {
			t.Error(diff)
		}
		status, answer, _ := h.call(t, h.ann, "GET", "/v1/notes?q=sunday", "")
		if status != 200 || !strings.Contains(answer, `"highlights":[{"field":"title","start":0,"end":6}]`) {
			t.Errorf("%d %s", status, answer)
		}
		if _, answer, _ := h.call(t, h.ann, "GET", "/v1/notes", ""); strings.Contains(answer, "highlights") {
			t.Errorf("a list has highlights: %s", answer)
		}

		h.share(t, body, h.bob, notes.RoleViewer)
		if err := h.Delete(h.ann, notes.DeleteRequest{ID: tag.ID, IfMatch: latest}); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			as   user
			r    notes.ListRequest
			want string
		}{
			{h.ann, notes.ListRequest{Q: "CAFÉ"}, "☕ Café owner, Sunday owner"},
			{h.ann, notes.ListRequest{Q: "walk caf"}, "Sunday owner"},
			{h.ann, notes.ListRequest{Q: "cafe", Status: notes.Trashed}, "Errands owner"},
			{h.ann, notes.ListRequest{Q: "cafe", Tag: "to drink"}, "☕ Café owner"},
			{h.ann, notes.ListRequest{Q: "cafe", Pinned: new(true)}, ""},
			{h.ann, notes.ListRequest{Q: "cafe", Shared: true}, ""},
			{h.bob, notes.ListRequest{Q: "cafe", Shared: true}, "Sunday viewer"},
			{h.bob, notes.ListRequest{Q: "cafe"}, ""},
			{h.eve, notes.ListRequest{Q: "cafe", Shared: true}, ""},
			{h.ann, notes.ListRequest{Q: " —\t"}, ""},
			{h.ann, notes.ListRequest{Q: `"'\*:&|!<->(){}NEAR(`}, ""},
			{h.ann, notes.ListRequest{Q: strings.Repeat("é", 256)}, ""},
		} {
			if got := h.titles(t, tt.as, tt.r); got != tt.want {
				t.Errorf("%+v: %s, want %s", tt.r, got, tt.want)
			}
		}

		_, err = h.List(h.ann, notes.ListRequest{Q: strings.Repeat("é", 257)})
		f := wantCode(t, "a long q", err, fault.Invalid, "invalid")
		if len(f.Fields) != 1 || f.Fields[0].Parameter != "q" || f.Fields[0].Code != "too_long" {
			t.Errorf("a long q: %+v", f.Fields)
		}
		for _, q := range []string{"cafe", "-"} {
			_, err = h.List(h.ann, notes.ListRequest{Q: q, Sort: notes.ByTitle})
			f = wantCode(t, "a sort", err, fault.Invalid, "invalid")
			if len(f.Fields) != 1 || f.Fields[0].Parameter != "sort" {
				t.Errorf("a sort: %+v", f.Fields)
			}
		}
	})
}

func TestSearchPages(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		for i := range 5 {
			h.note(t, fmt.Sprint("plum ", i))
		}
		r := notes.ListRequest{Q: "Plum", Limit: new(2)}
		var titles []string
		for {
			page, err := h.List(h.ann, r)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range page.Data {
				titles = append(titles, n.Title)
			}
			if !page.Page.HasMore {
				break
			}
			r.Cursor = *page.Page.NextCursor
		}
		if diff := cmp.Diff([]string{"plum 4", "plum 3", "plum 2", "plum 1", "plum 0"}, titles); diff != "" {
			t.Error(diff)
		}
		_, err := h.List(h.bob, r)
		wantCode(t, "another's cursor", err, fault.Malformed, "cursor_invalid")
		for _, q := range []string{"pear", ""} {
			r.Q = q
			_, err = h.List(h.ann, r)
			wantCode(t, "another list's cursor", err, fault.Malformed, "cursor_invalid")
		}
	})
}

// What was written without its words being kept is found before long.
func TestUpkeep(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		n := notes.Note{ID: uuid.New(), Owner: h.ann.ID, Title: "Imported", Status: notes.Active, Version: 1, CreatedAt: time.Now()}
		if _, err := store.Import(t.Context(), []notes.Note{n}); err != nil {
			t.Fatal(err)
		}
		service, err := notes.NewService(t.Context(), store, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { service.Upkeep(ctx, func(err error) { t.Error(err) }) })
		testenv.Eventually(t, "it is found", func() bool {
			return h.titles(t, h.ann, notes.ListRequest{Q: "imported"}) == "Imported owner"
		})
		stop()
		running.Wait()
	})
}
