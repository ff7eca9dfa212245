package cache

import (
	"strings"
	"time"
)

// control is a Cache-Control header: the directives that this cache goes by.
type control struct {
	noStore, noCache, private, mustRevalidate, onlyIfCached bool

	maxAge, sharedMaxAge, minFresh     span
	staleWhileRevalidate, staleIfError span

	malformed bool // so that nothing is known of what it forbids
}

// span is a directive's number of seconds, if it was said.
type span struct {
	time.Duration
	said bool
}

// parseControl reads all lines of the header. A no-cache or private that names
// fields holds for the whole answer; of numbers said twice the smaller counts.
func parseControl(lines []string) (c control) {
	for _, line := range lines {
		for line != "" {
			name, value, rest, ok := directive(line)
			if !ok {
				c.malformed = true
				break
			}
			c.set(name, value)
			line = rest
		}
	}
	return c
}

func (c *control) set(name, value string) {
	switch strings.ToLower(name) {
	case "no-store":
		c.noStore = true
	case "no-cache":
		c.noCache = true
	case "private":
		c.private = true
	case "must-revalidate", "proxy-revalidate":
		c.mustRevalidate = true
	case "only-if-cached":
		c.onlyIfCached = true
	case "max-age":
		c.maxAge.set(value)
	case "s-maxage":
		c.sharedMaxAge.set(value)
	case "min-fresh":
		c.minFresh.set(value)
	case "stale-while-revalidate":
		c.staleWhileRevalidate.set(value)
	case "stale-if-error":
		c.staleIfError.set(value)
	}
}

func (s *span) set(value string) {
	if d := seconds(value); !s.said || d < s.Duration {
		*s = span{d, true}
	}
}

// forever is what RFC 9111, section 1.2.2, makes of a number too large.
const forever = 1 << 31

// seconds reads a delta-seconds. What is none counts as 0.
func seconds(s string) time.Duration {
	var n int64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0
		}
		n = min(n*10+int64(c-'0'), forever)
	}
	return time.Duration(n) * time.Second
}

const blank = " \t"

// directive splits the first of a list of directives off: name, name=token or
// name="quoted".
func directive(line string) (name, value, rest string, ok bool) {
	i := strings.IndexAny(line, `,="`)
	switch {
	case i < 0:
		return strings.Trim(line, blank), "", "", true
	case line[i] == ',':
		return strings.Trim(line[:i], blank), "", line[i+1:], true
	case line[i] == '"':
		return "", "", "", false
	}
	name, rest = strings.Trim(line[:i], blank), strings.TrimLeft(line[i+1:], blank)
	if !strings.HasPrefix(rest, `"`) {
		value, rest, _ = strings.Cut(rest, ",")
		return name, strings.Trim(value, blank), rest, !strings.Contains(value, `"`)
	}
	value, rest, ok = quoted(rest[1:])
	rest = strings.TrimLeft(rest, blank)
	if rest != "" && rest[0] != ',' {
		return "", "", "", false
	}
	return name, value, strings.TrimPrefix(rest, ","), ok
}

// quoted splits at the quote that ends a quoted string. An escaped character
// stays escaped: no value that counts has one.
func quoted(s string) (value, rest string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}
