package mailbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/email"
	"github.com/trellis-go/trellis/notify/mailbox"
)

func open(t testing.TB, dir string) *mailbox.Box {
	t.Helper()
	w := email.Writer{Web: "http://localhost:3000"}
	if err := w.From.UnmarshalText([]byte("Trellis <trellis@localhost>")); err != nil {
		t.Fatal(err)
	}
	box, err := mailbox.Open(dir, w)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func send(t testing.TB, box *mailbox.Box, m notify.Mail) notify.Mail {
	t.Helper()
	if m.ID == uuid.Nil {
		m.ID = uuid.Must(uuid.NewV7())
	}
	if m.To == "" {
		m.To, m.Name = "ann@example.org", "Ann"
	}
	m.Language = "en"
	if err := box.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// get asks as a browser does whose user typed the address, unless told otherwise.
func get(t testing.TB, url string, header ...string) (status int, h http.Header, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	res, err := testenv.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

func messages(t testing.TB, url string) []mailbox.Mail {
	t.Helper()
	status, _, body := get(t, url)
	var list struct{ Messages []mailbox.Mail }
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != http.StatusOK || list.Messages == nil {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	return list.Messages
}

func TestMailbox(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "mail")
	box := open(t, dir)
	page := httptest.NewServer(box.Handler())
	defer page.Close()
	if list := messages(t, page.URL+"/messages"); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	if _, _, body := get(t, page.URL); !strings.Contains(body, "No mail yet") {
		t.Errorf("the empty page: %s", body)
	}

	verify := send(t, box, notify.Mail{Subject: "Zażółć <b>gęślą</b>", Body: []string{"Please confirm.\nThanks ✓"}, Link: "/verify#token=trk_a-_Z09", Action: "Confirm", Footer: "Why."})
	bob := send(t, box, notify.Mail{To: "bob@example.org", Subject: "for Bob"})
	send(t, box, bob)

	list := messages(t, page.URL+"/messages")
	if len(list) != 2 || list[0].ID != bob.ID || list[1].ID != verify.ID {
		t.Fatalf("%+v", list)
	}
	if list := messages(t, page.URL+"/messages?to=ANN@example.org"); len(list) != 1 || list[0].ID != verify.ID {
		t.Errorf("to Ann: %+v", list)
	}
	got := list[1]
	if got.Subject != verify.Subject || got.To != "Ann <ann@example.org>" || got.From != "Trellis <trellis@localhost>" || time.Since(got.At) > time.Minute {
		t.Errorf("%+v", got)
	}
	if !strings.HasPrefix(got.Text, "Please confirm.\nThanks ✓\n\nConfirm:\nhttp://localhost:3000/verify#token=trk_a-_Z09\n") || !strings.Contains(got.HTML, `href="http://localhost:3000/verify#token=trk_a-_Z09"`) {
		t.Errorf("text %q, HTML %q", got.Text, got.HTML)
	}
	one := page.URL + "/messages/" + verify.ID.String()
	if status, h, body := get(t, one); status != http.StatusOK || h.Get("Content-Type") != "application/json" || !strings.Contains(body, `"Auto-Submitted"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, h, body := get(t, one+"/eml"); status != http.StatusOK || h.Get("Content-Type") != "message/rfc822" || !strings.Contains(body, "Message-ID: <"+verify.ID.String()+"@localhost>") {
		t.Errorf("%d %s", status, body)
	}
	if _, _, body := get(t, page.URL); strings.Contains(body, "<b>") || !strings.Contains(body, "&lt;b&gt;gęślą") || !strings.Contains(body, "/view/"+verify.ID.String()) {
		t.Errorf("the page: %s", body)
	}
	if _, h, body := get(t, page.URL+"/view/"+verify.ID.String()); !strings.Contains(body, `sandbox="allow-popups`) || !strings.Contains(body, "Thanks ✓") || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the mail's page: %s", body)
	}
	if _, h, body := get(t, page.URL+"/view/"+verify.ID.String()+"/html"); !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox allow-popups") || !strings.Contains(body, "Thanks ✓") {
		t.Errorf("%v\n%s", h, body)
	}

	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s is %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if list := messages(t, httptestURL(t, open(t, dir))+"/messages"); len(list) != 2 {
		t.Errorf("opened again: %+v", list)
	}
}

func httptestURL(t *testing.T, box *mailbox.Box) string {
	s := httptest.NewServer(box.Handler())
	t.Cleanup(s.Close)
	return s.URL
}

func TestNotThere(t *testing.T) {
	url := httptestURL(t, open(t, t.TempDir()))
	for _, path := range []string{"/messages/x", "/messages/" + uuid.NewString(), "/messages/..%2F..%2Fetc%2Fpasswd", "/messages/x/eml", "/view/x", "/view/x/html", "/nothing"} {
		if status, _, body := get(t, url+path); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// What is shown are secrets: no page elsewhere, nor one whose name was rebound
// to our address, may read them.
func TestGuard(t *testing.T) {
	url := httptestURL(t, open(t, t.TempDir()))
	for _, tt := range []struct {
		header []string
		want   int
	}{
		{nil, 200},
		{[]string{"Host", "localhost:8025"}, 200},
		{[]string{"Host", "[::1]:8025"}, 200},
		{[]string{"Host", "evil.example:8025"}, 403},
		{[]string{"Host", "localhost.evil.example"}, 403},
		{[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"}, 200},
		{[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{[]string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},
		{[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		{[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
	} {
		if status, _, _ := get(t, url+"/messages", tt.header...); status != tt.want {
			t.Errorf("%q: %d, want %d", tt.header, status, tt.want)
		}
	}
}

func TestBound(t *testing.T) {
	dir := t.TempDir()
	box := open(t, dir)
	old := time.Now().Add(-time.Hour)
	for i := range 505 {
		m := send(t, box, notify.Mail{Subject: fmt.Sprint("n", i)})
		name := filepath.Join(dir, m.ID.String()+".eml")
		if err := os.Chtimes(name, old, old.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	send(t, box, notify.Mail{Subject: "last"})
	list := messages(t, httptestURL(t, box)+"/messages")
	if len(list) != 500 || list[0].Subject != "last" || list[499].Subject != "n6" {
		t.Errorf("%d mails, from %s to %s", len(list), list[0].Subject, list[len(list)-1].Subject)
	}
}

// Files that are no mails are nobody's trouble.
func TestBrokenFiles(t *testing.T) {
	dir := t.TempDir()
	box := open(t, dir)
	send(t, box, notify.Mail{Subject: "whole"})
	for _, text := range []string{"", "no header", "Subject: x\r\n\r\n", "Content-Type: multipart/mixed\r\n\r\n--", "\xff\xfe"} {
		if err := os.WriteFile(filepath.Join(dir, uuid.NewString()+".eml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, uuid.NewString()+".eml"), 0o700); err != nil {
		t.Fatal(err)
	}
	list := messages(t, httptestURL(t, box)+"/messages")
	if len(list) < 1 || len(list) > 4 {
		t.Errorf("%+v", list)
	}
}

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- open(t, t.TempDir()).Serve(ctx, l) }()
	if status, _, _ := get(t, "http://"+l.Addr().String()); status != http.StatusOK {
		t.Errorf("%d", status)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mailbox.Open(filepath.Join(file, "mail"), email.Writer{}); err == nil {
		t.Error("a folder in a file")
	}
}
