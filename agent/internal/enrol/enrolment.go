package enrol

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ErrNotEnrolled means that the data folder belongs to no dock yet.
var ErrNotEnrolled = errors.New("this dock is not enrolled: run sealdock-agent enrol with the server's address and a token from its administrator")

// record is what enrolment.json holds.
type record struct {
	Agency         evidence.AgencyID  `json:"agency"`
	Station        evidence.StationID `json:"station"`
	Dock           evidence.DockID    `json:"dock"`
	Server         string             `json:"server"`      // host:port for uploads (UDP)
	ServerName     string             `json:"server_name"` // that the server's certificate must show
	AgencyKeyBytes []byte             `json:"agency_key"`  // to wrap item keys to
	Trust          proof.Trust        `json:"trust"`       // to judge receipts by
}

// Enrolment is all that makes this machine a dock.
type Enrolment struct {
	record
	AgencyKey    *seal.PublicKey
	StatementKey *identity.StatementKey
	TLS          tls.Certificate // the dock's certificate with its key
	Certificate  *x509.Certificate
	Authority    *x509.Certificate
}

// save writes the files, the one that counts last.
func (e *Enrolment) save(dir string, key *ecdsa.PrivateKey) error {
	text, err := json.MarshalIndent(e.record, "", "  ")
	if err != nil {
		return err
	}
	tlsCertificate, err := identity.TLSCertificate([]*x509.Certificate{e.Certificate}, key)
	if err != nil {
		return err
	}
	e.TLS = tlsCertificate
	// A dock that is enrolled anew is not enrolled while key and certificate change.
	if err := durable.Remove(filepath.Join(dir, "enrolment.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := identity.SaveKey(filepath.Join(dir, "tls.key"), key); err != nil {
		return err
	}
	if err := identity.SaveCertificate(filepath.Join(dir, "tls.crt"), e.Certificate.Raw); err != nil {
		return err
	}
	if err := identity.SaveCertificate(filepath.Join(dir, "ca.crt"), e.Authority.Raw); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, "enrolment.json"), append(text, '\n'), 0o600)
}

// Load reads what Enrol kept. A data folder without it is ErrNotEnrolled.
func Load(data string) (*Enrolment, error) {
	r, err := readRecord(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data folder %s: %w", data, ErrNotEnrolled)
	}
	if err != nil {
		return nil, err
	}
	e := &Enrolment{record: *r}
	dir := folder(data)
	if e.TLS, err = identity.LoadTLS(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")); err != nil {
		return nil, fmt.Errorf("reading the dock's certificate: %w", err)
	}
	e.Certificate = e.TLS.Leaf
	authority, err := identity.LoadCertificate(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("reading the server's authority: %w", err)
	}
	e.Authority = authority[0]
	if e.StatementKey, err = identity.LoadStatementKey(filepath.Join(dir, "statement.key"), identity.PurposeDock); err != nil {
		return nil, fmt.Errorf("reading the dock's statement key: %w", err)
	}
	if e.AgencyKey, err = seal.ParsePublicKey(r.AgencyKeyBytes); err != nil {
		return nil, fmt.Errorf("reading the agency's key: %w", err)
	}
	return e, e.check()
}

func (e *Enrolment) check() error {
	err := errors.Join(evidence.CheckName("agency", string(e.Agency)), evidence.CheckName("station", string(e.Station)), evidence.CheckName("dock", string(e.Dock)), e.Trust.Check())
	if err == nil && e.Trust.Agency != e.Agency {
		err = fmt.Errorf("the receipt keys are of agency %q", e.Trust.Agency)
	}
	if err != nil {
		return fmt.Errorf("reading the enrolment: %w", err)
	}
	return nil
}

// Pool holds the server's authority alone.
func (e *Enrolment) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(e.Authority)
	return pool
}

func readRecord(data string) (*record, error) {
	path := filepath.Join(folder(data), "enrolment.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the enrolment: %w", err)
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("reading %s: %w: enrol the dock again", path, err)
	}
	return &r, nil
}
