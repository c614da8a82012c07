package verifier_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/pack"
)

func TestHostileTextDoesNotActOnATerminal(t *testing.T) {
	r := verifier.Report{Verdict: verifier.Fails, Findings: []verifier.Finding{{Status: verifier.Failed, Subject: "\x1b[2J", What: "a\nHOLDS\r\u202e\u0085"}}}
	var out strings.Builder
	if err := r.Text(&out); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\r\u202e\u0085") || strings.Contains(out.String(), "\nHOLDS") {
		t.Errorf("%q", out.String())
	}
}

// A package of nothing but failures costs a bounded report.
func TestAReportIsBounded(t *testing.T) {
	var files []pack.File
	for i := range 3000 {
		files = append(files, pack.Bytes(fmt.Sprint("x", i), nil))
	}
	files = append(files, pack.Bytes(pack.IndexFile, pack.JSON(pack.Index{Version: 1, Agency: "metro", MadeAt: time.Unix(1_795_340_000, 0), LogOrigin: "a", LogKey: make([]byte, 32), ReceiptKey: make([]byte, 32),
		Items: []pack.Item{{ID: [16]byte{1}, Original: "A.MP4", List: "l.mhl"}}})))
	var b bytes.Buffer
	if err := pack.Write(t.Context(), &b, files); err != nil {
		t.Fatal(err)
	}
	r, err := verifier.Archive(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()), verifier.Options{})
	if err != nil || r.Verdict != verifier.Fails || len(r.Findings) > 210 || !strings.Contains(r.Findings[len(r.Findings)-1].What, "more things do not hold") {
		t.Errorf("%v: %d findings", err, len(r.Findings))
	}
}

func TestWhatCannotBeJudgedIsAnErrorAndNoVerdict(t *testing.T) {
	b := archive(t)
	for _, key := range []string{"x", "a+b+c", strings.Repeat("0", 62), "example.org/log+00000000+AfOBYm5B5wJ+pDG/4wCelL3SWnRr7sRolI1sPHxdyaVL"} {
		if _, err := verifier.Archive(t.Context(), bytes.NewReader(b), int64(len(b)), verifier.Options{Pins: verifier.Pins{LogKey: key}}); !errors.Is(err, verifier.ErrPins) {
			t.Errorf("log key %q: %v, want ErrPins", key, err)
		}
		if _, err := verifier.Archive(t.Context(), bytes.NewReader(b), int64(len(b)), verifier.Options{Pins: verifier.Pins{WitnessKeys: []string{key}}}); !errors.Is(err, verifier.ErrPins) {
			t.Errorf("witness key %q: %v, want ErrPins", key, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := verifier.Archive(ctx, bytes.NewReader(b), int64(len(b)), verifier.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	broken := errors.New("the disk is gone")
	if _, err := verifier.Archive(t.Context(), failing{broken}, 1000, verifier.Options{}); !errors.Is(err, broken) {
		t.Errorf("a disk that fails: %v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func archive(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pack.Write(t.Context(), &b, []pack.File{pack.Bytes(pack.IndexFile, []byte("{}"))}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
