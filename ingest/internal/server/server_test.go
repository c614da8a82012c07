package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/wire"
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r := &running{t: t, ctx: ctx, config: Defaults()}
	r.config.DataDir = filepath.Join(t.TempDir(), "data")
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
	go func() { r.done <- Run(ctx, r.config, "test", r.logger(), time.Now, func(at Ready) { ready <- at }) }()
	select {
	case r.ready = <-ready:
	case err := <-r.done:
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
	hello := &upload.Hello{Protocol: upload.Version, AgentVersion: "test", Agency: string(d.Agency), Dock: string(d.ID)}
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

func TestFromTokenToReceiptToErasure(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	c := r.mustConnect(d)
	if w := c.Welcome; !bytes.Equal(w.GetAgencyPublicKey(), d.answer.AgencyKey) || !bytes.Equal(w.GetReceiptPublicKey(), d.answer.Trust.ReceiptPublicKey) || w.GetLogOrigin() != d.answer.Trust.LogOrigin {
		t.Error("Welcome names other keys than the enrolment")
	}
	inventory := &evidence.Inventory{
		Version: 1, Agency: d.Agency, Station: d.Station, Dock: d.ID, Bay: "1-1", Docking: evidence.NewDockingID(), Part: 1, Parts: 1, TakenAt: time.Now().UTC(),
		Camera: evidence.CameraInfo{Serial: "CAM-1"},
	}
	for range 2 { // the second time after a lost answer
		if _, err := c.Ask(&upload.Inventory{Envelope: signed(t, d, evidence.TypeInventory, inventory)}); err != nil {
			t.Fatal(err)
		}
	}
	rec := d.Record(t, "DCIM/A.MP4", footage(20<<20+333))
	answer, err := c.Upload(r.ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	receipt := checkReceipt(t, d, rec, answer)
	again, err := c.Upload(r.ctx, rec)
	if err != nil || !bytes.Equal(again.GetEnvelope(), answer.GetEnvelope()) {
		t.Errorf("offering it again gave another receipt: %v", err)
	}
	envelope, err := evidence.ParseEnvelope(answer.GetEnvelope())
	if err != nil {
		t.Fatal(err)
	}
	release := &evidence.Release{
		Version: 1, Agency: d.Agency, Dock: d.ID, Bay: "1-1", Docking: inventory.Docking, Evidence: receipt.Evidence, CameraSerial: "CAM-1", Path: "DCIM/A.MP4",
		ReceiptDigest: evidence.SHA256(envelope.Payload), Method: "ptp-delete-object", Result: evidence.ReleaseErased, At: time.Now().UTC(),
	}
	for range 2 {
		if _, err := c.Ask(&upload.Release{Envelope: signed(t, d, evidence.TypeRelease, release)}); err != nil {
			t.Fatal(err)
		}
	}
	release.ReceiptDigest[0] ^= 1
	if _, err := c.Ask(&upload.Release{Envelope: signed(t, d, evidence.TypeRelease, release)}); code(err) != upload.CodeBadManifest {
		t.Errorf("a release on a receipt that was never given: %v, want bad_manifest", err)
	}
	r.end()
	db := r.catalog()
	item, err := db.Item(r.ctx, "springfield", receipt.Evidence)
	if err != nil || item.ErasedAt.IsZero() {
		t.Errorf("the item is not marked as erased: %+v, %v", item, err)
	}
	for kind, want := range map[evidence.EventType]int{
		evidence.EventServerStarted: 1, evidence.EventDockTokenMade: 1, evidence.EventDockEnrolled: 1, evidence.EventDockConnected: 1, evidence.EventInventoryTaken: 1,
		evidence.EventManifestReceived: 1, evidence.EventEvidenceStored: 1, evidence.EventCameraErased: 1,
	} {
		rows, err := db.Events(r.ctx, catalog.EventFilter{Agency: "springfield", Type: kind}, 0)
		if err != nil || len(rows) != want {
			t.Errorf("%d events %s, want %d: %v", len(rows), kind, want, err)
		}
	}
	if pending, err := db.PendingEvents(r.ctx); err != nil || pending != 0 {
		t.Errorf("%d events were left out of the log at the end: %v", pending, err)
	}
}

func (r *running) catalog() *sqldb.DB {
	r.t.Helper()
	db, err := sqldb.Open(r.ctx, r.config.catalogURL(), time.Now)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { db.Close() })
	return db
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

func TestACutUploadGoesOnAfterARestart(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	c := r.mustConnect(d)
	rec := d.Record(t, "A.MP4", footage(12<<20))
	s, _, err := c.Offer(r.ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(rec, 0, 7); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(7); err != nil {
		t.Fatal(err)
	}
	r.end()
	r.start()
	c = r.mustConnect(d)
	s, _, err = c.Offer(r.ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	if s.Resume != 7 {
		t.Errorf("it goes on at segment %d, want 7", s.Resume)
	}
	if err := s.Send(rec, s.Resume, 12); err != nil {
		t.Fatal(err)
	}
	answer, err := s.Finish()
	if err != nil {
		t.Fatal(err)
	}
	checkReceipt(t, d, rec, answer)
}

func TestAReconnectingDockTakesItsOwnRecordingOver(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	first := r.mustConnect(d)
	rec := d.Record(t, "A.MP4", footage(4<<20))
	s, _, err := first.Offer(r.ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(rec, 0, 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(2); err != nil {
		t.Fatal(err)
	}
	second := r.mustConnect(d) // the first one hangs in the network
	answer, err := second.Upload(r.ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	checkReceipt(t, d, rec, answer)
	if err := s.Await(4); code(err) != upload.CodeRetryLater {
		t.Errorf("the older stream got %v, want retry_later", err)
	}
}

func TestManyRecordingsAtOnce(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	c := r.mustConnect(d)
	const n = 100
	results := make(chan error, n)
	for i := range n {
		rec := d.Record(t, fmt.Sprintf("DCIM/%03d.JSON", i), append(footage(64<<10), byte(i)))
		go func() {
			answer, err := c.Upload(r.ctx, rec)
			if err == nil && answer.GetEnvelope() == nil {
				err = errors.New("no receipt")
			}
			results <- err
		}()
	}
	for range n {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestWhoIsNotEnrolledIsTurnedAway(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	r.mustConnect(d)
	replaced := r.enrol("front-desk") // enrolled anew: the first certificate is worth nothing any more
	if _, err := r.connect(d); code(err) != upload.CodeUnknownDevice {
		t.Errorf("a replaced certificate: %v, want unknown_device", err)
	}
	r.mustConnect(replaced)
	db := r.catalog()
	if err := db.Update(r.ctx, func(tx *sqldb.Tx) error { return tx.SetDockEnabled(r.ctx, "springfield", "front-desk", false) }); err != nil {
		t.Fatal(err)
	}
	if _, err := r.connect(replaced); code(err) != upload.CodeUnknownDevice || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("a disabled dock: %v, want unknown_device", err)
	}
	other := newServer(t)
	other.start()
	stranger := other.enrol("front-desk")
	stranger.tls.RootCAs = replaced.tls.RootCAs // it trusts the server; the server does not know it
	if _, err := r.connect(stranger); !errors.Is(err, wire.ErrHandshake) {
		t.Errorf("another server's dock: %v, want a refused handshake", err)
	}
	rows, err := db.Events(r.ctx, catalog.EventFilter{Agency: "springfield", Type: evidence.EventDockRefused}, 0)
	if err != nil || len(rows) != 2 {
		t.Errorf("%d events tell of refused docks, want 2: %v", len(rows), err)
	}
}

func TestATokenEnrolsOneDockOnce(t *testing.T) {
	r := newServer(t)
	r.start()
	key, _ := identity.NewTLSKey()
	csr, err := identity.CSR(key, "x")
	if err != nil {
		t.Fatal(err)
	}
	csrPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))
	token := r.token("front-desk")
	good := EnrolRequest{Token: token, CSR: csrPEM, StatementKey: make([]byte, 32), Station: "main", Dock: "front-desk"}
	change := func(f func(*EnrolRequest)) EnrolRequest { c := good; f(&c); return c }
	unknown, _, _ := identity.NewEnrolmentToken(r.authority())
	foreign, err := identity.NewAuthority("springfield", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ofAnother, _, _ := identity.NewEnrolmentToken(foreign.Certificate())
	cases := []struct {
		name    string
		request any
		status  int
	}{
		{"not a request", "hello", 400},
		{"no token", change(func(e *EnrolRequest) { e.Token = "" }), 400},
		{"unknown token", change(func(e *EnrolRequest) { e.Token = unknown }), 403},
		{"another server's token", change(func(e *EnrolRequest) { e.Token = ofAnother }), 403},
		{"another dock's token", change(func(e *EnrolRequest) { e.Dock = "back-door" }), 403},
		{"another station's token", change(func(e *EnrolRequest) { e.Station = "harbour" }), 403},
		{"short statement key", change(func(e *EnrolRequest) { e.StatementKey = make([]byte, 31) }), 400},
		{"no certificate request", change(func(e *EnrolRequest) { e.CSR = "" }), 400},
		{"a certificate request that is none", change(func(e *EnrolRequest) {
			e.CSR = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte("x")}))
		}), 400},
		{"too long", change(func(e *EnrolRequest) { e.CSR = strings.Repeat("x", maxEnrol) }), 413},
		{"good", good, 200},
		{"a second time", good, 403},
	}
	for _, c := range cases {
		response, body := r.post(token, c.request)
		if response.StatusCode != c.status {
			t.Errorf("%s: %s %s, want %d", c.name, response.Status, body, c.status)
		}
		if c.status != 200 && response.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: the answer is %s", c.name, response.Header.Get("Content-Type"))
		}
	}
}

func (r *running) authority() *x509.Certificate {
	r.t.Helper()
	a, err := identity.LoadAuthority(r.config.authorityDir())
	if err != nil {
		r.t.Fatal(err)
	}
	return a.Certificate()
}

func TestThePublicPagesAnswer(t *testing.T) {
	r := newServer(t)
	r.start()
	r.enrol("front-desk")
	pool := x509.NewCertPool()
	pool.AddCert(r.authority())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}}}
	defer client.CloseIdleConnections()
	entries := "/log/tile/entries/000.p/" + r.logged(client)
	for path, want := range map[string]int{"/healthz": 200, "/log/checkpoint": 200, entries: 200, "/log/tile/9/9/9": 404, "/log/tile/%2e%2e/keys/root.key": 404, "/keys/root.key": 401, "/sign-in": 200} {
		response, err := client.Get("https://" + r.ready.HTTPS.String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %s %.200s, want %d", path, response.Status, body, want)
		}
	}
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

func TestASecondServerOnOneFolderIsRefused(t *testing.T) {
	r := newServer(t)
	r.start()
	err := Run(r.ctx, r.config, "test", r.logger(), time.Now, nil)
	if err == nil || !strings.Contains(err.Error(), "another server already runs") {
		t.Fatalf("got %v", err)
	}
}

func TestInitTouchesNothingThatIsThere(t *testing.T) {
	r := newServer(t)
	before, err := os.ReadFile(r.made.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Init(r.ctx, r.config, r.logger(), time.Now); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Fatalf("got %v", err)
	}
	after, err := os.ReadFile(r.made.ConfigPath)
	if err != nil || !bytes.Equal(before, after) {
		t.Fatalf("the configuration changed: %v", err)
	}
}

func TestWhatIsWrongWithAFolderIsSaidBeforeAnythingStarts(t *testing.T) {
	cases := map[string]struct {
		spoil func(r *running)
		words string
	}{
		"nothing there":          {func(r *running) { r.config.DataDir = t.TempDir() }, "run sealdock-ingest init"},
		"root key gone":          {func(r *running) { os.Remove(filepath.Join(r.config.keyDir(), "root.key")) }, "backup"},
		"pepper gone":            {func(r *running) { os.Remove(r.config.pepperFile()) }, "backup"},
		"receipt key gone":       {func(r *running) { os.Remove(r.config.receiptKey()) }, "receipt.key"},
		"another agency":         {func(r *running) { r.config.Agency = "shelbyville" }, "shelbyville"},
		"another log name":       {func(r *running) { r.config.LogOrigin = "elsewhere/log" }, "log"},
		"catalog gone":           {func(r *running) { os.Remove(filepath.Join(r.config.DataDir, "catalog.db")) }, ""},
		"no public name":         {func(r *running) { r.config.PublicNames = nil }, "public_names"},
		"an address of no one's": {func(r *running) { r.config.ListenHTTPS = "192.0.2.1:1" }, "listen_https"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newServer(t)
			if name == "catalog gone" { // a new, empty catalog beside a log with entries
				r.start()
				r.end()
			}
			c.spoil(r)
			ctx, cancel := context.WithTimeout(r.ctx, 10*time.Second)
			defer cancel()
			err := Run(ctx, r.config, "test", r.logger(), time.Now, func(Ready) { cancel() })
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Fatalf("got %v, want words like %q", err, c.words)
			}
		})
	}
}

func TestConfigurationErrorsNameTheKey(t *testing.T) {
	cases := map[string]string{
		"agencie = \"x\"\n":         "agencie",
		"agency = \"No Good\"\n":    "agency",
		"listen_quic = \"4433\"\n":  "listen_quic",
		"time_zone = \"Mars/X\"\n":  "time_zone",
		"drain_time = \"soon\"\n":   "drain_time",
		"memory_mib = 1\n":          "memory_mib",
		"public_names = [\"a:1\"]":  "public_names",
		"log_origin = \"a b\"\n":    "log_origin",
		"listen_https = \"nope\"\n": "listen_https",
	}
	sound := map[string]string{"agency": `agency = "springfield"`, "public_names": `public_names = ["localhost"]`, "log_origin": `log_origin = "localhost/log"`}
	for text, key := range cases {
		file := text
		for name, line := range sound {
			if name != key {
				file = line + "\n" + file
			}
		}
		path := filepath.Join(t.TempDir(), "ingest.toml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadConfig(path); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%q: got %v, want an error that names %s", text, err, key)
		}
	}
}

func TestTheFileThatInitWritesIsRead(t *testing.T) {
	r := newServer(t)
	got, err := LoadConfig(r.made.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(r.config) {
		t.Errorf("read  %+v\nwrote %+v", got, r.config)
	}
	if _, err := os.Stat(got.DataDir); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(r.made.SetupLink, "https://localhost:0/setup?token=") {
		t.Errorf("the set-up link is %s", r.made.SetupLink)
	}
	secret := r.config
	secret.Catalog = "postgres://u:geheim@db/x"
	text, err := secret.file()
	if err != nil || !strings.Contains(string(text), "geheim") {
		t.Errorf("the file that the server itself reads lacks the catalog's password: %v", err)
	}
}
