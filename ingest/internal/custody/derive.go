package custody

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// ErrOriginal: what a derivative is to be of is not in the store, or is not what its
// recipe says.
var ErrOriginal = errors.New("the original is not in the store, or is another one")

// Derive stores a derivative as an item of its own, on the way that recordings take: its
// manifest is signed and durable first, each segment is compared with it, the blob is
// read back, and it has a receipt. m is filled in but for id, lengths and hashes, which
// are taken of content. The same derivative again is not stored twice: its id is
// returned. Nothing of the original is written. It returns when there is a receipt.
func (c *Custody) Derive(ctx context.Context, maker evidence.Actor, from string, m evidence.Manifest, content io.ReaderAt, length int64) (evidence.EvidenceID, error) {
	if c.DerivativeKey == nil {
		return evidence.EvidenceID{}, errors.New("storing a derivative: this server has no key that signs derivatives")
	}
	leaves, err := measure(&m, content, length)
	if err != nil {
		return evidence.EvidenceID{}, err
	}
	m.Evidence, m.Attempt = evidence.NewEvidenceID(), 1
	same, err := c.Catalog.FindRecording(ctx, m.Agency, m.Camera.Serial, m.Recording.Path, m.SHA256)
	switch {
	case err == nil && same.Arrived():
		_, err := c.receipt(ctx, same)
		return same.ID, err
	case err == nil:
		return evidence.EvidenceID{}, fmt.Errorf("storing a derivative: the same one is being stored as item %s: wait a moment", same.ID)
	case !errors.Is(err, catalog.ErrNotFound):
		return evidence.EvidenceID{}, err
	}
	o, sealer, err := c.signDerivative(maker, from, m, leaves)
	if err == nil {
		err = c.take(ctx, o, sealer, content)
	}
	if err != nil {
		return evidence.EvidenceID{}, fmt.Errorf("storing a derivative of item %s: %w", m.Derivation.Original, err)
	}
	return m.Evidence, nil
}

// measure takes length and hashes of what is to be stored.
func measure(m *evidence.Manifest, content io.ReaderAt, length int64) (leaves []evidence.Digest, err error) {
	whole, buffer := sha256.New(), make([]byte, evidence.LeafSize)
	defer clear(buffer)
	for index := range seal.SegmentCount(uint64(length)) {
		plain, err := piece(content, buffer, uint64(length), index)
		if err != nil {
			return nil, err
		}
		whole.Write(plain)
		leaves = append(leaves, evidence.LeafHash(plain))
	}
	m.Length, m.SHA256, m.MerkleRoot = uint64(length), evidence.Digest(whole.Sum(nil)), evidence.MerkleRoot(leaves)
	m.Recording.Size, m.Recording.SizeKnown = m.Length, true
	return leaves, nil
}

func piece(content io.ReaderAt, buffer []byte, length, index uint64) ([]byte, error) {
	plain := buffer[:seal.SegmentLen(length, index)]
	if n, err := content.ReadAt(plain, int64(index*seal.SegmentSize)); n < len(plain) {
		return nil, fmt.Errorf("reading a derivative: %w", err)
	}
	return plain, nil
}

// signDerivative makes of a derivative what a dock makes of a recording.
func (c *Custody) signDerivative(maker evidence.Actor, from string, m evidence.Manifest, leaves []evidence.Digest) (*offered, *seal.Sealer, error) {
	payload, err := evidence.Encode(&m)
	if err != nil {
		return nil, nil, err
	}
	envelope, err := c.DerivativeKey.Sign(evidence.TypeDerivative, payload)
	if err != nil {
		return nil, nil, err
	}
	_, agencyKey, err := c.Keys.Newest(m.Agency)
	if err != nil {
		return nil, nil, err
	}
	key, err := seal.NewKey()
	if err != nil {
		return nil, nil, err
	}
	defer key.Zero()
	aad := seal.AAD(m.Agency, m.Evidence, m.Attempt)
	sealer, err := seal.NewSealer(key, aad)
	if err != nil {
		return nil, nil, err
	}
	wrapped, err := seal.Wrap(agencyKey, key, aad)
	if err != nil {
		return nil, nil, err
	}
	o := &offered{
		peer:     receive.Peer{Agency: m.Agency, Station: m.Station, Dock: m.Dock, Maker: maker, From: from},
		manifest: m, digest: evidence.SHA256(payload),
		message: &upload.Offer{Manifest: envelope.Marshal(), Leaves: evidence.EncodeLeaves(leaves), Header: sealer.Header(), WrappedKey: wrapped},
	}
	return o, sealer, c.unlock(o)
}

// take takes a derivative in.
func (c *Custody) take(ctx context.Context, o *offered, sealer *seal.Sealer, content io.ReaderAt) error {
	claim, err := c.claims.take(ctx, o.peer, o.names()...)
	if err != nil {
		return err
	}
	admission, err := c.admit(ctx, o, claim, func() {})
	if err != nil || admission.Intake == nil {
		claim.release()
		return err
	}
	in := admission.Intake
	err = c.fill(ctx, o, in, sealer, content)
	return errors.Join(err, in.Close())
}

func (c *Custody) fill(ctx context.Context, o *offered, in receive.Intake, sealer *seal.Sealer, content io.ReaderAt) error {
	const unsynced = 16 // segments
	buffer := make([]byte, seal.SegmentSize)
	defer clear(buffer)
	count := o.segments()
	for index := range count {
		plain, err := piece(content, buffer, o.manifest.Length, index)
		if err != nil {
			return err
		}
		sealed, err := sealer.Seal(nil, plain, index, index == count-1)
		if err != nil {
			return err
		}
		if _, err := in.Segment(ctx, index, sealed); err != nil {
			return err
		}
		if index%unsynced == unsynced-1 || index == count-1 {
			if _, err := in.Sync(ctx); err != nil {
				return err
			}
		}
	}
	_, err := in.Finish(ctx, func(receive.Stage) {})
	return err
}

// enterDerivative enters the recipe of a derivative, at it and at its original, which
// must be in the store and what the recipe says.
func (c *Custody) enterDerivative(ctx context.Context, tx *sqldb.Tx, o *offered, details map[string]string) error {
	d := o.manifest.Derivation
	original, err := tx.ItemRow(ctx, o.manifest.Agency, d.Original)
	if err != nil {
		return err
	}
	if original.State != catalog.StateStored || original.SHA256 != d.SHA256 || original.Length != d.Length || original.Kind == evidence.KindDerivative {
		return fmt.Errorf("item %s: %w", d.Original, ErrOriginal)
	}
	details["original"], details["original_sha256"] = d.Original.String(), d.SHA256.String()
	details["range_us"], details["tool"] = fmt.Sprintf("%d-%d", d.From, d.To), d.ToolVersion
	if _, err := tx.AppendEvent(ctx, c.event(evidence.EventDerivativeSigned, o.peer, evidence.ItemObject(o.manifest.Evidence), evidence.OutcomeDone, d.Reason, details)); err != nil {
		return err
	}
	of := map[string]string{"derivative": o.manifest.Evidence.String(), "sha256": o.manifest.SHA256.String(), "range_us": details["range_us"]}
	_, err = tx.AppendEvent(ctx, c.event(evidence.EventDerived, o.peer, evidence.ItemObject(d.Original), evidence.OutcomeDone, d.Reason, of))
	return err
}

// abandon gives up derivatives whose making a stop of the server cut off: nobody goes
// on with them, and people make them again.
func (c *Custody) abandon(ctx context.Context) error {
	for {
		left, err := c.Catalog.DerivativesUnderWay(ctx, maxBatch)
		if err != nil || len(left) == 0 {
			return err
		}
		for i := range left {
			item := &left[i]
			const why = "its making was cut off by a stop of the server"
			err := c.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
				if err := tx.SupersedeItem(ctx, item.Agency, item.ID, why); err != nil {
					return err
				}
				peer := receive.Peer{Agency: item.Agency, Maker: evidence.Actor{Kind: "server", ID: "ingest"}, From: "local"}
				_, err := tx.AppendEvent(ctx, c.event(evidence.EventDerived, peer, evidence.ItemObject(item.Original), evidence.OutcomeFailed, why, map[string]string{"derivative": item.ID.String()}))
				return err
			})
			if err != nil {
				return fmt.Errorf("giving up derivative %s: %w", item.ID, err)
			}
			c.drop(ctx, item)
		}
	}
}
