package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// running is a server on loopback with everything real.
type running struct {
	t      *testing.T
	ctx    context.Context
	config Config
	made   *Made
	ready  Ready
	stop   context.CancelFunc
	done   chan error
	log    bytes.Buffer
}

func newServer(t *testing.T) *running {
	t.Helper()
	return newServerAt(t, filepath.Join(t.TempDir(), "data"))
}

func newServerAt(t *testing.T, dir string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r := &running{t: t, ctx: ctx, config: Defaults()}
	r.config.DataDir = dir
	r.config.Agency, r.config.PublicNames = "springfield", []string{"localhost", "127.0.0.1"}
	r.config.ListenQUIC, r.config.ListenHTTPS = "127.0.0.1:0", "127.0.0.1:0"
	r.config.LogOrigin = "localhost/springfield"
	var err error
	if r.made, err = Init(ctx, r.config, r.logger(), time.Now); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *running) logger() *slog.Logger { return slog.New(slog.NewTextHandler(&r.log, nil)) }

func (r *running) start() {
	r.t.Helper()
	ctx, stop := context.WithCancel(r.ctx)
	ready := make(chan Ready, 1)
	r.stop, r.done = stop, make(chan error, 1)
	r.config.ring = nil // a new process
	go func() { r.done <- Run(ctx, r.config, "test", r.logger(), time.Now, func(at Ready) { ready <- at }) }()
	select {
	case r.ready = <-ready:
	case err := <-r.done:
		r.stop = nil
		r.t.Fatalf("the server did not start: %v", err)
	}
	r.t.Cleanup(r.end)
}

// end stops the server and waits for it.
func (r *running) end() {
	if r.stop == nil {
		return
	}
	r.stop()
	r.stop = nil
	if err := <-r.done; err != nil {
		r.t.Errorf("the server ended with %v\n%s", err, r.log.String())
	}
}

// enrolled is a dock with what it got at its enrolment.
type enrolled struct {
	receivetest.Dock
	answer EnrolAnswer
	tls    *tls.Config
	seen   []byte // the newest checkpoint that it keeps
}

func (r *running) token(dock evidence.DockID) string {
	r.t.Helper()
	token, err := DockToken(r.ctx, r.config, "main", dock, time.Hour, time.Now)
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

// post sends an enrolment as a dock would.
func (r *running) post(token string, request any) (*http.Response, []byte) {
	r.t.Helper()
	_, fingerprint, err := identity.ParseEnrolmentToken(token)
	if err != nil {
		r.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: identity.EnrolTLS(fingerprint, "localhost", time.Now)}}
	defer client.CloseIdleConnections()
	body, err := json.Marshal(request)
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := client.Post("https://"+r.ready.HTTPS.String()+"/api/v1/enrol", "application/json", bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response, answer
}

func (r *running) enrol(name evidence.DockID) *enrolled {
	r.t.Helper()
	key, err := identity.NewTLSKey()
	if err != nil {
		r.t.Fatal(err)
	}
	csr, err := identity.CSR(key, string(name))
	if err != nil {
		r.t.Fatal(err)
	}
	statement, err := identity.NewStatementKey(identity.PurposeDock)
	if err != nil {
		r.t.Fatal(err)
	}
	token := r.token(name)
	response, body := r.post(token, EnrolRequest{
		Token: token, CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})), StatementKey: statement.Public(),
	})
	if response.StatusCode != http.StatusOK {
		r.t.Fatalf("enrolling: %s: %s", response.Status, body)
	}
	d := &enrolled{}
	if err := json.Unmarshal(body, &d.answer); err != nil {
		r.t.Fatal(err)
	}
	agencyKey, err := seal.ParsePublicKey(d.answer.AgencyKey)
	if err != nil {
		r.t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(d.answer.Certificate))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		r.t.Fatal(err)
	}
	certificate, err := identity.TLSCertificate([]*x509.Certificate{leaf}, key)
	if err != nil {
		r.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(d.answer.Authority))
	d.Dock = receivetest.Dock{Agency: d.answer.Agency, Station: d.answer.Station, ID: d.answer.Dock, Statement: statement, AgencyKey: agencyKey}
	d.tls = identity.DockTLS(certificate, pool, "localhost")
	return d
}

func (r *running) connect(d *enrolled) (*receivetest.Client, error) {
	hello := &upload.Hello{Protocol: upload.Version, AgentVersion: "test", Agency: string(d.Agency), Dock: string(d.ID), Checkpoint: d.seen}
	return receivetest.Connect(r.ctx, r.ready.QUIC.String(), d.tls, hello)
}

func (r *running) mustConnect(d *enrolled) *receivetest.Client {
	r.t.Helper()
	c, err := r.connect(d)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	return c
}

// checkReceipt judges a receipt as the dock does: by what it pinned.
func checkReceipt(t *testing.T, d *enrolled, rec *receivetest.Recording, m *upload.Receipt) *evidence.Receipt {
	t.Helper()
	envelope, err := evidence.ParseEnvelope(m.GetEnvelope())
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := proof.CheckReceipt(envelope, d.answer.Trust, proof.Want(&rec.Manifest, rec.Payload))
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func code(err error) upload.Code {
	var refused *upload.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func footage(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(i*7 + i>>9)
	}
	return out
}

// openCatalog opens the catalog as the server does, by no key but what lies in its folder.
func (r *running) openCatalog() (*sqldb.DB, error) {
	c := r.config
	c.ring = nil
	return c.openCatalog(r.ctx, time.Now)
}

// catalogSecret is the key of the catalog.
func (r *running) catalogSecret() []byte {
	r.t.Helper()
	c := r.config
	c.ring = nil
	key, err := c.catalogKey()
	if err != nil {
		r.t.Fatal(err)
	}
	return key
}

func (r *running) catalog() *sqldb.DB {
	r.t.Helper()
	db, err := r.openCatalog()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { db.Close() })
	return db
}

// inCatalog opens the catalog for one step, and leaves no connection.
func (r *running) inCatalog(step func(db *sqldb.DB) error) {
	r.t.Helper()
	db, err := r.openCatalog()
	if err == nil {
		err = errors.Join(step(db), db.Close())
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func signed(t *testing.T, d *enrolled, kind string, s evidence.Statement) []byte {
	t.Helper()
	payload, err := evidence.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := d.Statement.Sign(kind, payload)
	if err != nil {
		t.Fatal(err)
	}
	return envelope.Marshal()
}

func (r *running) authority() *x509.Certificate {
	r.t.Helper()
	a, err := identity.LoadAuthority(r.config.authorityDir())
	if err != nil {
		r.t.Fatal(err)
	}
	return a.Certificate()
}

// logged waits until the custody log has entries and returns how many.
func (r *running) logged(client *http.Client) string {
	r.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		response, err := client.Get("https://" + r.ready.HTTPS.String() + "/log/checkpoint")
		if err != nil {
			r.t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if lines := strings.Split(string(text), "\n"); len(lines) > 2 && lines[1] != "0" {
			return lines[1]
		}
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			r.t.Fatalf("nothing was logged: %s", text)
		}
	}
}
