package wire

import (
	"bytes"

	"github.com/trellis-go/trellis/kit/fault"
)

// head follows a request's header, or a body's trailers, line by line. Its
// offsets count from the first byte.
type head struct {
	line    int // where the line begins that is not complete
	scanned int // up to where there is no end of it
	lines   int

	old     bool // HTTP/1.0
	seen    uint8
	skipped bool // an empty line
	length  int64
	chunked bool

	path      span // of the target
	authority span // of an absolute target
	host      span
}

type span struct{ from, to int }

// emptyLine tells whether b begins with the one empty line that a client may
// send before a request (RFC 9112, 2.2).
func (h *head) emptyLine(b []byte) bool {
	if h.skipped || len(b) < 2 || b[0] != '\r' || b[1] != '\n' {
		return false
	}
	h.skipped, h.scanned = true, 0
	return true
}

// begun tells whether b begins a request.
func (h *head) begun(b []byte) bool { return len(b) > 0 && class[b[0]]&tokenByte != 0 }

// scan goes on with b, which begins where the header does, and returns how
// long the header is once all of it is there.
func (h *head) scan(b []byte, limit int, trailers bool) (int, *fault.Error) {
	if h.lines == 0 && !trailers && len(b) > 0 && !h.begun(b) {
		if b[0] == '\r' && len(b) == 1 {
			return 0, nil
		}
		return 0, errRequestLine
	}
	for {
		i := bytes.IndexByte(b[h.scanned:], '\n')
		end := h.scanned + i
		if i < 0 {
			end = len(b)
		}
		switch {
		case end >= limit && trailers:
			return 0, errTrailerLarge
		case end >= limit:
			return 0, errHeaderLarge
		case i < 0:
			h.scanned = end
			return 0, nil
		case end == h.line || b[end-1] != '\r':
			return 0, errLineEnd
		}
		if bad := h.take(b, span{h.line, end - 1}, trailers); bad != nil {
			return 0, bad
		}
		if end-1 == h.line {
			return end + 1, nil
		}
		h.line, h.scanned = end+1, end+1
		h.lines++
	}
}

// take looks at one line.
func (h *head) take(b []byte, line span, trailers bool) *fault.Error {
	switch {
	case trailers && line.from == line.to:
		return nil
	case trailers:
		return h.trailer(b[line.from:line.to])
	case h.lines == 0:
		return h.request(b, line)
	case line.from == line.to:
		return h.end(b)
	}
	return h.field(b, line)
}

// request looks at the first line.
func (h *head) request(b []byte, line span) *fault.Error {
	text := b[line.from:line.to]
	first, last := bytes.IndexByte(text, ' '), bytes.LastIndexByte(text, ' ')
	if first <= 0 || last <= first+1 || bytes.IndexByte(text[first+1:last], ' ') >= 0 {
		return errRequestLine
	}
	method, version := text[:first], text[last+1:]
	if !only(method, tokenByte) {
		return errMethodName
	}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		h.old = true
	default:
		if len(version) == 8 && string(version[:5]) == "HTTP/" && version[6] == '.' && digit(version[5]) && digit(version[7]) {
			return errVersion
		}
		return errRequestLine
	}
	if m := string(method); m == "CONNECT" || m == "TRACE" {
		return errMethod
	}
	return h.target(b, span{line.from + first + 1, line.from + last}, string(method) == "OPTIONS")
}

// field looks at a line of the header.
func (h *head) field(b []byte, line span) *fault.Error {
	if h.lines > maxFields {
		return errFieldsMany
	}
	colon, bad := named(b[line.from:line.to])
	if bad != nil {
		return bad
	}
	name, value := b[line.from:line.from+colon], trim(b, span{line.from + colon + 1, line.to})
	text := b[value.from:value.to]
	if !isValue(text) {
		return errValue
	}
	f, underscored := classify(name)
	if f == other {
		return nil
	}
	if underscored {
		return errUnderscore
	}
	if f == trailerNames {
		return h.announced(text)
	}
	if h.seen&f != 0 {
		if f == contentLength || f == transferEncoding {
			return errLengthTwice
		}
		return errTwice
	}
	h.seen |= f
	switch f {
	case hostName:
		h.host = value
		if !isHost(text) {
			return errHost
		}
	case contentLength:
		var ok bool
		if h.length, ok = number(text); !ok {
			return errLength
		}
	case transferEncoding:
		if h.old {
			return errCoding10
		}
		if h.chunked = same(text, "chunked"); !h.chunked {
			return errCoding
		}
	case expect:
		if !same(text, "100-continue") {
			return errExpect
		}
	}
	return nil
}

// end looks at the header as a whole.
func (h *head) end(b []byte) *fault.Error {
	if h.seen&contentLength != 0 && h.seen&transferEncoding != 0 {
		return errLengthTwice
	}
	switch hosted := h.seen&hostName != 0; {
	case !hosted && !h.old:
		return errNoHost
	case hosted && h.authority.to > 0 && !bytes.EqualFold(b[h.authority.from:h.authority.to], b[h.host.from:h.host.to]):
		return errTargetHost
	}
	return nil
}

// instance is the path, if the first line was read.
func (h *head) instance(b []byte) string { return string(b[h.path.from:h.path.to]) }
