package django_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/trellis-go/trellis/kit/django"
)

const pageSize = 4096

var title = regexp.MustCompile(`title-(\d{6});`)

// A disk is a database file to be damaged.
type disk []byte

func load(t testing.TB, path string) disk {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (d disk) page(n int) []byte { return d[n*pageSize : (n+1)*pageSize] }

// pages returns those of a type that hold a text.
func (d disk) pages(kind byte, text string) (list []int) {
	for n := range len(d) / pageSize {
		if d.page(n)[0] == kind && bytes.Contains(d.page(n), []byte(text)) {
			list = append(list, n)
		}
	}
	return list
}

const (
	interior   = 0x05
	leaf       = 0x0d
	indexLeaf  = 0x0a
	indexInner = 0x02
)

// ids returns the notes that are stored on a page.
func (d disk) ids(pages ...int) (list []int64) {
	for _, n := range pages {
		for _, m := range title.FindAllSubmatch(d.page(n), -1) {
			id, _ := strconv.ParseInt(string(m[1]), 10, 64)
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// destroy overwrites pages with what is no page.
func (d disk) destroy(pages ...int) {
	for _, n := range pages {
		for i := range d.page(n) {
			d.page(n)[i] = 0xa5
		}
	}
}

// read returns the ids of what can be read and what is named as lost.
func read(t *testing.T, d disk, path string) (rows []int64, lost []*django.RowError) {
	t.Helper()
	if err := os.WriteFile(path, d, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := django.Open(t.Context(), path, notes)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for row, err := range f.Rows(t.Context(), notes) {
		var e *django.RowError
		switch {
		case err == nil:
			rows = append(rows, row.ID())
		case errors.As(err, &e):
			lost = append(lost, e)
		default:
			t.Fatal(err)
		}
	}
	return rows, lost
}

func TestDamage(t *testing.T) {
	t.Parallel()
	const n = 1500
	noIndex := schema + `DROP INDEX notes_note_owner_id_8dafc06d;`
	sparse := fill(n) + `; UPDATE notes_note SET id = id * 1000003 + (1 << 40); VACUUM` // for no traces of moved rows
	leaves := func(d disk) []int { return d.pages(leaf, "title-") }
	tests := []struct {
		name   string
		schema string
		fill   string
		hurt   func(d disk) (pages []int)
		exact  bool // lost rows are named one by one
	}{
		{"one page", schema, fill(n), func(d disk) []int { return leaves(d)[5:6] }, true},
		{"the first", schema, fill(n), func(d disk) []int { return leaves(d)[:1] }, true},
		{"the last", schema, fill(n), func(d disk) []int { l := leaves(d); return l[len(l)-1:] }, true},
		{"neighbours and others", schema, fill(n), func(d disk) []int {
			l := leaves(d)
			return append(slices.Clone(l[3:6]), l[7], l[9], l[20], l[22])
		}, true},
		{"all", schema, fill(n), leaves, true},
		{"one page, no index", noIndex, fill(n), func(d disk) []int { return leaves(d)[5:6] }, false},
		{"the first, no index", noIndex, fill(n), func(d disk) []int { return leaves(d)[:1] }, false},
		{"the last, no index", noIndex, fill(n), func(d disk) []int { l := leaves(d); return l[len(l)-1:] }, false},
		{"others, no index", noIndex, fill(n), func(d disk) []int { l := leaves(d); return []int{l[3], l[5], l[7], l[30], l[31]} }, false},
		{"ids far apart, no index", noIndex, sparse, func(d disk) []int { return leaves(d)[5:8] }, false},
		{"ids far apart", schema, sparse, func(d disk) []int { l := leaves(d); return []int{l[3], l[5], l[7], l[30]} }, true},
		{"an index page too", schema, fill(n), func(d disk) []int {
			d.destroy(d.pages(indexLeaf, "")[2:4]...)
			return leaves(d)[5:8]
		}, false},
		{"the whole index too", schema, fill(n), func(d disk) []int {
			d.destroy(d.pages(indexInner, "")...)
			return leaves(d)[5:8]
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := build(t, tt.schema, tt.fill)
			d := load(t, path)
			all, _ := read(t, d, path)
			number := map[int64]int64{} // from the title's to the row's
			for i, id := range all {
				number[int64(i)+1] = id
			}
			pages := tt.hurt(d)
			gone := d.ids(pages...)
			for i := range gone {
				gone[i] = number[gone[i]]
			}
			d.destroy(pages...)

			rows, lost := read(t, d, path)
			want := slices.DeleteFunc(slices.Clone(all), func(id int64) bool { return slices.Contains(gone, id) })
			if !slices.Equal(rows, want) {
				t.Errorf("%d rows, want %d", len(rows), len(want))
			}
			var named []int64
			for _, e := range lost {
				if e.Last < e.ID || slices.ContainsFunc(want, func(id int64) bool { return e.ID <= id && id <= e.Last }) {
					t.Errorf("wrongly lost: %v", e)
				}
				for _, id := range gone {
					if e.ID <= id && id <= e.Last {
						named = append(named, id)
					}
				}
			}
			if !slices.Equal(named, gone) {
				t.Errorf("named %d, lost %d", named, gone)
			}
			if tt.exact && len(lost) != len(gone) || !tt.exact && len(lost) > len(pages) {
				t.Errorf("%d errors for %d rows on %d pages", len(lost), len(gone), len(pages))
			}
		})
	}
}

// A content of several pages that ends in the middle is that one row's loss.
func TestDamageInAValue(t *testing.T) {
	t.Parallel()
	path := build(t, schema, fill(1000), `UPDATE notes_note SET content = replace(hex(zeroblob(20000)), '00', 'long') WHERE id IN (400, 401, 700)`)
	d := load(t, path)
	hurt := 0
	for n := range len(d) / pageSize {
		p := d.page(n)
		if next := binary.BigEndian.Uint32(p); bytes.Count(p, []byte("long")) > 1000 && next != 0 && next < 1<<16 && p[4] != 0 {
			binary.BigEndian.PutUint32(p, 1<<30) // the first has two followers or more
			hurt++
			break
		}
	}
	rows, lost := read(t, d, path)
	if hurt != 1 || len(rows) != 999 || len(lost) != 1 || lost[0].ID != lost[0].Last || slices.Contains(rows, lost[0].ID) {
		t.Errorf("%d rows, lost %v", len(rows), lost)
	}
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	path := build(t, schema, fill(1500))
	d := load(t, path)
	for _, part := range []float64{0.99, 0.7, 0.5, 0.2} {
		cut := int(float64(len(d))*part) / pageSize * pageSize
		want := d.ids(d[:cut].pages(leaf, "title-")...)
		rows, lost := read(t, d[:cut], path)
		if !slices.Equal(rows, want) {
			t.Errorf("%v: %d rows, want %d", part, len(rows), len(want))
		}
		if len(rows) < 1500 && len(lost) == 0 {
			t.Errorf("%v: nothing is said to be lost", part)
		}
		// Of half a page the rows are read that are there.
		if rows, _ := read(t, d[:cut+pageSize/2], path); len(rows) < len(want) || !slices.Equal(rows[:len(want)], want) {
			t.Errorf("%v and a half: %d rows, want %d", part, len(rows), len(want))
		}
	}
}

// An id of 2^60 does not mean as many steps.
func TestDamageBeforeAHugeID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"1 << 60", "9223372036854775807"} {
		path := build(t, schema+`DROP INDEX notes_note_owner_id_8dafc06d;`, fill(500), `UPDATE notes_note SET id = `+id+` WHERE id = 500`)
		d := load(t, path)
		leaves := d.pages(leaf, "title-")
		last := leaves[len(leaves)-1]
		gone := len(d.ids(last))
		d.destroy(last)
		rows, lost := read(t, d, path)
		if len(rows) != 500-gone || len(lost) != 1 {
			t.Errorf("%d rows, want %d; lost %v", len(rows), 500-gone, lost)
		}
	}
}

// Whatever happens to a file, reading it ends, in order, without a false row.
func TestAnyDamage(t *testing.T) {
	t.Parallel()
	original := load(t, build(t, schema, fill(600)))
	path := build(t)
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		d := slices.Clone(original)
		for range 1 + random.IntN(4) {
			n := 1 + random.IntN(len(d)/pageSize-1)
			switch p := d.page(n); random.IntN(4) {
			case 0:
				clear(p)
			case 1:
				for i := range p {
					p[i] = byte(random.Uint32())
				}
			case 2:
				p[random.IntN(len(p))] ^= 1 << random.IntN(8)
			case 3:
				copy(p, d.page(1+random.IntN(len(d)/pageSize-1)))
			}
		}
		if err := os.WriteFile(path, d, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := django.Open(t.Context(), path, notes)
		if err != nil {
			if !errors.Is(err, django.ErrDamaged) && !errors.Is(err, django.ErrNotDjango) {
				t.Errorf("seed %d: %v", seed, err)
			}
			continue
		}
		f.Count(t.Context(), notes)
		last := int64(-1 << 63)
		for row, err := range f.Rows(t.Context(), notes) {
			var e *django.RowError
			if err != nil {
				if !errors.As(err, &e) {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if e.ID <= last || e.Last < e.ID {
					t.Errorf("seed %d: %v after %d", seed, err, last)
				}
				last = e.Last
				continue
			}
			if row.ID() <= last {
				t.Fatalf("seed %d: %d after %d", seed, row.ID(), last)
			}
			last = row.ID()
			_, _, _ = row.Text("title"), row.Text("content"), row.Time("created_at")
			_ = fmt.Sprint(row.Err())
		}
		f.Close()
	}
}
