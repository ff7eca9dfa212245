package storetest

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notes"
)

var sorts = []notes.Sort{
	notes.ByUpdatedDesc, notes.ByUpdated, notes.ByCreatedDesc, notes.ByCreated, notes.ByTitle, notes.ByTitleDesc,
}

// mixed stores notes with few different times and titles, so that ids decide.
func mixed(t *testing.T, s notes.Store, count int) []notes.Note {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	titles := []string{"", "a", "B", "b", "ab", "a b", "é", "e\u0301", "Z", "\uffff", "😀"}
	times := []time.Time{
		day, day.Add(time.Microsecond), day.Add(-time.Microsecond),
		time.Date(1900, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	owner := uuid.New()
	list := make([]notes.Note, count)
	for i := range list {
		list[i] = note(owner, func(n *notes.Note) {
			n.Title = titles[random.IntN(len(titles))]
			n.CreatedAt, n.UpdatedAt = times[random.IntN(len(times))], times[random.IntN(len(times))]
			n.Status = []notes.Status{notes.Active, notes.Active, notes.Archived, notes.Trashed}[random.IntN(4)]
			n.Pinned = random.IntN(3) == 0
			n.Tags = [][]string{{}, {"a"}, {"a", "b"}, {"A", "a", "a"}, {"é"}}[random.IntN(5)]
		})
	}
	_, err := s.Import(t.Context(), list)
	must(t, err)
	_, err = s.Import(t.Context(), many(uuid.New(), 3)) // another's
	must(t, err)
	return list
}

// compare is what the order of a sort means.
func compare(sort notes.Sort, a, b notes.Note) int {
	name, back := strings.CutPrefix(string(sort), "-")
	order := 0
	switch name {
	case "updated_at":
		order = a.UpdatedAt.Compare(b.UpdatedAt)
	case "created_at":
		order = a.CreatedAt.Compare(b.CreatedAt)
	case "title":
		order = cmp.Compare(a.Title, b.Title)
	}
	order = cmp.Or(order, bytes.Compare(a.ID[:], b.ID[:]))
	if back {
		return -order
	}
	return order
}

// expected returns the notes that a query names.
func expected(list []notes.Note, q notes.Query) []notes.Note {
	list = slices.DeleteFunc(slices.Clone(list), func(n notes.Note) bool {
		return n.Status != q.Status || q.Tag != "" && !slices.Contains(n.Tags, q.Tag) || q.Pinned != nil && n.Pinned != *q.Pinned
	})
	slices.SortFunc(list, func(a, b notes.Note) int { return compare(q.Sort, a, b) })
	return list
}

// walk lists page after page and compares them with the sorted whole.
func walk(t *testing.T, s notes.Store, owner uuid.UUID, q notes.Query, want []notes.Note) {
	t.Helper()
	for start := 0; ; start += q.Limit {
		end := min(start+q.Limit, len(want))
		got, more, err := s.List(t.Context(), owner, q)
		must(t, err)
		same(t, got, want[start:end])
		if more != (end < len(want)) {
			t.Errorf("notes %d to %d of %d: more is %v", start, end, len(want), more)
		}
		if t.Failed() {
			t.Fatalf("at note %d by %d", start, q.Limit)
		}
		if !more {
			return
		}
		q.After = new(q.Sort.PlaceOf(got[len(got)-1]))
	}
}

func order(t *testing.T, s notes.Store) {
	stored := mixed(t, s, 70)
	for _, sort := range sorts {
		t.Run(string(sort), func(t *testing.T) {
			t.Parallel()
			q := notes.Query{Status: notes.Active, Sort: sort}
			want := expected(stored, q)
			for q.Limit = 1; q.Limit <= len(want)+1; q.Limit++ {
				walk(t, s, stored[0].Owner, q, want)
			}
		})
	}
}

func filters(t *testing.T, s notes.Store) {
	stored := mixed(t, s, 90)
	for _, sort := range sorts {
		t.Run(string(sort), func(t *testing.T) {
			t.Parallel()
			for _, status := range []notes.Status{notes.Active, notes.Archived, "none"} {
				for _, tag := range []string{"", "a", "A", "é", "e\u0301"} {
					for _, pinned := range []*bool{nil, new(true), new(false)} {
						q := notes.Query{Status: status, Tag: tag, Pinned: pinned, Sort: sort}
						want := expected(stored, q)
						for _, q.Limit = range []int{3, 100} {
							walk(t, s, stored[0].Owner, q, want)
						}
					}
				}
			}
		})
	}
}

// listWhileChanging goes on behind a place whose note is gone.
func listWhileChanging(t *testing.T, s notes.Store) {
	for _, sort := range sorts {
		stored := mixed(t, s, 20)
		q := notes.Query{Status: notes.Active, Sort: sort, Limit: 3}
		want := expected(stored, q)
		last := want[2]
		q.After = new(sort.PlaceOf(last))
		must(t, s.Delete(t.Context(), last.Owner, last.ID, permit(func(notes.Note) error { return nil })))
		walk(t, s, last.Owner, q, want[3:])
	}
}

func maxBytes(t *testing.T, s notes.Store) {
	owner := uuid.New()
	sizes := []int{10, 0, 30, 1, 59, 1 << 20, 5} // titles and bodies, in the order of the list
	for i, size := range sizes {
		create(t, s, owner, func(n *notes.Note) {
			n.Title = strings.Repeat("é", min(size, 4)/2)
			n.Body = body(size - len(n.Title))
			n.UpdatedAt = day.Add(-time.Duration(i) * time.Second)
			n.Tags = []string{"tag"}
		})
	}
	for _, test := range []struct {
		max, limit, want int
		more             bool
	}{
		{0, 7, 7, false},
		{0, 6, 6, true},
		{1, 7, 1, true},
		{10, 7, 1, true},
		{11, 7, 3, true},
		{40, 7, 3, true},
		{41, 7, 4, true},
		{42, 3, 3, true},
		{100, 7, 5, true},
		{101, 7, 6, true},
		{100 + 1<<20, 7, 6, true},
		{101 + 1<<20, 7, 7, false},
		{105 + 1<<20, 7, 7, false},
		{1 << 40, 8, 7, false},
		{1 << 40, 2, 2, true},
	} {
		for _, tag := range []string{"", "tag"} {
			t.Run(fmt.Sprintf("%d bytes, %d notes, %q", test.max, test.limit, tag), func(t *testing.T) {
				got, more, err := s.List(t.Context(), owner, notes.Query{
					Status: notes.Active, Tag: tag, Sort: notes.ByUpdatedDesc, Limit: test.limit, MaxBytes: test.max,
				})
				must(t, err)
				if len(got) != test.want || more != test.more {
					t.Errorf("%d notes, more is %v; want %d, %v", len(got), more, test.want, test.more)
				}
				for i, n := range got {
					if len(n.Title)+len(n.Body) != sizes[i] {
						t.Errorf("note %d has %d bytes, want %d", i, len(n.Title)+len(n.Body), sizes[i])
					}
				}
			})
		}
	}
	// A first note that is too large is there all the same.
	got, more, err := s.List(t.Context(), owner, notes.Query{
		Status: notes.Active, Sort: notes.ByUpdatedDesc, Limit: 5, MaxBytes: 100,
		After: &notes.Place{Time: day.Add(-4 * time.Second), ID: uuid.Max},
	})
	must(t, err)
	if len(got) == 0 || !more {
		t.Errorf("%d notes, more is %v", len(got), more)
	}
}
