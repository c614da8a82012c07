package proof_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/internal/tlog/tlogtest"
	"github.com/sealdock/sealdock/proto/evidence"
)

const origin = "evidence.example/springfield"

// world is a server that signs and logs, as far as receipts need one.
type world struct {
	receiptKey, logKey ed25519.PrivateKey
	tiles              *tlogtest.Memory
	size               int64
	trust              proof.Trust
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{tiles: new(tlogtest.Memory)}
	w.receiptKey = ed25519.NewKeyFromSeed([]byte(strings.Repeat("r", 32)))
	w.logKey = ed25519.NewKeyFromSeed([]byte(strings.Repeat("l", 32)))
	w.trust = proof.Trust{
		Agency: "springfield", LogOrigin: origin,
		LogPublicKey:     w.logKey.Public().(ed25519.PublicKey),
		ReceiptPublicKey: w.receiptKey.Public().(ed25519.PublicKey),
	}
	return w
}

func receipt() *evidence.Receipt {
	return &evidence.Receipt{
		Version: 1, Agency: "springfield", Dock: "front-desk", Evidence: evidence.EvidenceID{1}, Attempt: 1,
		CameraSerial: "CAM-1", Path: "DCIM/100/A.MP4", Length: 12345,
		SHA256: evidence.SHA256([]byte("whole")), MerkleRoot: evidence.SHA256([]byte("root")), ManifestDigest: evidence.SHA256([]byte("manifest")),
		StoredAt: time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC),
	}
}

func event(r *evidence.Receipt) *evidence.Event {
	return &evidence.Event{
		Version: 1, Agency: r.Agency, Type: evidence.EventEvidenceStored, At: r.StoredAt, Actor: evidence.Actor{Kind: "server", ID: "ingest"},
		Object: evidence.ItemObject(r.Evidence), Outcome: evidence.OutcomeDone, Details: proof.StoredDetails(r),
	}
}

// log puts the event between others and fills in the receipt's proof.
func (w *world) log(t *testing.T, r *evidence.Receipt, e *evidence.Event) {
	t.Helper()
	eventJSON, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	salt := []byte(strings.Repeat("s", 32))
	entries := [][]byte{}
	for range 5 {
		entries = append(entries, tlog.Entry(salt, []byte("before")))
	}
	index := w.size + int64(len(entries))
	entries = append(entries, tlog.Entry(salt, eventJSON), tlog.Entry(salt, []byte("after")))
	size, root, err := tlog.Append(t.Context(), w.tiles, w.size, entries)
	if err != nil {
		t.Fatal(err)
	}
	w.size = size
	signer, err := tlog.NewSigner(origin, w.logKey)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: size, Root: root}, signer)
	if err != nil {
		t.Fatal(err)
	}
	path, err := tlog.ProveInclusion(t.Context(), w.tiles, size, index)
	if err != nil {
		t.Fatal(err)
	}
	r.Proof = evidence.LogProof{Origin: origin, Index: index, Salt: salt, Event: eventJSON, Checkpoint: string(checkpoint)}
	for _, h := range path {
		r.Proof.Path = append(r.Proof.Path, evidence.Digest(h))
	}
}

func (w *world) sign(t *testing.T, r *evidence.Receipt) *evidence.Envelope {
	t.Helper()
	payload, err := evidence.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Sign(evidence.TypeReceipt, payload, "receipt", w.receiptKey)
}

func want(r *evidence.Receipt) proof.Expect {
	return proof.Expect{
		Dock: r.Dock, Evidence: r.Evidence, Attempt: r.Attempt, CameraSerial: r.CameraSerial, Path: r.Path,
		Length: r.Length, SHA256: r.SHA256, MerkleRoot: r.MerkleRoot, ManifestDigest: r.ManifestDigest,
	}
}

func TestASoundReceiptIsAccepted(t *testing.T) {
	w, r := newWorld(t), receipt()
	w.log(t, r, event(r))
	expect := want(r)
	expect.SameReading = true
	got, err := proof.CheckReceipt(w.sign(t, r), w.trust, expect)
	if err != nil {
		t.Fatal(err)
	}
	if got.SHA256 != r.SHA256 || got.Proof.Index != r.Proof.Index {
		t.Fatalf("got %+v", got)
	}
}

func TestAReceiptForAnythingElseIsRefused(t *testing.T) {
	other := evidence.SHA256([]byte("other"))
	cases := map[string]func(*proof.Expect){
		"camera":      func(e *proof.Expect) { e.CameraSerial = "CAM-2" },
		"path":        func(e *proof.Expect) { e.Path = "DCIM/100/B.MP4" },
		"length":      func(e *proof.Expect) { e.Length++ },
		"hash":        func(e *proof.Expect) { e.SHA256 = other },
		"merkle root": func(e *proof.Expect) { e.MerkleRoot = other },
		"manifest":    func(e *proof.Expect) { e.ManifestDigest = other },
		"dock":        func(e *proof.Expect) { e.Dock = "back-door" },
		"attempt":     func(e *proof.Expect) { e.Attempt, e.SameReading = 2, true },
		"item":        func(e *proof.Expect) { e.Evidence[0], e.SameReading = 2, true },
	}
	w, r := newWorld(t), receipt()
	w.log(t, r, event(r))
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			expect := want(r)
			change(&expect)
			if _, err := proof.CheckReceipt(w.sign(t, r), w.trust, expect); !errors.Is(err, proof.ErrOther) {
				t.Fatalf("got %v, want ErrOther", err)
			}
		})
	}
}

func TestAnEarlierReadingOfTheSameBytesIsGoodEnough(t *testing.T) {
	w, r := newWorld(t), receipt()
	w.log(t, r, event(r))
	expect := want(r)
	expect.Evidence, expect.Dock, expect.ManifestDigest = evidence.EvidenceID{9}, "back-door", evidence.SHA256([]byte("new"))
	if _, err := proof.CheckReceipt(w.sign(t, r), w.trust, expect); err != nil {
		t.Fatal(err)
	}
}

func TestAReceiptThatTheLogDoesNotProveIsRefused(t *testing.T) {
	foreign := ed25519.NewKeyFromSeed([]byte(strings.Repeat("f", 32)))
	cases := map[string]func(t *testing.T, w *world, r *evidence.Receipt){
		"another event type": func(t *testing.T, w *world, r *evidence.Receipt) {
			e := event(r)
			e.Type = evidence.EventManifestReceived
			w.log(t, r, e)
		},
		"event of a refused act": func(t *testing.T, w *world, r *evidence.Receipt) {
			e := event(r)
			e.Outcome = evidence.OutcomeRefused
			w.log(t, r, e)
		},
		"event about another item": func(t *testing.T, w *world, r *evidence.Receipt) {
			e := event(r)
			e.Object = evidence.ItemObject(evidence.EvidenceID{7})
			w.log(t, r, e)
		},
		"event with another hash": func(t *testing.T, w *world, r *evidence.Receipt) {
			e := event(r)
			e.Details[proof.DetailSHA256] = strings.Repeat("0", 64)
			w.log(t, r, e)
		},
		"event without a length": func(t *testing.T, w *world, r *evidence.Receipt) {
			e := event(r)
			delete(e.Details, proof.DetailLength)
			w.log(t, r, e)
		},
		"event of another agency": func(t *testing.T, w *world, r *evidence.Receipt) {
			e := event(r)
			e.Agency = "shelbyville"
			w.log(t, r, e)
		},
		"event not in the log": func(t *testing.T, w *world, r *evidence.Receipt) {
			w.log(t, r, event(r))
			e := event(r)
			e.Reason = "added later"
			r.Proof.Event, _ = e.Encode()
		},
		"salt changed":  func(t *testing.T, w *world, r *evidence.Receipt) { w.log(t, r, event(r)); r.Proof.Salt[0] ^= 1 },
		"index changed": func(t *testing.T, w *world, r *evidence.Receipt) { w.log(t, r, event(r)); r.Proof.Index++ },
		"path changed":  func(t *testing.T, w *world, r *evidence.Receipt) { w.log(t, r, event(r)); r.Proof.Path[0][0] ^= 1 },
		"checkpoint by a foreign key": func(t *testing.T, w *world, r *evidence.Receipt) {
			w.logKey = foreign
			w.log(t, r, event(r))
		},
		"log of another origin": func(t *testing.T, w *world, r *evidence.Receipt) {
			w.log(t, r, event(r))
			r.Proof.Origin = "elsewhere.example/log"
		},
		"signed by a foreign receipt key": func(t *testing.T, w *world, r *evidence.Receipt) {
			w.log(t, r, event(r))
			w.receiptKey = foreign
		},
		"of another agency": func(t *testing.T, w *world, r *evidence.Receipt) {
			r.Agency = "shelbyville"
			w.log(t, r, event(r))
		},
	}
	for name, falsify := range cases {
		t.Run(name, func(t *testing.T) {
			w, r := newWorld(t), receipt()
			expect := want(r)
			falsify(t, w, r)
			if _, err := proof.CheckReceipt(w.sign(t, r), w.trust, expect); err == nil {
				t.Fatal("it was accepted")
			}
		})
	}
}

func TestTheSignatureCoversEveryByte(t *testing.T) {
	w, r := newWorld(t), receipt()
	w.log(t, r, event(r))
	env := w.sign(t, r)
	for i := 0; i < len(env.Payload); i += 37 {
		changed := *env
		changed.Payload = append([]byte(nil), env.Payload...)
		changed.Payload[i] ^= 1
		if _, err := proof.CheckReceipt(&changed, w.trust, want(r)); !errors.Is(err, evidence.ErrSignature) {
			t.Fatalf("byte %d: %v, want ErrSignature", i, err)
		}
	}
	if _, err := proof.CheckReceipt(nil, w.trust, want(r)); err == nil {
		t.Fatal("no receipt was accepted as one")
	}
}

func TestAReceiptFitsItsFrameWhateverThePathIs(t *testing.T) {
	w, r := newWorld(t), receipt()
	r.Path, r.CameraSerial = strings.Repeat("<", 4096), strings.Repeat("<", 256) // each six bytes in JSON
	w.log(t, r, event(r))
	env := w.sign(t, r)
	if n := len(env.Marshal()); n > 60<<10 {
		t.Fatalf("the envelope has %d bytes, more than a Receipt frame takes", n)
	}
	if _, err := proof.CheckReceipt(env, w.trust, want(r)); err != nil {
		t.Fatal(err)
	}
}

func TestTrustSurvivesJSON(t *testing.T) {
	w := newWorld(t)
	b, err := json.Marshal(w.trust)
	if err != nil {
		t.Fatal(err)
	}
	var again proof.Trust
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if err := again.Check(); err != nil || string(again.LogPublicKey) != string(w.trust.LogPublicKey) {
		t.Fatalf("%v: %+v", err, again)
	}
	again.ReceiptPublicKey = again.ReceiptPublicKey[1:]
	if again.Check() == nil {
		t.Fatal("a short key passed")
	}
}

func TestReceiptsOfARestoredServer(t *testing.T) {
	w, r := newWorld(t), receipt()
	w.log(t, r, event(r))
	signed := w.sign(t, r)
	for name, c := range map[string]struct {
		trust proof.Trust
		ok    bool
	}{
		"the backup had it":             {w.trust.Continued([]int64{w.size}), true},
		"both backups had it":           {w.trust.Continued([]int64{w.size + 9, w.size}), true},
		"the backup was older":          {w.trust.Continued([]int64{w.size - 1}), false},
		"the second backup was older":   {w.trust.Continued([]int64{w.size, w.size - 1}), false},
		"nobody says how old it was":    {proof.Trust{Agency: w.trust.Agency, LogOrigin: origin + "/restored-1", LogPublicKey: w.trust.LogPublicKey, ReceiptPublicKey: w.trust.ReceiptPublicKey}, false},
		"a log that is not a later one": {proof.Trust{Agency: w.trust.Agency, LogOrigin: origin + "x/restored-1", LogPublicKey: w.trust.LogPublicKey, ReceiptPublicKey: w.trust.ReceiptPublicKey, Restored: []int64{1 << 40}}, false},
	} {
		if _, err := proof.CheckReceipt(signed, c.trust, want(r)); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	later := w.trust.Continued([]int64{5})
	if err := later.Check(); err != nil || later.LogOrigin != origin+"/restored-1" || later.Continued([]int64{1}).LogOrigin != later.LogOrigin {
		t.Errorf("%+v, %v", later, err)
	}
}
