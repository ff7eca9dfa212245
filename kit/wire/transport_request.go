package wire

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// message is a request as it is sent, in one piece.
type message struct {
	buf  []byte
	body int // its length, not read yet
}

var messages = sync.Pool{New: func() any { return &message{buf: make([]byte, 0, 2<<10)} }}

// compose writes a request's header, and tells whether a Transport can carry
// it out by itself.
func (m *message) compose(r *http.Request) bool {
	u := r.URL
	if u == nil || r.Header == nil || u.Scheme != "http" || u.Opaque != "" ||
		len(r.TransferEncoding) > 0 || len(r.Trailer) > 0 || r.Method == http.MethodConnect ||
		httptrace.ContextClientTrace(r.Context()) != nil {
		return false
	}
	//lint:ignore SA1019 a request may have it still
	if r.Cancel != nil {
		return false
	}
	m.body = 0
	if r.Body != nil && r.Body != http.NoBody {
		if r.ContentLength <= 0 || r.ContentLength > maxWhole {
			return false
		}
		m.body = int(r.ContentLength)
	} else if r.ContentLength != 0 {
		return false
	}
	m.buf = m.buf[:0]
	if m.add(u.Host); !isHost(m.buf) {
		return false
	}
	m.buf = m.buf[:0]
	if m.add(cmp.Or(r.Method, http.MethodGet)); !only(m.buf, tokenByte) {
		return false
	}
	m.add(" ")
	if !m.target(r) {
		return false
	}
	m.add(" HTTP/1.1\r\nHost: ")
	at := len(m.buf)
	if m.add(cmp.Or(r.Host, u.Host)); r.Host != "" && !isHost(m.buf[at:]) {
		return false
	}
	m.add("\r\n")
	for name, values := range r.Header {
		if !m.field(name, values) {
			return false
		}
	}
	if m.body > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		m.add("Content-Length: ")
		m.buf = strconv.AppendInt(m.buf, int64(m.body), 10)
		m.add("\r\n")
	}
	if r.Close {
		m.add("Connection: close\r\n")
	}
	m.add("\r\n")
	return true
}

func (m *message) add(s string) { m.buf = append(m.buf, s...) }

// target writes what is asked for: the URL's RequestURI.
func (m *message) target(r *http.Request) bool {
	at := len(m.buf)
	path := r.URL.EscapedPath()
	switch {
	case path == "":
		m.add("/")
	case path[0] != '/' && path != "*":
		return false
	default:
		m.add(path)
	}
	if r.URL.ForceQuery || r.URL.RawQuery != "" {
		m.add("?")
		m.add(r.URL.RawQuery)
	}
	return only(m.buf[at:], targetByte)
}

// field writes a header's lines. Those that say how long the request is, and
// whose, are the Transport's own.
func (m *message) field(name string, values []string) bool {
	start := len(m.buf)
	m.add(name)
	key := m.buf[start:]
	if len(key) == 0 || !only(key, tokenByte) || same(key, "connection") || same(key, "upgrade") {
		return false
	}
	f, underscored := classify(key)
	if f == expect {
		return false
	}
	m.buf = m.buf[:start]
	if !underscored && f&(hostName|contentLength|transferEncoding|trailerNames) != 0 {
		return true
	}
	if name == "User-Agent" && len(values) > 0 {
		if values = values[:1]; values[0] == "" {
			return true
		}
	}
	for _, v := range values {
		m.add(name)
		m.add(": ")
		at := len(m.buf)
		m.add(strings.Trim(v, " \t"))
		if !only(m.buf[at:], valueByte) {
			return false
		}
		m.add("\r\n")
	}
	return true
}

// readBody reads the body, and closes it. One that isn't in memory may take
// its time, and is left to itself when ctx ends.
func (m *message) readBody(ctx context.Context, body io.ReadCloser) error {
	m.buf = slices.Grow(m.buf, m.body+1)
	if ctx.Done() == nil || inMemory(body) {
		defer body.Close()
		return m.readAll(body)
	}
	done := make(chan error, 1)
	go func() { done <- m.readAll(body) }()
	select {
	case err := <-done:
		body.Close()
		return err
	case <-ctx.Done():
		go body.Close() // which waits for the Read, or ends it
		return ctx.Err()
	}
}

func (m *message) readAll(body io.Reader) error {
	at := len(m.buf)
	room := m.buf[at : at+m.body+1] // a byte more, to see the end
	for n, idle := 0, 0; ; {
		k, err := body.Read(room[n:])
		n += k
		switch {
		case n > m.body:
			return fmt.Errorf("wire: the request has a body longer than its ContentLength %d", m.body)
		case err == io.EOF && n < m.body:
			return fmt.Errorf("wire: the request has a ContentLength of %d and a body of %d bytes", m.body, n)
		case err == io.EOF:
			m.buf = m.buf[:at+n]
			return nil
		case err != nil:
			return err
		case k > 0:
			idle = 0
		default:
			if idle++; idle == 100 {
				return io.ErrNoProgress
			}
		}
	}
}

// io.NopCloser has two types.
var (
	nopCloser         = reflect.TypeOf(io.NopCloser(nil))
	nopCloserWriterTo = reflect.TypeOf(io.NopCloser(struct {
		io.Reader
		io.WriterTo
	}{}))
)

// inMemory tells whether reading a body takes no time.
func inMemory(body io.Reader) bool {
	if t := reflect.TypeOf(body); t == nopCloser || t == nopCloserWriterTo {
		body, _ = reflect.ValueOf(body).Field(0).Interface().(io.Reader)
	}
	switch body.(type) {
	case *bytes.Reader, *bytes.Buffer, *strings.Reader:
		return true
	}
	return false
}
