package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/testkit/pki"
	"github.com/sealdock/sealdock/proto/evidence"
)

const agency = evidence.AgencyID("metro-pd")

// desk is a Service over a catalog, with the agency's PKI and a clock.
type desk struct {
	*testing.T
	*Service
	db        *sqldb.DB
	pki       *pki.Authority
	own       tls.Certificate
	dir       string
	now       time.Time
	cert, key string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t, pki: pki.NewAuthority(t), dir: t.TempDir(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	d.cert, d.key = filepath.Join(d.dir, "tls.crt"), filepath.Join(d.dir, "tls.key")
	var err error
	d.db, err = sqldb.Open(t.Context(), "sqlite:"+filepath.Join(d.dir, "catalog.db"), d.clock)
	d.must(err)
	t.Cleanup(func() { d.must(d.db.Close()) })
	d.own = pki.NewAuthority(t).Server(t, "evidence.example.org", "localhost")
	return d
}

func (d *desk) clock() time.Time { return d.now }

// open makes the Service anew, as a start does.
func (d *desk) open() {
	d.Helper()
	var err error
	d.Service, err = New(Config{
		Catalog: d.db, Agency: agency, Names: []string{"evidence.example.org", "10.0.0.7"}, Web: "https://evidence.example.org:8443",
		Own:  func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &d.own, nil },
		File: d.cert, Key: d.key, Now: d.clock, Log: slog.New(slog.DiscardHandler),
	})
	d.must(err)
}

// pair issues a pair for the server's name that holds from ten days ago on.
func (d *desk) pair(life time.Duration, adjust ...func(*x509.Certificate)) (certificate, key []byte) {
	d.Helper()
	c := d.pki.Issue(d.T, append([]func(*x509.Certificate){func(c *x509.Certificate) {
		c.DNSNames, c.ExtKeyUsage = []string{"evidence.example.org"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		c.NotBefore = d.now.Add(-time.Hour)
		c.NotAfter = c.NotBefore.Add(life)
	}}, adjust...)...)
	return certPEM(c.Certificate[0]), d.keyPEM(c.PrivateKey)
}

func certPEM(chain ...[]byte) (text []byte) {
	for _, der := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

func (d *desk) keyPEM(key any) []byte {
	d.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	d.must(err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (d *desk) put(certificate, key []byte) {
	d.Helper()
	for path, text := range map[string][]byte{d.cert: certificate, d.key: key} {
		d.must(os.RemoveAll(path))
		d.must(os.WriteFile(path, text, 0o600))
	}
}

// tick is a turn of Run.
func (d *desk) tick() {
	d.Helper()
	d.look(false)
	d.must(d.tell(d.Context(), false))
}

// shows returns the serial number of what a browser gets.
func (d *desk) shows(name string) string {
	d.Helper()
	c, err := d.Get(&tls.ClientHelloInfo{ServerName: name})
	d.must(err)
	return c.Leaf.SerialNumber.String()
}

func serial(d *desk, certificate []byte) string {
	d.Helper()
	block, _ := pem.Decode(certificate)
	c, err := x509.ParseCertificate(block.Bytes)
	d.must(err)
	return c.SerialNumber.String()
}

// alerts are those that are open, by what they are about.
func (d *desk) alerts() map[string]catalog.Alert {
	d.Helper()
	all, err := d.db.Alerts(d.Context(), catalog.AlertFilter{Agency: agency, Code: catalog.AlertCertificate, Open: true}, 100)
	d.must(err)
	by := map[string]catalog.Alert{}
	for _, a := range all {
		by[a.About] = a
	}
	return by
}

func (d *desk) events(kind evidence.EventType) int {
	d.Helper()
	rows, err := d.db.Events(d.Context(), catalog.EventFilter{Agency: agency, Type: kind}, 100)
	d.must(err)
	return len(rows)
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// chainOf is an intermediate authority under the PKI, and a server's pair under that.
func (d *desk) chainOf() (leaf, intermediate []byte, key []byte) {
	d.Helper()
	between := d.pki.Issue(d.T, func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.BasicConstraintsValid, c.KeyUsage = pkix.Name{CommonName: "intermediate"}, true, true, x509.KeyUsageCertSign
	})
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	d.must(err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(77), NotBefore: d.now.Add(-time.Hour), NotAfter: d.now.AddDate(1, 0, 0), DNSNames: []string{"evidence.example.org"},
	}, between.Leaf, k.Public(), between.PrivateKey)
	d.must(err)
	return der, between.Certificate[0], d.keyPEM(k)
}
