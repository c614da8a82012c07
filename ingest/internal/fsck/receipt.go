package fsck

import (
	"bytes"
	"context"
	"errors"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// checkReceipt judges the receipt as the dock does, and compares it with the row
// and the event row.
func (s *subject) checkReceipt(ctx context.Context) error {
	if s.row.Receipt == nil {
		if s.row.EventIndex == -1 {
			s.note("stored, but its receipt is not signed yet: the running server does that, or its next start")
		} else {
			s.problem(doReceipt, "the receipt is missing")
		}
		return nil
	}
	envelope, err := evidence.ParseEnvelope(s.row.Receipt)
	if err != nil {
		s.problem(doReceipt, "the receipt cannot be read: %v", err)
		return nil
	}
	want := proof.Want(&s.manifest, s.payload)
	want.SameReading = true
	receipt, err := proof.CheckReceipt(envelope, proof.Trust{
		Agency: s.row.Agency, LogOrigin: s.LogOrigin, LogPublicKey: s.LogPublicKey, ReceiptPublicKey: s.ReceiptPublicKey, Restored: s.Restored,
	}, want)
	if err != nil {
		s.problem(doReceipt, "the receipt does not hold: %v", err)
		return nil
	}
	s.count(func(t *Summary) { t.Receipts++ })
	if err := s.noteHead(receipt); err != nil {
		s.problem(doReceipt, "the receipt does not hold: %v", err)
	}
	if !kept(receipt.StoredAt).Equal(s.row.StoredAt) {
		s.problem(doCatalog, "the row says it was stored at %s, the receipt says %s", s.row.StoredAt, receipt.StoredAt)
	}
	if receipt.Proof.Index != s.row.EventIndex {
		s.problem(doCatalog, "the row says its log index is %d, the receipt says %d", s.row.EventIndex, receipt.Proof.Index)
	}
	return s.checkEvent(ctx, receipt)
}

// checkEvent compares the event row with the event in the receipt.
func (s *subject) checkEvent(ctx context.Context, receipt *evidence.Receipt) error {
	event, err := s.Catalog.Event(ctx, s.row.Agency, s.row.EventID)
	if errors.Is(err, catalog.ErrNotFound) {
		s.problem(doCatalog, "the event of its storing, row %d, is missing", s.row.EventID)
		return nil
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(event.JSON, receipt.Proof.Event) || !bytes.Equal(event.Salt, receipt.Proof.Salt) || event.LogIndex == nil || *event.LogIndex != receipt.Proof.Index {
		s.problem(doCatalog, "the event of its storing, row %d, is not the one in the receipt", event.ID)
	}
	return nil
}

// noteHead keeps the checkpoint inside a receipt for the check of the log. Two
// receipts with different trees of one size are a problem at once.
func (s *subject) noteHead(receipt *evidence.Receipt) error {
	checkpoint, err := tlog.OpenEarlier([]byte(receipt.Proof.Checkpoint), s.LogOrigin, s.LogPublicKey)
	if err != nil {
		return err
	}
	if !s.addHead(checkpoint) {
		return errors.New("its checkpoint contradicts that of another receipt: the log was forked")
	}
	return nil
}

// checkReleases verifies what docks said about the original.
func (s *subject) checkReleases(ctx context.Context) error {
	releases, err := s.Catalog.Releases(ctx, s.row.Agency, s.row.ID)
	if err != nil {
		return err
	}
	erased := false
	for n := range releases {
		release, err := s.checkRelease(ctx, &releases[n])
		if err != nil {
			return err
		}
		erased = erased || release != nil && release.Result == evidence.ReleaseErased && kept(release.At).Equal(s.row.ErasedAt)
	}
	if !s.row.ErasedAt.IsZero() && !erased {
		s.problem(doCatalog, "the row says the original was erased at %s, but no signed release says so", s.row.ErasedAt)
	}
	return nil
}

// checkRelease returns the release if it holds.
func (s *subject) checkRelease(ctx context.Context, row *catalog.Release) (*evidence.Release, error) {
	envelope, err := evidence.ParseEnvelope(row.Envelope)
	if err != nil {
		s.problem(doCatalog, "a release cannot be read: %v", err)
		return nil, nil
	}
	var release evidence.Release
	if err := evidence.Decode(envelope.Payload, &release); err != nil {
		s.problem(doCatalog, "a release cannot be read: %v", err)
		return nil, nil
	}
	// The camera may have been docked elsewhere since: the release is judged by
	// the keys of the dock that it names.
	keys, err := s.keys(ctx, s.row.Agency, release.Dock)
	if err != nil {
		return nil, err
	}
	signed := false
	for _, k := range keys {
		_, err := envelope.Verify(evidence.TypeRelease, k.PublicKey)
		signed = signed || err == nil
	}
	switch {
	case !signed:
		s.problem(doCatalog, "a release carries no signature of dock %q", release.Dock)
	case release.Agency != s.row.Agency || release.Evidence != s.row.ID || release.CameraSerial != s.row.Camera || release.Path != s.row.Path:
		s.problem(doCatalog, "a release of another recording is kept with the item")
	case evidence.SHA256(envelope.Payload) != row.Digest || release.Result != row.Result || !kept(release.At).Equal(row.At):
		s.problem(doCatalog, "the row of a release does not say what the dock signed")
	default:
		return &release, nil
	}
	return nil, nil
}
