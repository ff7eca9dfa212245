package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/server"
)

// authority signs the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	life time.Duration // of the certificates it signs
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
	a := authority{key: newKey(t), pool: x509.NewCertPool(), life: time.Hour}
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
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(a.life),
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

// write puts a new pair into two files.
func (a authority) write(t *testing.T, serial int64, chainFile, keyFile string) {
	t.Helper()
	chain, key := a.pair(t, serial)
	replace(t, chainFile, chain)
	replace(t, keyFile, key)
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
	s.write(t, 10, s.chain, s.key)
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
	s.write(t, 11, s.chain, s.key)
	s.shows(t, 11)
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
