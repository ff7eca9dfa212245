package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/server"
)

// authority signs the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{key: newKey(t), pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// pair is a new certificate with a serial number, and its key, in PEM.
func (a authority) pair(t *testing.T, serial int64) (chain, key []byte) {
	t.Helper()
	private := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// secured is a service that speaks TLS.
type secured struct {
	authority
	addr       string
	chain, key string // files
}

func replace(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func serveTLS(t *testing.T, h http.HandlerFunc) secured {
	t.Helper()
	dir := t.TempDir()
	s := secured{authority: newAuthority(t), chain: filepath.Join(dir, "chain.pem"), key: filepath.Join(dir, "key.pem")}
	chain, key := s.pair(t, 10)
	replace(t, s.chain, chain)
	replace(t, s.key, key)
	name := "tls" + strings.ToLower(rand.Text())
	r := run(t, server.New(server.App{Name: name, Addr: "127.0.0.1:0"}, func(_ context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
		return h, env.ServeTLS(s.chain, s.key)
	}))
	var ok bool
	if s.addr, ok = strings.CutPrefix(r.urls[name], "https://"); !ok {
		t.Fatalf("it says that it is at %q", r.urls[name])
	}
	return s
}

func (s secured) dial(t *testing.T, config *tls.Config) *tls.Conn {
	t.Helper()
	config.RootCAs = s.pool
	conn, err := tls.Dial("tcp", s.addr, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (s secured) client(t *testing.T, h2 bool) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.pool}, ForceAttemptHTTP2: h2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: soon}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s, TLS %t: %s", r.Proto, r.TLS != nil && r.TLS.HandshakeComplete, body)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := serveTLS(t, echo)
	for _, tt := range []struct {
		h2   bool
		want string
	}{{false, "HTTP/1.1, TLS true: hi"}, {true, "HTTP/2.0, TLS true: hi"}} {
		client := s.client(t, tt.h2)
		for range 3 {
			res, err := client.Post("https://"+s.addr, "text/plain", strings.NewReader("hi"))
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if string(text) != tt.want {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		}
	}
	if _, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

// The guard stands above TLS as it does without it.
func TestTLSGuarded(t *testing.T) {
	t.Parallel()
	s := serveTLS(t, echo)
	conn := s.dial(t, &tls.Config{})
	send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	text, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(text), "HTTP/1.1 400 ") || !strings.Contains(string(text), "ambiguous_framing") {
		t.Errorf("answered %q", text)
	}
}

// serial is that of the certificate which the service shows now.
func (s secured) serial(t *testing.T) int64 {
	conn, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.pool})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func (s secured) shows(t *testing.T, want int64) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(soon); s.serial(t) != want; <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("certificate %d is not shown", want)
		}
	}
}

func TestTLSReload(t *testing.T) {
	t.Parallel()
	s := serveTLS(t, echo)
	s.shows(t, 10)
	chain, key := s.pair(t, 11)
	replace(t, s.chain, chain)
	replace(t, s.key, key)
	s.shows(t, 11)

	wrong, _ := s.pair(t, 12)
	replace(t, s.chain, wrong) // and the key is another's
	last, lastKey := s.pair(t, 13)
	for range 3 {
		if n := s.serial(t); n != 11 {
			t.Fatalf("certificate %d is shown, whose key isn't there", n)
		}
	}
	if err := os.Remove(s.key); err != nil {
		t.Fatal(err)
	}
	if n := s.serial(t); n != 11 {
		t.Fatalf("certificate %d is shown without a key", n)
	}
	replace(t, s.key, lastKey)
	replace(t, s.chain, last)
	s.shows(t, 13)
}

func TestTLSWrongFiles(t *testing.T) {
	t.Parallel()
	dir, a := t.TempDir(), newAuthority(t)
	chain, _ := a.pair(t, 1)
	_, key := a.pair(t, 2)
	file := func(name string, text []byte) string {
		replace(t, filepath.Join(dir, name), text)
		return filepath.Join(dir, name)
	}
	for name, files := range map[string][2]string{
		"missing":       {filepath.Join(dir, "no"), filepath.Join(dir, "no")},
		"another's key": {file("chain", chain), file("key", key)},
		"no PEM":        {file("text", []byte("text")), file("key2", key)},
	} {
		t.Run(name, func(t *testing.T) {
			app := server.New(server.App{Name: "x" + strings.ToLower(rand.Text()), Addr: "127.0.0.1:0"}, func(_ context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
				return http.NotFoundHandler(), env.ServeTLS(files[0], files[1])
			})
			if err := server.Run(t.Context(), io.Discard, app); err == nil || !strings.Contains(err.Error(), files[0]) {
				t.Errorf("it starts, or does not say which file is wrong: %v", err)
			}
		})
	}
}

// Who opens connections and says nothing keeps nobody out.
func TestTLSSilentClients(t *testing.T) {
	t.Parallel()
	s := serveTLS(t, echo)
	for range 100 {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	res, err := s.client(t, true).Get("https://" + s.addr)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}

// frame is a frame of HTTP/2 (RFC 9113, 4.1).
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

const (
	headersFrame, resetFrame, settingsFrame, continuationFrame = 1, 3, 4, 9

	endStream, endHeaders = 1, 4
)

// request is the header of GET / in HPACK, from the static table but for the host.
var request = append([]byte{0x82, 0x87, 0x84, 0x41, 1}, 'x')

func (s secured) http2(t *testing.T) *tls.Conn {
	t.Helper()
	conn := s.dial(t, &tls.Config{NextProtos: []string{"h2"}})
	if p := conn.ConnectionState().NegotiatedProtocol; p != "h2" {
		t.Fatalf("speaks %q", p)
	}
	send(t, conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	send(t, conn, string(frame(settingsFrame, 0, 0, nil)))
	return conn
}

// Streams that are opened and reset at once (CVE-2023-44487) run no more
// handlers than a client may have, and nobody else waits for them.
func TestRapidReset(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int64
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/other" {
			return
		}
		now := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		<-r.Context().Done()
	})
	conn := s.http2(t)
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	cancel := binary.BigEndian.AppendUint32(nil, 8)
	for i := range uint32(20_000) {
		b := append(frame(headersFrame, endStream|endHeaders, 2*i+1, request), frame(resetFrame, 0, 2*i+1, cancel)...)
		if _, err := conn.Write(b); err != nil {
			break // it was sent away
		}
	}
	res, err := s.client(t, true).Get("https://" + s.addr + "/other")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if n := most.Load(); n > 500 {
		t.Errorf("%d handlers ran for one connection", n)
	}
}

// A header that never ends (CVE-2023-45288) is not read for ever.
func TestContinuationFlood(t *testing.T) {
	t.Parallel()
	s := serveTLS(t, echo)
	conn := s.http2(t)
	gone := make(chan struct{})
	go func() { defer close(gone); _, _ = io.Copy(io.Discard, conn) }()
	send(t, conn, string(frame(headersFrame, endStream, 1, request)))
	field := append([]byte{0, 1, 'x', 100}, bytes.Repeat([]byte("v"), 100)...)
	more := frame(continuationFrame, 0, 1, bytes.Repeat(field, 150))
	sent := 0
	for sent < 256<<20 {
		n, err := conn.Write(more)
		if sent += n; err != nil {
			break
		}
	}
	if sent >= 256<<20 {
		t.Error("256 MB of one header were read")
	}
	<-gone
}

// A header larger than net/http is told to take ends the stream, not the server.
func TestTLSLargeHeader(t *testing.T) {
	t.Parallel()
	s := serveTLS(t, echo)
	for _, h2 := range []bool{false, true} {
		r, err := http.NewRequest(http.MethodGet, "https://"+s.addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X", strings.Repeat("x", 60<<10))
		res, err := s.client(t, h2).Do(r)
		if err != nil {
			continue // HTTP/2 may refuse before it is sent, or reset the stream
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("HTTP/2 %t: %s", h2, res.Status)
		}
	}
}
