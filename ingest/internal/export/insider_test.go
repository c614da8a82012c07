package export_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/proto/evidence"
)

const witnessName = "witness.example"

// witnessHash is a C2SP signed-note key hash of algorithm 4.
func witnessHash(k ed25519.PublicKey) []byte {
	sum := sha256.Sum256(append([]byte(witnessName+"\n\x04"), k...))
	return sum[:4]
}

func witnessKey(k ed25519.PublicKey) string {
	return fmt.Sprintf("%s+%x+%s", witnessName, witnessHash(k), base64.StdEncoding.EncodeToString(append([]byte{4}, k...)))
}

// cosigned adds a C2SP tlog-cosignature to the checkpoint of a package.
func (o *opened) cosigned(k ed25519.PrivateKey) *opened {
	const at = 1_795_340_000
	return o.line(pack.ProofFile, "checkpoint", func(s string) string {
		var p pack.Proof
		o.must(json.Unmarshal([]byte(s), &p))
		text, _, _ := strings.Cut(p.Checkpoint, "\n\n")
		raw := append(witnessHash(public(k)), binary.BigEndian.AppendUint64(nil, at)...)
		raw = append(raw, ed25519.Sign(k, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at, text))...)
		p.Checkpoint += fmt.Sprintf("— %s %s\n", witnessName, base64.StdEncoding.EncodeToString(raw))
		return string(pack.JSON(&p))
	})
}

func (w *world) judgeWith(b []byte, pins verifier.Pins) *verifier.Report {
	w.Helper()
	r, err := verifier.Archive(w.Context(), bytes.NewReader(b), int64(len(b)), verifier.Options{Pins: pins})
	w.must(err)
	return r
}

func TestAWitnessIsDemandedWhereItsKeyIsGiven(t *testing.T) {
	w, b := twoItems(t)
	witness := key(21)
	pins := w.pins()
	pins.WitnessKeys = []string{witnessKey(public(witness))}
	if r := w.judgeWith(b, pins); r.Verdict != verifier.Fails || !strings.Contains(strings.Join(fails(r), "\n"), "has not signed the checkpoint") {
		t.Errorf("without a cosignature: %s: %q", r.Verdict, fails(r))
	}
	good := w.takeApart(b).cosigned(witness).together()
	if r := w.judgeWith(good, pins); r.Verdict != verifier.Holds {
		t.Errorf("with its cosignature: %s: %q", r.Verdict, fails(r))
	}
	if r := w.judge(good); r.Verdict != verifier.Holds || !strings.Contains(fmt.Sprint(r.Findings), `also carries a signature of "witness.example"`) {
		t.Errorf("not asked about it: %s", r.Verdict)
	}
	if r := w.judgeWith(w.takeApart(b).cosigned(key(22)).together(), pins); r.Verdict != verifier.Fails {
		t.Errorf("with somebody else's under its name: %s", r.Verdict)
	}
}

// What somebody can do who holds every key of the server: change what no receipt
// covers. It takes a witness to find that, and the report says so.
func TestAnInsiderWithAllKeysIsFoundByReceiptsAndWitnesses(t *testing.T) {
	w, b := twoItems(t)
	same := func(_ *catalog.EventRow, text string) string { return text }
	if r := w.judge(w.takeApart(b).rewritten(same)); r.Verdict != verifier.Holds {
		t.Fatalf("the log made anew without a change: %s: %q", r.Verdict, fails(r))
	}
	before := func(row *catalog.EventRow, text string) string {
		if row.Type == evidence.EventManifestReceived {
			return strings.Replace(text, "front-desk", "back-door!", 1)
		}
		return text
	}
	if r := w.judge(w.takeApart(b).rewritten(before)); r.Verdict != verifier.Fails {
		t.Errorf("changed before a receipt: %s", r.Verdict)
	}
	w = newWorld(t)
	id := w.keep(recording{path: "A.MP4", content: noise(1000, 1)})
	w.view(id, 3)
	b = w.pack(id)
	witness := key(21)
	whole := w.takeApart(b).cosigned(witness)
	after := func(row *catalog.EventRow, text string) string {
		return strings.Replace(text, "192.0.2.7", "192.0.2.9", 1)
	}
	forged := whole.rewritten(after)
	if r := w.judge(forged); r.Verdict != verifier.Holds || !strings.Contains(fmt.Sprint(r.Findings), "That everybody was shown the same log") {
		t.Errorf("changed after the last receipt, without a witness: %s", r.Verdict)
	}
	pins := w.pins()
	pins.WitnessKeys = []string{witnessKey(public(witness))}
	if r := w.judgeWith(forged, pins); r.Verdict != verifier.Fails {
		t.Errorf("changed after the last receipt, with a witness: %s", r.Verdict)
	}
}

func TestKeysThatAreGivenAreDemanded(t *testing.T) {
	w, b := twoItems(t)
	good := w.pins()
	good.ReceiptKeys, good.DockKeys = []ed25519.PublicKey{public(w.receipt)}, []ed25519.PublicKey{public(w.dockKey)}
	if r := w.judgeWith(b, good); r.Verdict != verifier.Holds {
		t.Errorf("the right keys: %q", fails(r))
	}
	for name, change := range map[string]func(*verifier.Pins){
		"log":     func(p *verifier.Pins) { p.LogKey = fmt.Sprintf("%x", []byte(public(key(66)))) },
		"receipt": func(p *verifier.Pins) { p.ReceiptKeys = []ed25519.PublicKey{public(key(66))} },
		"dock":    func(p *verifier.Pins) { p.DockKeys = []ed25519.PublicKey{public(key(66))} },
	} {
		pins := good
		change(&pins)
		if r := w.judgeWith(b, pins); r.Verdict != verifier.Fails {
			t.Errorf("another %s key: %s", name, r.Verdict)
		}
	}
}
