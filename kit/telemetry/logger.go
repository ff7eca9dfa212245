// Package telemetry tells what a service does: its log, metrics, traces and health.
package telemetry

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-kit/log"
	"github.com/openzipkin/zipkin-go/model"
)

// Logger is a go-kit log.Logger that writes each call as one JSON object on
// one line, with the time in "ts". It takes the place of log.NewJSONLogger,
// which costs a map and a dozen allocations a line; values that are pointers
// to strings, numbers, durations and addresses are written without being boxed.
type Logger struct {
	out    *output
	prefix []byte // the pairs every line begins with, encoded
}

type output struct {
	mu sync.Mutex
	w  io.Writer
}

var _ log.Logger = (*Logger)(nil)

// NewLogger returns a logger whose lines all begin with the given pairs.
func NewLogger(w io.Writer, keyvals ...any) *Logger {
	return (&Logger{out: &output{w: w}}).With(keyvals...)
}

// With returns a logger that writes to the same place and begins its lines
// with l's pairs and then these. Values are encoded once, here.
func (l *Logger) With(keyvals ...any) *Logger {
	prefix := append([]byte(nil), l.prefix...)
	return &Logger{out: l.out, prefix: appendPairs(prefix, keyvals)}
}

var lines = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// Log writes one line. It is safe for concurrent use; lines never mix.
func (l *Logger) Log(keyvals ...any) error {
	buf := lines.Get().(*[]byte)
	defer lines.Put(buf)
	b := append((*buf)[:0], `{"ts":"`...)
	b = appendTime(b, time.Now().UTC())
	b = append(b, '"')
	b = append(b, l.prefix...)
	b = appendPairs(b, keyvals)
	b = append(b, '}', '\n')
	*buf = b
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	_, err := l.out.w.Write(b)
	return err
}

func appendPairs(b []byte, keyvals []any) []byte {
	for i := 0; i < len(keyvals); i += 2 {
		key, ok := keyvals[i].(string)
		if !ok {
			key = fmt.Sprint(keyvals[i])
		}
		value := log.ErrMissingValue.(any)
		if i+1 < len(keyvals) {
			value = keyvals[i+1]
		}
		b = append(b, ',')
		b = appendQuote(b, key)
		b = append(b, ':')
		b = appendValue(b, value)
	}
	return b
}

func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendQuote(b, v)
	case *string:
		if v != nil {
			return appendQuote(b, *v)
		}
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case *int:
		if v != nil {
			return strconv.AppendInt(b, int64(*v), 10)
		}
	case int64:
		return strconv.AppendInt(b, v, 10)
	case *int64:
		if v != nil {
			return strconv.AppendInt(b, *v, 10)
		}
	case bool:
		return strconv.AppendBool(b, v)
	case time.Duration:
		return appendSeconds(b, v)
	case *time.Duration:
		if v != nil {
			return appendSeconds(b, *v)
		}
	case *netip.Addr:
		if v != nil {
			return append(v.AppendTo(append(b, '"')), '"')
		}
	case *model.TraceID:
		if v != nil {
			return append(AppendTraceID(append(b, '"'), *v), '"')
		}
	}
	return appendOther(b, value)
}

func appendOther(b []byte, value any) (out []byte) {
	defer func() {
		if recover() != nil { // a nil pointer, or a method that panics: fmt tells which
			out = appendQuote(b, fmt.Sprint(value))
		}
	}()
	switch v := value.(type) {
	case log.Valuer:
		return appendValue(b, v())
	case error:
		return appendQuote(b, v.Error())
	case fmt.Stringer:
		return appendQuote(b, v.String())
	}
	text, err := json.Marshal(value)
	if err != nil {
		return appendQuote(b, fmt.Sprintf("%+v", value))
	}
	return append(b, text...)
}

// second is a time without its fraction, as it was written last.
type second struct {
	unix int64
	text string
}

var lastSecond atomic.Pointer[second]

// appendTime writes t, which is in UTC, as RFC 3339 with microseconds. All
// but the fraction is made once a second: it is what a line's time costs.
func appendTime(b []byte, t time.Time) []byte {
	last := lastSecond.Load()
	if last == nil || last.unix != t.Unix() {
		last = &second{t.Unix(), t.Format("2006-01-02T15:04:05")}
		lastSecond.Store(last)
	}
	b = append(b, last.text...)
	b = appendMicros(b, t.Nanosecond()/1000)
	return append(b, 'Z')
}

// appendSeconds writes d in seconds with microseconds.
func appendSeconds(b []byte, d time.Duration) []byte {
	d = d.Round(time.Microsecond)
	if d < 0 {
		b, d = append(b, '-'), -d
	}
	b = strconv.AppendInt(b, int64(d/time.Second), 10)
	return appendMicros(b, int(d%time.Second/time.Microsecond))
}

// appendMicros writes a fraction of six digits.
func appendMicros(b []byte, micros int) []byte {
	b = append(b, ".000000"...)
	for i := len(b) - 1; micros > 0; i-- {
		b[i] = byte('0' + micros%10)
		micros /= 10
	}
	return b
}

// appendQuote writes s as a JSON string; what is not UTF-8 becomes U+FFFD.
func appendQuote(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			b, _ = jsontext.AppendQuote(b, s)
			return b
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
