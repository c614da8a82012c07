// Package tsa is a time-stamp authority for tests: openssl's, behind HTTP.
package tsa

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Authority signs whatever it is asked to, with openssl's clock.
type Authority struct {
	URL    string // takes POSTs of application/timestamp-query
	Roots  string // file: PEM of the CA that the authority's certificate is from
	Dir    string // tsa.pem, tsa.key, tsa.cnf, chain.pem
	Asked  atomic.Int64
	Mangle func(reply []byte) (int, []byte) // nil: as openssl wrote it

	mu sync.Mutex // one openssl at a time: it counts serial numbers in a file
}

const conf = `
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = %[1]s/serial
crypto_device = builtin
signer_cert = %[1]s/tsa.pem
signer_key = %[1]s/tsa.key
certs = %[1]s/ca.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 3
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
`

// Start makes an authority and serves it until the test ends.
func Start(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{Dir: t.TempDir()}
	a.Roots = filepath.Join(a.Dir, "ca.pem")
	write(t, filepath.Join(a.Dir, "tsa.cnf"), fmt.Sprintf(conf, a.Dir))
	write(t, filepath.Join(a.Dir, "serial"), "01\n")
	a.ca(t)
	a.Issue(t, "critical,timeStamping")
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

func (a *Authority) ca(t testing.TB) {
	a.openssl(t, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/O=Example Court/CN=Example Court Root",
		"-keyout", "ca.key", "-out", "ca.pem", "-addext", "keyUsage=critical,keyCertSign")
}

// Issue gives the authority a new certificate with that extended key usage.
func (a *Authority) Issue(t testing.TB, usage string) {
	t.Helper()
	write(t, filepath.Join(a.Dir, "ext.cnf"), "keyUsage=critical,digitalSignature\nextendedKeyUsage="+usage+"\n")
	a.openssl(t, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=Example Court/CN=Example Court Time Stamps", "-keyout", "tsa.key", "-out", "tsa.csr")
	a.openssl(t, "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650", "-extfile", "ext.cnf", "-out", "tsa.pem")
}

// ServeHTTP implements http.Handler.
func (a *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.Asked.Add(1)
	query, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "want a POST of application/timestamp-query", http.StatusBadRequest)
		return
	}
	reply, err := a.Reply(query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	code := http.StatusOK
	if a.Mangle != nil {
		code, reply = a.Mangle(reply)
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.WriteHeader(code)
	w.Write(reply)
}

// Reply answers one request.
func (a *Authority) Reply(query []byte) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	in, out := filepath.Join(a.Dir, "query"), filepath.Join(a.Dir, "reply")
	if err := os.WriteFile(in, query, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command("openssl", "ts", "-reply", "-config", filepath.Join(a.Dir, "tsa.cnf"), "-queryfile", in, "-out", out)
	if told, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("openssl ts -reply: %w: %s", err, told)
	}
	return os.ReadFile(out)
}

func (a *Authority) openssl(t testing.TB, args ...string) {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = a.Dir
	var told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &told, &told
	if err := cmd.Run(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, told.String())
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
