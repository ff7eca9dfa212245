package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/search"
)

// A word found in a title says more than one in a tag, and that more than one
// in the body, where it counts up to three times: a weight is a sum of these.
const (
	inTitle = 8
	inTags  = 4
	inBody  = 3
)

const (
	sharers = `select distinct n.owner from note_shares s cross join notes n on n.id = s.note where s.person = ?`
	own     = ` cross join notes n on n.id = f.note where n.owner = ?2 and n.status = ?3`
	shared  = ` cross join note_shares s on s.note = f.note cross join notes n on n.id = f.note
		where s.person = ?2 and n.status = ?3 and n.status <> 'trashed'`
)

// find returns the statement that a query with Search means.
func (s *Store) find(ctx context.Context, reader uuid.UUID, q notes.Query) (query string, args []any, err error) {
	owners := []uuid.UUID{reader}
	if q.Shared {
		owners, err = collect(ctx, s.Reader, func(rows *sql.Rows) (id uuid.UUID, err error) { return id, rows.Scan(&id) }, sharers, reader[:])
		if err != nil {
			return "", nil, err
		}
	}
	return finding(reader, q, owners)
}

func finding(reader uuid.UUID, q notes.Query, owners []uuid.UUID) (query string, args []any, err error) {
	scopes := make([]string, len(owners))
	for i, owner := range owners {
		scopes[i] = search.Scope(owner)
	}
	in, err := encode(scopes)
	if err != nil {
		return "", nil, err
	}
	args = []any{in, reader[:], q.Status}
	var places, scores []string // for each word, of those that begin with it
	for i, word := range q.Search {
		args = append(args, word)
		k, begin := strconv.Itoa(i), `scope.value || ?`+strconv.Itoa(len(args))
		places = append(places, `select note, weight, `+k+` as k from json_each(?1) scope cross join note_words
			where word >= `+begin+` and word < `+begin+` || char(0x10ffff)`)
		scores = append(scores, `max(case k when `+k+` then weight end)`) // null, and so their sum, if it has none
	}
	from := `(select note, ` + strings.Join(scores, ` + `) + ` as score from (` + strings.Join(places, ` union all `) + `) group by note) f`
	role := `'owner'`
	if q.Shared {
		role, from = `s.role`, from+shared
	} else {
		from += own
	}
	if q.Tag != "" {
		args = append(args, q.Tag)
		from += ` and exists (select 1 from note_tags t where t.owner = n.owner and t.note = n.id and t.tag = ?` + strconv.Itoa(len(args)) + `)`
	}
	from += pinned(q) + ` and f.score > 0 order by f.score desc, n.updated_at desc, n.id limit ? offset ?`
	return bodies(role, from), append(args, q.Limit+1, q.Skip), nil
}

const (
	words       = `select word, weight from note_words where note = ?`
	dropWords   = `delete from note_words where note = ? and word in (select value from json_each(?))`
	insertWords = `insert into note_words (note, word, weight) select ?, key, value from json_each(?) where true
		on conflict do update set weight = excluded.weight`
	indexed   = `update notes set indexed = version where id = ?`
	unindexed = `select ` + columns + `, 'owner' from notes n where n.indexed is not n.version order by n.updated_at desc limit 1`
)

// index makes a note be found by what it says. It writes the words alone that
// are not as they were.
func index(ctx context.Context, tx *sql.Tx, n notes.Note) error {
	rows, err := tx.QueryContext(ctx, words, n.ID[:])
	if err != nil {
		return err
	}
	defer rows.Close()
	is, gone := weigh(n), []string{}
	for rows.Next() {
		var word string
		var weight int
		if err := rows.Scan(&word, &weight); err != nil {
			return err
		}
		switch is[word] {
		case weight:
			delete(is, word)
		case 0:
			gone = append(gone, word)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	added, err := json.Marshal(is)
	if err != nil {
		return err
	}
	dropped, err := encode(gone)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, dropWords, n.ID[:], dropped); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, insertWords, n.ID[:], string(added))
	return err
}

// weigh returns the words by which a note is found, behind their scope.
func weigh(n notes.Note) map[string]int {
	scope, weights := search.Scope(n.Owner), map[string]int{}
	for field, word := range search.Index(n.Title, n.Tags, n.Body) {
		word = scope + word
		switch {
		case field == search.Title:
			weights[word] |= inTitle
		case field == search.Tags:
			weights[word] |= inTags
		case weights[word]&inBody < inBody:
			weights[word]++
		}
	}
	return weights
}

func (s *Store) Index(ctx context.Context, max int) (count int, err error) {
	for ; count < max; count++ {
		done := false
		err := s.Tx(ctx, func(tx *sql.Tx) error {
			n, err := one(tx.QueryRowContext(ctx, unindexed))
			if done = errors.Is(err, notes.ErrNotFound); done {
				return nil
			}
			if err != nil {
				return err
			}
			if err := index(ctx, tx, n); err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, indexed, n.ID[:])
			return err
		})
		if err != nil || done {
			return count, err
		}
	}
	return count, nil
}
