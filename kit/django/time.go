package django

import (
	"fmt"
	"time"
)

// ParseTime parses a time as Django stores it, "2006-01-02 15:04:05.999999",
// or as others have written it there: with a "T", a comma, without seconds,
// with "Z" or an offset. Without one it is UTC. It returns UTC with
// microseconds; what is finer is cut off, as Django does. The year is 1 to
// 9999.
func ParseTime(s string) (time.Time, error) {
	p := parser{rest: s}
	year, month, day := p.digits(4), p.after("-", 2), p.after("-", 2)
	hour, minute := p.after(" Tt", 2), p.after(":", 2)
	second, micro := 0, 0
	if p.has(":") {
		second = p.digits(2)
		if p.has(".,") {
			micro = p.fraction()
		}
	}
	offset := p.offset()

	t := time.Date(year, time.Month(month), day, hour, minute, second, micro*1000, time.UTC)
	switch {
	case p.bad || p.rest != "":
	case t.Year() != year || t.Month() != time.Month(month) || t.Day() != day:
	case hour > 23 || minute > 59 || second > 59:
	default:
		t = t.Add(-offset)
		if year := t.Year(); 1 <= year && year <= 9999 {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("no time: %s", quoted(s, 40))
}

// A parser takes a text apart from its beginning. Once something isn't there
// it is bad.
type parser struct {
	rest string
	bad  bool
}

// has takes one of these characters, if it is next.
func (p *parser) has(one string) bool {
	for i := range len(one) {
		if p.rest != "" && p.rest[0] == one[i] {
			p.rest = p.rest[1:]
			return true
		}
	}
	return false
}

// digits takes a number of n digits.
func (p *parser) digits(n int) (number int) {
	if len(p.rest) < n {
		p.bad = true
		return 0
	}
	for _, c := range []byte(p.rest[:n]) {
		if c < '0' || c > '9' {
			p.bad = true
		}
		number = number*10 + int(c-'0')
	}
	p.rest = p.rest[n:]
	return number
}

// after takes one of these characters and a number of n digits.
func (p *parser) after(one string, n int) int {
	if !p.has(one) {
		p.bad = true
	}
	return p.digits(n)
}

// fraction takes the digits of a fraction of a second and returns its
// microseconds.
func (p *parser) fraction() (micro int) {
	n := 0
	for n < len(p.rest) && '0' <= p.rest[n] && p.rest[n] <= '9' {
		n++
	}
	if n == 0 {
		p.bad = true
	}
	for i := range 6 {
		micro *= 10
		if i < n {
			micro += int(p.rest[i] - '0')
		}
	}
	p.rest = p.rest[n:]
	return micro
}

// offset takes "Z", "+02:00", "+0200", "+02" or nothing.
func (p *parser) offset() time.Duration {
	if p.rest == "" || p.has("Zz") {
		return 0
	}
	minus := p.has("-")
	if !minus && !p.has("+") {
		p.bad = true
		return 0
	}
	hours, minutes := p.digits(2), 0
	if p.has(":") || p.rest != "" {
		minutes = p.digits(2)
	}
	if hours > 23 || minutes > 59 {
		p.bad = true
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if minus {
		return -offset
	}
	return offset
}
