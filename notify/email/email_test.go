package email_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/email"
	"github.com/trellis-go/trellis/notify/email/emailtest"
)

func writer(t testing.TB) email.Writer {
	w := email.Writer{Web: "https://trellis.example.org/"}
	if err := w.From.UnmarshalText([]byte("Trellis ✉ <trellis@example.org>")); err != nil {
		t.Fatal(err)
	}
	return w
}

func sample() notify.Mail {
	return notify.Mail{
		ID: uuid.MustParse("01900000-0000-7000-8000-000000000001"), To: "ann@example.org", Name: "Zażółć Gęśl", Language: "en",
		Subject: "Bob shared “Seeds <b>&amp;” with you", Body: []string{"You can read it.\nAnd <script>alert(1)</script> too."},
		Link: "/verify#token=trk_a-_Z09", Action: "Open in Trellis", Footer: "You can choose in your Trellis settings of what we send you mail.",
	}
}

// parts reads a message as a mail program does.
func parts(t testing.TB, data []byte) (h netmail.Header, text, html string) {
	t.Helper()
	msg, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	media, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || media != "multipart/alternative" {
		t.Fatalf("%s, %v", media, err)
	}
	var bodies []string
	for r := multipart.NewReader(msg.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil || p.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatal(p.Header, err)
		}
		bodies = append(bodies, p.Header.Get("Content-Type"), strings.ReplaceAll(string(body), "\r\n", "\n"))
	}
	if len(bodies) != 4 || bodies[0] != "text/plain; charset=UTF-8" || bodies[2] != "text/html; charset=UTF-8" {
		t.Fatalf("%q", bodies)
	}
	return msg.Header, bodies[1], bodies[3]
}

func decode(t testing.TB, value string) string {
	t.Helper()
	text, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestMessage(t *testing.T) {
	msg, err := writer(t).Message(sample())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	h, text, html := parts(t, b.Bytes())
	for name, want := range map[string]string{
		"Subject": "Bob shared “Seeds <b>&amp;” with you", "From": "Trellis ✉ <trellis@example.org>", "To": "Zażółć Gęśl <ann@example.org>",
		"Message-Id": "<01900000-0000-7000-8000-000000000001@example.org>", "Auto-Submitted": "auto-generated", "Content-Language": "en",
	} {
		if got := strings.ReplaceAll(decode(t, h.Get(name)), `"`, ""); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if want := "You can read it.\nAnd <script>alert(1)</script> too.\n\nOpen in Trellis:\nhttps://trellis.example.org/verify#token=trk_a-_Z09\n\n-- \nTrellis\nYou can choose in your Trellis settings of what we send you mail.\n"; text != want {
		t.Errorf("text is %q", text)
	}
	for _, want := range []string{`href="https://trellis.example.org/verify#token=trk_a-_Z09"`, "<h1 ", "Seeds &lt;b&gt;&amp;amp;” with you", "&lt;script&gt;", `lang="en"`} {
		if !strings.Contains(html, want) {
			t.Errorf("the HTML has no %s:\n%s", want, html)
		}
	}
	if strings.Contains(html, "<script") || strings.Contains(html, "ZgotmplZ") {
		t.Errorf("HTML:\n%s", html)
	}
}

// A mail with nothing but a subject has no empty paragraphs and no button.
func TestBareMessage(t *testing.T) {
	m := sample()
	m.Body, m.Link = []string{""}, ""
	msg, err := writer(t).Message(m)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	_, text, html := parts(t, b.Bytes())
	if !strings.HasPrefix(text, "-- \n") || strings.Contains(html, "<p ") || strings.Contains(html, "<a ") {
		t.Errorf("%q\n%s", text, html)
	}
}

func TestAddresses(t *testing.T) {
	for _, to := range []string{"", "nobody", "a@b\r\nBcc: c@d.org", "a@b, c@d.org", "a@"} {
		m := sample()
		m.To = to
		_, err := writer(t).Message(m)
		if trouble, ok := errors.AsType[*notify.Trouble](err); !ok || !trouble.Final || to != "" && strings.Contains(err.Error(), to) {
			t.Errorf("%q: %v", to, err)
		}
	}
	var a email.Address
	if err := a.UnmarshalText([]byte("nobody")); err == nil {
		t.Error("a sender without an address")
	}
}

// Whatever a user's texts are, a message has the headers that it is to have,
// and one text.
func FuzzMessage(f *testing.F) {
	f.Add("Seeds", "Ann", "Hello", "/notes/1")
	f.Add("a\r\nBcc: x@example.org\r\n\r\nbody", "\"\r\nX: y", ".\r\n.\r\n", "/\"><script>")
	f.Add("=?utf-8?q?=0d=0aBcc:_x?=", "\xff\x00", "From me\n", "/#token=a&b")
	f.Fuzz(func(t *testing.T, subject, name, body, link string) {
		m := sample()
		m.Subject, m.Name, m.Body, m.Link = subject, name, []string{body}, link
		msg, err := writer(t).Message(m)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := msg.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		h, _, html := parts(t, b.Bytes())
		for name, values := range h {
			switch name {
			case "Subject", "From", "To", "Date", "Message-Id", "Mime-Version", "Content-Type", "Auto-Submitted", "X-Auto-Response-Suppress", "Content-Language":
				if len(values) != 1 {
					t.Errorf("%s: %q", name, values)
				}
			default:
				t.Errorf("a header %s: %q", name, values)
			}
		}
		to, err := netmail.ParseAddressList(h.Get("To"))
		if err != nil || len(to) != 1 || to[0].Address != "ann@example.org" {
			t.Errorf("to %q: %v", h.Get("To"), err)
		}
		if strings.Contains(html, "<script") {
			t.Errorf("HTML:\n%s", html)
		}
	})
}

func TestSMTP(t *testing.T) {
	s := emailtest.Start(t, nil)
	m, err := email.Open("smtp://"+s.Addr, writer(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), sample()); err != nil {
		t.Fatal(err)
	}
	got := s.Mails()
	if len(got) != 1 || got[0].From != "trellis@example.org" || got[0].To != "ann@example.org" {
		t.Fatalf("%+v", got)
	}
	if _, text, _ := parts(t, []byte(got[0].Data)); !strings.Contains(text, "#token=trk_a-_Z09") {
		t.Errorf("text is %q", text)
	}
}

func TestRefusals(t *testing.T) {
	s := emailtest.Start(t, nil)
	m, err := email.Open("smtp://"+s.Addr, writer(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		command, reply string
		reason         string
		final          bool
	}{
		{"RCPT", "550 5.1.1 <ann@example.org>: no such user", "The mail server refused it (550 5.1.1).", true},
		{"RCPT", "451 4.7.1 greylisted, ann@example.org", "The mail server does not take it now (451 4.7.1).", false},
		{"MAIL", "553 your address", "The mail server refused it (553).", true},
		{"MAIL", "421 4.3.2 closing", "The mail server does not take it now (421 4.3.2).", false},
		{"DATA", "554 5.6.0 no", "The mail server refused it (554 5.6.0).", true},
		{".", "452 4.3.1 full", "The mail server does not take it now (452 4.3.1).", false},
		{".", "550 5.7.1 spam", "The mail server refused it (550 5.7.1).", true},
		{"connect", "554 go away", "The mail server cannot be reached.", false},
		{"connect", "hang up", "The mail server cannot be reached.", false},
		{".", "hang up", "The mail server cannot be reached.", false},
	} {
		s.Reply(tt.command, tt.reply)
		err := m.Send(t.Context(), sample())
		trouble, ok := errors.AsType[*notify.Trouble](err)
		if !ok || trouble.Reason != tt.reason || trouble.Final != tt.final {
			t.Errorf("%s answers %q: %+v", tt.command, tt.reply, err)
		}
	}
	s.Reply("QUIT", "hang up")
	if err := m.Send(t.Context(), sample()); err != nil {
		t.Errorf("taken, and then hung up: %v", err)
	}
	gone, err := email.Open("smtp://127.0.0.1:1", writer(t))
	if err != nil {
		t.Fatal(err)
	}
	if trouble, ok := errors.AsType[*notify.Trouble](gone.Send(t.Context(), sample())); !ok || trouble.Final {
		t.Errorf("%v", trouble)
	}
}

func TestLogin(t *testing.T) {
	s := emailtest.Start(t, func(s *emailtest.Server) { s.User = "trellis" })
	m, err := email.Open("smtp://trellis:secret@"+s.Addr, writer(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), sample()); err != nil || len(s.Mails()) != 1 {
		t.Errorf("%v, %v", s.Mails(), err)
	}
	wrong, err := email.Open("smtp://trellis:wr%6Fng@"+s.Addr, writer(t))
	if err != nil {
		t.Fatal(err)
	}
	err = wrong.Send(t.Context(), sample())
	if trouble, ok := errors.AsType[*notify.Trouble](err); !ok || trouble.Final || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%v", err)
	}
}

// A server that is not on this machine gets no mail, and no password, in the clear.
func TestTLS(t *testing.T) {
	https := httptest.NewTLSServer(nil) // for its certificate, of example.com
	defer https.Close()
	trust := &tls.Config{RootCAs: x509.NewCertPool()}
	trust.RootCAs.AddCert(https.Certificate())
	secure := emailtest.Start(t, func(s *emailtest.Server) {
		s.TLS, s.User = &tls.Config{Certificates: https.TLS.Certificates}, "trellis"
	})
	clear := emailtest.Start(t, func(s *emailtest.Server) { s.User = "trellis" })
	for _, tt := range []struct {
		name   string
		server *emailtest.Server
		trust  *tls.Config
		ok     bool
	}{
		{"trusted", secure, trust, true},
		{"not trusted", secure, &tls.Config{}, false},
		{"no TLS", clear, trust, false},
	} {
		m, err := email.OpenTrusting("smtp://trellis:secret@example.com:587", writer(t), tt.trust)
		if err != nil {
			t.Fatal(err)
		}
		m.DialInstead(tt.server.Addr)
		if err := m.Send(t.Context(), sample()); (err == nil) != tt.ok || len(tt.server.Mails()) > 0 != tt.ok && tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if got := secure.Mails(); len(got) != 1 || !got[0].Secure {
		t.Errorf("%+v", got)
	}
	for _, line := range append(clear.Said(), secure.Said()[0]) {
		if strings.HasPrefix(line, "AUTH") || strings.HasPrefix(line, "MAIL") {
			t.Errorf("in the clear: %s", line)
		}
	}
}

func TestOpen(t *testing.T) {
	for _, server := range []string{"", "smtp://", "http://example.org", "smtp://a:geheim@example.org:x", "smtp://example.org/path", "smtp://a:geheim@exa mple.org"} {
		if _, err := email.Open(server, writer(t)); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v", server, err)
		}
	}
	for _, server := range []string{"smtp://example.org", "smtps://a:b@example.org", "smtps://example.org:4465/"} {
		if _, err := email.Open(server, writer(t)); err != nil {
			t.Errorf("%q: %v", server, err)
		}
	}
}
