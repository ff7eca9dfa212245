package push_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/push"
)

// browser is a push service, and the one browser that it serves.
type browser struct {
	*httptest.Server
	key  *ecdh.PrivateKey
	auth []byte

	mu     sync.Mutex
	status int
	header http.Header
	got    []received
}

type received struct {
	http.Header
	body []byte
}

func open(t *testing.T) *browser {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{key: key, auth: make([]byte, 16), status: http.StatusCreated}
	_, _ = rand.Read(b.auth)
	b.Server = httptest.NewTLSServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *browser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, received{r.Header, body})
	for name, values := range b.header {
		w.Header()[name] = values
	}
	w.WriteHeader(b.status)
}

func (b *browser) answer(status int, header http.Header) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status, b.header = status, header
}

func (b *browser) last(t *testing.T) received {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.got) == 0 {
		t.Fatal("nothing was pushed")
	}
	return b.got[len(b.got)-1]
}

func (b *browser) subscription() notify.Subscription {
	text := base64.RawURLEncoding.EncodeToString
	return notify.Subscription{ID: "phone", Endpoint: b.URL + "/send/a", P256DH: text(b.key.PublicKey().Bytes()), Auth: text(b.auth)}
}

// decrypt reads a message as RFC 8291, 3.4, says, and RFC 8188.
func (b *browser) decrypt(t *testing.T, body []byte) []byte {
	t.Helper()
	salt, size, keyLen := body[:16], binary.BigEndian.Uint32(body[16:20]), int(body[20])
	public, sealed := body[21:21+keyLen], body[21+keyLen:]
	if len(body) > 4096 || size > 4096 || len(sealed) > int(size) {
		t.Fatalf("%d bytes with records of %d: push services take 4096", len(body), size)
	}
	sender, err := ecdh.P256().NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := b.key.ECDH(sender)
	if err != nil {
		t.Fatal(err)
	}
	derive := func(secret, salt []byte, info string, n int) []byte {
		key, err := hkdf.Key(sha256.New, secret, salt, info, n)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	ikm := derive(shared, b.auth, "WebPush: info\x00"+string(b.key.PublicKey().Bytes())+string(public), 32)
	block, err := aes.NewCipher(derive(ikm, salt, "Content-Encoding: aes128gcm\x00", 16))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gcm.Open(nil, derive(ikm, salt, "Content-Encoding: nonce\x00", 12), sealed, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain = bytes.TrimRight(plain, "\x00")
	if len(plain) == 0 || plain[len(plain)-1] != 2 {
		t.Fatal("this is not the last record")
	}
	return plain[:len(plain)-1]
}

func newPusher(t *testing.T, client *http.Client) *push.Pusher {
	t.Helper()
	p, err := push.New(bytes.Repeat([]byte{7}, 32), push.Options{Contact: "ops@example.org", Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func message() notify.Message {
	return notify.Message{ID: uuid.MustParse("01900000-0000-7000-8000-000000000001"), Title: "Reminder: “Seeds”", Body: "Now.", Link: "/notes/1", Category: notify.Reminder}
}

func TestPush(t *testing.T) {
	b := open(t)
	p := newPusher(t, b.Client())
	if err := p.Push(t.Context(), b.subscription(), message()); err != nil {
		t.Fatal(err)
	}
	got := b.last(t)
	want := `{"id":"01900000-0000-7000-8000-000000000001","title":"Reminder: “Seeds”","body":"Now.","link":"/notes/1"}`
	if text := string(b.decrypt(t, got.body)); text != want {
		t.Errorf("the browser reads %s", text)
	}
	for name, want := range map[string]string{"Ttl": "86400", "Urgency": "high", "Topic": "AZAAAAAAcACAAAAAAAAAAQ", "Content-Encoding": "aes128gcm"} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
	verifyVAPID(t, got.Get("Authorization"), p.PublicKey(), b.URL)
}

// verifyVAPID checks what a push service does (RFC 8292).
func verifyVAPID(t *testing.T, header, public, origin string) {
	t.Helper()
	token, key, ok := strings.Cut(strings.TrimPrefix(header, "vapid t="), ", k=")
	if !ok || key != public {
		t.Fatalf("Authorization is %q, the key %q", header, public)
	}
	point, err := base64.RawURLEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	verifies, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := parsed.Claims(verifies, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Subject != "mailto:ops@example.org" || !claims.Audience.Contains(origin) || time.Until(claims.Expiry.Time()) > 24*time.Hour || time.Until(claims.Expiry.Time()) < time.Hour {
		t.Errorf("claims %+v", claims)
	}
}

func TestKeys(t *testing.T) {
	a, b := newPusher(t, nil), newPusher(t, nil)
	if a.PublicKey() != b.PublicKey() || len(a.PublicKey()) != 87 {
		t.Errorf("%q and %q of one secret", a.PublicKey(), b.PublicKey())
	}
	for _, none := range [][]byte{bytes.Repeat([]byte{0xff}, 32), make([]byte, 32)} { // no scalars of P-256
		if p, err := push.New(none, push.Options{}); err != nil || len(p.PublicKey()) != 87 {
			t.Errorf("%v", err)
		}
	}
	if _, err := push.New(make([]byte, 31), push.Options{}); err == nil {
		t.Error("a short secret")
	}
}

func TestLongMessages(t *testing.T) {
	b := open(t)
	p := newPusher(t, b.Client())
	for _, body := range []string{strings.Repeat("x", 2000), strings.Repeat("é", 2000), strings.Repeat("\x01", 2000), strings.Repeat("漢", 5000)} {
		m := message()
		m.Title, m.Body = strings.Repeat("漢", 200), body
		if err := p.Push(t.Context(), b.subscription(), m); err != nil {
			t.Fatal(err)
		}
		text := b.decrypt(t, b.last(t).body)
		var read notify.Message
		if err := json.Unmarshal(text, &read); err != nil || len(text) > 3<<10 || read.Title != m.Title || read.ID != m.ID {
			t.Errorf("%d bytes, %v", len(text), err)
		}
		if cut := strings.TrimSuffix(read.Body, "…"); !strings.HasPrefix(body, cut) || len(cut) < 300 {
			t.Errorf("%d bytes are left of a body of %d", len(cut), len(body))
		}
	}
}

func TestAnswers(t *testing.T) {
	b := open(t)
	p := newPusher(t, b.Client())
	for _, tt := range []struct {
		status int
		after  string
		final  bool
		wait   time.Duration
	}{
		{429, "120", false, 2 * time.Minute},
		{500, "", false, 0},
		{503, "7", false, 7 * time.Second},
		{503, "99999999", false, 6 * time.Hour},
		{400, "", true, 0},
		{403, "", true, 0},
		{413, "", true, 0},
		{302, "", true, 0},
	} {
		b.answer(tt.status, http.Header{"Retry-After": {tt.after}, "Location": {"https://example.org"}})
		trouble, ok := errors.AsType[*notify.Trouble](p.Push(t.Context(), b.subscription(), message()))
		if !ok || trouble.Final != tt.final || trouble.After != tt.wait {
			t.Errorf("%d: %+v", tt.status, trouble)
		}
	}
	for _, gone := range []int{404, 410} {
		b.answer(gone, nil)
		if err := p.Push(t.Context(), b.subscription(), message()); !errors.Is(err, notify.ErrUnsubscribed) {
			t.Errorf("%d: %v", gone, err)
		}
	}
	b.Close()
	if trouble, ok := errors.AsType[*notify.Trouble](p.Push(t.Context(), b.subscription(), message())); !ok || trouble.Final {
		t.Errorf("away: %+v", trouble)
	}
}

// A browser's endpoint is no way into our own network.
func TestPrivateEndpoints(t *testing.T) {
	b := open(t)
	p := newPusher(t, nil)
	for _, endpoint := range []string{b.URL, strings.Replace(b.URL, "127.0.0.1", "localhost", 1), "https://[::1]:1/", "https://10.0.0.1/", "https://169.254.169.254/", "https://[::ffff:127.0.0.1]:1/", "https://0.0.0.0:1/"} {
		to := b.subscription()
		to.Endpoint = endpoint
		trouble, ok := errors.AsType[*notify.Trouble](p.Push(t.Context(), to, message()))
		if !ok || !trouble.Final || strings.Contains(trouble.Reason, "127.0.0.1") {
			t.Errorf("%s: %+v", endpoint, trouble)
		}
	}
	if len(b.got) > 0 {
		t.Error("it was reached")
	}
}

// The endpoint is in no error: who reads it in a log could push.
func TestEndpointStaysSecret(t *testing.T) {
	b := open(t)
	reaches, outside := newPusher(t, b.Client()), newPusher(t, nil)
	b.Close()
	for endpoint, p := range map[string]*push.Pusher{
		b.URL + "/send/secret":                  reaches,
		b.URL + "/secret?secret=secret":         outside,
		"https://push.example/secret%zz":        outside,
		"https://push.example/secret\x7f":       outside,
		"https://push.example:secret/secret":    outside,
		"ftp://push.example/secret":             outside,
		"https://unknown.invalid/send/a/secret": outside,
	} {
		to := b.subscription()
		to.Endpoint = endpoint
		if err := p.Push(t.Context(), to, message()); err == nil || strings.Contains(err.Error(), "/secret") {
			t.Errorf("%v", err)
		}
	}
}

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "193.0.6.139": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "::1": false, "0.0.0.0": false, "::": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "192.0.0.1": false, "198.18.0.1": false, "240.0.0.1": false, "255.255.255.255": false, "224.0.0.1": false, "0.1.2.3": false,
		"fc00::1": false, "fd12::1": false, "fe80::1": false, "fec0::1": false, "ff02::1": false, "::ffff:10.0.0.1": false, "::10.0.0.1": false,
		"64:ff9b::a00:1": false, "64:ff9b:1::1": false, "2002:a00:1::": false, "2001::1": false, "2001:db8::1": false, "fe80::1%eth0": false, "8.8.8.8.": false,
	} {
		a, err := netip.ParseAddr(text)
		if got := err == nil && push.Public(a); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2031, 5, 1, 8, 0, 0, 0, time.UTC)
	f.Add("120")
	f.Add("Thu, 01 May 2031 08:02:00 GMT")
	f.Add("-1")
	f.Add("Thu, 01 May 1031 08:02:00 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		if d := push.RetryAfter(text, now); d < 0 || d > 6*time.Hour {
			t.Errorf("%q is %s", text, d)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2031, 5, 1, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{"": 0, "0": 0, "120": 2 * time.Minute, "soon": 0, "Thu, 01 May 2031 08:02:00 GMT": 2 * time.Minute, "Thu, 01 May 2031 07:00:00 GMT": 0} {
		if got := push.RetryAfter(text, now); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
