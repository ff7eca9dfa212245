// Package email makes messages of mails and sends them over a mail server.
package email

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	html "html/template"
	netmail "net/mail"
	"strings"
	text "text/template"
	"unicode"

	"github.com/trellis-go/trellis/notify"
	"github.com/wneessen/go-mail"
)

var (
	//go:embed mail.html
	htmlSource string
	//go:embed mail.txt
	textSource string

	htmlTemplate = html.Must(html.New("mail.html").Parse(htmlSource))
	textTemplate = text.Must(text.New("mail.txt").Parse(textSource))
)

// Writer makes messages of mails.
type Writer struct {
	From Address
	Web  string // the webapp's URL, before links
}

// Address is who a mail is from: "Trellis <trellis@example.org>".
type Address struct{ netmail.Address }

// UnmarshalText reads an address as headers have it (RFC 5322).
func (a *Address) UnmarshalText(text []byte) error {
	parsed, err := netmail.ParseAddress(string(text))
	if err == nil {
		a.Address = *parsed
	}
	return err
}

// domain is the part of an address behind the @.
func (a Address) domain() string {
	return a.Address.Address[strings.LastIndexByte(a.Address.Address, '@')+1:]
}

// ID is the Message-ID of a mail, without brackets: the same each time that it is sent.
func (w Writer) ID(m notify.Mail) string { return m.ID.String() + "@" + w.From.domain() }

// Message makes a message of a mail. An error is Trouble.
func (w Writer) Message(m notify.Mail) (*mail.Msg, error) {
	to, err := netmail.ParseAddress(m.To)
	if err != nil {
		return nil, &notify.Trouble{Reason: "Your email address is not one that can be written to.", Final: true, Cause: errors.New("address cannot be parsed")}
	}
	to.Name = line(m.Name)
	view := struct {
		notify.Mail
		URL string
	}{Mail: m}
	if m.Link != "" {
		view.URL = strings.TrimRight(w.Web, "/") + m.Link
	}
	var plain, rich bytes.Buffer
	if err := errors.Join(textTemplate.Execute(&plain, view), htmlTemplate.Execute(&rich, view)); err != nil {
		return nil, fmt.Errorf("mail %s: %w", m.ID, err)
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&w.From.Address)
	msg.ToMailAddress(to)
	msg.Subject(line(m.Subject))
	msg.SetMessageIDWithValue(w.ID(m))
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's holiday answers it
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetGenHeader("Content-Language", m.Language)
	msg.SetDate()
	msg.SetBodyString(mail.TypeTextPlain, plain.String())
	msg.AddAlternativeString(mail.TypeTextHTML, rich.String())
	return msg, nil
}

// line makes one line of a user's text, so that it can't begin another header.
func line(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
