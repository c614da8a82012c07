package export_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/testkit/footage"
	"github.com/sealdock/sealdock/proto/evidence"
)

// packPart makes a package of a part of an item.
func (w *world) packPart(id evidence.EvidenceID, from, to uint64) []byte {
	w.Helper()
	p, err := w.service.Make(w.Context(), export.CommandLine(), []export.Wanted{{ID: id, From: from, To: to}})
	w.must(err)
	defer p.Close()
	var b bytes.Buffer
	w.must(p.WriteTo(w.Context(), &b))
	return b.Bytes()
}

func TestAPartOfARecordingIsProvenWithoutTheRest(t *testing.T) {
	w := newWorld(t)
	content := noise(9<<20+77, 1)
	id := w.keep(recording{path: "DCIM/100/CLIP1.MP4", content: content})
	for _, c := range []struct{ from, to, begin, end uint64 }{
		{0, 1, 0, 1 << 20}, {3 << 20, 5 << 20, 3 << 20, 5 << 20}, {3<<20 - 1, 5<<20 + 1, 2 << 20, 6 << 20},
		{9<<20 + 76, 9<<20 + 77, 9 << 20, 9<<20 + 77}, {0, 9<<20 + 77, 0, 9<<20 + 77},
	} {
		b := w.packPart(id, c.from, c.to)
		r := w.judge(b)
		if r.Verdict != verifier.Holds {
			t.Fatalf("%d to %d: %s: %q", c.from, c.to, r.Verdict, fails(r))
		}
		o := w.takeApart(b)
		if got := o.files[o.index.Items[0].OriginalFile()]; !bytes.Equal(got, content[c.begin:c.end]) {
			t.Errorf("%d to %d: it holds %d bytes", c.from, c.to, len(got))
		}
		if proof := o.files[o.item(0, "part.bin")]; len(proof) > 8*32 {
			t.Errorf("%d to %d: a proof of %d bytes", c.from, c.to, len(proof))
		}
	}
	text := bytes.Repeat([]byte("48.137154,11.576124;"), 1000)
	encoded := w.keep(recording{path: "DCIM/100/CLIP1.JSON", content: text, sealed: compressed(t, text)})
	for _, wanted := range []export.Wanted{{ID: id, From: 5, To: 5}, {ID: id, From: 6, To: 5}, {ID: id, From: 0, To: 10 << 20}, {ID: id, From: 1}, {ID: encoded, To: 5}} {
		if _, err := w.service.Make(t.Context(), export.CommandLine(), []export.Wanted{wanted}); !errors.Is(err, export.ErrRange) {
			t.Errorf("%+v: %v, want ErrRange", wanted, err)
		}
	}
}

func TestAPartThatIsAnotherIsFound(t *testing.T) {
	w := newWorld(t)
	content := noise(9<<20+77, 1)
	b := w.packPart(w.keep(recording{path: "A.MP4", content: content}), 3<<20, 5<<20)
	for name, forge := range map[string]func(o *opened){
		"a bit of it":      func(o *opened) { o.flip(o.index.Items[0].OriginalFile()) },
		"its proof":        func(o *opened) { o.flip(o.item(0, "part.bin")) },
		"another part":     func(o *opened) { o.put(content[5<<20 : 7<<20]) },
		"its place":        func(o *opened) { o.index.Items[0].Part.From, o.index.Items[0].Part.To = 4<<20, 6<<20; o.saveIndex() },
		"a whole, it says": func(o *opened) { o.index.Items[0].Part = nil; o.saveIndex() },
	} {
		o := w.takeApart(b)
		forge(o)
		r := w.judge(o.summed())
		if said := strings.Join(fails(r), "\n"); r.Verdict != verifier.Fails || !strings.Contains(said, o.index.Items[0].OriginalFile()) && !strings.Contains(said, "part.bin") {
			t.Errorf("%s: %s: %s", name, r.Verdict, said)
		}
	}
}

// A part that was asked for by its time holds the bytes that hold it, and the
// package tells both times.
func TestAPartIsAskedForByItsTime(t *testing.T) {
	w := newWorld(t)
	maker, err := footage.NewMaker(t.Context(), footage.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("this test needs ffmpeg: run scripts/setup: %v", err)
	}
	files, err := maker.Make(t.Context(), footage.Clip{Serial: "CAM-1", Model: "Vigil 3", Sequence: 1, Started: time.Unix(1e9, 0), Length: 12 * time.Second, Size: 9 << 20})
	w.must(err)
	content, err := os.ReadFile(files.Video)
	w.must(err)
	id := w.keep(recording{path: "DCIM/100/CLIP1.MP4", content: content})
	p, err := w.service.Make(t.Context(), export.CommandLine(), []export.Wanted{{ID: id, Times: &export.Times{From: 5 * time.Second, To: 6 * time.Second}}})
	w.must(err)
	defer p.Close()
	var b bytes.Buffer
	w.must(p.WriteTo(t.Context(), &b))
	r := w.judge(b.Bytes())
	said := ""
	for _, f := range r.Findings {
		said += f.What + "\n"
	}
	if r.Verdict != verifier.Holds || !strings.Contains(said, "the time 4s to 6s from its beginning (asked for: 5s to 6s)") {
		t.Errorf("%s: %s", r.Verdict, said)
	}
	o := w.takeApart(b.Bytes())
	part := o.index.Items[0].Part
	got := o.files[o.index.Items[0].OriginalFile()]
	if len(got) > len(content)/2 || !bytes.Equal(got, content[part.From:part.To]) {
		t.Errorf("%d of %d bytes, %+v", len(got), len(content), part)
	}
	if text := string(o.files["README.txt"]); !strings.Contains(text, "asked for: 5s to 6s") {
		t.Errorf("README.txt: %s", text)
	}
	for name, wanted := range map[string]export.Wanted{
		"behind the end": {ID: id, Times: &export.Times{From: time.Hour, To: 2 * time.Hour}},
		"both":           {ID: id, To: 5, Times: &export.Times{To: time.Second}},
		"no recording":   {ID: w.keep(recording{path: "B.MP4", content: noise(3<<20, 2)}), Times: &export.Times{To: time.Second}},
	} {
		if _, err := w.service.Make(t.Context(), export.CommandLine(), []export.Wanted{wanted}); !errors.Is(err, export.ErrRange) {
			t.Errorf("%s: %v, want ErrRange", name, err)
		}
	}
}

// put puts another recording in the place of the first, with its list of leaves.
func (o *opened) put(content []byte) {
	o.files[o.index.Items[0].OriginalFile()], o.files[o.item(0, "leaves.bin")] = content, evidence.EncodeLeaves(leavesOf(content))
}
