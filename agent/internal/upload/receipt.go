package upload

import (
	"context"
	"fmt"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// take verifies a receipt and journals it. From the moment that it returns nil,
// and not before, the camera may erase.
func (u *Uploader) take(ctx context.Context, c *spool.Copy, raw []byte) error {
	manifest, err := evidence.ParseEnvelope(c.Manifest)
	if err != nil {
		return fmt.Errorf("reading our own manifest of %s: %w: %w", c.Source.Path, spool.ErrRot, err)
	}
	var m evidence.Manifest
	if err := evidence.Decode(manifest.Payload, &m); err != nil {
		return fmt.Errorf("reading our own manifest of %s: %w: %w", c.Source.Path, spool.ErrRot, err)
	}
	envelope, err := evidence.ParseEnvelope(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", errReceipt, err)
	}
	receipt, err := proof.CheckReceipt(envelope, u.trust(), proof.Want(&m, manifest.Payload))
	if err != nil {
		return fmt.Errorf("%w: %w", errReceipt, err)
	}
	size, err := u.compare(receipt)
	if err != nil {
		return fmt.Errorf("%w: %w", errReceipt, err)
	}
	err = u.opt.Spool.Received(ctx, c.Evidence, c.Attempt, spool.Receipt{
		Envelope: raw, Digest: evidence.SHA256(envelope.Payload), Item: receipt.Evidence, LogSize: size, Checkpoint: []byte(receipt.Proof.Checkpoint),
	})
	if err != nil {
		return err
	}
	u.opt.Log.Info("receipt verified: the recording is safe at the server", "path", c.Source.Path, "item", receipt.Evidence, "log_index", receipt.Proof.Index)
	return nil
}

// compare holds the receipt's checkpoint against the newest one seen: the same
// size with another root would be a forked log. Whether it continues that one is
// proven at the next greeting.
func (u *Uploader) compare(r *evidence.Receipt) (size int64, err error) {
	u.mu.Lock()
	newest := u.newest
	u.mu.Unlock()
	if r.Proof.Checkpoint == newest.text { // receipts that were logged together share it
		return newest.Size, nil
	}
	trust := u.trust()
	head, err := tlog.OpenEarlier([]byte(r.Proof.Checkpoint), trust.LogOrigin, trust.LogPublicKey)
	if err != nil {
		return 0, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case head.Size == u.newest.Size && head.Root != u.newest.Root:
		return 0, fmt.Errorf("the custody log showed two heads of size %d: %w", head.Size, errForked)
	case head.Size > u.newest.Size:
		u.newest = checkpoint{head, r.Proof.Checkpoint}
	}
	return head.Size, nil
}
