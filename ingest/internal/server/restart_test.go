package server

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// copied is the whole data folder as it is, elsewhere: a snapshot of a machine.
func (r *running) copied() string {
	r.t.Helper()
	dir := filepath.Join(r.t.TempDir(), "data")
	if out, err := exec.Command("cp", "-a", r.config.DataDir, dir).CombinedOutput(); err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// store has a dock hand over a recording, and keep the receipt's checkpoint.
func (r *running) store(d *enrolled, rec *receivetest.Recording) *evidence.Receipt {
	r.t.Helper()
	answer, err := r.mustConnect(d).Upload(r.ctx, rec)
	if err != nil {
		r.t.Fatal(err)
	}
	receipt := checkReceipt(r.t, d, rec, answer)
	d.seen = []byte(receipt.Proof.Checkpoint)
	return receipt
}

func (r *running) alerted(code catalog.AlertCode) bool {
	r.t.Helper()
	db := r.catalog()
	all, err := db.Alerts(r.ctx, catalog.AlertFilter{Agency: r.config.agency(), Code: code, Open: true}, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return len(all) == 1
}

// A machine is set back to a snapshot, catalog and log together. Nobody but a dock knows;
// from its word on nothing is signed, until people say that the rest is lost.
func TestAServerThatWasSetBackGoesOnOnlyUnderAnotherName(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	kept := d.Record(t, "DCIM/A.MP4", footage(2<<20+5))
	first := r.store(d, kept)
	r.end()
	snapshot := r.copied()
	r.start()
	late := d.Record(t, "DCIM/B.MP4", footage(1<<20+7))
	lost := r.store(d, late)
	r.end()

	r.config.DataDir = snapshot
	r.start() // nothing tells it
	if _, err := r.connect(d); code(err) != upload.CodeSetBack {
		t.Fatalf("the dock was answered %v, want set_back", err)
	}
	other := r.enrol("back-door") // a dock that has seen nothing
	if _, err := r.mustConnect(other).Upload(r.ctx, other.Record(t, "DCIM/C.MP4", footage(1<<20))); err == nil {
		t.Error("a receipt was given")
	}
	if !r.alerted(catalog.AlertLogSetBack) {
		t.Error("nobody was told")
	}
	r.stop()
	r.stop = nil
	if err := <-r.done; !errors.Is(err, audit.ErrRolledBack) {
		t.Errorf("it ended with %v", err)
	}
	if err := Run(r.ctx, r.config, "test", r.logger(), time.Now, nil); !errors.Is(err, audit.ErrRolledBack) {
		t.Fatalf("the next start: %v", err)
	}

	if _, _, err := RestartLog(r.ctx, r.config, " ", 0, r.logger(), time.Now); err == nil {
		t.Error("no reason was wanted")
	}
	name, restart, err := RestartLog(r.ctx, r.config, "the disk died", 0, r.logger(), time.Now)
	if err != nil || name != "localhost/springfield/restored-1" || restart.Newest <= restart.Size {
		t.Fatalf("%s, %+v, %v", name, restart, err)
	}
	r.start()
	if _, _, err := RestartLog(r.ctx, r.config, "again", 0, r.logger(), time.Now); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("beside a running server: %v", err)
	}
	w := r.mustConnect(d).Welcome
	if w.GetLogOrigin() != name || !slices.Equal(w.GetRestored(), []int64{restart.Size}) || len(w.GetConsistency()) != 0 {
		t.Errorf("the dock is told of %s, %v", w.GetLogOrigin(), w.GetRestored())
	}
	if !r.alerted(catalog.AlertLogLost) {
		t.Error("nobody was told what the dock has seen")
	}
	d.answer.Trust = d.answer.Trust.Continued(w.GetRestored())
	d.seen = w.GetCheckpoint()
	if again := r.store(d, kept); again.Proof.Origin != first.Proof.Origin {
		t.Errorf("the recording that the snapshot has got another receipt, of %s", again.Proof.Origin)
	}
	if again := r.store(d, late); again.Proof.Origin != name || again.Proof.Index < restart.Size || lost.Proof.Origin == name {
		t.Errorf("the lost one got a receipt of %s", again.Proof.Origin)
	}
	head, err := tlog.OpenEarlier(r.mustConnect(d).Welcome.GetCheckpoint(), name, ed25519.PublicKey(d.answer.Trust.LogPublicKey))
	if err != nil || head.Size <= restart.Size {
		t.Errorf("%+v, %v", head, err)
	}
	r.end()

	summary, err := Check(r.ctx, r.config, false, time.Now, func(f fsck.Finding) {
		if f.Severity == fsck.Problem {
			t.Errorf("fsck: %+v", f)
		}
	})
	if err != nil || summary.Problems != 0 {
		t.Errorf("fsck: %+v, %v", summary, err)
	}
	// The key that people were given before the restore still judges, and is told of it.
	key, err := tlog.VerifierKey("localhost/springfield", d.answer.Trust.LogPublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []evidence.EvidenceID{kept.Manifest.Evidence, late.Manifest.Evidence} {
		var b bytes.Buffer
		err := WithPackages(r.ctx, r.config, "test", r.logger(), time.Now, func(s *export.Service) error {
			p, err := s.Make(r.ctx, export.CommandLine(), export.Whole(id))
			if err != nil {
				return err
			}
			defer p.Close()
			return p.WriteTo(r.ctx, &b)
		})
		if err != nil {
			t.Fatal(err)
		}
		report, err := verifier.Archive(r.ctx, bytes.NewReader(b.Bytes()), int64(b.Len()), verifier.Options{Pins: verifier.Pins{LogKey: key}})
		if err != nil || report.Verdict != verifier.Holds {
			t.Errorf("%v: %+v", err, report)
		}
		if !slices.ContainsFunc(report.Findings, func(f verifier.Finding) bool {
			return f.Status == verifier.NotProven && strings.Contains(f.What, "restored from a backup")
		}) {
			t.Error("the restore is not told")
		}
	}
}
