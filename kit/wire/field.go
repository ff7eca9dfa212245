package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/trellis-go/trellis/kit/fault"
)

// Fields that say how a message is read, or whose it is.
const (
	other    uint8 = 0
	hostName uint8 = 1 << (iota - 1)
	authorization
	contentType
	contentLength
	transferEncoding
	expect
	trailerNames
)

// known are these fields; no two names are of one length.
var known = [...]struct {
	name  string
	field uint8
}{
	4:  {"host", hostName},
	6:  {"expect", expect},
	7:  {"trailer", trailerNames},
	12: {"content-type", contentType},
	13: {"authorization", authorization},
	14: {"content-length", contentLength},
	17: {"transfer-encoding", transferEncoding},
}

// classify finds a name among those known, also when it has underscores for
// dashes: so some servers would read it.
func classify(name []byte) (f uint8, underscored bool) {
	if len(name) >= len(known) || known[len(name)].field == other {
		return other, false
	}
	want := known[len(name)]
	for i, c := range name {
		if c == '_' {
			c, underscored = '-', true
		}
		if lower(c) != want.name[i] {
			return other, false
		}
	}
	return want.field, underscored
}

// named returns where a line's name ends.
func named(line []byte) (colon int, bad *fault.Error) {
	colon = bytes.IndexByte(line, ':')
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return 0, errFold
	case colon < 0:
		return 0, errNoColon
	case colon == 0:
		return 0, errName
	case line[colon-1] == ' ' || line[colon-1] == '\t':
		return 0, errNameSpace
	case !only(line[:colon], tokenByte):
		return 0, errName
	}
	return colon, nil
}

// inHeader are names that say nothing good in a trailer, beside those known
// (RFC 9110, 6.5.1): of routing, authentication, conditions and content.
var inHeader = []string{
	"cache-control", "connection", "content-encoding", "content-range", "cookie", "forwarded", "if-match",
	"if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "keep-alive", "max-forwards", "origin",
	"pragma", "proxy-authorization", "proxy-connection", "range", "set-cookie", "te", "upgrade",
}

func forbidden(name []byte) bool {
	f, _ := classify(name)
	return f != other || slices.ContainsFunc(inHeader, func(s string) bool { return same(name, s) })
}

// trailer looks at a line behind the body.
func (h *head) trailer(line []byte) *fault.Error {
	colon, bad := named(line)
	switch {
	case bad != nil:
		return bad
	case !isValue(line[colon+1:]):
		return errValue
	case forbidden(line[:colon]):
		return errForbidden
	}
	return nil
}

// announced looks at the names in a Trailer header.
func (h *head) announced(names []byte) *fault.Error {
	for name := range bytes.SplitSeq(names, []byte(",")) {
		if forbidden(bytes.Trim(name, " \t")) {
			return errForbidden
		}
	}
	return nil
}

// What a byte may be part of.
const (
	tokenByte  = 1 << iota // a method, a field's name
	valueByte              // a field's value
	targetByte             // a path or a query
	hostByte               // a name or an IPv4 address
)

var class = func() (class [256]uint8) {
	for c := range class {
		c := byte(c)
		alnum := digit(c) || 'a' <= lower(c) && lower(c) <= 'z'
		if alnum || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0 {
			class[c] |= tokenByte
		}
		if alnum || bytes.IndexByte([]byte("-._~!$&'()*+,;="), c) >= 0 {
			class[c] |= hostByte
		}
		if c > ' ' && c < 0x7f && c != '#' {
			class[c] |= targetByte
		}
		if c == '\t' || c >= ' ' && c != 0x7f {
			class[c] |= valueByte
		}
	}
	return class
}()

// only tells whether all of b is of a class.
func only(b []byte, of uint8) bool {
	for _, c := range b {
		if class[c]&of == 0 {
			return false
		}
	}
	return true
}

// isValue tells whether b may be a field's value; values are most of a header.
func isValue(b []byte) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		del := x ^ 0x7f*each
		if ((x-' '*each)&^x|(del-each)&^del)&high != 0 && !only(b[:8], valueByte) {
			return false
		}
	}
	return only(b, valueByte)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// lower is c as a small letter, if it is a letter.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// same tells whether b is s, which is in small letters, in whatever case.
func same(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower(c) != s[i] {
			return false
		}
	}
	return true
}

// trim takes white space off both ends.
func trim(b []byte, s span) span {
	for s.from < s.to && (b[s.from] == ' ' || b[s.from] == '\t') {
		s.from++
	}
	for s.from < s.to && (b[s.to-1] == ' ' || b[s.to-1] == '\t') {
		s.to--
	}
	return s
}

// number reads digits and nothing else.
func number(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if !digit(c) || n > (math.MaxInt64-int64(c-'0'))/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}
