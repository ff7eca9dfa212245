package postgres

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/search"
)

// A word found in a title says more than one in a tag, and that more than one
// in the body: the weights A, B and D, which ts_rank takes from the last on.
const rank = `ts_rank('{0.125, 0, 0.5, 1}', f.words, `

var weights = [...]string{search.Title: "A", search.Tags: "B", search.Body: "D"}

// Of a word's places in a note so many are told, which its rank goes by, and
// none behind the last that a tsvector knows.
const (
	mostPlaces = 8
	lastPlace  = 1<<14 - 1
)

// anyScope stands in a query for the scope of the note that is looked at.
const anyScope = `{}`

// tsquery is a query as PostgreSQL takes it: each word, or one that begins with it.
func tsquery(q search.Query, scope string) string {
	var b strings.Builder
	for i, word := range q {
		if i > 0 {
			b.WriteString(` & `)
		}
		b.WriteString(`'` + scope + word + `':*`)
	}
	return b.String()
}

// finding returns the statement that a query with Search means, as listing does.
func finding(reader uuid.UUID, q notes.Query) (query string, args []any) {
	args = []any{reader, q.Status, bound(q.MaxBytes), q.Limit + 1, q.Skip}
	// From words to notes, or from shares to words: see listing.
	role, from, where := `'owner'`, `note_search f`+ofNote(`f.note`), `n.owner = $1 and n.status = $2`
	sought := add(&args, tsquery(q.Search, search.Scope(reader))) + `::text::tsquery`
	if q.Shared {
		role, from, where = `s.role`, `note_shares s`+ofNote(`s.note`)+` cross join lateral (select words from note_search where note = n.id offset 0) f`,
			`s.person = $1 and n.status = $2 and n.status <> 'trashed'`
		args[len(args)-1] = tsquery(q.Search, anyScope)
		sought = `replace($6::text, '` + anyScope + `', right(n.owner::text, 6))::tsquery`
	}
	if q.Tag != "" {
		from += tagged(add(&args, q.Tag))
	}
	order := ` order by n.best desc, n.updated_at desc, n.id`
	return `select ` + headers + `, ` + bodies(order) + `, n.role from (
		select n.*, ` + role + ` as role, ` + rank + sought + `) as best from ` + from + `
		where ` + where + ` and f.words @@ ` + sought + pinned(q) + ` order by best desc, n.updated_at desc, n.id limit $4 offset $5) n` + order, args
}

// tsvector is what index returns of a note, as PostgreSQL takes it.
func tsvector(n notes.Note) string {
	places, order, at := map[string][]string{}, []string{}, 0
	for field, word := range search.Index(n.Title, n.Tags, n.Body) {
		if at++; at > lastPlace {
			at = lastPlace
		}
		known := places[word]
		if known == nil {
			order = append(order, word)
		}
		if place := strconv.Itoa(at) + weights[field]; len(known) < mostPlaces && !slices.Contains(known, place) {
			places[word] = append(known, place)
		}
	}
	var b strings.Builder
	scope := search.Scope(n.Owner)
	for _, word := range order {
		b.WriteString(`'` + scope + word + `':` + strings.Join(places[word], ",") + ` `)
	}
	return b.String()
}

const (
	index     = `insert into note_search (note, words) values ($1, $2::tsvector) on conflict (note) do update set words = excluded.words`
	indexed   = `update notes set indexed = version where id = $1`
	unindexed = `select ` + columns + `, 'owner' from notes n where n.indexed is distinct from n.version order by n.updated_at desc limit 1 for update skip locked`
)

func (s *Store) Index(ctx context.Context, max int) (count int, err error) {
	for ; count < max; count++ {
		done := false
		err := s.Tx(ctx, func(tx pgx.Tx) error {
			n, err := one(tx.QueryRow(ctx, unindexed))
			if done = errors.Is(err, notes.ErrNotFound); done {
				return nil
			}
			if err != nil {
				return err
			}
			b := &pgx.Batch{}
			b.Queue(index, n.ID, tsvector(n))
			b.Queue(indexed, n.ID)
			return tx.SendBatch(ctx, b).Close()
		})
		if err != nil || done {
			return count, err
		}
	}
	return count, nil
}
