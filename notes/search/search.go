// Package search says what the words of a text are, so that every store finds
// the same notes by them.
//
// A word is a run of letters, digits and marks. It is folded: in lower case,
// without accents, and with characters that are compatible made one
// (Unicode's NFKD and full case folding); the Polish ł, which Unicode does not
// take apart, is an l. Scripts that put no spaces between words are taken by
// pairs of characters, as Lucene's CJKAnalyzer does.
package search

import (
	"encoding/hex"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Bounds of what is looked at.
const (
	maxWord  = 40      // characters of a word; what follows tells no words apart
	maxQuery = 16      // words of a query
	maxIndex = 1000000 // bytes of a note's index, as PostgreSQL counts a tsvector
	overhead = 25      // of those for a word, beside the word: its scope, and where it stands
)

// Word is a word of a text.
type Word struct {
	Text       string // folded
	Start, End int    // in the text, in Unicode code points
}

// Words yields a text's words in order.
func Words(text string) iter.Seq[Word] {
	return func(yield func(Word) bool) { scan(text, true, yield) }
}

// Scope is what a store puts before the words of an owner's notes, so that a
// search looks at theirs alone. Some owners have the same: it is for speed.
func Scope(owner uuid.UUID) string { return hex.EncodeToString(owner[13:]) }

// Field is a part of a note.
type Field int

const (
	Title Field = iota
	Tags
	Body
)

// Index yields the words of a note by which it is found. It ends early in a
// note of too many different ones.
func Index(title string, tags []string, body string) iter.Seq2[Field, string] {
	return func(yield func(Field, string) bool) {
		seen, size := map[string]bool{}, 0
		field := Title
		put := func(w Word) bool {
			if !seen[w.Text] {
				if size += len(w.Text) + overhead; size > maxIndex {
					return false
				}
				seen[w.Text] = true
			}
			return yield(field, w.Text)
		}
		if !scan(title, true, put) {
			return
		}
		field = Tags
		for _, tag := range tags {
			if !scan(tag, true, put) {
				return
			}
		}
		field = Body
		scan(body, true, put)
	}
}

// Query is what is sought: a note has, for each, a word that begins with it.
type Query []string

// Parse returns the query that a text means. One without words finds nothing.
func Parse(text string) (q Query) {
	scan(text, false, func(w Word) bool {
		if !q.has(w.Text) {
			q = append(q, w.Text)
		}
		return len(q) < maxQuery
	})
	return q
}

func (q Query) has(word string) bool {
	for _, sought := range q {
		if sought == word {
			return true
		}
	}
	return false
}

// Span is a part of a text, in Unicode code points; End is behind it.
type Span struct{ Start, End int }

// Find returns the first of a text's words that the query seeks, max at most.
// Those that overlap are one.
func (q Query) Find(text string, max int) (found []Span) {
	scan(text, true, func(w Word) bool {
		for _, sought := range q {
			if !strings.HasPrefix(w.Text, sought) {
				continue
			}
			if last := len(found) - 1; last >= 0 && w.Start < found[last].End {
				found[last].End = w.End
				return true
			}
			if len(found) == max {
				return false
			}
			found = append(found, Span{w.Start, w.End})
			return true
		}
		return true
	})
	return found
}

// scan yields a text's words, and tells whether it came to the end. The last
// character of an unspaced run stands alone too, but in a query: there the
// pair before it says more.
func scan(text string, lone bool, yield func(Word) bool) bool {
	var f folder
	at := 0 // in code points
	for len(text) > 0 {
		c, size := utf8.DecodeRuneInString(text)
		switch {
		case !inWord(c):
			text = text[size:]
			at++
		case unspaced(c):
			n, count := run(text, unspaced)
			if !f.pairs(text[:n], at, count, lone, yield) {
				return false
			}
			text = text[n:]
			at += count
		default:
			n, count := run(text, func(c rune) bool { return inWord(c) && !unspaced(c) })
			if folded := f.fold(text[:n]); folded != "" && !yield(Word{folded, at, at + count}) {
				return false
			}
			text = text[n:]
			at += count
		}
	}
	return true
}

// run measures the run of such characters at the beginning of a text.
func run(text string, is func(rune) bool) (bytes, characters int) {
	for bytes < len(text) {
		c, size := utf8.DecodeRuneInString(text[bytes:])
		if !is(c) {
			break
		}
		bytes += size
		characters++
	}
	return bytes, characters
}

// pairs yields each two neighbours of a run.
func (f *folder) pairs(text string, at, count int, lone bool, yield func(Word) bool) bool {
	for i := range count {
		_, first := utf8.DecodeRuneInString(text)
		_, second := utf8.DecodeRuneInString(text[first:])
		end := min(i+2, count)
		if end-i == 2 || lone || count == 1 {
			if folded := f.fold(text[:first+second]); folded != "" && !yield(Word{folded, at + i, at + end}) {
				return false
			}
		}
		text = text[first:]
	}
	return true
}

func inWord(c rune) bool {
	if c < utf8.RuneSelf {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	return c != utf8.RuneError && unicode.In(c, unicode.L, unicode.N, unicode.M)
}

// unspaced tells whether a character is of a script without spaces between words.
func unspaced(c rune) bool {
	return c >= 0x0e00 && unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// optional tells whether a character is a mark that people leave out when they
// search: accents, and vowels of Hebrew and Arabic. Those of Indic scripts and
// of kana are as letters.
func optional(c rune) bool {
	return unicode.Is(unicode.Mn, c) && unicode.In(c, unicode.Inherited, unicode.Hebrew, unicode.Arabic) && c != 0x3099 && c != 0x309a
}

var folding = cases.Fold()

// folder folds words. It keeps what becomes of each character.
type folder struct {
	known map[rune]string
	word  []byte
}

// fold makes one of the ways in which a word may be written.
func (f *folder) fold(word string) string {
	plain, upper := true, false
	for i := range len(word) {
		plain = plain && word[i] < utf8.RuneSelf
		upper = upper || 'A' <= word[i] && word[i] <= 'Z'
	}
	switch {
	case plain && upper:
		word = strings.ToLower(word)
	case !plain:
		f.word = f.word[:0]
		for _, c := range word {
			f.word = append(f.word, f.character(c)...)
		}
		word = norm.NFC.String(string(f.word))
	}
	return cut(word)
}

func (f *folder) character(c rune) string {
	folded, ok := f.known[c]
	if !ok {
		folded = norm.NFKD.String(folding.String(norm.NFKD.String(string(c))))
		folded = strings.Map(func(c rune) rune {
			switch {
			case !inWord(c) || optional(c):
				return -1
			case c == 'ł':
				return 'l'
			}
			return c
		}, folded)
		if f.known == nil {
			f.known = map[rune]string{}
		}
		f.known[c] = folded
	}
	return folded
}

// cut returns the first characters of a word.
func cut(word string) string {
	if len(word) <= maxWord {
		return word
	}
	n := 0
	for i := range word {
		if n++; n > maxWord {
			return word[:i]
		}
	}
	return word
}
