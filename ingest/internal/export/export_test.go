package export_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/proto/evidence"
)

// fails lists the findings that failed.
func fails(r *verifier.Report) (all []string) {
	for _, f := range r.Findings {
		if f.Status == verifier.Failed {
			all = append(all, f.Subject+": "+f.What)
		}
	}
	return all
}

func compressed(t testing.TB, b []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(b, nil)
}

func TestAPackageProvesItself(t *testing.T) {
	w := newWorld(t)
	text := bytes.Repeat([]byte("48.137154,11.576124;"), 100_000)
	for name, r := range map[string]recording{
		"a video":              {path: "DCIM/100/CLIP1.MP4", content: noise(3<<20+77, 1), erased: true},
		"one that is signed":   {path: "DCIM/100/CLIP2.MP4", content: noise(1<<20, 2), signed: true},
		"an empty one":         {path: "DCIM/100/CLIP3.MP4"},
		"a compressed sidecar": {path: "DCIM/100/CLIP1.JSON", content: text, sealed: compressed(t, text)},
		"hostile names":        {path: "DCIM/../../\u202e警察 <script>.mp4", content: noise(1000, 3)},
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.TB = t
			id := w.keep(r)
			w.view(id, 3)
			b := w.pack(id)
			report := w.judge(b)
			if report.Verdict != verifier.Holds || len(fails(report)) > 0 {
				t.Fatalf("%s: %q", report.Verdict, fails(report))
			}
			if rec := report.Recordings; len(rec) != 1 || !rec[0].Holds || rec[0].SHA256 != evidence.SHA256(r.content) {
				t.Errorf("%+v", rec)
			}
			if got := unzip(t, b)[report.Recordings[0].File]; !bytes.Equal(got, r.content) {
				t.Errorf("the recording in it has %d bytes", len(got))
			}
			said := false
			for _, f := range report.Findings {
				said = said || f.Status == verifier.Proven && strings.Contains(f.What, "camera itself signed")
			}
			if said != r.signed {
				t.Errorf("what the camera signed is proven: %v", said)
			}
			n, err := w.db.CountEvents(t.Context(), catalog.EventFilter{Agency: agency, Type: evidence.EventPackaged, Object: evidence.ItemObject(id)})
			if err != nil || n != 1 {
				t.Errorf("%d events say that a package was made: %v", n, err)
			}
		})
	}
}

// unzip reads the package with another program than ours.
func unzip(t testing.TB, b []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if all[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestManyItemsGoIntoOnePackage(t *testing.T) {
	w := newWorld(t)
	for i := range 12 {
		w.keep(recording{path: "DCIM/100/CLIP.MP4", content: noise(100_000+i, byte(i))})
	}
	report := w.judge(w.pack(w.items...))
	if report.Verdict != verifier.Holds || len(report.Recordings) != 12 {
		t.Fatalf("%s with %d recordings: %q", report.Verdict, len(report.Recordings), fails(report))
	}
}

func TestAPackageIsTheSameEachTimeItIsWritten(t *testing.T) {
	w := newWorld(t)
	id := w.keep(recording{path: "A.MP4", content: noise(1<<20+5, 1)})
	p, err := w.service.Make(t.Context(), export.CommandLine(), export.Whole(id))
	w.must(err)
	defer p.Close()
	var first, second bytes.Buffer
	w.must(errors.Join(p.WriteTo(t.Context(), &first), p.WriteTo(t.Context(), &second)))
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("it differs")
	}
}

func TestWithoutAPinTheReportSaysWhereTheKeysAreFrom(t *testing.T) {
	w := newWorld(t)
	b := w.pack(w.keep(recording{path: "A.MP4", content: noise(1000, 1)}))
	r, err := verifier.Archive(t.Context(), bytes.NewReader(b), int64(len(b)), verifier.Options{})
	w.must(err)
	var text strings.Builder
	w.must(r.Text(&text))
	if r.Verdict != verifier.HoldsUnpinned || !strings.Contains(text.String(), "taken from the package, not confirmed by you") {
		t.Errorf("%s\n%s", r.Verdict, text.String())
	}
}

func TestWhatDoesNotHoldIsNotGivenOut(t *testing.T) {
	for name, harm := range map[string]func(w *world, id evidence.EvidenceID){
		"a changed blob": func(w *world, id evidence.EvidenceID) { w.harm(id, 70_000) },
		"a lost blob":    func(w *world, id evidence.EvidenceID) { w.lose(id) },
		"another dock key": func(w *world, id evidence.EvidenceID) {
			w.config.ReceiptKey = public(key(9))
			w.service = export.New(w.config)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.keep(recording{path: "A.MP4", content: noise(200_000, 1)})
			harm(w, id)
			if _, err := w.service.Make(t.Context(), export.CommandLine(), export.Whole(id)); !errors.Is(err, export.ErrUnproven) {
				t.Fatalf("got %v, want ErrUnproven", err)
			}
			rows, err := w.db.Events(t.Context(), catalog.EventFilter{Agency: agency, Type: evidence.EventPackaged}, 0)
			if err != nil || len(rows) != 1 || !strings.Contains(string(rows[0].JSON), `"outcome":"failed"`) {
				t.Errorf("events %d, %v", len(rows), err)
			}
		})
	}
}

func TestABlobThatChangesWhileItIsSentEndsTheSending(t *testing.T) {
	w := newWorld(t)
	id := w.keep(recording{path: "A.MP4", content: noise(200_000, 1)})
	p, err := w.service.Make(t.Context(), export.CommandLine(), export.Whole(id))
	w.must(err)
	defer p.Close()
	w.harm(id, 100_000)
	if err := p.WriteTo(t.Context(), io.Discard); !errors.Is(err, export.ErrUnproven) {
		t.Errorf("got %v, want ErrUnproven", err)
	}
}

func TestNothingIsGivenOutThatTheLogDoesNotTell(t *testing.T) {
	w := newWorld(t)
	id := w.keep(recording{path: "A.MP4", content: noise(1000, 1)})
	w.config.Log = refusing{}
	if _, err := export.New(w.config).Make(t.Context(), export.CommandLine(), export.Whole(id)); !errors.Is(err, export.ErrUnlogged) {
		t.Errorf("got %v, want ErrUnlogged", err)
	}
}

type refusing struct{}

func (refusing) Await(context.Context, int64) error { return errors.New("the disk is full") }

func TestOnlyWhoMayDownloadGetsAPackage(t *testing.T) {
	w := newWorld(t)
	id := w.keep(recording{path: "A.MP4", content: noise(1000, 1)})
	for _, actor := range []*auth.Actor{nil, officer("visitor"), {User: "u2", Agency: "other-pd", Role: auth.Administrator, Powers: auth.ShippedPowers(auth.Administrator)}} {
		if _, err := w.service.ForPerson(t.Context(), actor, export.Whole(id), nil); !errors.Is(err, export.ErrForbidden) {
			t.Errorf("%+v got %v, want ErrForbidden", actor, err)
		}
	}
	p, err := w.service.ForPerson(t.Context(), officer(auth.Operator), export.Whole(id), nil)
	w.must(err)
	defer p.Close()
	if !strings.HasPrefix(p.Name(), "custody-") {
		t.Errorf("it is called %s", p.Name())
	}
	for _, ids := range [][]evidence.EvidenceID{nil, {id, id}, {evidence.NewEvidenceID()}} {
		if _, err := w.service.Make(t.Context(), export.CommandLine(), export.Whole(ids...)); err == nil {
			t.Errorf("%v: a package was made", ids)
		}
	}
}

func TestAPackageIsServedWithItsLength(t *testing.T) {
	w := newWorld(t)
	id := w.keep(recording{path: "A.MP4", content: noise(200_000, 1)})
	p, err := w.service.ForPerson(t.Context(), officer(auth.Operator), export.Whole(id), nil)
	w.must(err)
	answer := httptest.NewRecorder()
	w.must(p.Serve(answer, httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)))
	if answer.Header().Get("Content-Length") != strconv.Itoa(answer.Body.Len()) || answer.Header().Get("Content-Type") != "application/zip" {
		t.Errorf("%d bytes with %v", answer.Body.Len(), answer.Header())
	}
	if r := w.judge(answer.Body.Bytes()); r.Verdict != verifier.Holds {
		t.Errorf("%s: %q", r.Verdict, fails(r))
	}
}

// Who waits is told how far it is: all is proven before the first byte goes out, and at
// the end all was sent.
func TestAPackageTellsHowFarItIs(t *testing.T) {
	w := newWorld(t)
	const length = 3<<20 + 17
	id := w.keep(recording{path: "A.MP4", content: noise(length, 1)})
	var progress export.Progress
	p, err := w.service.ForPerson(t.Context(), officer(auth.Operator), export.Whole(id), &progress)
	w.must(err)
	defer p.Close()
	if total, proven, sent := progress.Bytes(); total != length || proven != length || sent != 0 {
		t.Errorf("before it goes out: %d of %d proven, %d sent", proven, total, sent)
	}
	var seen []uint64
	w.must(p.WriteTo(t.Context(), writerFunc(func(b []byte) (int, error) {
		if _, _, sent := progress.Bytes(); len(seen) == 0 || seen[len(seen)-1] != sent {
			seen = append(seen, sent)
		}
		return len(b), nil
	})))
	if want := []uint64{0, 1 << 20, 2 << 20, 3 << 20, length}; !slices.Equal(seen, want) {
		t.Errorf("while it went out %d were sent, want %d", seen, want)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestOnlySoManyPackagesAreMadeAtOnce(t *testing.T) {
	w := newWorld(t)
	id := w.keep(recording{path: "A.MP4", content: noise(1000, 1)})
	var open []*export.Package
	for {
		p, err := w.service.Make(t.Context(), export.CommandLine(), export.Whole(id))
		if errors.Is(err, export.ErrBusy) {
			break
		}
		w.must(err)
		open = append(open, p)
	}
	for _, p := range open {
		p.Close()
	}
	w.pack(id)
}
