package slapd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/sealdock/sealdock/internal/testkit/pki"
)

// Names and passwords of the small agency.
const (
	Base         = "dc=metro,dc=example"
	People       = "ou=people," + Base
	Groups       = "ou=groups," + Base
	Searcher     = "cn=searcher," + Base
	SearcherPass = "only reads people"
	Password     = "harbour anvil thistle nine" // of everybody

	manager     = "cn=manager," + Base
	managerPass = "may do everything"
)

// Server is a running OpenLDAP server.
type Server struct {
	LDAPS, LDAP  string // addresses; the second wants StartTLS
	Authority    string // file with the CA of its certificate
	PasswordFile string // of the account Searcher

	trust *tls.Config
	dir   string
	stop  func()
}

// Start starts a server that stops at the end of the test t.
func Start(t testing.TB) *Server {
	t.Helper()
	program := look("slapd")
	if program == "" {
		t.Skip("OpenLDAP is not installed, so that nothing was tested against it: apt-get install slapd")
	}
	s := &Server{dir: t.TempDir()}
	authority := pki.NewAuthority(t)
	certificate := authority.Server(t, "localhost", "127.0.0.1")
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	s.Authority, s.PasswordFile = filepath.Join(s.dir, "ca.pem"), filepath.Join(s.dir, "searcher")
	s.trust = &tls.Config{RootCAs: authority.Pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	for path, text := range map[string][]byte{
		s.Authority:                      pemOf("CERTIFICATE", certificate.Certificate[len(certificate.Certificate)-1]),
		s.PasswordFile:                   []byte(SearcherPass + "\n"),
		filepath.Join(s.dir, "cert.pem"): pemOf("CERTIFICATE", certificate.Certificate[0]),
		filepath.Join(s.dir, "key.pem"):  pemOf("PRIVATE KEY", key),
		filepath.Join(s.dir, "conf"):     fmt.Appendf(nil, configuration, s.dir),
		filepath.Join(s.dir, "ldif"):     []byte(entries()),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	add := exec.Command(look("slapadd"), "-f", filepath.Join(s.dir, "conf"), "-l", filepath.Join(s.dir, "ldif"), "-q")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	s.LDAPS, s.LDAP = fmt.Sprintf("ldaps://127.0.0.1:%d", freePort(t)), fmt.Sprintf("ldap://127.0.0.1:%d", freePort(t))
	s.Restart(t)
	s.Do(t, func(c *ldap.Conn) error {
		for dn, members := range groups() {
			r := ldap.NewAddRequest(dn, nil)
			r.Attribute("objectClass", []string{"groupOfNames"})
			r.Attribute("member", members)
			if err := c.Add(r); err != nil {
				return err
			}
		}
		return nil
	})
	return s
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// look finds a program where Debian puts it, which is not in everybody's PATH.
func look(program string) string {
	for _, name := range []string{program, "/usr/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Restart starts a server that was stopped, at the same addresses.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	var output bytes.Buffer
	server := exec.Command(look("slapd"), "-f", filepath.Join(s.dir, "conf"), "-h", s.LDAPS+"/ "+s.LDAP+"/", "-d", "0")
	server.Stdout, server.Stderr = &output, &output
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	s.stop = func() {
		if !stopped {
			stopped = true
			server.Process.Kill()
			server.Wait()
		}
	}
	t.Cleanup(s.stop)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		c, err := ldap.DialURL(s.LDAPS, ldap.DialWithTLSConfig(s.trust))
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-ctx.Done():
			s.stop()
			t.Fatalf("starting slapd: %v\n%s", err, output.Bytes())
		case <-again.C:
		}
	}
}

// Stop makes the server unreachable until Restart.
func (s *Server) Stop() { s.stop() }

// Do changes the directory, as whoever may change all of it.
func (s *Server) Do(t testing.TB, change func(*ldap.Conn) error) {
	t.Helper()
	c, err := ldap.DialURL(s.LDAPS, ldap.DialWithTLSConfig(s.trust))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(manager, managerPass); err != nil {
		t.Fatal(err)
	}
	if err := change(c); err != nil {
		t.Fatal(err)
	}
}

// Set replaces an attribute of an entry; no values take it away.
func (s *Server) Set(t testing.TB, dn, attribute string, values ...string) {
	t.Helper()
	s.Do(t, func(c *ldap.Conn) error {
		r := ldap.NewModifyRequest(dn, nil)
		r.Replace(attribute, values)
		return c.Modify(r)
	})
}
