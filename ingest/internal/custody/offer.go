package custody

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Offer judges an offer and commits its manifest, hash first, before it returns
// an Intake. It returns the receipt when the recording is stored already.
func (c *Custody) Offer(ctx context.Context, peer receive.Peer, message *upload.Offer) (*receive.Admission, error) {
	if _, err := c.stands(ctx, peer); err != nil {
		return nil, err
	}
	o, err := c.judge(ctx, peer, message)
	if err != nil {
		return nil, err
	}
	claim, err := c.claims.take(ctx, peer, o.names()...)
	if err != nil {
		return nil, err
	}
	arrived := c.expect(o)
	admission, err := c.admit(ctx, o, claim, arrived)
	if err != nil || admission.Intake == nil {
		arrived()
		claim.release()
	}
	var refused *upload.Error
	if errors.As(err, &refused) && !refused.Code.Retryable() {
		c.noteRefusal(ctx, evidence.EventTransferRefused, peer, evidence.ItemObject(o.manifest.Evidence), refused.Message, o.facts())
	}
	return admission, err
}

// admit decides what an offer is: known and stored, known and on its way, or
// new. The caller holds the claim; arrived goes into the Intake.
func (c *Custody) admit(ctx context.Context, o *offered, claim *claim, arrived func()) (*receive.Admission, error) {
	item := receive.Item{Evidence: o.manifest.Evidence, Attempt: o.manifest.Attempt, Camera: o.manifest.Camera.Serial, Path: o.manifest.Recording.Path, Length: o.manifest.Sealed().Length, Segments: o.segments()}
	known, err := c.Catalog.Item(ctx, o.manifest.Agency, o.manifest.Evidence)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return nil, err
	}
	same, err := c.sameRecording(ctx, o)
	if err != nil {
		return nil, err
	}
	stored, resume, err := o.compare(known, same)
	if err != nil {
		c.moveAside(ctx, known)
		return nil, err
	}
	if stored != nil {
		receipt, err := c.receipt(ctx, stored)
		return &receive.Admission{Item: item, Receipt: receipt}, err
	}
	if !resume {
		if err := c.mayBegin(ctx, o.peer); err != nil {
			return nil, err
		}
		if err := c.step(StepOffered, func() error { return c.enter(ctx, o, known, same) }); err != nil {
			return nil, err
		}
		c.drop(ctx, known)
		c.drop(ctx, same)
	}
	intake, err := c.begin(ctx, o, claim)
	if err != nil {
		return nil, err
	}
	intake.arrived = arrived
	return &receive.Admission{Item: item, Intake: intake}, nil
}

// sameRecording finds a receiving or stored item of the same recording under
// another evidence id.
func (c *Custody) sameRecording(ctx context.Context, o *offered) (*catalog.Item, error) {
	m := &o.manifest
	found, err := c.Catalog.FindRecording(ctx, m.Agency, m.Camera.Serial, m.Recording.Path, m.SHA256)
	if errors.Is(err, catalog.ErrNotFound) || err == nil && found.ID == m.Evidence {
		return nil, nil
	}
	return found, err
}

// compare says what an offer means beside the item known by its id, and the one
// of the same recording under another id; both may be nil. It returns the item
// that is stored already, or whether a known item is to be gone on with.
func (o *offered) compare(known, same *catalog.Item) (stored *catalog.Item, resume bool, err error) {
	m := &o.manifest
	doubtful := len(o.doubts) > 0
	switch {
	case doubtful && same != nil, doubtful && known != nil && known.ManifestDigest != o.digest:
		return nil, false, upload.Errorf(upload.CodeBadManifest, "%s, and the recording is known from a sound manifest: nothing is taken from this one", o.doubts[0])
	case known != nil && known.Arrived() && o.isOf(known):
		return known, false, nil
	case known != nil && known.Arrived():
		return nil, false, upload.Errorf(upload.CodeConflict, "item %v is stored with other contents: offer this recording under a new evidence id", m.Evidence)
	case same != nil && same.Arrived() && o.isOf(same):
		return same, false, nil
	case same != nil && same.Arrived():
		return nil, false, upload.Errorf(upload.CodeBadManifest, "the same SHA-256 is stored with another length or Merkle root: this manifest contradicts itself")
	case known == nil:
		return nil, false, nil
	case m.Attempt > known.Attempt:
		return nil, false, nil
	case m.Attempt < known.Attempt:
		return nil, false, upload.Errorf(upload.CodeConflict, "attempt %d of item %v was offered already: count on from it", known.Attempt, m.Evidence)
	case known.ManifestDigest != o.digest:
		return nil, false, upload.Errorf(upload.CodeConflict, "item %v attempt %d was offered with another manifest: make a new attempt", m.Evidence, m.Attempt)
	case known.State == catalog.StateQuarantined:
		return nil, false, quarantined(m.Evidence, known.Reason)
	case known.State == catalog.StateSuperseded:
		return nil, false, upload.Errorf(upload.CodeConflict, "item %v was given up: %s. Make a new attempt", m.Evidence, known.Reason)
	case !bytes.Equal(known.Header, o.message.GetHeader()):
		return nil, false, upload.Errorf(upload.CodeConflict, "item %v attempt %d was sealed anew: make a new attempt", m.Evidence, m.Attempt)
	}
	return nil, true, nil
}

// isOf says whether the offer is of the recording that the item holds.
func (o *offered) isOf(item *catalog.Item) bool {
	m := &o.manifest
	return item.Camera == m.Camera.Serial && item.Path == m.Recording.Path && item.Length == m.Length && item.SHA256 == m.SHA256 && item.MerkleRoot == m.MerkleRoot
}

// enter commits the offer's row and its event. What it replaces is given up in
// the same commit.
func (c *Custody) enter(ctx context.Context, o *offered, known, same *catalog.Item) error {
	row := c.row(o)
	camera := cameraRow(o.manifest.Agency, o.manifest.Dock, o.manifest.Bay, &o.manifest.Camera, row.OfferedAt)
	fresh := o.manifest.Derivation == nil && c.events.allow(fmt.Sprintf("camera %q %q %q %q", camera.Agency, camera.Serial, camera.LastDock, camera.LastBay)) // not for each of its recordings
	err := c.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		details := o.facts()
		carried(details, o.peer)
		if content := o.manifest.Content; content != nil {
			details[DetailEncoding], details[DetailEncoded] = string(content.Encoding), fmt.Sprint(content.Length)
		}
		if same != nil {
			details["supersedes"] = same.ID.String()
			reason := fmt.Sprintf("item %v attempt %d took the recording over", row.ID, row.Attempt)
			if err := tx.SupersedeItem(ctx, same.Agency, same.ID, reason); err != nil {
				return err
			}
			if _, err := tx.AppendEvent(ctx, c.event(evidence.EventTransferRefused, o.peer, evidence.ItemObject(same.ID), evidence.OutcomeFailed, reason, nil)); err != nil {
				return err
			}
		}
		insert := tx.InsertItem
		if known != nil {
			details["supersedes_attempt"] = fmt.Sprint(known.Attempt)
			insert = tx.NewAttempt
		}
		if err := wornBy(ctx, tx, row); err != nil {
			return err
		}
		if err := insert(ctx, row); err != nil {
			return err
		}
		if o.manifest.Derivation != nil {
			return c.enterDerivative(ctx, tx, o, details)
		}
		if err := c.raiser(tx, o.peer).stillDocked(ctx, o.peer.Dock, row.Camera, row.Docking, o.manifest.Clocks.DockEnd); err != nil {
			return err
		}
		if fresh {
			if err := tx.CameraSeen(ctx, camera); err != nil {
				return err
			}
		}
		reason := ""
		if len(o.doubts) > 0 {
			reason = "taken in for quarantine: " + o.doubts[0]
		}
		_, err := tx.AppendEvent(ctx, c.event(evidence.EventManifestReceived, o.peer, evidence.ItemObject(row.ID), evidence.OutcomeDone, reason, details))
		return err
	})
	if errors.Is(err, catalog.ErrExists) || errors.Is(err, catalog.ErrConflict) {
		c.Logger.WarnContext(ctx, "an item changed while it was offered", "item", row.ID, "error", err)
		return upload.Errorf(upload.CodeRetryLater, "the item changed while it was offered: offer again")
	}
	if err != nil {
		return fmt.Errorf("recording the manifest of item %v: %w", row.ID, err)
	}
	return nil
}

func (c *Custody) row(o *offered) *catalog.Item {
	m := &o.manifest
	row := &catalog.Item{
		Agency: m.Agency, ID: m.Evidence, Attempt: m.Attempt,
		Dock: o.peer.Dock, Station: m.Station, Bay: m.Bay, Docking: m.Docking, Camera: m.Camera.Serial, CameraModel: m.Camera.Model,
		Path: m.Recording.Path, Original: m.Original(), Kind: m.Recording.Kind, Length: m.Length, SHA256: m.SHA256, MerkleRoot: m.MerkleRoot, Encoding: m.Sealed().Encoding,
		Officer: m.Claims.Officer, OfficerID: m.Claims.OfficerID, Category: m.Claims.Category, StartedAt: m.Claims.StartedAt, EndedAt: m.Claims.EndedAt,
		State: catalog.StateReceiving, OfferedAt: c.instant(), EventIndex: -1,
		Sequence: m.Recording.Sequence, SequenceSource: m.Recording.SequenceSource, Confirmed: m.Confirmed, Urgent: m.Recording.Urgent, Placed: catalog.Place(&m.Recording),
		ManifestDigest: o.digest, Manifest: o.message.GetManifest(), Leaves: o.message.GetLeaves(), Header: o.message.GetHeader(), WrappedKey: o.wrapped, AgencyKey: string(o.keptFor),
	}
	if m.Content != nil {
		row.Encoded = m.Content.Length
	}
	row.CorrectedAt, row.Uncertainty = corrected(m)
	mark := func(word string, is bool) {
		if is {
			row.Marks = append(row.Marks, word)
		}
	}
	mark("doubtful_manifest", len(o.doubts) > 0)
	mark("other_station", m.Station != o.peer.Station)
	mark("unknown_officer", m.Claims.Officer == "" && m.Claims.OfficerID == "")
	mark("unknown_start", m.Claims.StartedAt.IsZero())
	mark("unknown_kind", m.Recording.Kind == evidence.KindOther)
	return row
}

// drop removes the partial blob of an item that was replaced. A blob that was
// whole already is kept, in quarantine. What stays behind after a failure is
// found by fsck.
func (c *Custody) drop(ctx context.Context, replaced *catalog.Item) {
	if replaced == nil || replaced.State != catalog.StateReceiving {
		return
	}
	key := vault.Key{Agency: replaced.Agency, ID: replaced.ID, Attempt: replaced.Attempt}
	c.kept.take(key)
	err := c.Vault.Remove(ctx, key)
	if errors.Is(err, vault.ErrConflict) {
		err = c.Vault.Quarantine(ctx, key)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.Logger.WarnContext(ctx, "removing a replaced partial blob failed", "blob", key, "error", err)
	}
}

// moveAside moves the blob of an item in quarantine there, in case that a crash
// came between the row and the blob.
func (c *Custody) moveAside(ctx context.Context, known *catalog.Item) {
	if known == nil || known.State != catalog.StateQuarantined {
		return
	}
	key := vault.Key{Agency: known.Agency, ID: known.ID, Attempt: known.Attempt}
	if err := c.Vault.Quarantine(ctx, key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.Logger.ErrorContext(ctx, "moving a blob into quarantine failed", "blob", key, "error", err)
	}
}

// begin opens the blob of an item whose row is there: new, partial, or whole
// since before a crash.
func (c *Custody) begin(ctx context.Context, o *offered, claim *claim) (*intake, error) {
	in := &intake{custody: c, offered: o, claim: claim}
	err := c.step(StepBegun, func() (err error) {
		in.upload, err = c.Vault.Create(ctx, o.key(), o.message.GetHeader())
		return err
	})
	switch {
	case errors.Is(err, vault.ErrConflict):
		return in, c.beginWhole(ctx, in)
	case errors.Is(err, vault.ErrFull):
		return nil, full()
	case err != nil:
		if in.upload != nil {
			in.upload.Close()
		}
		return nil, fmt.Errorf("making the blob %v: %w", o.key(), err)
	}
	in.durable, err = c.prove(ctx, in)
	if err != nil {
		return nil, errors.Join(err, in.upload.Close())
	}
	in.written, in.began = in.durable.Clone(), in.durable.Count()
	return in, nil
}

// beginWhole goes on with a blob that was committed before its item was.
func (c *Custody) beginWhole(ctx context.Context, in *intake) error {
	key := in.offered.key()
	blob, err := c.Vault.Open(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob %v is neither free for writing nor whole: run sealdock-ingest fsck", key)
	}
	if err != nil {
		return fmt.Errorf("opening the blob %v: %w", key, err)
	}
	defer blob.Close()
	header := make([]byte, len(in.offered.message.GetHeader()))
	if _, err := blob.ReadAt(header, 0); err != nil && err != io.EOF {
		return fmt.Errorf("reading the header of blob %v: %w", key, err)
	}
	if !bytes.Equal(header, in.offered.message.GetHeader()) {
		return upload.Errorf(upload.CodeConflict, "item %v attempt %d was sealed anew: make a new attempt", key.ID, key.Attempt)
	}
	for index := range in.offered.segments() {
		in.written.Add(index)
		in.durable.Add(index)
	}
	return nil
}

func quarantined(id evidence.EvidenceID, reason string) *upload.Error {
	return upload.Errorf(upload.CodeQuarantined, "item %v is in quarantine: %s. Keep the recording; people decide at the server", id, reason)
}
