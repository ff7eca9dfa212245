package search_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/trellis-go/trellis/notes/search"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                      nil,
		" -- \n\t . ":           nil,
		"Hello, World!":         {"hello 0-5", "world 7-12"},
		"foo-bar_baz a1.b2":     {"foo 0-3", "bar 4-7", "baz 8-11", "a1 12-14", "b2 15-17"},
		"https://example.org/x": {"https 0-5", "example 8-15", "org 16-19", "x 20-21"},
		"Łąka":                  {"laka 0-4"},
		"Café cafe\u0301 CAFÉ":  {"cafe 0-4", "cafe 5-10", "cafe 11-15"},
		"Straße Ǆ ﬁn":           {"strasse 0-6", "dz 7-8", "fin 9-11"},
		"Ёлка ΣΊΣΥΦΟΣ İstanbul": {"елка 0-4", "σισυφοσ 5-12", "istanbul 13-21"},
		"שָׁלוֹם مُحَمَّد हिन्दी": {"שלום 0-7", "محمد 8-16", "हिन्दी 17-23"},
		"🙂 smile🙂d":              {"smile 2-7", "d 8-9"},
		"你好吗 x":                  {"你好 0-2", "好吗 1-3", "吗 2-3", "x 4-5"},
		"東京 がか":                  {"東京 0-2", "京 1-2", "がか 3-5", "か 4-5"},
		"abc東京de":                {"abc 0-3", "東京 3-5", "京 4-5", "de 5-7"},
		"bad \xff\xfe utf":       {"bad 0-3", "utf 7-10"},
		strings.Repeat("é", 100): {strings.Repeat("e", 40) + " 0-100"},
	} {
		var got []string
		for w := range search.Words(text) {
			got = append(got, fmt.Sprintf("%s %d-%d", w.Text, w.Start, w.End))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		query, text string
		want        []search.Span
	}{
		{"meet", "Meeting, to meet; unmeet", []search.Span{{0, 7}, {12, 16}}},
		{"MEET not", "meeting notes", []search.Span{{0, 7}, {8, 13}}},
		{"好吗", "你好吗", []search.Span{{1, 3}}},
		{"你好吗", "x 你好吗 y", []search.Span{{2, 5}}},
		{"吗", "你好吗", []search.Span{{2, 3}}},
		{"", "text", nil},
		{"...", "text", nil},
		{"a", "a a a a a a", []search.Span{{0, 1}, {2, 3}, {4, 5}}},
	} {
		if got := search.Parse(tt.query).Find(tt.text, 3); !slices.Equal(got, tt.want) {
			t.Errorf("%q in %q: %v, want %v", tt.query, tt.text, got, tt.want)
		}
	}
	if q := search.Parse(strings.Repeat("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen ", 3)); len(q) != 16 {
		t.Errorf("a query of %d words", len(q))
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	var got []string
	for field, word := range search.Index("One Two", []string{"three four", "one"}, "five one") {
		got = append(got, fmt.Sprint(field, " ", word))
	}
	if want := []string{"0 one", "0 two", "1 three", "1 four", "1 one", "2 five", "2 one"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	var long strings.Builder
	for i := range 1 << 17 {
		fmt.Fprintf(&long, "%07d ", i)
	}
	count := 0
	for range search.Index("", nil, long.String()) {
		count++
	}
	if count != 1000000/(7+25) {
		t.Errorf("%d words of a long note", count)
	}
	for range search.Index("One Two", nil, "") {
		break
	}
}

func BenchmarkIndex(b *testing.B) {
	for name, text := range map[string]string{
		"ASCII":    strings.Repeat("The quick brown fox jumps over the lazy dog. ", 100),
		"Cyrillic": strings.Repeat("Съешь же ещё этих мягких французских булок, да выпей чаю. ", 50),
		"Han":      strings.Repeat("天地玄黄宇宙洪荒日月盈昃辰宿列张。", 100),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				for range search.Index("title", nil, text) {
				}
			}
		})
		b.Run(name+"/strings.Fields", func(b *testing.B) { // what splitting alone costs
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_ = strings.Fields(text)
			}
		})
	}
}

func FuzzWords(f *testing.F) {
	for _, text := range []string{"Hello, wörld", "你好吗", "e\u0301\u3099", "\xff", "ﷺ Ω ǅ"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, text, query string) {
		length := utf8.RuneCountInString(text)
		last := 0
		for w := range search.Words(text) {
			if w.Text == "" || w.Start < last || w.End <= w.Start || w.End > length || strings.ContainsAny(w.Text, " '\"\\\x00") || !utf8.ValidString(w.Text) {
				t.Fatalf("%q: %+v", text, w)
			}
			last = w.Start
			if !slices.ContainsFunc(search.Parse(w.Text).Find(w.Text, 9), func(s search.Span) bool { return s.Start == 0 }) {
				t.Fatalf("%q does not find itself", w.Text)
			}
		}
		end := -1
		for _, s := range search.Parse(query).Find(text, 100) {
			if s.Start < end || s.End <= s.Start || s.End > length {
				t.Fatalf("%q in %q: %v", query, text, s)
			}
			end = s.End
		}
	})
}
