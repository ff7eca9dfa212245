package mailbox_test

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/email"
	"github.com/trellis-go/trellis/notify/mailbox"
)

func FuzzParse(f *testing.F) {
	w := email.Writer{Web: "http://localhost:3000"}
	if err := w.From.UnmarshalText([]byte("Trellis <trellis@localhost>")); err != nil {
		f.Fatal(err)
	}
	msg, err := w.Message(notify.Mail{ID: uuid.New(), To: "ann@example.org", Subject: "Zażółć", Body: []string{"gęślą"}, Link: "/x"})
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--b--\r\n--a--\r\n"))
	f.Add([]byte("Subject: =?utf-8?q?=ff?=\r\n\r\nx"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := mailbox.Parse(text)
		if err != nil {
			return
		}
		for _, s := range []string{m.Subject, m.From, m.To, m.Text, m.HTML} {
			if !utf8.ValidString(s) {
				t.Errorf("%q", s)
			}
		}
		if len(m.Text)+len(m.HTML) > 4*len(text)+100 {
			t.Errorf("%d bytes of %d", len(m.Text)+len(m.HTML), len(text))
		}
	})
}
