package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/closed"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/timeline"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/identity"
	making "github.com/sealdock/sealdock/internal/testkit/footage"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestMain(m *testing.M) {
	closed.Enter()
	os.Exit(m.Run())
}

// clipped is a running server with a playable recording of 12 seconds.
type clipped struct {
	*running
	content  []byte
	original evidence.EvidenceID
}

func newClipped(t *testing.T) *clipped {
	t.Helper()
	maker, err := making.NewMaker(t.Context(), making.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("this test needs ffmpeg: run scripts/setup: %v", err)
	}
	files, err := maker.Make(t.Context(), making.Clip{Serial: "CAM-1", Model: "Vigil 3", Sequence: 1, Started: time.Unix(1e9, 0), Length: 12 * time.Second, Size: 9 << 20})
	if err != nil {
		t.Fatal(err)
	}
	c := &clipped{running: newServer(t)}
	c.content, err = os.ReadFile(files.Video)
	c.must(err)
	c.start()
	d := c.enrol("front-desk")
	c.original = c.store(d, d.Record(t, "DCIM/100/CLIP1.MP4", c.content)).Evidence
	return c
}

func (c *clipped) clip(from, to time.Duration) (evidence.EvidenceID, error) {
	return MakeClip(c.ctx, c.config, "test", derive.Clip{Original: c.original, From: from, To: to, Reason: "case 4711"}, c.logger(), time.Now)
}

// read returns the bytes of an item.
func (c *clipped) read(id evidence.EvidenceID) (content []byte) {
	c.t.Helper()
	c.must(WithPackages(c.ctx, c.config, "test", c.logger(), time.Now, func(s *export.Service) error {
		item, r, err := s.Open(c.ctx, id)
		if err != nil {
			return err
		}
		content, err = io.ReadAll(io.NewSectionReader(r, 0, int64(item.Length)))
		return errors.Join(err, r.Close())
	}))
	return content
}

// frames are the hashes of a recording's pictures as they are packed, in their order.
func frames(t *testing.T, content []byte) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.mp4")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffmpeg", "-v", "error", "-i", path, "-map", "0:v", "-c", "copy", "-f", "framehash", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Split(strings.TrimSpace(line), ","); !strings.HasPrefix(line, "#") {
			all = append(all, strings.TrimSpace(fields[len(fields)-1]))
		}
	}
	return all
}

func TestAClipIsAnItemOfItsOwnAndItsOriginalStaysAsItWas(t *testing.T) {
	c := newClipped(t)
	db := c.catalog()
	before, err := db.Item(c.ctx, "springfield", c.original)
	c.must(err)
	blob := blobs.Path(c.config.vaultDir(), vault.Committed, vault.Key{Agency: "springfield", ID: c.original, Attempt: 1})
	bytesBefore, err := os.ReadFile(blob)
	c.must(err)
	infoBefore, err := os.Stat(blob)
	c.must(err)

	id, err := c.clip(5*time.Second, 6500*time.Millisecond)
	c.must(err)
	item, err := db.Item(c.ctx, "springfield", id)
	c.must(err)
	if item.State != catalog.StateStored || item.Kind != evidence.KindDerivative || item.Original != c.original || item.Receipt == nil {
		t.Errorf("the clip is %s, a %s of %s", item.State, item.Kind, item.Original)
	}
	envelope, err := evidence.ParseEnvelope(item.Manifest)
	c.must(err)
	var m evidence.Manifest
	c.must(evidence.Decode(envelope.Payload, &m))
	r := m.Derivation
	if r.Original != c.original || r.SHA256 != sha256.Sum256(c.content) || r.AskedFrom != 5_000_000 || r.From > r.AskedFrom || r.From < 3_000_000 || r.To < 6_400_000 || !strings.HasPrefix(r.ToolVersion, "ffmpeg version") || r.Reason != "case 4711" {
		t.Errorf("the recipe: %+v", r)
	}

	// Its pictures are those of the original, and those that were asked for.
	clip := c.read(id)
	x, err := timeline.Read(bytes.NewReader(clip), uint64(len(clip)))
	c.must(err)
	all, some := frames(t, c.content), frames(t, clip)
	at := strings.Index(strings.Join(all, " "), strings.Join(some, " "))
	if len(some) < 30 || at < 0 {
		t.Errorf("the %d pictures of the clip are not a span of the %d of the original", len(some), len(all))
	}
	if want := time.Duration(r.To-r.From) * time.Microsecond; x.Duration != want || want > 4*time.Second {
		t.Errorf("it lasts %v, its recipe says %v", x.Duration, want)
	}

	// The recipe, run by a stranger on the original, gives the same bytes.
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.mp4"), filepath.Join(dir, "out.mp4")
	c.must(os.WriteFile(in, c.content, 0o600))
	var args []string
	for _, p := range r.Parameters {
		args = append(args, strings.NewReplacer(evidence.InputFile, in, evidence.OutputFile, out).Replace(p))
	}
	if said, err := exec.Command(r.Tool, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	again, err := os.ReadFile(out)
	c.must(err)
	if sha256.Sum256(again) != m.SHA256 {
		t.Error("the recipe gives other bytes")
	}

	// The same clip again is the same item.
	if same, err := c.clip(5*time.Second, 6500*time.Millisecond); err != nil || same != id {
		t.Errorf("once more: %s, %v", same, err)
	}
	of, err := db.DerivativesOf(c.ctx, "springfield", c.original, 0)
	if err != nil || len(of) != 1 || of[0].ID != id {
		t.Errorf("derivatives: %d, %v", len(of), err)
	}

	after, err := db.Item(c.ctx, "springfield", c.original)
	c.must(err)
	bytesAfter, err := os.ReadFile(blob)
	c.must(err)
	infoAfter, err := os.Stat(blob)
	c.must(err)
	if fmt.Sprintf("%+v", before) != fmt.Sprintf("%+v", after) || !bytes.Equal(bytesBefore, bytesAfter) || !infoBefore.ModTime().Equal(infoAfter.ModTime()) {
		t.Error("the original's row, blob or its time has changed")
	}
	for object, kind := range map[evidence.EvidenceID]evidence.EventType{id: evidence.EventDerivativeSigned, c.original: evidence.EventDerived} {
		n, err := db.CountEvents(c.ctx, catalog.EventFilter{Agency: "springfield", Type: kind, Object: evidence.ItemObject(object)})
		if err != nil || n != 1 {
			t.Errorf("%d events %s, %v", n, kind, err)
		}
	}
	c.end()
	if n := sound(t, c.config); n != 2 {
		t.Errorf("%d items are stored, want 2", n)
	}
	// Without a server, and from a folder that had no such key.
	if _, err := c.clip(0, 2*time.Second); err != nil {
		t.Error(err)
	}
	c.must(os.Remove(c.config.derivativeKey()))
	if _, err := c.clip(1*time.Second, 2*time.Second); err == nil || !strings.Contains(err.Error(), "derivative.key") {
		t.Errorf("with derivatives and without their key: %v", err)
	}
}

func TestWhatIsNoClipIsRefusedOnRecord(t *testing.T) {
	c := newClipped(t)
	d := c.enrol("back-door")
	for name, content := range map[string][]byte{
		"TEXT.MP4":  []byte("no recording at all"),
		"CUT.MP4":   c.content[:len(c.content)/2],
		"NOISE.MP4": noiseBytes(),
		"ZERO.MP4":  append(bytes.Clone(c.content[:1<<20]), make([]byte, 1<<20)...),
	} {
		bad := *c
		bad.original = c.store(d, d.Record(t, "DCIM/100/"+name, content)).Evidence
		if id, err := bad.clip(9*time.Second, 10*time.Second); err == nil {
			t.Errorf("%s gave clip %s", name, id)
		}
	}
	for _, span := range [][2]time.Duration{{13 * time.Second, 14 * time.Second}, {2 * time.Second, time.Second}, {time.Second, time.Second}} {
		if id, err := c.clip(span[0], span[1]); err == nil {
			t.Errorf("%v gave clip %s", span, id)
		}
	}
	db := c.catalog()
	n, err := db.CountEvents(c.ctx, catalog.EventFilter{Agency: "springfield", Type: evidence.EventDerived})
	if err != nil || n != 7 {
		t.Errorf("%d failures are on record, %v", n, err)
	}
	if n, err := db.CountItems(c.ctx, catalog.ItemFilter{Agency: "springfield", Kind: evidence.KindDerivative}); err != nil || n.Items != 0 {
		t.Errorf("%d derivatives, %v", n.Items, err)
	}
	unknown := *c
	unknown.original = evidence.NewEvidenceID()
	if _, err := unknown.clip(1*time.Second, 2*time.Second); err == nil {
		t.Error("an unknown item gave a clip")
	}
	long := c.config
	c.end()
	long.ClipMiB = 1
	if _, err := MakeClip(c.ctx, long, "test", derive.Clip{Original: c.original, From: 0, To: 10 * time.Second, Reason: "x"}, c.logger(), time.Now); !errors.Is(err, derive.ErrLong) && (err == nil || !strings.Contains(err.Error(), "too long")) {
		t.Errorf("more than the configuration allows: %v", err)
	}
	if _, err := MakeClip(context.Background(), c.config, "test", derive.Clip{Original: c.original, From: 0, To: time.Second}, c.logger(), time.Now); err == nil {
		t.Error("a clip without a reason")
	}
}

// noiseBytes are no recording.
func noiseBytes() []byte { return bytes.Repeat([]byte("moov mdat trak"), 1<<17) }

// judged makes a package of items and has it judged by somebody outside.
func (c *clipped) judged(ids ...evidence.EvidenceID) (report *verifier.Report, said string) {
	c.t.Helper()
	var archive bytes.Buffer
	c.must(WithPackages(c.ctx, c.config, "test", c.logger(), time.Now, func(s *export.Service) error {
		p, err := s.Make(c.ctx, export.CommandLine(), export.Whole(ids...))
		if err != nil {
			return err
		}
		defer p.Close()
		return p.WriteTo(c.ctx, &archive)
	}))
	key, err := LogKey(c.ctx, c.config, time.Now)
	c.must(err)
	report, err = verifier.Archive(c.ctx, bytes.NewReader(archive.Bytes()), int64(archive.Len()), verifier.Options{Pins: verifier.Pins{LogKey: key}})
	c.must(err)
	for _, f := range report.Findings {
		said += string(f.Status) + ": " + f.Subject + ": " + f.What + "\n"
	}
	return report, said
}

func TestAPackageTellsAClipFromAnOriginal(t *testing.T) {
	c := newClipped(t)
	id, err := c.clip(5*time.Second, 6*time.Second)
	c.must(err)
	for _, p := range []struct {
		items []evidence.EvidenceID
		say   []string
	}{
		{[]evidence.EvidenceID{id}, []string{"proven: item " + id.String() + ": It is NO original.", "of recording " + c.original.String(), "not proven: item " + id.String() + ": What the original shows: it is not in this package"}},
		{[]evidence.EvidenceID{c.original}, []string{"proven: item " + c.original.String() + ": Of it the server made item " + id.String()}},
		{[]evidence.EvidenceID{c.original, id}, []string{"The original that it names is in this package", "Of it the server made"}},
	} {
		report, said := c.judged(p.items...)
		if report.Verdict != verifier.Holds {
			t.Errorf("%v: %s\n%s", p.items, report.Verdict, said)
		}
		for _, want := range p.say {
			if !strings.Contains(said, want) {
				t.Errorf("%v: it is not said that %q:\n%s", p.items, want, said)
			}
		}
		for _, r := range report.Recordings {
			if (r.Original == c.original) != (r.ID == id) {
				t.Errorf("%s is of %s", r.ID, r.Original)
			}
		}
	}
	// A recipe under another purpose's key is none.
	db := c.catalog()
	item, err := db.Item(c.ctx, "springfield", id)
	c.must(err)
	envelope, err := evidence.ParseEnvelope(item.Manifest)
	c.must(err)
	secrets, err := loadOwnSecrets(&c.config)
	c.must(err)
	if _, err := envelope.Verify(evidence.TypeManifest, secrets.derivative.Public()); err == nil {
		t.Error("it passes as a dock's manifest")
	}
	for _, key := range []*identity.StatementKey{secrets.receipt, secrets.checkpoint} {
		if _, err := key.Sign(evidence.TypeDerivative, envelope.Payload); err == nil {
			t.Errorf("a key for %s signs derivatives", key.Purpose())
		}
	}
}

// A clip whose recipe is under another purpose's key, or names another original, is found.
func TestFsckFindsAFalseClip(t *testing.T) {
	c := newClipped(t)
	id, err := c.clip(1*time.Second, 3*time.Second)
	c.must(err)
	c.end()
	item, err := c.catalog().Item(c.ctx, "springfield", id)
	c.must(err)
	envelope, err := evidence.ParseEnvelope(item.Manifest)
	c.must(err)
	secrets, err := loadSecrets(&c.config)
	c.must(err)
	raw := catalogtest.Raw(t, c.config.catalogURL(), c.catalogSecret())
	found := func(column, table string, value any) (said string) {
		t.Helper()
		_, err := raw.Exec("UPDATE "+table+" SET "+column+" = $1 WHERE id = $2", value, id.String())
		c.must(err)
		_, err = Check(c.ctx, c.config, true, time.Now, func(f fsck.Finding) {
			if f.Severity == fsck.Problem {
				said += f.What + "\n"
			}
		})
		c.must(err)
		return said
	}
	forged := evidence.Sign(evidence.TypeDerivative, envelope.Payload, secrets.receipt.ID(), secrets.receipt.Private())
	if said := found("manifest", "offers", forged.Marshal()); !strings.Contains(said, "signature does not verify") {
		t.Errorf("signed by the receipt key: %q", said)
	}
	found("manifest", "offers", item.Manifest)
	if said := found("original", "items", evidence.NewEvidenceID().String()); !strings.Contains(said, "the row says original is") {
		t.Errorf("another original: %q", said)
	}
	if said := found("original", "items", c.original.String()); said != "" {
		t.Error(said)
	}
}

// A freeze of an original holds what was made of it; a clip is destroyed before its
// original, which stays.
func TestAClipIsFrozenWithItsOriginalAndDestroyedBeforeIt(t *testing.T) {
	c := newClipped(t)
	c.employ()
	id, err := c.clip(1*time.Second, 3*time.Second)
	c.must(err)
	freeze, err := Freeze(c.ctx, c.config, catalog.FreezeItem, c.original.String(), "case 4711", time.Now)
	c.must(err)
	destroy := func(id evidence.EvidenceID) error {
		_, err := DestroyItem(c.ctx, c.config, id, "order of the court", alba, ben, time.Now)
		return err
	}
	if err := destroy(id); !errors.Is(err, catalog.ErrFrozen) {
		t.Errorf("a clip of a frozen original: %v", err)
	}
	c.must(c.catalog().Update(c.ctx, func(tx *sqldb.Tx) error {
		return tx.EndFreeze(c.ctx, "springfield", freeze.ID, "over", "local", time.Now())
	}))
	if err := destroy(c.original); err == nil || !strings.Contains(err.Error(), "lives on") {
		t.Errorf("an original with a clip: %v", err)
	}
	c.must(destroy(id))
	if _, err := c.clip(1*time.Second, 2*time.Second); err != nil {
		t.Errorf("the original: %v", err)
	}
}
