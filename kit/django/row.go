package django

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Row is a row as Django stored it. Its getters return the value of a
// column, or the zero value, and Err says at the end what they found wrong:
//
//	note := Note{Title: row.Text("title"), Created: row.Time("created_at")}
//	if err := row.Err(); err != nil {
//		report.Refused(row.ID(), note.Title, err)
//	}
//
// SQLite stores anything in any column, so a getter takes only what Django
// writes there.
type Row struct {
	id       int64
	columns  []string
	values   []value
	problems []problem
}

type value struct {
	stored any           // int64, float64, string, []byte or nil
	length sql.NullInt64 // of one too long to be read
}

type problem struct{ column, text string }

// ID returns the row's key.
func (r *Row) ID() int64 { return r.id }

// Err says what the getters found wrong: in these columns, or in any if none
// are named.
func (r *Row) Err(columns ...string) error {
	var texts []string
	for _, p := range r.problems {
		if len(columns) == 0 || slices.Contains(columns, p.column) {
			texts = append(texts, p.column+" "+p.text)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

// Text returns a text. It is valid UTF-8 and has no NUL, which no other
// database would take.
func (r *Row) Text(column string) string {
	v, ok := r.value(column)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		r.wrong(column, "is %s, not a text", kind(v))
		return ""
	}
	nul := strings.IndexByte(s, 0)
	bad := invalid(s)
	switch {
	case bad >= 0 && (nul < 0 || bad < nul):
		r.wrong(column, "is not valid UTF-8: byte %d is 0x%02x", bad, s[bad])
		return ""
	case nul >= 0:
		r.wrong(column, "has a NUL character at byte %d", nul)
		return ""
	}
	return s
}

// Time returns a time, in UTC, to the microsecond.
func (r *Row) Time(column string) time.Time {
	v, ok := r.value(column)
	if !ok {
		return time.Time{}
	}
	s, ok := v.(string)
	if !ok {
		r.wrong(column, "is %s, not a time as text", kind(v))
		return time.Time{}
	}
	t, err := ParseTime(s)
	if err != nil {
		r.wrong(column, "is %v", err)
	}
	return t
}

// NullTime returns a time, nil for NULL.
func (r *Row) NullTime(column string) *time.Time {
	if i := slices.Index(r.columns, column); i >= 0 && r.values[i].stored == nil && !r.values[i].length.Valid {
		return nil
	}
	before := len(r.problems)
	t := r.Time(column)
	if len(r.problems) > before {
		return nil
	}
	return &t
}

// Int returns a whole number.
func (r *Row) Int(column string) int64 {
	v, ok := r.value(column)
	if !ok {
		return 0
	}
	n, ok := v.(int64)
	if !ok {
		r.wrong(column, "is %s, not a whole number", kind(v))
	}
	return n
}

// Bool returns a boolean, stored as 0 or 1.
func (r *Row) Bool(column string) bool {
	v, ok := r.value(column)
	if !ok {
		return false
	}
	n, ok := v.(int64)
	if !ok || n != 0 && n != 1 {
		r.wrong(column, "is %s, not 0 or 1", kind(v))
		return false
	}
	return n == 1
}

// value returns what is stored, unless it is NULL or too long.
func (r *Row) value(column string) (any, bool) {
	i := slices.Index(r.columns, column)
	if i < 0 {
		r.wrong(column, "was not asked for")
		return nil, false
	}
	v := r.values[i]
	switch {
	case v.length.Valid:
		r.wrong(column, "is %d bytes long, more than %d", v.length.Int64, maxValue)
		return nil, false
	case v.stored == nil:
		r.wrong(column, "is NULL")
		return nil, false
	}
	return v.stored, true
}

func (r *Row) wrong(column, format string, args ...any) {
	r.problems = append(r.problems, problem{column, fmt.Sprintf(format, args...)})
}

// size is about how much memory the row takes.
func (r *Row) size() int {
	n := 0
	for _, v := range r.values {
		n += 64
		switch v := v.stored.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
	}
	return n
}

// kind describes a value of the wrong type.
func kind(v any) string {
	switch v := v.(type) {
	case int64:
		return fmt.Sprintf("the number %d", v)
	case float64:
		if math.Abs(v) < 1e15 {
			return "the number " + strconv.FormatFloat(v, 'f', -1, 64)
		}
		return fmt.Sprintf("the number %v", v)
	case []byte:
		return fmt.Sprintf("a blob of %d bytes", len(v))
	case string:
		return "the text " + quoted(v, 40)
	default:
		return fmt.Sprintf("a %T", v)
	}
}

// invalid returns where s stops being UTF-8, or -1.
func invalid(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
