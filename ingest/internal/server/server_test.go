package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

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
	withdrawn := r.token("front-desk")
	secret, _, err := identity.ParseEnrolmentToken(withdrawn)
	if err == nil {
		err = WithFleet(r.ctx, r.config, r.logger(), time.Now, func(s *fleet.Service) error { return s.Docks().Withdraw(r.ctx, evidence.SHA256(secret[:])) })
	}
	if err != nil {
		t.Fatal(err)
	}
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
		{"withdrawn token", change(func(e *EnrolRequest) { e.Token = withdrawn }), 403},
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
	dock, err := r.catalog().Dock(r.ctx, "springfield", "front-desk")
	if left := time.Until(dock.GoodUntil); err != nil || left < 89*24*time.Hour || left > 90*24*time.Hour {
		t.Errorf("the end of its certificate is kept as %v, %v", dock.GoodUntil, err)
	}
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

func TestASecondServerOnOneFolderIsRefused(t *testing.T) {
	r := newServer(t)
	r.start()
	err := Run(r.ctx, r.config, "test", r.logger(), time.Now, nil)
	if err == nil || !strings.Contains(err.Error(), "another server already runs") {
		t.Fatalf("got %v", err)
	}
}

// Each trust statement names all docks: of very many that are enrolled in a row,
// cameras are told together.
func TestFilesLeftUnfinishedByACrashAreGoneAfterAStart(t *testing.T) {
	r := newServer(t)
	before := time.Now().Add(-2 * durable.UnfinishedAge)
	var left []string
	for _, dir := range []string{r.config.keyDir(), filepath.Join(r.config.logDir(), "tile", "0", "000.p"), r.config.firmwareDir()} {
		path := filepath.Join(dir, durable.TempPrefix+"LEFT")
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(path, []byte("half"), 0o600), os.Chtimes(path, before, before)); err != nil {
			t.Fatal(err)
		}
		left = append(left, path)
	}
	atWork := filepath.Join(r.config.keyDir(), durable.TempPrefix+"NEW") // of a command beside the server
	if err := os.WriteFile(atWork, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	for _, path := range left {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	if _, err := os.Stat(atWork); err != nil {
		t.Error(err)
	}
}

func TestManyDocksAreEnrolledAndToldTogether(t *testing.T) {
	const docks = 25
	r := newServer(t)
	r.config.Enrolments = 100 // with one a second the 21st would be refused
	r.start()
	for i := range docks {
		r.enrol(evidence.DockID(fmt.Sprintf("load-%05d", i+1)))
	}
	r.end()
	r.start()
	r.end()
	db, err := r.config.openCatalog(r.ctx, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	row, err := db.CameraTrust(r.ctx, "springfield")
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := evidence.ParseEnvelope(row.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	var trust evidence.CameraTrust
	if err := evidence.Decode(envelope.Payload, &trust); err != nil || len(trust.Docks) != docks {
		t.Errorf("cameras are told of %d docks, want %d: %v", len(trust.Docks), docks, err)
	}
}
