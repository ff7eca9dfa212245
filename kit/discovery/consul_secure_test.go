package discovery_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/kit/sd"
	"github.com/google/uuid"
	"github.com/hashicorp/consul/api"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/testenv"
)

// policy is what a service may do: be one of its own, and see all others.
const policy = `
service "notes" { policy = "write" }
service_prefix "" { policy = "read" }
node_prefix "" { policy = "read" }
agent_prefix "" { policy = "read" }
`

// withPolicy returns an agent that denies what isn't allowed, a client that
// may do all, and a token with that policy.
func withPolicy(t testing.TB) (agent *testenv.Server, all *api.Client, token string) {
	t.Helper()
	master := uuid.NewString()
	agent = testenv.Consul(t, testenv.ConsulACL(master))
	all, err := api.NewClient(&api.Config{Address: agent.Addr, Token: master})
	must(t, err)
	p, _, err := all.ACL().PolicyCreate(&api.ACLPolicy{Name: "notes", Rules: policy}, nil)
	must(t, err)
	made, _, err := all.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLTokenPolicyLink{{ID: p.ID}}}, nil)
	must(t, err)
	return agent, all, made.SecretID
}

// said is a log that tests read.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) contains(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text)
}

func TestConsulToken(t *testing.T) {
	t.Parallel()
	agent, all, token := withPolicy(t)
	with := func(token string, log *said) *discovery.Consul {
		r, err := discovery.NewConsul(&api.Config{Address: agent.Addr, Token: token}, logTo(log))
		must(t, err)
		t.Cleanup(func() { r.Close() })
		return r
	}
	may := with(token, new(said))
	notes := start(t, "notes", ok, discovery.Gateway)
	leave := join(t, may, notes.Instance)
	w, catalog := watch(t, may.Instancer("notes")), watch(t, may.Catalog())
	w.wants(t, notes.Addr)
	catalog.wants(t, "notes")
	if _, err := may.Register(t.Context(), start(t, "auth", ok).Instance); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("registers a service it may not: %v", err)
	}

	for name, token := range map[string]string{"no token": "", "an unknown token": uuid.NewString()} {
		log := new(said)
		r := with(token, log)
		if _, err := r.Register(t.Context(), notes.Instance); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("%s: registers: %v", name, err)
		}
		watch(t, r.Instancer("notes")).until(t, func(e sd.Event) bool { return e.Err != nil && len(e.Instances) == 0 })
		testenv.Eventually(t, name+": the log says why", func() bool {
			return log.contains("watch=notes") && (log.contains("set CONSUL_HTTP_TOKEN") || log.contains("ACL not found"))
		})
	}
	leave()
	w.wants(t)

	// A token that is taken away is no reason to believe that nobody is there.
	join(t, may, notes.Instance)
	w.wants(t, notes.Addr)
	tokens, _, err := all.ACL().TokenList(nil)
	must(t, err)
	for _, one := range tokens {
		if one.SecretID == token {
			_, err := all.ACL().TokenDelete(one.AccessorID, nil)
			must(t, err)
		}
	}
	must(t, all.Agent().ServiceDeregister("notes-"+notes.Addr))
	testenv.Eventually(t, "the agent has forgotten it", func() bool { return passing(all, "notes") == 0 })
	watch(t, may.Instancer("notes")).wants(t, notes.Addr)
	w.nothing(t)
}

// The token comes from Consul's own variable.
func TestOpenWithToken(t *testing.T) {
	agent, _, token := withPolicy(t)
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
	for name, value := range map[string]string{"CONSUL_HTTP_TOKEN": token, "CONSUL_HTTP_TOKEN_FILE": file} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			r := open(t, agent.URL)
			i := start(t, "notes", ok)
			leave := join(t, r, i.Instance)
			watch(t, r.Instancer("notes")).wants(t, i.Addr)
			leave()
		})
	}
}

// authority makes a certificate authority, and one for 127.0.0.1 by it.
func authority(t testing.TB) (ca, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	parent := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, parent, parent, caKey.Public(), caKey)
	must(t, err)
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "consul"},
		NotBefore: parent.NotBefore, NotAfter: parent.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, own.Public(), caKey)
	must(t, err)
	ownDER, err := x509.MarshalPKCS8PrivateKey(own)
	must(t, err)
	return write("ca.pem", "CERTIFICATE", caDER), write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", ownDER)
}

func TestConsulOverTLS(t *testing.T) {
	t.Parallel()
	ca, cert, key := authority(t)
	agent := testenv.Consul(t, testenv.ConsulTLS(cert, key))
	r := open(t, agent.URL+"?ca="+ca)
	i := start(t, "notes", ok)
	leave := join(t, r, i.Instance)
	w := watch(t, r.Instancer("notes"))
	w.wants(t, i.Addr)
	leave()
	w.wants(t)

	wrong, _, _ := authority(t)
	for name, url := range map[string]string{"another authority": agent.URL + "?ca=" + wrong, "those of the system": agent.URL} {
		unknown := func(err error) bool {
			_, ok := errors.AsType[x509.UnknownAuthorityError](err)
			return ok || err != nil && strings.Contains(err.Error(), "certificate")
		}
		watch(t, open(t, url).Instancer("notes")).until(t, func(e sd.Event) bool { return unknown(e.Err) })
		t.Log(name, "is refused")
	}
	plain := fmt.Sprintf("consul://%s", agent.Addr)
	watch(t, open(t, plain).Instancer("notes")).until(t, func(e sd.Event) bool { return e.Err != nil })
}
