package notes

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notes/search"
)

// Highlight is where a search found one of its words: in the field "title",
// "body", or "tags/0" and so on, from Start to before End, in Unicode code points.
type Highlight struct {
	Field string `json:"field"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

// maxHighlights bounds what one field has.
const maxHighlights = 50

// highlight marks what the query finds in the note.
func (n *Note) highlight(q search.Query) {
	n.Highlights = []Highlight{}
	mark := func(field, text string) {
		for _, s := range q.Find(text, maxHighlights) {
			n.Highlights = append(n.Highlights, Highlight{field, s.Start, s.End})
		}
	}
	mark("title", n.Title)
	for i, tag := range n.Tags {
		mark("tags/"+strconv.Itoa(i), tag)
	}
	mark("body", n.Body)
}

// search returns a page of the notes that have what r.Q says. Its cursor says
// how many came before: what is changed meanwhile may shift the rest.
func (s *Service) search(ctx context.Context, reader uuid.UUID, r ListRequest) (page transport.Page[Note], err error) {
	if r.Sort != "" {
		return page, fault.Breaks(fault.Field{Parameter: "sort", Code: "not_with_q", Detail: "is not taken with q: the best come first"})
	}
	q := Query{
		Shared: r.Shared, Status: orActive(r.Status), Tag: r.Tag, Pinned: r.Pinned,
		Search: search.Parse(r.Q), Limit: r.limit(), MaxBytes: maxPage,
	}
	if len(q.Search) == 0 {
		return transport.NewPage([]Note{}, ""), nil
	}
	list := fmt.Sprintf("%s %q", q.name(reader), q.Search)
	if r.Cursor != "" {
		if err := s.cursors.Open(list, r.Cursor, &q.Skip); err != nil {
			return page, err
		}
	}
	notes, more, err := s.store.List(ctx, reader, q)
	if err != nil {
		return page, err
	}
	for i := range notes {
		notes[i].highlight(q.Search)
	}
	next := ""
	if more {
		if next, err = s.cursors.Seal(list, q.Skip+len(notes)); err != nil {
			return page, err
		}
	}
	return transport.NewPage(notes, next), nil
}
