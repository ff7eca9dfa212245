package mailbox

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Mail is a mail as it was kept.
type Mail struct {
	ID      uuid.UUID `json:"id"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	At      time.Time `json:"at"` // when it was kept
	Text    string    `json:"text"`
	HTML    string    `json:"html"`
	Headers []Header  `json:"headers"`
}

// Header is one line of a mail's head, decoded.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// parse reads a message (RFC 5322) and its parts (RFC 2046).
func parse(text []byte) (Mail, error) {
	msg, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		return Mail{}, err
	}
	m := Mail{From: address(msg.Header.Get("From")), To: address(msg.Header.Get("To")), Subject: decoded(msg.Header.Get("Subject"))}
	for name, values := range msg.Header {
		for _, v := range values {
			m.Headers = append(m.Headers, Header{name, decoded(v)})
		}
	}
	slices.SortFunc(m.Headers, func(a, b Header) int { return strings.Compare(a.Name+a.Value, b.Name+b.Value) })
	m.part(msg.Header.Get("Content-Type"), msg.Header.Get("Content-Transfer-Encoding"), msg.Body, 0)
	return m, nil
}

// maxDepth is how deep parts may be in others.
const maxDepth = 4

// part takes what it understands of a part: the first text, the first HTML.
func (m *Mail) part(contentType, encoding string, body io.Reader, depth int) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = "text/plain"
	}
	if strings.HasPrefix(media, "multipart/") && depth < maxDepth {
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			p, err := parts.NextRawPart()
			if err != nil {
				return
			}
			m.part(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p, depth+1)
		}
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, _ := io.ReadAll(body) // as far as it can be read
	text := strings.ReplaceAll(strings.ToValidUTF8(string(content), "\uFFFD"), "\r\n", "\n")
	switch {
	case media == "text/plain" && m.Text == "":
		m.Text = text
	case media == "text/html" && m.HTML == "":
		m.HTML = text
	}
}

// address is a header's address as people write it.
func address(value string) string {
	a, err := mail.ParseAddress(value)
	switch {
	case err != nil:
		return decoded(value)
	case a.Name == "":
		return a.Address
	}
	return strings.ToValidUTF8(a.Name+" <"+a.Address+">", "\uFFFD")
}

// decoded is a header's value without its encoded words (RFC 2047).
func decoded(value string) string {
	text, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		text = value
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
