package django

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
)

// A Report counts an import and names what could not be taken, each on a line
// as it comes; on a terminal it shows how far the import is. What a row holds
// can't do more there than be seen: names and reasons are escaped and
// shortened. A Report is for one goroutine.
type Report struct {
	DryRun bool // say in the summary that nothing was written
	Counts Counts

	w     io.Writer
	what  string // "users"
	one   string // "user"
	total int

	terminal bool
	now      func() time.Time
	start    time.Time
	shown    time.Time // when progress was
	width    int       // of the line of progress
}

// Counts is what an import has come to.
type Counts struct {
	Added, Unchanged, Refused, Notices int

	// Lost is how many rows damage has made unreadable: at most so many if
	// AtMost is set, at least so many if AtLeast is.
	Lost            int64
	AtMost, AtLeast bool
}

// Read is how many rows were read.
func (c Counts) Read() int { return c.Added + c.Unchanged + c.Refused }

// NewReport makes a report to w of an import of "users", say, of which there
// are total, or a negative number if that isn't known.
func NewReport(w io.Writer, what string, total int) *Report {
	file, ok := w.(interface{ Fd() uintptr })
	return newReport(w, what, total, ok && isatty.IsTerminal(file.Fd()), time.Now)
}

func newReport(w io.Writer, what string, total int, terminal bool, now func() time.Time) *Report {
	return &Report{
		w: w, what: what, one: strings.TrimSuffix(what, "s"), total: total,
		terminal: terminal, now: now, start: now(), shown: now(),
	}
}

// Added counts a row that is new.
func (r *Report) Added() {
	r.Counts.Added++
	r.progress()
}

// Unchanged counts a row that was imported before.
func (r *Report) Unchanged() {
	r.Counts.Unchanged++
	r.progress()
}

// Refused counts and names a row that could not be taken.
func (r *Report) Refused(id int64, name string, err error) {
	r.Counts.Refused++
	r.line("refused %s %d %s: %s", r.one, id, quoted(name, 60), printable(err.Error(), 500))
	r.progress()
}

// Notice names a row that was taken and something worth knowing about it; the
// row counts as added or unchanged beside that.
func (r *Report) Notice(id int64, name, text string) {
	r.Counts.Notices++
	r.line("notice  %s %d %s: %s", r.one, id, quoted(name, 60), printable(text, 500))
}

// Lost counts and names rows that damage has made unreadable.
func (r *Report) Lost(err *RowError) {
	switch {
	case err.Last == err.ID:
		r.Counts.Lost++
	case err.Last-err.ID < 1<<40:
		r.Counts.Lost += err.Last - err.ID + 1
		r.Counts.AtMost = true
	default:
		r.Counts.AtLeast = true
	}
	r.line("lost    %s: the file is damaged there (%s)", err.span(r.one), printable(err.Err.Error(), 200))
}

// Finish prints the summary.
func (r *Report) Finish() {
	r.clear()
	c := r.Counts
	added := "added"
	if r.DryRun {
		added = "to add"
	}
	fmt.Fprintf(r.w, "%s: %d read, %d %s, %d unchanged, %d refused, %d notices",
		r.what, c.Read(), c.Added, added, c.Unchanged, c.Refused, c.Notices)
	switch {
	case c.AtLeast:
		fmt.Fprint(r.w, ", an unknown number lost to damage")
	case c.AtMost:
		fmt.Fprintf(r.w, ", up to %d lost to damage", c.Lost)
	case c.Lost > 0:
		fmt.Fprintf(r.w, ", %d lost to damage", c.Lost)
	}
	if r.DryRun {
		fmt.Fprint(r.w, " (dry run: nothing was written)")
	}
	fmt.Fprintln(r.w)
	if n := int64(c.Read()) + c.Lost; r.total >= 0 && int64(r.total) != n && !c.AtMost && !c.AtLeast {
		fmt.Fprintf(r.w, "  the file counts %d %s, not %d\n", r.total, r.what, n)
	}
}

func (r *Report) line(format string, args ...any) {
	r.clear()
	fmt.Fprintf(r.w, "  "+format+"\n", args...)
}

// progress rewrites its line a few times a second.
func (r *Report) progress() {
	if !r.terminal {
		return
	}
	now := r.now()
	if now.Sub(r.shown) < 250*time.Millisecond {
		return
	}
	r.shown = now
	n := r.Counts.Read()
	text := fmt.Sprintf("%s: %d", r.what, n)
	if r.total > 0 {
		text += fmt.Sprintf(" of %d (%d%%)", r.total, min(100, 100*n/r.total))
	}
	text += fmt.Sprintf(", %.0f/s", float64(n)/now.Sub(r.start).Seconds())
	fmt.Fprintf(r.w, "\r%-*s", r.width, text)
	r.width = len(text)
}

// clear takes the line of progress away.
func (r *Report) clear() {
	if r.width > 0 {
		fmt.Fprintf(r.w, "\r%*s\r", r.width, "")
		r.width = 0
	}
}

// quoted makes a text fit for a terminal, in quotes.
func quoted(s string, most int) string {
	s, cut := shorten(s, most)
	return strconv.Quote(s) + cut
}

// printable makes a text fit for a terminal.
func printable(s string, most int) string {
	s, cut := shorten(s, most)
	var b strings.Builder
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case strconv.IsPrint(c) && (c != utf8.RuneError || n > 1):
			b.WriteString(s[i : i+n])
		default:
			escaped := strconv.Quote(s[i : i+n])
			b.WriteString(escaped[1 : len(escaped)-1])
		}
		i += n
	}
	return b.String() + cut
}

// shorten cuts a text between characters.
func shorten(s string, most int) (kept, cut string) {
	if len(s) <= most {
		return s, ""
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most], "…"
}
