package simulate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Server is what all docks of a folder have pinned.
type Server struct {
	Agency    evidence.AgencyID `json:"agency"`
	Address   string            `json:"address"` // host:port for uploads
	Name      string            `json:"name"`    // that its certificate shows
	AgencyKey []byte            `json:"agency_key"`
	Trust     proof.Trust       `json:"trust"`
	Authority []byte            `json:"authority"` // certificate, DER
}

// Identity is one dock.
type Identity struct {
	Dock        evidence.DockID
	Station     evidence.StationID
	Certificate []byte // DER
	Key         *ecdsa.PrivateKey
	Statement   ed25519.PrivateKey
}

// entry is an Identity as the folder keeps it.
type entry struct {
	Dock        evidence.DockID    `json:"dock"`
	Station     evidence.StationID `json:"station"`
	Certificate []byte             `json:"certificate"`
	Key         []byte             `json:"key"`       // PKCS #8
	Statement   []byte             `json:"statement"` // Ed25519 seed
}

// Folder keeps identities in one file: a line for the server, then one for each
// dock. Add is safe for concurrent use.
type Folder struct {
	Server *Server // nil before the first dock
	Docks  []*Identity

	path string
	mu   sync.Mutex // guards the file, Server and Docks while docks are enrolled
}

// OpenFolder reads a folder, which it makes when it is not there.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for simulated docks: %w", err)
	}
	f := &Folder{path: filepath.Join(dir, "docks.jsonl")}
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading simulated docks: %w", err)
	}
	if whole := bytes.LastIndexByte(text, '\n') + 1; whole < len(text) {
		// A run that was killed has left half a line; its token is lost.
		text = text[:whole]
		if err := os.Truncate(f.path, int64(whole)); err != nil {
			return nil, fmt.Errorf("mending %s: %w", f.path, err)
		}
	}
	if err := f.read(text); err != nil {
		return nil, fmt.Errorf("reading %s: %w: delete it and enrol the docks again with new tokens", f.path, err)
	}
	return f, nil
}

func (f *Folder) read(text []byte) error {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if len(first) == 0 {
		return nil
	}
	var s Server
	if err := json.Unmarshal(first, &s); err != nil {
		return fmt.Errorf("line 1: %w", err)
	}
	if err := s.check(); err != nil {
		return fmt.Errorf("line 1: %w", err)
	}
	f.Server = &s
	number := 1
	for line := range bytes.Lines(rest) {
		number++
		d, err := parseIdentity(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		f.Docks = append(f.Docks, d)
	}
	return nil
}

func (s *Server) check() error {
	_, err := seal.ParsePublicKey(s.AgencyKey)
	_, err2 := x509.ParseCertificate(s.Authority)
	return errors.Join(err, err2, s.Trust.Check())
}

func parseIdentity(line []byte) (*Identity, error) {
	var e entry
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, err
	}
	if err := errors.Join(evidence.CheckName("dock", string(e.Dock)), evidence.CheckName("station", string(e.Station))); err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(e.Key)
	if err != nil {
		return nil, fmt.Errorf("key of dock %s: %w", e.Dock, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || len(e.Statement) != ed25519.SeedSize {
		return nil, fmt.Errorf("keys of dock %s are not of the right kind", e.Dock)
	}
	return &Identity{Dock: e.Dock, Station: e.Station, Certificate: e.Certificate, Key: key, Statement: ed25519.NewKeyFromSeed(e.Statement)}, nil
}

// add keeps a dock that was just enrolled.
func (f *Folder) add(e *enrol.Enrolment, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	server := &Server{Agency: e.Agency, Address: e.Server, Name: e.ServerName, AgencyKey: e.AgencyKeyBytes, Trust: e.Trust, Authority: e.Authority.Raw}
	d := &Identity{Dock: e.Dock, Station: e.Station, Certificate: e.Certificate.Raw, Key: key, Statement: e.StatementKey.Private()}
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines bytes.Buffer
	out := json.NewEncoder(&lines)
	switch {
	case f.Server == nil:
		if err := out.Encode(server); err != nil {
			return err
		}
	case !bytes.Equal(f.Server.Authority, server.Authority):
		return fmt.Errorf("dock %s was enrolled at another server than those in %s: use another folder for each server (--folder)", d.Dock, f.path)
	}
	if err := out.Encode(entry{Dock: d.Dock, Station: d.Station, Certificate: d.Certificate, Key: der, Statement: d.Statement.Seed()}); err != nil {
		return err
	}
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keeping dock %s: %w", d.Dock, err)
	}
	_, err = file.Write(lines.Bytes())
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("keeping dock %s: %w", d.Dock, err)
	}
	if f.Server == nil {
		f.Server = server
	}
	f.Docks = append(f.Docks, d)
	return nil
}

// Sort puts the docks in the order of their names.
func (f *Folder) Sort() {
	slices.SortFunc(f.Docks, func(a, b *Identity) int { return strings.Compare(string(a.Dock), string(b.Dock)) })
}

// tls is the dock's side of its connections.
func (d *Identity) tls(pool *x509.CertPool, name string) *tls.Config {
	return identity.DockTLS(tls.Certificate{Certificate: [][]byte{d.Certificate}, PrivateKey: d.Key}, pool, name)
}
