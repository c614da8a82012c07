package export_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/proto/evidence"
)

// campaign makes more of each, and prints counts: make tamper.
var campaign = flag.Bool("campaign", false, "flip every byte of the frame and thousands of others, judge hundreds of clean packages")

// twoItems is the package that is tampered with.
func twoItems(t testing.TB) (*world, []byte) {
	w := newWorld(t)
	w.config.Page = []byte("<!DOCTYPE html><title>verify</title>")
	w.service = export.New(w.config)
	a := w.keep(recording{path: "DCIM/100/CLIP1.MP4", content: noise(3<<20+77, 1), signed: true, erased: true})
	w.view(a, 4)
	w.keep(recording{path: "DCIM/100/CLIP2.MP4", content: noise(1<<20, 2)})
	return w, w.pack(w.items...)
}

func TestEveryTamperingIsFoundAndNamed(t *testing.T) {
	w, b := twoItems(t)
	if r := w.judge(b); r.Verdict != verifier.Holds {
		t.Fatalf("the package itself: %q", fails(r))
	}
	found := 0
	for _, c := range tamperings {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.TB = t
			forged := c.forge(w.takeApart(b), b)
			if bytes.Equal(forged, b) {
				t.Fatal("nothing was changed")
			}
			r := w.judge(forged)
			if said := fails(r); r.Verdict != verifier.Fails || !strings.Contains(strings.Join(said, "\n"), c.named) {
				t.Errorf("%s, and %q is not named: %q", r.Verdict, c.named, said)
				return
			}
			found++
		})
	}
	t.Logf("%d of %d tamperings found and named", found, len(tamperings))
}

func TestASealMadeByAnotherServerHoldsOnlyUnpinned(t *testing.T) {
	w, _ := twoItems(t)
	forger := newServer(t, key(71), key(72), key(73))
	b := forger.pack(forger.keep(recording{path: "DCIM/100/CLIP1.MP4", content: noise(1000, 1)}))
	r, err := verifier.Archive(t.Context(), bytes.NewReader(b), int64(len(b)), verifier.Options{})
	w.must(err)
	if r.Verdict != verifier.HoldsUnpinned {
		t.Errorf("unpinned: %s: %q", r.Verdict, fails(r))
	}
	if r := w.judge(b); r.Verdict != verifier.Fails || !strings.Contains(strings.Join(fails(r), "\n"), "another log key") {
		t.Errorf("pinned: %s: %q", r.Verdict, fails(r))
	}
}

// TestEveryChangedByteIsNamed flips bytes wherever they are: in a file, that file is
// named; between files, the archive.
func TestEveryChangedByteIsNamed(t *testing.T) {
	w, b := twoItems(t)
	a, err := pack.Open(bytes.NewReader(b), int64(len(b)))
	w.must(err)
	in := func(at int64) string {
		for i := range a.Entries {
			if _, from, n := a.Content(&a.Entries[i]).Outer(); at >= from && at < from+n {
				return a.Entries[i].Name
			}
		}
		return "package"
	}
	random := rand.New(rand.NewPCG(1, 2))
	var places []int64
	for i := range a.Entries {
		_, from, n := a.Content(&a.Entries[i]).Outer()
		places = append(places, from+random.Int64N(n), from-1)
	}
	if *campaign {
		for at := range int64(len(b)) {
			if in(at) == "package" {
				places = append(places, at)
			}
		}
		for range 3000 {
			places = append(places, random.Int64N(int64(len(b))))
		}
	}
	found := 0
	for _, at := range places {
		harmed := bytes.Clone(b)
		harmed[at] ^= byte(1 + random.IntN(255))
		r := w.judge(harmed)
		named := slices.ContainsFunc(r.Findings, func(f verifier.Finding) bool { return f.Status == verifier.Failed && f.Subject == in(at) })
		if r.Verdict != verifier.Fails || !named {
			t.Errorf("byte %d of %s: %s: %q", at, in(at), r.Verdict, fails(r))
			continue
		}
		found++
	}
	t.Logf("%d of %d changed bytes found and named", found, len(places))
}

// TestCleanPackagesHold makes packages of recordings of all lengths, and then many of
// some short ones, each of another choice, and wants every one to hold.
func TestCleanPackagesHold(t *testing.T) {
	packages, short := 6, 10
	if *campaign {
		packages, short = 250, 9_750
	}
	w := newWorld(t)
	random := rand.New(rand.NewPCG(3, 4))
	held := 0
	for i := range packages {
		var ids []evidence.EvidenceID
		for n := range 1 + random.IntN(3) {
			id := w.keep(recording{path: fmt.Sprintf("DCIM/%d/%d.MP4", i, n), content: noise(random.IntN(3<<20), byte(i)), signed: random.IntN(2) == 0, erased: random.IntN(2) == 0})
			w.view(id, random.IntN(9))
			ids = append(ids, id)
		}
		if i > 3 {
			ids = append(ids, w.items[random.IntN(len(w.items)-len(ids))])
		}
		if r := w.judge(w.pack(ids...)); r.Verdict != verifier.Holds {
			t.Errorf("package %d: %q", i, fails(r))
			continue
		}
		held++
	}
	var few []evidence.EvidenceID
	for n := range 3 + short/10 {
		few = append(few, w.keep(recording{path: fmt.Sprintf("DCIM/FEW/%d.MP4", n), content: noise(random.IntN(20_000), byte(n)), signed: n%2 == 0, erased: n%3 == 0}))
	}
	for i := range short {
		chosen := random.Perm(len(few))[:1+random.IntN(3)]
		var ids []evidence.EvidenceID
		for _, n := range chosen {
			ids = append(ids, few[n])
		}
		if r := w.judge(w.pack(ids...)); r.Verdict != verifier.Holds {
			t.Errorf("short package %d: %q", i, fails(r))
			continue
		}
		held++
	}
	t.Logf("%d of %d clean packages hold", held, packages+short)
}
