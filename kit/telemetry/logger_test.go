package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/openzipkin/zipkin-go/model"
	"github.com/trellis-go/trellis/kit/telemetry"
)

type object = map[string]any

// logged returns the one line that f logs, without its time.
func logged(t *testing.T, f func(log.Logger) error, prefix ...any) object {
	t.Helper()
	var out bytes.Buffer
	if err := f(telemetry.NewLogger(&out, prefix...)); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "}\n") {
		t.Fatalf("not one line: %q", text)
	}
	var line object
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	ts, err := time.Parse("2006-01-02T15:04:05.000000Z", line["ts"].(string))
	if err != nil || time.Since(ts).Abs() > time.Minute {
		t.Errorf("ts = %v, %v", line["ts"], err)
	}
	delete(line, "ts")
	return line
}

type stringer struct{ text string }

func (s *stringer) String() string { return s.text }

type failure struct{ text string }

func (f *failure) Error() string { return f.text }

type broken struct{}

func (broken) Error() string { panic("no text") }

func TestLoggerValues(t *testing.T) {
	t.Parallel()
	text, n, n64, d := "text", 42, int64(1)<<53, 1500*time.Microsecond
	addr, trace := netip.MustParseAddr("2001:db8::1"), model.TraceID{High: 1, Low: 0xab}
	for name, tt := range map[string]struct{ value, want any }{
		"nil":                  {nil, nil},
		"string":               {text, "text"},
		"pointer to string":    {&text, "text"},
		"int":                  {-n, -42.},
		"pointer to int":       {&n, 42.},
		"int64":                {n64, float64(n64)},
		"pointer to int64":     {&n64, float64(n64)},
		"uint8":                {uint8(7), 7.},
		"float":                {1.5, 1.5},
		"NaN":                  {math.NaN(), "NaN"},
		"bool":                 {true, true},
		"duration":             {d, .0015},
		"pointer to duration":  {&d, .0015},
		"no duration":          {time.Duration(0), 0.},
		"negative duration":    {-d, -.0015},
		"long duration":        {25*time.Hour + 999999600*time.Nanosecond, 90001.},
		"nanoseconds":          {1499 * time.Nanosecond, .000001},
		"address":              {&addr, "2001:db8::1"},
		"trace":                {&trace, "000000000000000100000000000000ab"},
		"time":                 {time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), "2026-01-02 03:04:05.000006 +0000 UTC"},
		"error":                {errors.New("broken"), "broken"},
		"stringer":             {&stringer{"text"}, "text"},
		"list":                 {[]string{"a", "b"}, []any{"a", "b"}},
		"struct":               {struct{ A int }{1}, object{"A": 1.}},
		"what is no JSON":      {make(chan int), nil},
		"valuer":               {log.Valuer(func() any { return 1 }), 1.},
		"level":                {level.WarnValue(), "warn"},
		"error that is nil":    {(*failure)(nil), "<nil>"},
		"stringer that is nil": {(*stringer)(nil), "<nil>"},
		"pointer that is nil":  {(*string)(nil), nil},
		"error that panics":    {broken{}, "%!v(PANIC=Error method: no text)"},

		"quotes":          {`a"b\c`, `a"b\c`},
		"line break":      {"a\nlevel=error\r\n", "a\nlevel=error\r\n"},
		"controls":        {"\x00\x01\x1b[31m\x7f", "\x00\x01\x1b[31m\x7f"},
		"not UTF-8":       {"a\xffb\xc3", "a\ufffdb\ufffd"},
		"error not UTF-8": {errors.New("\xff\n"), "\ufffd\n"},
		"surrogate":       {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		"other scripts":   {"ключ 鍵 🔑 \u2028", "ключ 鍵 🔑 \u2028"},
		"empty":           {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := logged(t, func(l log.Logger) error { return l.Log("k", tt.value) })
			got, ok := line["k"]
			if name == "what is no JSON" {
				tt.want = got // an address
			}
			if !ok || len(line) != 1 || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("logged %v, want %v", line, tt.want)
			}
			with := logged(t, func(l log.Logger) error { return l.Log() }, "k", tt.value)
			if !reflect.DeepEqual(with, line) {
				t.Errorf("before every line: %v, want %v", with, line)
			}
		})
	}
}

func TestLoggerKeys(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		keyvals []any
		want    object
	}{
		"none":              {nil, object{}},
		"no value":          {[]any{"a", 1, "b"}, object{"a": 1., "b": "(MISSING)"}},
		"key is no text":    {[]any{1, 2}, object{"1": 2.}},
		"key to be escaped": {[]any{"a\"\n\xff", 1}, object{"a\"\n\ufffd": 1.}},
		"key is nil":        {[]any{nil, 1}, object{"<nil>": 1.}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := logged(t, func(l log.Logger) error { return l.Log(tt.keyvals...) }); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("logged %v, want %v", got, tt.want)
			}
		})
	}
}

// It is a go-kit logger: what wraps one wraps this.
func TestLoggerIsGoKits(t *testing.T) {
	t.Parallel()
	n := 0
	count := log.Valuer(func() any { n++; return n })
	got := logged(t, func(l log.Logger) error {
		return level.Info(log.With(l, "n", count, "caller", log.DefaultCaller)).Log("msg", "hello")
	}, "service", "notes")
	caller, _ := got["caller"].(string)
	if !strings.HasPrefix(caller, "logger_test.go:") {
		t.Errorf("caller is %q", caller)
	}
	delete(got, "caller")
	if want := (object{"service": "notes", "level": "info", "n": 1., "msg": "hello"}); !reflect.DeepEqual(got, want) {
		t.Errorf("logged %v, want %v", got, want)
	}

	var out bytes.Buffer
	quiet := level.NewFilter(telemetry.NewLogger(&out), level.AllowError())
	if err := level.Info(quiet).Log("msg", "hello"); err != nil || out.Len() > 0 {
		t.Errorf("filtered out, and logged: %v %s", err, &out)
	}
	if err := level.Error(quiet).Log("msg", "hello"); err != nil || out.Len() == 0 {
		t.Errorf("let through, and not logged: %v", err)
	}
}

func TestLoggerWith(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	base := telemetry.NewLogger(&out, "service", "notes")
	a, b := base.With("part", "a"), base.With("part", "b")
	for _, l := range []*telemetry.Logger{a, b, base} {
		if err := l.Log("n", 1); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{`"service":"notes","part":"a","n":1}`, `"service":"notes","part":"b","n":1}`, `"service":"notes","n":1}`} {
		if !strings.HasSuffix(lines[i], "Z\","+want) {
			t.Errorf("line %d is %s, want …%s", i, lines[i], want)
		}
	}
}

// pieces is a file that is written by as many as like.
type pieces struct {
	mu     sync.Mutex
	writes []string
}

func (p *pieces) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes = append(p.writes, string(b))
	return len(b), nil
}

// Each line is one write, whole.
func TestLoggerConcurrent(t *testing.T) {
	t.Parallel()
	var out pieces
	base := telemetry.NewLogger(&out)
	var all sync.WaitGroup
	for i := range 8 {
		l := base.With("writer", i)
		all.Go(func() {
			text := strings.Repeat(string(rune('a'+i)), 100*i)
			for n := range 200 {
				if err := l.Log("n", n, "text", text); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	next := map[float64]float64{}
	for _, w := range out.writes {
		var line object
		if err := json.Unmarshal([]byte(w), &line); err != nil || !strings.HasSuffix(w, "}\n") {
			t.Fatalf("%v: %q", err, w)
		}
		writer := line["writer"].(float64)
		if line["n"] != next[writer] || line["text"] != strings.Repeat(string(rune('a'+int(writer))), 100*int(writer)) {
			t.Fatalf("logged %v", line)
		}
		next[writer]++
	}
	if len(out.writes) != 1600 {
		t.Errorf("%d writes for 1600 lines", len(out.writes))
	}
}

func TestLoggerTellsFailures(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	r.Close()
	if err := telemetry.NewLogger(w).Log("a", 1); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error is %v", err)
	}
}

// Whatever is logged, a line is one JSON object that says it.
func FuzzLogger(f *testing.F) {
	f.Add("key", "value")
	f.Add("a\nb", "\x00\xff\"\\\u2028")
	f.Add("", "\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, key, value string) {
		line := logged(t, func(l log.Logger) error { return l.Log("k", value, "_"+key, 1) })
		if got, want := line["k"], string([]rune(value)); got != want {
			t.Errorf("%q is logged as %q", value, got)
		}
		if _, ok := line[string([]rune("_"+key))]; !ok {
			t.Errorf("key %q is lost in %v", key, line)
		}
	})
}
