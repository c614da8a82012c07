package offload

import (
	"context"
	"fmt"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// tellBatch is how many releases are queued in one commit.
const tellBatch = 256

// TellErased queues a release of every recording that a camera has erased for a receipt
// that does not count under trust: the server was restored from a backup that is older
// than the receipt, and must know what it has lost.
func (k *Desk) TellErased(ctx context.Context, trust proof.Trust) error {
	var releases [][]byte
	tell := func() error {
		err := k.opt.Spool.Queue(ctx, spool.KindRelease, releases...)
		releases = releases[:0]
		return err
	}
	told := 0
	err := k.opt.Spool.EachErased(ctx, func(rec *spool.Recording) error {
		if counts(rec, trust) {
			return nil
		}
		told++
		r := evidence.Release{
			Version: 1, Agency: k.opt.Agency, Dock: k.opt.Dock, Bay: clean(rec.Bay, 64), Docking: rec.Docking, Evidence: rec.ReceiptItem, CameraSerial: rec.Source.Serial,
			Path: rec.Source.Path, ReceiptDigest: rec.ReceiptDigest, Method: "unknown", Result: evidence.ReleaseErased,
			Reason: "told again: the server was restored from a backup that is older than the receipt", At: rec.ChangedAt,
		}
		envelope, err := k.sign(evidence.TypeRelease, &r)
		if err != nil {
			return fmt.Errorf("signing the release of %s: %w", rec.Source.Path, err)
		}
		if releases = append(releases, envelope); len(releases) < tellBatch {
			return nil
		}
		return tell()
	})
	if err == nil && len(releases) > 0 {
		err = tell()
	}
	if err == nil && told > 0 {
		k.opt.Log.Error("the server has lost recordings that cameras have erased; it is told which", "recordings", told)
	}
	return err
}

// counts says whether a recording's receipt was given over entries that the log still has.
func counts(rec *spool.Recording, trust proof.Trust) bool {
	envelope, err := evidence.ParseEnvelope(rec.Receipt)
	if err != nil {
		return false
	}
	var receipt evidence.Receipt
	if err := evidence.Decode(envelope.Payload, &receipt); err != nil {
		return false
	}
	head, err := tlog.OpenEarlier([]byte(receipt.Proof.Checkpoint), trust.LogOrigin, trust.LogPublicKey)
	if err != nil {
		return false
	}
	most := tlog.Surviving(trust.LogOrigin, head.Origin, trust.Restored)
	return most < 0 || head.Size <= most
}
