package django

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
)

const (
	patience = 256      // ids tried one by one before strides grow
	maxKnown = 10 << 20 // ids remembered
)

// salvage gets past damage at s.next, where a batch could read nothing: it
// returns a row, or what is lost, or neither and s.next or s.done has moved.
//
// SQLite walks a table page by page and stops at one it can't read; the pages
// behind it are found again by id, the way an index would.
func (s *scan) salvage(ctx context.Context, cause error) (row *Row, lost *RowError, err error) {
	id, found, err := s.seek(ctx, s.next)
	switch {
	case err == nil && !found:
		s.done = true
		return nil, nil, nil
	case err == nil:
		return s.rescue(ctx, id) // the damage is in what is stored, not in where
	case !damaged(err):
		return nil, nil, err
	}

	if err := s.look(ctx); err != nil {
		return nil, nil, err
	}
	at, _ := slices.BinarySearch(s.known, s.next)
	switch {
	case s.all && at < len(s.known):
		return s.rescue(ctx, s.known[at])
	case s.all:
		s.done = true
		return nil, nil, nil
	}

	lost = &RowError{Table: s.table.Name, ID: s.next, Err: cause}
	beyond, found, err := s.beyond(ctx, s.next, s.known[at:])
	if err != nil {
		return nil, nil, err
	}
	if found {
		lost.Last = beyond - 1
		s.next = beyond
	} else {
		lost.Last = s.last(ctx)
		s.done = true
	}
	lost.ID = min(max(lost.ID, 1), lost.Last) // Django counts from 1
	return nil, lost, nil
}

// rescue reads the row with this id.
func (s *scan) rescue(ctx context.Context, id int64) (*Row, *RowError, error) {
	row, err := s.one(ctx, id)
	if err != nil && !damaged(err) {
		return nil, nil, err
	}
	s.pass(id)
	if err != nil {
		return nil, &RowError{Table: s.table.Name, ID: id, Last: id, Err: err}, nil
	}
	return row, nil, nil
}

// seek finds the first id from one on.
func (s *scan) seek(ctx context.Context, from int64) (id int64, found bool, err error) {
	err = s.f.db.QueryRowContext(ctx, fmt.Sprintf(
		`SELECT "id" FROM %s NOT INDEXED WHERE "id" >= ? ORDER BY "id" LIMIT 1`, quote(s.table.Name)), from).Scan(&id)
	if err == sql.ErrNoRows {
		return 0, false, nil
	}
	if err == nil && id < from {
		err = errDisorder
	}
	return id, err == nil, err
}

// beyond finds where reading works again after bad, where it doesn't: it tries
// the ids behind it, those it is told of among them, in strides that grow, so
// that the longest gap takes some hundred steps, and then goes back to the
// gap's end.
func (s *scan) beyond(ctx context.Context, bad int64, known []int64) (good int64, found bool, err error) {
	works := func(id int64) (bool, error) {
		_, _, err := s.seek(ctx, id)
		if damaged(err) {
			return false, nil
		}
		return err == nil, err
	}

	bad = max(bad, 0) // no damage is worth a search of negative ids
	for tries, stride := 0, int64(1); !found; tries++ {
		if bad == math.MaxInt64 {
			return 0, false, nil
		}
		if tries > patience && stride < math.MaxInt64/2 {
			stride *= 2
		}
		good = bad + min(stride, math.MaxInt64-bad)
		for len(known) > 0 && known[0] <= bad {
			known = known[1:]
		}
		if len(known) > 0 {
			good = min(good, known[0])
		}
		if found, err = works(good); err != nil {
			return 0, false, err
		}
		if !found {
			bad = good
		}
	}
	for good-bad > 1 {
		middle := bad + (good-bad)/2
		ok, err := works(middle)
		if err != nil {
			return 0, false, err
		}
		if ok {
			good = middle
		} else {
			bad = middle
		}
	}
	return good, true, nil
}

// look asks the indexes, which are elsewhere in the file, for ids.
func (s *scan) look(ctx context.Context) error {
	if s.looked {
		return nil
	}
	s.looked = true
	names, err := s.f.indexes(ctx, s.table)
	if err != nil && !damaged(err) {
		return err
	}
	for _, name := range names {
		err := s.lookIn(ctx, name)
		switch {
		case err == nil:
			s.all = true
		case !damaged(err):
			return err
		}
	}
	slices.Sort(s.known)
	s.known = slices.Compact(s.known)
	return nil
}

func (s *scan) lookIn(ctx context.Context, index string) error {
	rows, err := s.f.db.QueryContext(ctx, fmt.Sprintf(
		`SELECT "id" FROM %s INDEXED BY %s`, quote(s.table.Name), quote(index)))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if len(s.known) == maxKnown {
			return errDisorder
		}
		s.known = append(s.known, id)
	}
	return rows.Err()
}

// last returns the highest id that there can have been, if the file says so.
func (s *scan) last(ctx context.Context) int64 {
	var id int64
	err := s.f.db.QueryRowContext(ctx, `SELECT seq FROM sqlite_sequence WHERE name = ?`, s.table.Name).Scan(&id)
	if err != nil || id < s.next {
		return math.MaxInt64
	}
	return id
}
