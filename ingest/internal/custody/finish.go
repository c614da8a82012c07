package custody

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Finish makes a receipt true. In this order:
//
//   - every segment of the manifest was opened, found right and written;
//   - the blob and its folder are on the medium, under the blob's final name;
//   - the blob is read back from the medium, every segment opened again, and
//     the SHA-256 of the whole is the one that the dock signed;
//   - the item is stored and the event that says so is committed with it;
//   - the event is in the custody log and a checkpoint over it is signed;
//   - the receipt is signed and kept.
//
// Only then is it returned. Whatever does not fit goes into quarantine. When it
// fails in between, the next offer goes on from the last durable step.
func (in *intake) Finish(ctx context.Context, stage func(receive.Stage)) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(in.custody.life, cancel)()

	c, o := in.custody, in.offered
	if have := in.written.Count(); have != o.segments() { // nobody writes any more
		return nil, upload.Errorf(upload.CodeBadFrame, "Finish came after %d of %d segments", have, o.segments())
	}
	in.claim.prove()
	stage(receive.StageProving)
	if err := in.seal(ctx); err != nil {
		return nil, err
	}
	found, err := c.readBack(ctx, o)
	if err != nil {
		return nil, err
	}
	if found.damage != "" {
		return nil, c.quarantine(ctx, o, found.damage, map[string]string{"damage": found.damage})
	}
	if found.digest != o.manifest.SHA256 {
		reason := fmt.Sprintf("the bytes read back have SHA-256 %v, the manifest says %v", found.digest, o.manifest.SHA256)
		return nil, c.quarantine(ctx, o, reason, map[string]string{"sha256_read_back": found.digest.String()})
	}
	if len(o.doubts) > 0 {
		return nil, c.quarantine(ctx, o, o.doubts[0], map[string]string{"sha256_read_back": found.digest.String()})
	}
	stage(receive.StageRecording)
	in.arrived() // before it is there: the committer must not wait for the one that it has
	receipt, err := c.store(ctx, o)
	in.finished = err == nil
	return receipt, err
}

// seal makes the blob durable and final. A blob that was whole before is.
func (in *intake) seal(ctx context.Context) error {
	if in.upload == nil {
		return nil
	}
	in.sealed = true // even if it fails: then the blob is partial or committed, whole in both cases
	err := in.custody.step(StepSealed, func() error { return in.upload.Commit(ctx) })
	if errors.Is(err, vault.ErrFull) {
		return full()
	}
	if err != nil {
		return fmt.Errorf("committing blob %v: %w", in.offered.key(), err)
	}
	return nil
}

// quarantine puts the item aside, with its reason in row and event, and returns
// what the dock is told.
func (c *Custody) quarantine(ctx context.Context, o *offered, reason string, details map[string]string) error {
	m := &o.manifest
	for name, value := range o.facts() {
		details[name] = value
	}
	err := c.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.QuarantineItem(ctx, m.Agency, m.Evidence, m.Attempt, reason); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, c.event(evidence.EventQuarantined, o.peer, evidence.ItemObject(m.Evidence), evidence.OutcomeDone, reason, details))
		return err
	})
	if err != nil {
		return fmt.Errorf("putting item %v into quarantine because %s: %w", m.Evidence, reason, err)
	}
	c.Logger.WarnContext(ctx, "an item is in quarantine", "item", m.Evidence, "attempt", m.Attempt, "dock", o.peer.Dock, "why", reason)
	// The row decides; a blob that could not be moved is moved at the next offer.
	if err := c.Vault.Quarantine(ctx, o.key()); err != nil {
		c.Logger.ErrorContext(ctx, "moving a blob into quarantine failed", "blob", o.key(), "error", err)
	}
	return quarantined(m.Evidence, reason)
}
