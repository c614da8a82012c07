package export_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/stamp"
	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/testkit/tsa"
)

// stamper has w's log stamped by an authority.
func (w *world) stamper(a *tsa.Authority) *stamp.Service {
	w.Helper()
	roots, err := os.ReadFile(a.Roots)
	w.must(err)
	s, err := stamp.New(stamp.Config{Catalog: w.db, Agency: agency, Origin: origin, URL: a.URL, Roots: roots, Every: time.Hour, Client: http.DefaultClient, Now: w.clock.Now, Logger: slog.New(slog.DiscardHandler)})
	w.must(err)
	return s
}

// judgedBy is what somebody finds who knows the log's key and trusts a time-stamp
// authority.
func (w *world) judgedBy(b []byte, roots string) *verifier.Report {
	w.Helper()
	pins := w.pins()
	var err error
	pins.TimeRoots, err = os.ReadFile(roots)
	w.must(err)
	return w.judgeWith(b, pins)
}

func says(r *verifier.Report, status verifier.Status, text string) (n int) {
	for _, f := range r.Findings {
		if f.Status == status && strings.Contains(f.What, text) {
			n++
		}
	}
	return n
}

func TestATimeStampDatesWhatWasStoredBefore(t *testing.T) {
	w, a := newWorld(t), tsa.Start(t)
	s := w.stamper(a)
	first := w.keep(recording{path: "A.MP4", content: noise(1000, 1)})
	_, err := s.Stamp(t.Context())
	w.must(err)
	second := w.keep(recording{path: "B.MP4", content: noise(1000, 2)})
	_, err = s.Stamp(t.Context())
	w.must(err)
	third := w.keep(recording{path: "C.MP4", content: noise(1000, 3)})
	b := w.pack(third, first, second)

	const dated, undated, whose = "not later than", "no time stamp of an outside authority covers it", "taken from the package"
	for name, c := range map[string]struct {
		report *verifier.Report
		whose  int
	}{"who knows no authority": {w.judge(b), 2}, "who trusts this one": {w.judgedBy(b, a.Roots), 0}} {
		if c.report.Verdict != verifier.Holds {
			t.Fatalf("%s: %s, %q", name, c.report.Verdict, fails(c.report))
		}
		if got := [3]int{says(c.report, verifier.Proven, dated), says(c.report, verifier.NotProven, undated), says(c.report, verifier.NotProven, whose)}; got != [3]int{2, 1, c.whose} {
			t.Errorf("%s: dated, undated, by whom is open: %v", name, got)
		}
	}
	foreign := w.judgedBy(b, tsa.Start(t).Roots)
	if f := fails(foreign); foreign.Verdict != verifier.Fails || len(f) != 2 || !strings.HasPrefix(f[0], "time/1.tst: It is signed by Example Court Time Stamps") {
		t.Errorf("who trusts another one: %s, %q", foreign.Verdict, f)
	}
}

// What README.txt tells to type works, with a program that knows nothing of ours.
func TestOpenSSLAloneChecksATimeStamp(t *testing.T) {
	w := newWorld(t)
	id := w.keep(recording{path: "A.MP4", content: noise(1000, 1)})
	_, err := w.stamper(tsa.Start(t)).Stamp(t.Context())
	w.must(err)
	dir := t.TempDir()
	files := unzip(t, w.pack(id))
	for name, b := range files {
		w.must(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700))
		w.must(os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	typed := func() error {
		n := 0
		for _, line := range strings.Split(strings.ReplaceAll(string(files["README.txt"]), "\\\r\n", ""), "\r\n") {
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "openssl" {
				continue
			}
			n++
			cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
			cmd.Dir = dir
			told, err := cmd.CombinedOutput()
			if err != nil || !bytes.Contains(told, []byte("Verification: OK")) && !bytes.Contains(told, []byte("Signature Verified Successfully")) {
				return errors.New(line + ": " + string(told))
			}
		}
		if n != 2 {
			t.Errorf("README.txt tells %d commands of openssl, want 2", n)
		}
		return nil
	}
	w.must(typed())
	checkpoint := filepath.Join(dir, "time/1.checkpoint")
	text := bytes.Clone(files["time/1.checkpoint"])
	text[len(text)/2] ^= 1
	w.must(os.WriteFile(checkpoint, text, 0o600))
	if typed() == nil {
		t.Error("openssl takes a checkpoint that was changed")
	}
}

// A stamp over another log, even of the same name and key, stops the package: the
// log that was stamped is not a beginning of this one.
func TestAStampOfAnotherLogIsFound(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	id := w.keep(recording{path: "A.MP4", content: noise(1000, 1)})
	other.keep(recording{path: "B.MP4", content: noise(1000, 2)})
	v, err := other.stamper(tsa.Start(t)).Stamp(t.Context())
	w.must(err)
	w.view(id, 10)
	w.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertStamp(ctx, v) })
	_, err = w.service.Make(t.Context(), export.CommandLine(), export.Whole(id))
	if !errors.Is(err, export.ErrUnproven) || !strings.Contains(err.Error(), "no continuation of the log that was stamped") {
		t.Errorf("got %v", err)
	}
}
