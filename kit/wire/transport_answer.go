package wire

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/trellis-go/trellis/kit/fault"
)

// Bounds on an answer.
const (
	maxAnswerHeader = 64 << 10
	maxInterim      = 5 // answers of 1xx before the one that counts
)

// answerError is what is wrong with an answer. It is no fault of a request's.
type answerError string

func (e answerError) Error() string { return "wire: the answer can't be taken: " + string(e) }

func badAnswer(f *fault.Error) error { return answerError(f.Message) }

const (
	errAnswerLarge = answerError("The header is too large.")
	errStatusLine  = answerError("It doesn't begin with a version and a status of HTTP/1.")
	errInterim     = answerError("There are too many interim answers.")
	errSwitched    = answerError("It switches to another protocol, unasked.")
)

// answer is a response with what goes with it.
type answer struct {
	http.Response
	body answerBody
	none bool // there is no body
	odd  bool // there may be one for all that
}

// readHead reads an answer's header, and those of interim answers before it.
// It tells whether anything came at all.
func (c *clientConn) readHead(a *answer, method string) (heard bool, err error) {
	for range maxInterim + 1 {
		n, err := c.lines(maxAnswerHeader)
		if err != nil {
			return heard || c.r < c.w, err
		}
		heard = true
		err = a.parse(c.buf[c.r:c.r+n], method)
		c.r += n
		switch {
		case err != nil:
			return true, err
		case a.StatusCode == http.StatusSwitchingProtocols:
			return true, errSwitched
		case a.StatusCode >= http.StatusOK:
			return true, nil
		}
		*a = answer{}
	}
	return true, errInterim
}

// lines reads lines up to an empty one, and returns their length with it.
func (c *clientConn) lines(limit int) (int, error) {
	line, scanned := 0, 0 // from c.r
	for {
		in := c.buf[c.r:c.w]
		i := bytes.IndexByte(in[scanned:], '\n')
		end := scanned + i
		if i < 0 {
			end = len(in)
		}
		switch {
		case end >= limit:
			return 0, errAnswerLarge
		case i < 0:
			scanned = end
			if err := c.fill(limit); err == io.EOF && end > 0 {
				return 0, io.ErrUnexpectedEOF
			} else if err != nil {
				return 0, err
			}
		case end == line || in[end-1] != '\r':
			return 0, badAnswer(errLineEnd)
		case end-1 == line:
			return end + 1, nil
		default:
			line, scanned = end+1, end+1
		}
	}
}

// parse makes a response of the lines of its header.
func (a *answer) parse(b []byte, method string) error {
	text := string(b) // of which the response keeps parts
	status := bytes.IndexByte(b, '\n') - 1
	if status < 12 || text[:7] != "HTTP/1." || text[7] != '0' && text[7] != '1' || text[8] != ' ' ||
		text[9] < '1' || !digit(text[9]) || !digit(text[10]) || !digit(text[11]) || status > 12 && text[12] != ' ' ||
		!only(b[12:status], valueByte) {
		return errStatusLine
	}
	a.Proto, a.ProtoMajor, a.ProtoMinor = text[:8], 1, int(text[7]-'0')
	a.Status = text[9:status]
	a.StatusCode = int(text[9]-'0')*100 + int(text[10]-'0')*10 + int(text[11]-'0')

	fields := bytes.Count(b, []byte{'\n'}) - 2
	if fields > maxFields {
		return badAnswer(errFieldsMany)
	}
	h, room := make(http.Header, fields), make([]string, fields)
	a.Header = h
	var seen uint8
	length := int64(-1)
	for at := status + 2; ; {
		end := at + bytes.IndexByte(b[at:], '\n') - 1
		if end == at {
			break
		}
		colon, bad := named(b[at:end])
		if bad != nil {
			return badAnswer(bad)
		}
		value := trim(b, span{at + colon + 1, end})
		v := b[value.from:value.to]
		if !only(v, valueByte) {
			return badAnswer(errValue)
		}
		switch f, underscored := classify(b[at : at+colon]); {
		case f&(contentLength|transferEncoding) == 0:
		case underscored:
			return badAnswer(errUnderscore)
		case seen&(contentLength|transferEncoding) != 0:
			return badAnswer(errLengthTwice)
		case f == contentLength:
			var ok bool
			if length, ok = number(v); !ok {
				return badAnswer(errLength)
			}
			seen |= f
		case a.ProtoMinor == 0:
			return badAnswer(errCoding10)
		case !same(v, "chunked"):
			return badAnswer(errCoding)
		default:
			seen |= f
		}
		key := http.CanonicalHeaderKey(text[at : at+colon])
		if old := h[key]; old != nil {
			h[key] = append(old, text[value.from:value.to])
		} else {
			room[0] = text[value.from:value.to]
			h[key], room = room[:1:1], room[1:]
		}
		at = end + 2
	}
	return a.frame(method, length, seen&transferEncoding != 0)
}

// frame says how the body is read, and what else net/http makes of a header.
func (a *answer) frame(method string, length int64, chunked bool) error {
	h := a.Header
	if p := h["Pragma"]; len(p) > 0 && p[0] == "no-cache" && h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"no-cache"}
	}
	connection := h["Connection"]
	a.Close = hasToken(connection, "close")
	switch {
	case a.ProtoMinor == 0:
		a.Close = a.Close || !hasToken(connection, "keep-alive")
	case a.Close:
		delete(h, "Connection")
	}
	if chunked {
		delete(h, "Transfer-Encoding")
		a.TransferEncoding = []string{"chunked"}
		for _, names := range h["Trailer"] {
			if err := a.announce(names); err != nil {
				return err
			}
		}
		delete(h, "Trailer")
	}
	bodyless := a.StatusCode == http.StatusNoContent || a.StatusCode == http.StatusNotModified || a.StatusCode < http.StatusOK
	switch {
	case method == http.MethodHead:
		a.none, a.ContentLength = true, length
	case bodyless:
		a.none = true
		a.odd = a.StatusCode == http.StatusNoContent && (length > 0 || chunked)
	case chunked:
		a.ContentLength, a.body.kind = -1, inChunks
	case length >= 0:
		a.none, a.ContentLength, a.body.left = length == 0, length, length
	default:
		a.ContentLength, a.body.kind, a.Close = -1, untilClose, true
	}
	return nil
}

// announce takes the names of a Trailer header.
func (a *answer) announce(names string) error {
	var h head
	if bad := h.announced([]byte(names)); bad != nil {
		return badAnswer(bad)
	}
	for name := range strings.SplitSeq(names, ",") {
		if name = strings.Trim(name, " \t"); name == "" {
			continue
		}
		if a.Trailer == nil {
			a.Trailer = http.Header{}
		}
		a.Trailer[http.CanonicalHeaderKey(name)] = nil
	}
	return nil
}

// hasToken looks in lists for a word, in whatever case.
func hasToken(lists []string, word string) bool {
	for _, list := range lists {
		for token := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.Trim(token, " \t"), word) {
				return true
			}
		}
	}
	return false
}
