package bao

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const startTime = time.Minute

// OpenBao starts OpenBao itself, on storage in memory. Where there is none the test is
// skipped.
func OpenBao(t testing.TB) *Server {
	t.Helper()
	program := os.Getenv("SEALDOCK_BAO")
	if program == "" {
		var err error
		if program, err = exec.LookPath("bao"); err != nil {
			t.Skip("OpenBao is missing: there is no program bao in the path, and SEALDOCK_BAO names none")
		}
	}
	s, authority := newServer(t)
	dir := t.TempDir()
	certificate := authority.Server(t, "127.0.0.1")
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "server.pem"), "CERTIFICATE", certificate.Certificate[0])
	write(t, filepath.Join(dir, "server.key"), "PRIVATE KEY", key)
	address := free(t)
	s.URL = "https://" + address
	config := fmt.Sprintf(`{"storage":{"inmem":{}},"disable_mlock":true,"api_addr":%[1]q,"listener":{"tcp":{"address":%[2]q,"tls_cert_file":%[3]q,"tls_key_file":%[4]q}}}`,
		s.URL, address, filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	path := filepath.Join(dir, "config.json")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	said := &output{begun: make(chan struct{})}
	cmd := exec.Command(program, "server", "-config", path)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Env = append(os.Environ(), "GODEBUG=") // its cryptography is its own affair, not that of a FIPS mode in which this test runs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait() // its exit code is that of a killed program
		close(ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	select {
	case <-said.begun:
	case <-ended:
		t.Fatalf("OpenBao ended:\n%s", said)
	case <-time.After(startTime):
		t.Fatalf("OpenBao does not come up:\n%s", said)
	}
	s.initialise(t)
	return s
}

// initialise makes the unseal key and the root token, unseals, and enables the engine.
func (s *Server) initialise(t testing.TB) {
	t.Helper()
	var made struct {
		Keys []string `json:"keys"`
		Root string   `json:"root_token"`
	}
	s.Do(t, "sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1}, &made)
	if len(made.Keys) != 1 {
		t.Fatalf("OpenBao made %d unseal keys", len(made.Keys))
	}
	s.unsealKey, s.Root = made.Keys[0], made.Root
	s.Unseal(t)
	s.Do(t, "sys/mounts/"+Mount, map[string]any{"type": "transit"}, nil)
}

// free is an address on which nobody listens.
func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// output keeps what the program writes; begun is closed when it says that it listens.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	once  sync.Once
	begun chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if strings.Contains(o.text.String(), "server started!") {
		o.once.Do(func() { close(o.begun) })
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
