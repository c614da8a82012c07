package custody

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	maxBatch   = 512                   // items that share one commit
	gatherTime = 20 * time.Millisecond // how long a batch waits for small items that are coming
	smallItem  = 4                     // segments of an item that is worth waiting for
)

// job is one item that wait for its commit and its receipt.
type job struct {
	item     evidence.EvidenceID
	manifest *evidence.Manifest
	digest   evidence.Digest // of the manifest's payload
	peer     receive.Peer    // who brought it; not set when the item is stored already
	event    int64           // row of evidence.stored; 0 while the item is to be stored

	index   int64  // of the event in the custody log
	receipt []byte // the result
	err     error  // or why there is none
	done    chan struct{}
}

// store makes a proven item stored, logged and receipted, together with all
// others that wait at this moment.
func (c *Custody) store(ctx context.Context, o *offered) ([]byte, error) {
	return c.wait(ctx, &job{item: o.manifest.Evidence, manifest: &o.manifest, digest: o.digest, peer: o.peer, done: make(chan struct{})})
}

// receipt returns the receipt of a stored item. When a crash came between
// storing and signing, it is made now, from the event as logged.
func (c *Custody) receipt(ctx context.Context, stored *catalog.Item) ([]byte, error) {
	full, err := c.Catalog.Item(ctx, stored.Agency, stored.ID)
	if err != nil {
		return nil, err
	}
	if full.Receipt != nil {
		return full.Receipt, nil
	}
	j, err := jobOf(full)
	if err != nil {
		return nil, err
	}
	return c.wait(ctx, j)
}

func jobOf(stored *catalog.Item) (*job, error) {
	envelope, err := evidence.ParseEnvelope(stored.Manifest)
	if err != nil {
		return nil, fmt.Errorf("reading the kept manifest of item %v: %w", stored.ID, err)
	}
	j := &job{item: stored.ID, manifest: new(evidence.Manifest), digest: evidence.SHA256(envelope.Payload), event: stored.EventID, done: make(chan struct{})}
	if err := evidence.Decode(envelope.Payload, j.manifest); err != nil {
		return nil, fmt.Errorf("reading the kept manifest of item %v: %w", stored.ID, err)
	}
	if j.digest != stored.ManifestDigest || j.event == 0 {
		return nil, fmt.Errorf("the kept manifest or event of item %v is not its own: run sealdock-ingest fsck", stored.ID)
	}
	return j, nil
}

func (c *Custody) wait(ctx context.Context, j *job) ([]byte, error) {
	select {
	case c.jobs <- j:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.life.Done():
		return nil, context.Canceled
	}
	select {
	case <-j.done:
		return j.receipt, j.err
	case <-c.life.Done():
		return nil, context.Canceled
	}
}

// Run makes receipts until ctx ends. First it does what a crash left undone:
// receipts of items that are stored without.
func (c *Custody) Run(ctx context.Context) error {
	if err := errors.Join(c.abandon(ctx), c.recover(ctx)); err != nil && ctx.Err() == nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-c.jobs:
			c.commit(ctx, c.gather(first))
		}
	}
}

// gather returns first and all that wait behind it. While small items are
// coming it waits for them, a moment at most: a commit costs the same for one
// item and for many. When all that are open wait already, so does nobody.
func (c *Custody) gather(first *job) []*job {
	batch := []*job{first}
	end := time.NewTimer(gatherTime)
	defer end.Stop()
	for len(batch) < maxBatch {
		select {
		case j := <-c.jobs:
			batch = append(batch, j)
			continue
		default:
		}
		if c.coming.Load() <= 0 {
			return batch
		}
		select {
		case j := <-c.jobs:
			batch = append(batch, j)
		case <-end.C:
			return batch
		}
	}
	return batch
}

// expect lets the committer wait for a small item until arrived is called.
func (c *Custody) expect(o *offered) (arrived func()) {
	if o.segments() > smallItem {
		return func() {}
	}
	c.coming.Add(1)
	return sync.OnceFunc(func() { c.coming.Add(-1) })
}

// commit takes a batch through steps 7 and 8. Each job ends with a receipt or
// an error of its own.
func (c *Custody) commit(ctx context.Context, batch []*job) {
	defer func() {
		for _, j := range batch {
			if j.receipt == nil && j.err == nil {
				j.err = fmt.Errorf("item %v got no receipt", j.item)
			}
			close(j.done)
		}
	}()
	c.together(batch, StepStored, func(some []*job) error { return c.storeAll(ctx, some) })
	var logged []*job
	for _, j := range batch {
		if j.err == nil {
			logged = append(logged, j)
		}
	}
	if len(logged) == 0 {
		return
	}
	err := c.step(StepLogged, func() error {
		_, _, err := c.Log.Sequence(ctx)
		return err
	})
	if err != nil {
		for _, j := range logged {
			j.err = fmt.Errorf("bringing the event of item %v into the custody log: %w", j.item, err)
		}
		return
	}
	c.signAll(ctx, logged)
	c.together(logged, StepReceipted, func(some []*job) error { return c.keepAll(ctx, some) })
	for _, j := range logged {
		if j.err != nil {
			j.receipt = nil
		}
	}
}

// together does a step for all jobs that are still good, in one commit; when
// that fails, each alone, so that one item's trouble is not another's.
func (c *Custody) together(batch []*job, name Step, do func([]*job) error) {
	var good []*job
	for _, j := range batch {
		if j.err == nil {
			good = append(good, j)
		}
	}
	if len(good) == 0 {
		return
	}
	err := c.step(name, func() error { return do(good) })
	if err == nil {
		return
	}
	for _, j := range good {
		if len(good) == 1 {
			j.err = err
			return
		}
		j.err = c.step(name, func() error { return do([]*job{j}) })
	}
}

// storeAll makes items stored, each with its event, in one commit.
func (c *Custody) storeAll(ctx context.Context, batch []*job) error {
	events := make([]int64, len(batch))
	err := c.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		for i, j := range batch {
			events[i] = j.event
			if j.event != 0 {
				continue // stored before a crash
			}
			m := j.manifest
			event := c.event(evidence.EventEvidenceStored, j.peer, evidence.ItemObject(m.Evidence), evidence.OutcomeDone, "", facts(m, j.digest))
			event.Actor = evidence.Actor{Kind: "server", ID: "ingest"}
			event.Details["dock"] = string(j.peer.Dock)
			if m.Derivation != nil {
				event.Details["original"] = m.Derivation.Original.String()
			}
			carried(event.Details, j.peer)
			id, err := tx.AppendEvent(ctx, event)
			if err != nil {
				return err
			}
			if err := tx.StoreItem(ctx, m.Agency, m.Evidence, m.Attempt, id, event.At); err != nil {
				return err
			}
			events[i] = id
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("storing %d items, the first is %v: %w", len(batch), batch[0].item, err)
	}
	for i, j := range batch {
		j.event = events[i]
	}
	return nil
}

// signAll makes receipts, on all processors.
func (c *Custody) signAll(ctx context.Context, batch []*job) {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, j := range batch {
		group.Go(func() error {
			j.err = c.sign(ctx, j)
			return nil
		})
	}
	group.Wait()
}

// sign makes the receipt of a logged item: what the receipt says is what the
// logged event says.
func (c *Custody) sign(ctx context.Context, j *job) error {
	m := j.manifest
	row, err := c.Catalog.Event(ctx, m.Agency, j.event)
	if err != nil {
		return fmt.Errorf("reading the event of item %v: %w", j.item, err)
	}
	index, _, path, checkpoint, err := c.Log.Prove(ctx, j.event)
	if err != nil {
		return fmt.Errorf("proving the event of item %v: %w", j.item, err)
	}
	receipt := &evidence.Receipt{
		Version: 1, Agency: m.Agency, Dock: m.Dock, Evidence: m.Evidence, Attempt: m.Attempt,
		CameraSerial: m.Camera.Serial, Path: m.Recording.Path, Length: m.Length, SHA256: m.SHA256, MerkleRoot: m.MerkleRoot,
		ManifestDigest: j.digest, StoredAt: row.At,
		Proof: evidence.LogProof{Origin: c.LogOrigin, Index: index, Salt: row.Salt, Event: row.JSON, Checkpoint: string(checkpoint)},
	}
	for _, h := range path {
		receipt.Proof.Path = append(receipt.Proof.Path, evidence.Digest(h))
	}
	payload, err := evidence.Encode(receipt)
	if err != nil {
		return fmt.Errorf("writing the receipt of item %v: %w", j.item, err)
	}
	envelope, err := c.ReceiptKey.Sign(evidence.TypeReceipt, payload)
	if err != nil {
		return fmt.Errorf("signing the receipt of item %v: %w", j.item, err)
	}
	// The server believes no receipt that a dock would not believe.
	trust := proof.Trust{Agency: m.Agency, LogOrigin: c.LogOrigin, LogPublicKey: c.LogPublicKey, ReceiptPublicKey: c.ReceiptKey.Public(), Restored: c.Restored}
	want := proof.Expect{
		Dock: m.Dock, Evidence: m.Evidence, Attempt: m.Attempt, CameraSerial: m.Camera.Serial, Path: m.Recording.Path,
		Length: m.Length, SHA256: m.SHA256, MerkleRoot: m.MerkleRoot, ManifestDigest: j.digest, SameReading: true,
	}
	if _, err := proof.CheckReceipt(envelope, trust, want); err != nil {
		return fmt.Errorf("the receipt of item %v does not hold, it is not given out: %w", j.item, err)
	}
	j.index, j.receipt = index, envelope.Marshal()
	return nil
}

// keepAll keeps receipts in one commit. An item that has got one in the meantime, from
// recover or from another connection of its dock, keeps that one, and it is handed out.
func (c *Custody) keepAll(ctx context.Context, batch []*job) error {
	kept := make([][]byte, len(batch))
	err := c.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		for i, j := range batch {
			m := j.manifest
			kept[i] = j.receipt
			err := tx.SetReceipt(ctx, m.Agency, m.Evidence, m.Attempt, j.index, j.receipt)
			if errors.Is(err, catalog.ErrExists) {
				var item *catalog.Item
				if item, err = tx.Item(ctx, m.Agency, m.Evidence); err == nil {
					kept[i] = item.Receipt
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keeping %d receipts, the first is of item %v: %w", len(batch), batch[0].item, err)
	}
	for i, j := range batch {
		j.receipt = kept[i]
	}
	return nil
}

// recover makes the receipts that a crash left unmade. Trouble with one item
// is logged and left to fsck and the next offer.
func (c *Custody) recover(ctx context.Context) error {
	for {
		waiting, err := c.Catalog.ItemsAwaitingReceipt(ctx, maxBatch)
		if err != nil {
			return fmt.Errorf("looking for items without receipt: %w", err)
		}
		var batch []*job
		for _, item := range waiting {
			full, err := c.Catalog.Item(ctx, item.Agency, item.ID)
			if err != nil {
				return err
			}
			j, err := jobOf(full)
			if err != nil {
				c.Logger.ErrorContext(ctx, "making a receipt that was missing failed", "item", item.ID, "error", err)
				continue
			}
			batch = append(batch, j)
		}
		if len(batch) == 0 {
			return nil
		}
		c.commit(ctx, batch)
		failed := 0
		for _, j := range batch {
			if j.err != nil {
				failed++
				c.Logger.ErrorContext(ctx, "making a receipt that was missing failed", "item", j.item, "error", j.err)
			}
		}
		c.Logger.InfoContext(ctx, "receipts that were missing are made", "made", len(batch)-failed, "failed", failed)
		if failed > 0 || len(waiting) < maxBatch {
			return nil
		}
	}
}
