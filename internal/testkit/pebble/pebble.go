// Package pebble gives tests an ACME server that is not ours: Pebble, of the authors of
// Let's Encrypt, with its own DNS server, which answers 127.0.0.1 for every name. Both
// listen on 127.0.0.1 until the test ends.
//
// It is for tests only. scripts/setup installs the programs, in one pinned version; a
// test that wants them is skipped where they are not, and says so.
package pebble

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/pki"
)

// Options say how the server is to be.
type Options struct {
	HTTP, TLS int           // ports of 127.0.0.1 at which names are checked
	Life      time.Duration // of certificates
	KeyID     string        // of the one account that it knows; "": everybody gets one
	KeyMAC    string        // base64url
}

// Server is a running Pebble.
type Server struct {
	Directory string         // address of its directory
	Authority string         // file: PEM of the CA that its own certificate is from
	Issuers   *x509.CertPool // its root, to which what it issues leads
}

// Start starts Pebble and its DNS server.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	dir := t.TempDir()
	authority := pki.NewAuthority(t)
	own := authority.Server(t, "127.0.0.1")
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	must(t, err)
	s := &Server{Authority: filepath.Join(dir, "ca.pem"), Issuers: x509.NewCertPool()}
	write(t, s.Authority, "CERTIFICATE", authority.Certificate.Raw)
	write(t, filepath.Join(dir, "cert.pem"), "CERTIFICATE", own.Certificate[0])
	write(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", key)
	listen, manage, dns, challenges := Port(t), Port(t), Port(t), Port(t)
	config := map[string]any{
		"listenAddress": at(listen), "managementListenAddress": at(manage), "certificate": filepath.Join(dir, "cert.pem"), "privateKey": filepath.Join(dir, "key.pem"),
		"httpPort": o.HTTP, "tlsPort": o.TLS, "keyAlgorithm": "ecdsa", "retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{"default": map[string]any{"description": "for tests", "validityPeriod": int(o.Life / time.Second)}},
	}
	if o.KeyID != "" {
		config["externalAccountBindingRequired"], config["externalAccountMACKeys"] = true, map[string]string{o.KeyID: o.KeyMAC}
	}
	text, err := json.Marshal(map[string]any{"pebble": config})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "pebble.json"), text, 0o600))
	run(t, "pebble-challtestsrv", "-dnsserver", at(dns), "-management", at(challenges), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
	run(t, "pebble", "-config", filepath.Join(dir, "pebble.json"), "-dnsserver", at(dns), "-strict")
	s.Directory = "https://" + at(listen) + "/dir"
	s.await(t, authority.Pool(), "https://"+at(manage)+"/roots/0")
	return s
}

// await waits for both addresses, and takes the root.
func (s *Server) await(t testing.TB, pool *x509.CertPool, root string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	tick, deadline := time.NewTicker(20*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for {
		if text := get(client, root); s.Issuers.AppendCertsFromPEM(text) && get(client, s.Directory) != nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("Pebble does not answer")
		}
	}
}

func get(client *http.Client, address string) []byte {
	answer, err := client.Get(address)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil
	}
	return text
}

// run starts one of Pebble's programs.
func run(t testing.TB, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		out, err := exec.Command("go", "env", "GOPATH").Output()
		must(t, err)
		path = filepath.Join(strings.TrimSpace(string(out)), "bin", name)
		if _, err := os.Stat(path); err != nil {
			t.Skip("Pebble is not installed, so that nothing was tested against an ACME server: make setup")
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, path, args...)
	command.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "GODEBUG=") // the FIPS modes are ours, not its
	if err := command.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); command.Wait() })
}

// Port returns a port of 127.0.0.1 that is free at the moment.
func Port(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func at(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

func write(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
