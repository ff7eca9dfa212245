package status

import (
	"fmt"
	"strconv"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
)

// The words of the page. page.js has the same functions; a change here is one there.

// count writes the integer 1234567 as 1,234,567.
func count(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// latency writes a short duration with three digits: 1.24 ms.
func latency(d time.Duration) string {
	if d <= 0 {
		return "–"
	}
	value, unit := float64(d)/1e3, "µs"
	switch {
	case value >= 999_500:
		value, unit = value/1e6, "s"
	case value >= 999.5:
		value, unit = value/1e3, "ms"
	}
	digits := 0
	switch {
	case value < 9.995:
		digits = 2
	case value < 99.95:
		digits = 1
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + " " + unit
}

// span writes a long duration in its two largest units: 3 h 12 min.
func span(d time.Duration) string {
	s := int64(max(d, 0).Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s%86400/3600)
}

// clock writes the time of t, in UTC as the log does, and its date when that
// is not today's.
func clock(now, t time.Time) string {
	if t = t.UTC(); t.Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return t.Format("15:04:05.000")
	}
	return t.Format("01-02 15:04:05")
}

// note says of an instance's state what the word for it doesn't.
func note(now time.Time, i discovery.InstanceStatus) string {
	s := ""
	if i.State == discovery.Warming {
		s = fmt.Sprintf("%.0f %%", i.Share*100)
	}
	if left := i.Until.Sub(now); left > 0 {
		if s != "" {
			s += ", "
		}
		s += "for " + span(left+time.Second-1)
	}
	return s
}

// again says how often a request was tried, if not once.
func again(attempts int) string {
	if attempts < 2 {
		return ""
	}
	return fmt.Sprintf("after %d tries", attempts)
}
