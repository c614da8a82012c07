package export_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/ingest/internal/witness"
	"github.com/sealdock/sealdock/ingest/verifier"
	outside "github.com/sealdock/sealdock/ingest/witness"
	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/tlog"
)

// court runs a witness of w's log and returns it as a server's configuration names it.
func (w *world) court(name string) *witness.Witness {
	w.Helper()
	dir := w.TempDir()
	key, err := outside.Init(dir, name)
	w.must(err)
	vkey, err := tlog.VerifierKey(origin, public(w.log))
	w.must(err)
	w.must(outside.AddLog(dir, vkey, ""))
	program, err := outside.Open(dir, slog.New(slog.DiscardHandler))
	w.must(err)
	server := httptest.NewServer(program)
	w.Cleanup(func() { server.Close(); w.must(program.Close()) })
	named, err := witness.Parse(key + " " + server.URL)
	w.must(err)
	return named
}

// witnessedBy is a world whose log all have cosigned, with an item that was viewed
// before that.
func witnessedBy(t *testing.T, names ...string) (w *world, s *witness.Service, b []byte) {
	w = newWorld(t)
	c := witness.Config{Catalog: w.db, Tiles: fs.Tiles(filepath.Join(w.dir, "log")), Agency: agency, Origin: origin, Quorum: len(names), Every: time.Minute,
		Client: http.DefaultClient, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	for _, name := range names {
		one := w.court(name)
		c.Witnesses, w.config.Witnesses = append(c.Witnesses, one), append(w.config.Witnesses, one.Key)
	}
	w.service, s = export.New(w.config), witness.New(c)
	id := w.keep(recording{path: "DCIM/100/CLIP1.MP4", content: noise(1000, 1)})
	w.view(id, 3)
	w.witness(s)
	return w, s, w.pack(id)
}

func (w *world) witness(s *witness.Service) {
	w.Helper()
	w.must(w.Await(w.Context(), 0))
	round, err := s.Witness(w.Context())
	w.must(err)
	if !round.Kept {
		w.Fatalf("%+v", round)
	}
}

// judgedWith is what somebody finds who trusts these witnesses.
func (w *world) judgedWith(b []byte, keys ...string) *verifier.Report {
	w.Helper()
	pins := w.pins()
	pins.WitnessKeys = keys
	return w.judgeWith(b, pins)
}

func TestAPackageTellsWhoWitnessedItsLog(t *testing.T) {
	w, _, b := witnessedBy(t, "court.example.org/a", "union.example.org/b")
	const saw, whose, nobody = "is a continuation of them", "its key was taken from the package", "That everybody was shown the same log"
	a, u := w.config.Witnesses[0], w.config.Witnesses[1]
	for name, c := range map[string]struct {
		keys []string
		want [3]int
	}{"nobody": {nil, [3]int{0, 2, 1}}, "one": {[]string{a}, [3]int{1, 1, 0}}, "both": {[]string{a, u}, [3]int{2, 0, 0}}} {
		r := w.judgedWith(b, c.keys...)
		got := [3]int{says(r, verifier.Proven, saw), says(r, verifier.NotProven, whose), says(r, verifier.NotProven, nobody)}
		if r.Verdict != verifier.Holds || got != c.want {
			t.Errorf("who trusts %s: %s, %v, want %v: %q", name, r.Verdict, got, c.want, fails(r))
		}
	}
	both := w.judgedWith(w.pack(w.keep(recording{path: "DCIM/100/CLIP2.MP4", content: noise(1000, 2)})), a)
	if both.Verdict != verifier.Holds || says(both, verifier.NotProven, "had seen it when") != 1 || says(both, verifier.NotProven, "had seen them when") != 1 {
		t.Errorf("stored after the last cosignature: %s, %v", both.Verdict, both.Findings)
	}
	if r := w.judgedWith(b, a); says(r, verifier.NotProven, "had seen it when") != 0 {
		t.Errorf("stored before the last cosignature: %v", r.Findings)
	}
	third := w.court("stranger.example.org")
	if r := w.judgedWith(b, third.Key); r.Verdict != verifier.Fails || !strings.Contains(strings.Join(fails(r), "\n"), "stranger.example.org, whose key you gave, has not signed") {
		t.Errorf("who trusts a third one: %s, %q", r.Verdict, fails(r))
	}
}

// What somebody can do who holds all keys of the server and not the witness's. Each
// package is sealed anew in the log, where that can be done.
func TestEveryTamperingWithWitnessesIsFound(t *testing.T) {
	w, s, b := witnessedBy(t, "court.example.org/a")
	same := func(_ *catalog.EventRow, text string) string { return text }
	other := func(_ *catalog.EventRow, text string) string {
		return strings.Replace(text, "192.0.2.7", "192.0.2.9", 1)
	}
	kept := w.takeApart(b).files[pack.WitnessedFile]
	cosignature := string(kept[bytes.LastIndex(kept, []byte("— ")):])
	logged := strings.TrimSuffix(string(kept), cosignature)
	w.view(w.keep(recording{path: "DCIM/100/CLIP2.MP4", content: noise(1000, 2)}), 3)
	w.witness(s)
	later, err := fs.Tiles(filepath.Join(w.dir, "log")).Get(t.Context(), witness.File)
	w.must(err)

	stranger := w.court("court.example.org/a") // of the same name
	newest := *s
	newest.Witnesses = []*witness.Witness{stranger}
	w.witness(&newest)
	foreign, err := fs.Tiles(filepath.Join(w.dir, "log")).Get(t.Context(), witness.File)
	w.must(err)

	put := func(o *opened, text string) *opened { o.files[pack.WitnessedFile] = []byte(text); return o }
	found := 0
	table := []struct {
		name  string
		forge func(o *opened) []byte
		named string
	}{
		{"an edited cosignature", func(o *opened) []byte {
			raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(cosignature[strings.LastIndex(cosignature, " "):]))
			o.must(err)
			raw[len(raw)-1] ^= 1
			return put(o, logged+cosignature[:strings.LastIndex(cosignature, " ")+1]+base64.StdEncoding.EncodeToString(raw)+"\n").rewritten(same)
		}, "has not signed the checkpoint"},
		{"an edited time of a cosignature", func(o *opened) []byte {
			raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(cosignature[strings.LastIndex(cosignature, " "):]))
			o.must(err)
			raw[4+7] ^= 1
			return put(o, logged+cosignature[:strings.LastIndex(cosignature, " ")+1]+base64.StdEncoding.EncodeToString(raw)+"\n").rewritten(same)
		}, "has not signed the checkpoint"},
		{"a cosignature removed", func(o *opened) []byte { return put(o, logged).rewritten(same) }, "has not signed the checkpoint"},
		{"the witness's checkpoint removed", func(o *opened) []byte {
			o.index.Witnesses = nil
			for i, name := range o.names {
				if name == pack.WitnessedFile {
					o.names = append(o.names[:i:i], o.names[i+1:]...)
					break
				}
			}
			return o.saveIndex().rewritten(same)
		}, "has not signed the checkpoint"},
		{"a foreign witness of the same name", func(o *opened) []byte {
			o.index.Witnesses = []string{stranger.Key}
			return put(o.saveIndex(), string(foreign)).summed()
		}, pack.WitnessedFile},
		{"a split view: the log rewritten below what the witness saw", func(o *opened) []byte { return o.rewritten(other) }, "two logs were shown"},
		{"a split view, with a checkpoint that the witness did not see", func(o *opened) []byte {
			signer, err := tlog.NewSigner(origin, w.log)
			o.must(err)
			var size int64 = 5
			text, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: size, Root: tlog.Hash{1}}, signer)
			o.must(err)
			return put(o, string(text)+cosignature).rewritten(other)
		}, pack.WitnessedFile},
		{"a roll-back: the witness saw more than this log holds", func(o *opened) []byte { return put(o, string(later)).summed() }, "the log was set back"},
		{"the checkpoint of another log's key", func(o *opened) []byte {
			signer, err := tlog.NewSigner(origin, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{66}, 32)))
			o.must(err)
			text, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: 5, Root: tlog.Hash{1}}, signer)
			o.must(err)
			return put(o, string(text)).rewritten(same)
		}, "It is no checkpoint of this log"},
	}
	if r := w.judgedWith(b, w.config.Witnesses...); r.Verdict != verifier.Holds {
		t.Fatalf("the package itself: %q", fails(r))
	}
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.TB = t
			r := w.judgedWith(c.forge(w.takeApart(b)), w.config.Witnesses...)
			if said := strings.Join(fails(r), "\n"); r.Verdict != verifier.Fails || !strings.Contains(said, c.named) {
				t.Errorf("%s, and %q is not named: %q", r.Verdict, c.named, said)
				return
			}
			found++
		})
	}
	t.Logf("%d of %d tamperings with witnesses found and named", found, len(table))
	edited := strings.Replace(cosignature, cosignature[len(cosignature)-9:], "AAAAAAA=\n", 1)
	if r := w.judge(put(w.takeApart(b), logged+edited).rewritten(same)); r.Verdict != verifier.Fails || !strings.Contains(strings.Join(fails(r), "\n"), "does not hold") {
		t.Errorf("an edited cosignature, for who trusts no witness: %s, %q", r.Verdict, fails(r))
	}
}
