package notify_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/trellis-go/trellis/notify"
)

// Each language has each text, with the same to be filled in.
func TestTexts(t *testing.T) {
	all := map[string]map[string]string{}
	for language, words := range notify.Words() {
		all[language] = map[string]string{}
		flatten(all[language], "", reflect.ValueOf(words))
	}
	braces := regexp.MustCompile(`\{\w+\}`)
	for name, english := range all["en"] {
		for language, texts := range all {
			text := texts[name]
			if text == "" || text != strings.TrimSpace(text) {
				t.Errorf("%s%s is %q", language, name, text)
			}
			if got, want := braces.FindAllString(text, -1), braces.FindAllString(english, -1); name != ".date" {
				if slices.Sort(got); !slices.Equal(got, sorted(want)) {
					t.Errorf("%s%s fills in %v, want %v", language, name, got, want)
				}
			}
		}
	}
}

func sorted(list []string) []string { slices.Sort(list); return list }

func flatten(to map[string]string, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		to[name] = v.String()
	case reflect.Struct:
		for i := range v.NumField() {
			flatten(to, name+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			flatten(to, name+"."+string(rune('a'+i)), v.Index(i))
		}
	}
}

func TestDevice(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0":                                                                 "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0":              "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15":                  "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36":                  "Chrome on Android",
		"curl/8.5.0":         "curl",
		"":                   "an unknown device",
		"\r\n\x00":           "an unknown device",
		"{ip} {when}":        "{ip} {when}",
		"evil\r\nBcc: x@y.z": "evil Bcc: x@y.z",
	} {
		if got := notify.Device("en-GB", agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
	if got := notify.Device("pl_PL", ""); got != "nieznane urządzenie" {
		t.Errorf("in Polish: %q", got)
	}
}

func FuzzDevice(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
	f.Add("\xff\u202e\r\n{device}")
	f.Fuzz(func(t *testing.T, agent string) {
		got := notify.Device("en", agent)
		if got == "" || utf8.RuneCountInString(got) > 80 || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q is %q", agent, got)
		}
	})
}

func FuzzClip(f *testing.F) {
	f.Add("a\nb", 5)
	f.Add("\u202eabc\xff  x", 2)
	f.Fuzz(func(t *testing.T, text string, max int) {
		if max < 1 || max > 1000 {
			return
		}
		got := notify.Clip(text, max)
		if utf8.RuneCountInString(got) > max || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) || got != strings.TrimSpace(got) {
			t.Errorf("%q is %q", text, got)
		}
	})
}
