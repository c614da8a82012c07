package proof

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ErrOther is wrapped when a receipt is sound in itself but speaks of another
// recording, reading or dock than the wanted one.
var ErrOther = errors.New("the receipt is not for this recording")

// Expect is what a receipt must speak of.
type Expect struct {
	Dock           evidence.DockID
	Evidence       evidence.EvidenceID
	Attempt        uint32
	CameraSerial   string
	Path           string
	Length         uint64
	SHA256         evidence.Digest
	MerkleRoot     evidence.Digest
	ManifestDigest evidence.Digest // SHA-256 of the manifest's payload

	// SameReading refuses a receipt of an earlier reading of the same
	// recording. Without it, a receipt of other id or attempt is good when
	// camera, path, length, hash and Merkle root are the wanted ones: the
	// server holds the recording already, perhaps from another dock.
	SameReading bool
}

// Want returns what a receipt for the manifest must speak of. payload are the
// manifest's bytes as signed.
func Want(m *evidence.Manifest, payload []byte) Expect {
	return Expect{
		Dock:           m.Dock,
		Evidence:       m.Evidence,
		Attempt:        m.Attempt,
		CameraSerial:   m.Camera.Serial,
		Path:           m.Recording.Path,
		Length:         m.Length,
		SHA256:         m.SHA256,
		MerkleRoot:     m.MerkleRoot,
		ManifestDigest: evidence.SHA256(payload),
	}
}

// CheckReceipt returns the receipt if everything in it holds: its signature by
// the pinned receipt key, each fact in want, the logged event's facts, and the
// event's inclusion in a checkpoint signed by the pinned log key. The error
// says which of them does not; ErrOther marks a receipt for something else.
func CheckReceipt(env *evidence.Envelope, keys Trust, want Expect) (*evidence.Receipt, error) {
	r, err := openReceipt(env, keys)
	if err != nil {
		return nil, fmt.Errorf("checking a receipt: %w", err)
	}
	if err := want.check(r); err != nil {
		return nil, fmt.Errorf("checking the receipt of item %v: %w", r.Evidence, err)
	}
	if err := checkEvent(r); err != nil {
		return nil, fmt.Errorf("checking the logged event in the receipt of item %v: %w", r.Evidence, err)
	}
	if err := checkLog(r, keys); err != nil {
		return nil, fmt.Errorf("checking the log proof in the receipt of item %v: %w", r.Evidence, err)
	}
	return r, nil
}

func openReceipt(env *evidence.Envelope, keys Trust) (*evidence.Receipt, error) {
	if env == nil {
		return nil, errors.New("there is none")
	}
	if err := keys.Check(); err != nil {
		return nil, err
	}
	payload, err := env.Verify(evidence.TypeReceipt, ed25519.PublicKey(keys.ReceiptPublicKey))
	if err != nil {
		return nil, err
	}
	var r evidence.Receipt
	if err := evidence.Decode(payload, &r); err != nil {
		return nil, err
	}
	if r.Agency != keys.Agency {
		return nil, fmt.Errorf("%w: it is of agency %q, want %q", ErrOther, r.Agency, keys.Agency)
	}
	return &r, nil
}

func (want *Expect) check(r *evidence.Receipt) error {
	other := func(what string, have, want any) error {
		return fmt.Errorf("%w: %s is %v, want %v", ErrOther, what, have, want)
	}
	switch {
	case r.CameraSerial != want.CameraSerial:
		return other("camera", r.CameraSerial, want.CameraSerial)
	case r.Path != want.Path:
		return other("path", r.Path, want.Path)
	case r.Length != want.Length:
		return other("length", r.Length, want.Length)
	case r.SHA256 != want.SHA256:
		return other("SHA-256", r.SHA256, want.SHA256)
	case r.MerkleRoot != want.MerkleRoot:
		return other("Merkle root", r.MerkleRoot, want.MerkleRoot)
	}
	same := r.Evidence == want.Evidence && r.Attempt == want.Attempt
	switch {
	case !same && !want.SameReading:
		return nil // an earlier reading of the same bytes
	case !same:
		return other("reading", fmt.Sprintf("%v attempt %d", r.Evidence, r.Attempt), fmt.Sprintf("%v attempt %d", want.Evidence, want.Attempt))
	case r.Dock != want.Dock:
		return other("dock", r.Dock, want.Dock)
	case r.ManifestDigest != want.ManifestDigest:
		return other("manifest", r.ManifestDigest, want.ManifestDigest)
	}
	return nil
}

// checkEvent demands that the logged event says what the receipt says.
func checkEvent(r *evidence.Receipt) error {
	var event evidence.Event
	if err := evidence.Decode(r.Proof.Event, &event); err != nil {
		return err
	}
	switch {
	case event.Type != evidence.EventEvidenceStored || event.Outcome != evidence.OutcomeDone:
		return fmt.Errorf("it is %q with outcome %q, want %q done", event.Type, event.Outcome, evidence.EventEvidenceStored)
	case event.Agency != r.Agency:
		return fmt.Errorf("it is of agency %q, want %q", event.Agency, r.Agency)
	case event.Object != evidence.ItemObject(r.Evidence):
		return fmt.Errorf("it is about %q, want %q", event.Object, evidence.ItemObject(r.Evidence))
	}
	for name, want := range StoredDetails(r) {
		if have, ok := event.Details[name]; !ok || have != want {
			return fmt.Errorf("it says %s is %q, the receipt says %q", name, have, want)
		}
	}
	return nil
}

// checkLog demands that the event is in the pinned log.
func checkLog(r *evidence.Receipt, keys Trust) error {
	if !tlog.Continues(keys.LogOrigin, r.Proof.Origin) {
		return fmt.Errorf("log %q, want %q", r.Proof.Origin, keys.LogOrigin)
	}
	if err := keys.checkRestored(); err != nil {
		return err
	}
	verifier, err := tlog.NewVerifier(r.Proof.Origin, ed25519.PublicKey(keys.LogPublicKey))
	if err != nil {
		return err
	}
	checkpoint, err := tlog.OpenCheckpoint([]byte(r.Proof.Checkpoint), r.Proof.Origin, verifier)
	if err != nil {
		return err
	}
	if most := tlog.Surviving(keys.LogOrigin, r.Proof.Origin, keys.Restored); most >= 0 && checkpoint.Size > most {
		return fmt.Errorf("it was given over %d entries of log %q, of which %d were left when the server was restored from a backup", checkpoint.Size, r.Proof.Origin, most)
	}
	path := make([]tlog.Hash, len(r.Proof.Path))
	for i, d := range r.Proof.Path {
		path[i] = tlog.Hash(d)
	}
	leaf := tlog.LeafHash(tlog.Entry(r.Proof.Salt, r.Proof.Event))
	return tlog.CheckInclusion(path, checkpoint.Size, r.Proof.Index, checkpoint.Root, leaf)
}
