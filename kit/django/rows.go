package django

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
)

const (
	batchRows  = 500
	batchBytes = 8 << 20
	maxValue   = 16 << 20 // longer texts and blobs stay in the file
)

// errDisorder is damage that SQLite doesn't notice: rows that come again.
var errDisorder = errors.New("rows out of order")

// Rows calls yield for each row in order of id. It reads in batches and holds
// no lock while yield runs.
//
// Rows that can't be read are a *RowError, and reading goes on behind them.
// After any other error the sequence is over.
func (f *File) Rows(ctx context.Context, table Table) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		if err := f.check(ctx, table); err != nil {
			yield(nil, f.explain(ctx, err))
			return
		}
		s := newScan(f, table)
		for !s.done {
			rows, err := s.batch(ctx, s.next)
			for _, row := range rows {
				s.pass(row.id)
				if !yield(row, nil) {
					return
				}
			}
			switch {
			case err == nil && len(rows) == 0:
				return
			case err == nil || damaged(err) && len(rows) > 0:
				continue
			case damaged(err):
				row, lost, err := s.salvage(ctx, err)
				if err != nil {
					yield(nil, f.explain(ctx, err))
					return
				}
				if row != nil && !yield(row, nil) || lost != nil && !yield(nil, lost) {
					return
				}
			default:
				yield(nil, f.explain(ctx, err))
				return
			}
		}
	}
}

// A scan is one reading of a table.
type scan struct {
	f      *File
	table  Table
	fields string // what is selected
	next   int64  // every id before it is dealt with
	done   bool   // every id is

	// For damage.
	looked bool
	known  []int64 // ids that indexes name, in order
	all    bool    // those are all there are
}

func newScan(f *File, table Table) *scan {
	fields := []string{`"id"`}
	for _, c := range table.Columns {
		// As an expression a value comes as it is stored; as a column the
		// driver would make times of what may be one. octet_length needs the
		// row's header only.
		fields = append(fields,
			fmt.Sprintf("CASE WHEN octet_length(%s) <= %d THEN %[1]s END", quote(c), maxValue),
			fmt.Sprintf("CASE WHEN octet_length(%s) > %d THEN octet_length(%[1]s) END", quote(c), maxValue))
	}
	return &scan{f: f, table: table, next: math.MinInt64, fields: strings.Join(fields, ", ")}
}

// pass notes that every id up to this one is dealt with.
func (s *scan) pass(id int64) {
	if id == math.MaxInt64 {
		s.done = true
		return
	}
	s.next = id + 1
}

// batch reads rows from an id on: as many as fit, none at the end. With an
// error come the rows before it.
func (s *scan) batch(ctx context.Context, from int64) ([]*Row, error) {
	return s.rows(ctx, from, fmt.Sprintf(
		`SELECT %s FROM %s NOT INDEXED WHERE "id" >= ? ORDER BY "id" LIMIT %d`, s.fields, quote(s.table.Name), batchRows))
}

// one reads one row, nil if there is none.
func (s *scan) one(ctx context.Context, id int64) (*Row, error) {
	rows, err := s.rows(ctx, id, fmt.Sprintf(
		`SELECT %s FROM %s NOT INDEXED WHERE "id" = ?`, s.fields, quote(s.table.Name)))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

func (s *scan) rows(ctx context.Context, from int64, query string) ([]*Row, error) {
	rows, err := s.f.db.QueryContext(ctx, query, from)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var batch []*Row
	for size := 0; size < batchBytes && rows.Next(); {
		row, err := s.row(rows)
		if err != nil {
			return batch, err
		}
		if row.id < from {
			return batch, errDisorder
		}
		if row.id < math.MaxInt64 {
			from = row.id + 1
		}
		size += row.size()
		batch = append(batch, row)
	}
	return batch, rows.Err()
}

func (s *scan) row(rows *sql.Rows) (*Row, error) {
	row := &Row{columns: s.table.Columns, values: make([]value, len(s.table.Columns))}
	into := make([]any, 1, 1+2*len(row.values))
	into[0] = &row.id
	for i := range row.values {
		into = append(into, &row.values[i].stored, &row.values[i].length)
	}
	return row, rows.Scan(into...)
}
