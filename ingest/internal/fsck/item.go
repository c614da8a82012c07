package fsck

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// What to do about the kinds of problem.
const (
	doCatalog = "Restore the catalog from a backup and compare; nobody changes rows of evidence"
	doBlob    = "Restore the blob from a backup; do not erase the camera if it still holds the recording"
	doDestroy = "Destroy it again: sealdock-ingest keys destroy"
	doReceipt = "Restore the catalog from a backup; the dock's spool holds the receipt too until the camera is erased"
)

// subject is an item under check.
type subject struct {
	*check
	row      *catalog.Item
	manifest evidence.Manifest
	payload  []byte // of the manifest, as signed
	leaves   []evidence.Digest
	bad      bool // a problem was told
}

func (s *subject) problem(do, format string, args ...any) { s.tellProblem("", do, format, args...) }

// blob tells a problem of the item's blob.
func (s *subject) blob(kind Kind, format string, args ...any) {
	s.tellProblem(kind, doBlob, format, args...)
}

func (s *subject) tellProblem(kind Kind, do, format string, args ...any) {
	s.bad = true
	s.tell(Finding{Problem, evidence.ItemObject(s.row.ID), s.row.Path, fmt.Sprintf(format, args...), do, kind})
}

func (s *subject) note(format string, args ...any) {
	s.tell(Finding{Note, evidence.ItemObject(s.row.ID), s.row.Path, fmt.Sprintf(format, args...), "", ""})
}

// item checks one row. The error is one of the catalog's, not a finding.
func (c *check) item(ctx context.Context, listed *catalog.Item, b *buffers) error {
	s := &subject{check: c, row: listed}
	row, err := c.Catalog.Item(ctx, listed.Agency, listed.ID)
	if errors.Is(err, catalog.ErrNotFound) {
		s.known(listed)
		c.count(func(t *Summary) { t.Items++ })
		s.problem(doCatalog, "the row, or what the dock offered with it, is missing from the catalog")
		return nil
	}
	if err != nil {
		return err
	}
	s.row = row
	c.count(func(t *Summary) {
		t.Items++
		switch row.State {
		case catalog.StateStored:
			t.Stored++
		case catalog.StateReceiving:
			t.Receiving++
		case catalog.StateQuarantined:
			t.Quarantined++
		case catalog.StateDestroyed:
			t.Destroyed++
		}
	})
	s.known(row)
	if row.EventID != 0 && (row.State == catalog.StateReceiving || row.State == catalog.StateSuperseded) {
		s.problem(doCatalog, "it was stored, event row %d says so, but its row says %s", row.EventID, row.State)
	}
	if s.onRecord(row) && row.State != catalog.StateDestroyed {
		s.problem(doDestroy, "it is on record as destroyed, and its row says %s: an older catalog has come back", row.State)
	}
	switch row.State {
	case catalog.StateStored, catalog.StateDestroyed:
		return s.checkStored(ctx, b)
	case catalog.StateReceiving:
		s.note("in progress: at least %d of %d segments are durable", row.DurableSegments, evidence.LeafCount(row.SealedLength()))
	case catalog.StateQuarantined:
		s.note("in quarantine: %s", row.Reason)
	}
	return nil
}

// known keeps what the check of the log wants to know of the row.
func (s *subject) known(row *catalog.Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts[itemName{row.Agency, row.ID}] = rowFacts{row.Attempt, row.EventID}
}

// checkStored checks a stored item in full.
func (s *subject) checkStored(ctx context.Context, b *buffers) error {
	if err := s.checkManifest(ctx); err != nil {
		return err
	}
	if s.payload == nil {
		return nil // nothing to compare with
	}
	s.checkRow()
	if err := s.checkAnnotation(ctx); err != nil {
		return err
	}
	s.checkLeaves()
	if err := s.checkReceipt(ctx); err != nil {
		return err
	}
	if err := s.checkReleases(ctx); err != nil {
		return err
	}
	if s.leaves == nil {
		return nil
	}
	if s.row.State == catalog.StateDestroyed {
		return s.checkDestroyed(ctx)
	}
	return s.checkBlob(ctx, b)
}

// checkManifest verifies the envelope and fills payload and manifest.
func (s *subject) checkManifest(ctx context.Context) error {
	envelope, err := evidence.ParseEnvelope(s.row.Manifest)
	if err != nil {
		s.problem(doCatalog, "the manifest cannot be read: %v", err)
		return nil
	}
	if err := evidence.Decode(envelope.Payload, &s.manifest); err != nil {
		s.problem(doCatalog, "the manifest cannot be read: %v", err)
		return nil
	}
	switch err := s.verifyManifest(ctx, envelope); {
	case errors.Is(err, evidence.ErrSignature):
		s.problem(doCatalog, "the manifest: %v", err)
	case err != nil:
		return err
	}
	s.payload = envelope.Payload
	return nil
}

// verifyManifest checks the signature of the item's dock, or of who makes derivatives.
func (s *subject) verifyManifest(ctx context.Context, envelope *evidence.Envelope) error {
	if s.manifest.Derivation == nil {
		return s.verify(ctx, envelope, evidence.TypeManifest)
	}
	if len(s.DerivativePublicKey) == 0 {
		return fmt.Errorf("there is no key for derivatives: %w", evidence.ErrSignature)
	}
	_, err := envelope.Verify(evidence.TypeDerivative, s.DerivativePublicKey)
	return err
}

// verify checks a statement against every key that the item's dock ever had.
func (s *subject) verify(ctx context.Context, envelope *evidence.Envelope, payloadType string) error {
	keys, err := s.keys(ctx, s.row.Agency, s.row.Dock)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if _, err := envelope.Verify(payloadType, k.PublicKey); err == nil {
			return nil
		}
	}
	return fmt.Errorf("none of the %d keys of dock %q: %w", len(keys), s.row.Dock, evidence.ErrSignature)
}

// checkRow compares each field of the row with what the dock signed.
func (s *subject) checkRow() {
	r, m := s.row, &s.manifest
	for _, f := range []struct {
		name      string
		have, say any
	}{
		{"agency", r.Agency, m.Agency}, {"evidence id", r.ID, m.Evidence}, {"attempt", r.Attempt, m.Attempt},
		{"dock", r.Dock, m.Dock}, {"station", r.Station, m.Station}, {"bay", r.Bay, m.Bay}, {"docking", r.Docking, m.Docking},
		{"camera", r.Camera, m.Camera.Serial}, {"camera model", r.CameraModel, m.Camera.Model},
		{"path", r.Path, m.Recording.Path}, {"original", r.Original, m.Original()}, {"kind", r.Kind, m.Recording.Kind}, {"length", r.Length, m.Length},
		{"encoding", r.Encoding, m.Sealed().Encoding}, {"sealed length", r.SealedLength(), m.Sealed().Length},
		{"SHA-256", r.SHA256, m.SHA256}, {"Merkle root", r.MerkleRoot, m.MerkleRoot},
		{"officer", r.Officer, m.Claims.Officer}, {"officer id", r.OfficerID, m.Claims.OfficerID}, {"claimed category", r.ClaimedCategory(), m.Claims.Category},
		{"start", r.StartedAt, kept(m.Claims.StartedAt)}, {"end", r.EndedAt, kept(m.Claims.EndedAt)},
		{"digest of the manifest", r.ManifestDigest, evidence.SHA256(s.payload)},
	} {
		if f.have != f.say {
			s.problem(doCatalog, "the row says %s is %v, the signed manifest says %v", f.name, f.have, f.say)
		}
	}
}

// kept is a time with the precision of the catalog.
func kept(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

// checkLeaves compares the leaf list with the manifest's Merkle root.
func (s *subject) checkLeaves() {
	sealed := s.manifest.Sealed()
	leaves, err := evidence.DecodeLeaves(s.row.Leaves)
	switch {
	case err != nil:
		s.problem(doCatalog, "the leaf list: %v", err)
	case uint64(len(leaves)) != evidence.LeafCount(sealed.Length):
		s.problem(doCatalog, "the leaf list has %d leaves, want %d", len(leaves), evidence.LeafCount(sealed.Length))
	case evidence.MerkleRoot(leaves) != sealed.MerkleRoot:
		s.problem(doCatalog, "the leaf list does not give the Merkle root of the signed manifest")
	default:
		s.leaves = leaves
	}
}
