package directory

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// The refusals that callers tell apart.
var (
	// ErrRefused: the directory does not let this person in: no such name, a wrong
	// password, a token that does not hold.
	ErrRefused = errors.New("the directory refused it")
	// ErrGone: the person is no longer in the directory, or was disabled there.
	ErrGone = errors.New("the directory no longer has this person, or has disabled them")
	// ErrUnavailable: the directory did not answer, or not as it should.
	ErrUnavailable = errors.New("the directory does not answer")
)

// Person is somebody of the directory, as it described them.
type Person struct {
	ID     string   // theirs for good, whatever they are called
	Login  string   // as the directory has it
	Name   string   // for people to read
	Groups []string // names, and for LDAP full names too; see RoleOf
	// Provisioned is the id that provisioning (SCIM) gives the person as externalId:
	// for LDAP the ID, for OpenID Connect a claim; "": none.
	Provisioned string

	// The rest is of OpenID Connect alone.

	Factor  bool      // the provider says that a second factor was shown, and is trusted with that
	ShownAt time.Time // when the person last showed there who they are; zero: not told
	Refresh string    // with which Again asks; secret, may be empty
}

// The bounds of what a directory may tell of a person.
const (
	maxText   = 512
	maxGroups = 4096
)

// check makes what the directory told fit for use, or says what is wrong with it.
func (p *Person) check() error {
	if p.ID == "" || len(p.ID) > maxText || !printable(p.ID) {
		return fmt.Errorf("%w: it gave no usable id of the person", ErrUnavailable)
	}
	if p.Login = strings.TrimSpace(p.Login); p.Login == "" || len(p.Login) > maxText || !printable(p.Login) {
		return fmt.Errorf("%w: it gave no usable sign-in name of the person", ErrUnavailable)
	}
	if p.Name = strings.TrimSpace(p.Name); p.Name == "" || len(p.Name) > 200 || !printable(p.Name) {
		p.Name = p.Login
	}
	if len(p.Provisioned) > maxText || !printable(p.Provisioned) {
		p.Provisioned = ""
	}
	if len(p.Groups) > maxGroups {
		return fmt.Errorf("%w: it gave more than %d groups of one person", ErrUnavailable, maxGroups)
	}
	return nil
}

func printable(s string) bool {
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// tlsTo is how every peer of this package is spoken to. authority is a file with
// CA certificates in PEM; "" means those that this machine trusts.
func tlsTo(authority string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if authority == "" {
		return c, nil
	}
	text, err := os.ReadFile(authority)
	if err != nil {
		return nil, fmt.Errorf("reading the directory's authority: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("reading the directory's authority: %s holds no certificate in PEM", authority)
	}
	return c, nil
}

// secretFile reads a secret of one line.
func secretFile(what, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", what, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", what, err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("reading %s: everybody on this machine can read %s: run chmod o= on it", what, path)
	}
	b := make([]byte, 4097)
	n, err := f.Read(b)
	if n == 0 || n > 4096 {
		return "", errors.Join(fmt.Errorf("reading %s: %s is empty or longer than 4096 bytes", what, path), err)
	}
	secret := strings.TrimRight(string(b[:n]), "\r\n")
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("reading %s: %s must hold it in one line", what, path)
	}
	return secret, nil
}
