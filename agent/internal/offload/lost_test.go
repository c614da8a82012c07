package offload

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// given is a receipt over so many entries of a log, as far as its age can be told by it.
func given(t *testing.T, key ed25519.PrivateKey, origin string, size int64) spool.Receipt {
	t.Helper()
	signer, err := tlog.NewSigner(origin, key)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: size, Root: tlog.Hash{1}}, signer)
	if err != nil {
		t.Fatal(err)
	}
	id := evidence.NewEvidenceID()
	r := evidence.Receipt{
		Version: 1, Agency: "riverton", Dock: "front-desk", Evidence: id, Attempt: 1, CameraSerial: "CAM-1", Path: "A.MP4", Length: 1, SHA256: evidence.SHA256([]byte{1}),
		MerkleRoot: evidence.SHA256([]byte{2}), ManifestDigest: evidence.SHA256([]byte{3}), StoredAt: time.Unix(1e9, 0).UTC(),
		Proof: evidence.LogProof{Origin: origin, Index: size - 1, Salt: make([]byte, 32), Event: []byte("{}"), Checkpoint: string(checkpoint)},
	}
	payload, err := evidence.Encode(&r)
	if err != nil {
		t.Fatal(err)
	}
	return spool.Receipt{Envelope: evidence.Sign(evidence.TypeReceipt, payload, "receipt", key).Marshal(), Digest: evidence.SHA256(payload), Item: id, LogSize: size, Checkpoint: checkpoint}
}

func TestAServerThatWasRestoredIsToldWhichErasedRecordingsItHasLost(t *testing.T) {
	d := newDock(t, nil)
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	erased := map[string]spool.Receipt{}
	for name, size := range map[string]int64{"EARLY.MP4": 40, "LAST.MP4": 50, "LATE.MP4": 51} {
		c := newCamera("CAM-" + name[:4])
		c.record(name, evidence.KindVideo, noise(uint64(size), mib))
		v := d.plug(c, "1-1")
		d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
		if err := v.unplug(); err != nil {
			t.Log(err)
		}
		for _, r := range d.rows() {
			if r.State == spool.StateSpooled {
				erased[name] = given(t, key, "example.org/log", size)
				if err := d.opt.Spool.Received(t.Context(), r.Evidence, r.Attempt, erased[name]); err != nil {
					t.Fatal(err)
				}
				if err := d.opt.Spool.Erased(t.Context(), r.Evidence, []byte("release")); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	statement, found, err := d.opt.Spool.NextStatement(t.Context(), 0)
	for found && err == nil { // all that was said before
		err = d.opt.Spool.Acknowledged(t.Context(), statement.Sequence)
		if err == nil {
			statement, found, err = d.opt.Spool.NextStatement(t.Context(), 0)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	trust := proof.Trust{Agency: "riverton", LogOrigin: "example.org/log", LogPublicKey: key.Public().(ed25519.PublicKey), ReceiptPublicKey: key.Public().(ed25519.PublicKey)}
	if err := d.desk.TellErased(t.Context(), trust.Continued([]int64{50})); err != nil {
		t.Fatal(err)
	}
	all := d.releases()
	if len(all) != 1 || all[0].Path != "LATE.MP4" || all[0].Evidence != erased["LATE.MP4"].Item || all[0].ReceiptDigest != erased["LATE.MP4"].Digest || all[0].Result != evidence.ReleaseErased {
		t.Errorf("it is told %+v", all)
	}
}
