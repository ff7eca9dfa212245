package wire

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

func malformed(detail string) *fault.Error {
	return fault.New(fault.Malformed, "malformed_request", "%s", detail)
}

func ambiguous(detail string) *fault.Error {
	return fault.New(fault.Malformed, "ambiguous_framing", "%s", detail)
}

// What a request may be refused for. No text repeats what the client sent.
var (
	errBrokenOff   = malformed("The request breaks off.")
	errLineEnd     = malformed("Lines end with CR LF.")
	errRequestLine = malformed("A request begins with a method, a target and a version, with one space between them.")
	errMethodName  = malformed("The method is no token.")
	errMethod      = fault.New(http.StatusNotImplemented, "method_not_supported", "CONNECT and TRACE are not supported.")
	errVersion     = fault.New(http.StatusHTTPVersionNotSupported, "version_not_supported", "This connection speaks HTTP/1.1 and HTTP/1.0.")
	errTarget      = malformed("The target is neither a path nor an http URL, or has characters that must be percent-encoded.")
	errTargetHost  = malformed("The target and the Host header name different hosts.")
	errNoHost      = malformed("The Host header is missing.")
	errHost        = malformed("The Host header is no host with an optional port.")
	errFold        = malformed("A header line begins with white space.")
	errNoColon     = malformed("A header line has no colon.")
	errNameSpace   = malformed("A header's name is followed by white space.")
	errName        = malformed("A header's name is no token.")
	errValue       = malformed("A header's value has a control character.")
	errTwice       = malformed("A header that may be given once is given twice: Host, Authorization, Content-Type or Expect.")
	errForbidden   = malformed("A trailer has a name that belongs in the header.")
	errExpect      = fault.New(http.StatusExpectationFailed, "expectation_failed", "The only expectation that can be met is 100-continue.")

	errLengthTwice = ambiguous("The body's length is given more than once.")
	errLength      = ambiguous("Content-Length is no number.")
	errCoding10    = ambiguous("Transfer-Encoding is no part of HTTP/1.0.")
	errCoding      = fault.New(http.StatusNotImplemented, "transfer_coding_not_supported", "The only transfer coding that is supported is chunked, once.")
	errUnderscore  = ambiguous("A header that some servers would take for one that says how to read the body has an underscore in its name.")
	errChunkSize   = malformed("A chunk's size is no hexadecimal number of up to 16 digits.")
	errChunkEnd    = malformed("A chunk does not end where its size says.")
	errExtension   = malformed("The body's chunk extensions have control characters or are too long.")

	errHeaderLarge  = fault.New(fault.HeaderTooLarge, "header_too_large", "The header is too large.")
	errFieldsMany   = fault.New(fault.HeaderTooLarge, "header_too_large", "The header has too many lines.")
	errTrailerLarge = malformed("The trailers are too large.")
)

// Answer writes a problem as the last answer on a connection. The path is
// that of the request, or nothing if it is not known.
func Answer(w io.Writer, f *fault.Error, path string) error {
	status := int(f.Kind)
	problem, err := json.Marshal(transport.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: f.Message, Instance: path, Code: f.Code,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\nDate: %s\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), len(problem), time.Now().UTC().Format(http.TimeFormat), problem)
	return err
}
