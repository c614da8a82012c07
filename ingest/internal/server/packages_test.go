package server

import (
	"bytes"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/tlog"
)

// What a real dock sent to a real server leaves it as a package that proves itself,
// made beside the running server and without one.
func TestACustodyPackageIsMadeWhateverTheServerDoes(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	c := r.mustConnect(d)
	rec := d.Record(t, "DCIM/A.MP4", footage(3<<20+333))
	answer, err := c.Upload(r.ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	receipt := checkReceipt(t, d, rec, answer)
	key, err := tlog.VerifierKey(d.answer.Trust.LogOrigin, d.answer.Trust.LogPublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pack := func() {
		t.Helper()
		var b bytes.Buffer
		err := WithPackages(r.ctx, r.config, "test", r.logger(), time.Now, func(s *export.Service) error {
			p, err := s.Make(r.ctx, export.CommandLine(), export.Whole(receipt.Evidence))
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
		registered := false
		for _, f := range report.Findings {
			registered = registered || f.Status == verifier.Proven && f.Subject == "package" && bytes.Contains([]byte(f.What), []byte("was registered when the dock was enrolled"))
		}
		if !registered {
			t.Error("it is not shown whose key the dock's is")
		}
	}
	pack()
	r.end()
	pack()
}
