package offload

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// errDisagree means that no two readings of a recording were alike.
var errDisagree = errors.New("the camera gives other bytes at every reading")

// sealing is a copy that was read and written once, and awaits confirmation.
type sealing struct {
	*reading
	writer    *spool.Writer
	wrapped   []byte // the item key, to the agency
	clocks    evidence.Clocks
	confirmed evidence.Confirmation
	hashes    []evidence.SourceHash // that came with it, compared

	content       *evidence.Content // what was sealed, where it is not the recording as read
	contentLeaves []evidence.Digest
}

// copy brings one recording into the spool: read, read again, commit. Where the
// camera's own signature confirms the first reading, there is no second.
func (d *Docking) copy(ctx context.Context, it *item) error {
	if !it.object.SizeKnown || it.object.Size > seal.SegmentSize {
		d.secure(ctx) // those before a long one are not kept waiting
	}
	first, err := d.seal(ctx, it)
	if err != nil {
		return err
	}
	flushed := first.flush()
	if d.vouched(it, first.reading) {
		first.confirmed = evidence.ConfirmedByCamera
		return d.finish(ctx, it, first, flushed)
	}
	second, err := d.pass(ctx, it.object, false, nil)
	if err == nil && first.same(second) {
		return d.finish(ctx, it, first, flushed)
	}
	defer first.writer.Drop() // does nothing after Commit
	if err := errors.Join(err, <-flushed); err != nil {
		return err
	}
	d.log.Warn("two readings of a recording differ, reading it a third time", "path", it.source.Path, "difference", first.difference(second))
	if err := first.writer.Drop(); err != nil {
		return err
	}
	third, err := d.seal(ctx, it)
	if err != nil {
		return err
	}
	if third.same(second) || third.same(first.reading) {
		return d.finish(ctx, it, third, third.flush())
	}
	disagree := fmt.Errorf("%w: the first had SHA-256 %v and Merkle root %v, the second Merkle root %v, the third SHA-256 %v and Merkle root %v; %s. The recording stays on the camera: clean its contacts, try another bay, then have the camera looked at",
		errDisagree, first.sha256, evidence.MerkleRoot(first.leaves), evidence.MerkleRoot(second.leaves), third.sha256, evidence.MerkleRoot(third.leaves), first.difference(second))
	return errors.Join(disagree, third.writer.Drop())
}

// seal reads the recording once, hashing, sealing under a fresh key, and writing
// the next attempt into the spool. The key does not outlive the call.
func (d *Docking) seal(ctx context.Context, it *item) (*sealing, error) {
	expect := uint64(0)
	if it.object.SizeKnown && it.object.Size <= evidence.MaxLength { // more is a lie: what comes, counts
		expect = it.object.Size
	}
	began := d.desk.opt.Now().UTC()
	s := &sealing{confirmed: evidence.ConfirmedByReread}
	w, err := d.desk.opt.Spool.Begin(ctx, it.id, d.id, d.port, expect)
	if err != nil {
		return nil, err
	}
	s.writer = w
	if err := d.sealInto(ctx, it, s); err != nil {
		return nil, errors.Join(err, w.Drop())
	}
	s.clocks = d.clocks(began, d.desk.opt.Now().UTC())
	return s, nil
}

func (d *Docking) sealInto(ctx context.Context, it *item, s *sealing) error {
	key, err := seal.NewKey()
	if err != nil {
		return err
	}
	defer key.Zero()
	associated := seal.AAD(d.desk.opt.Agency, it.id, s.writer.Attempt())
	if s.wrapped, err = seal.Wrap(d.desk.opt.AgencyKey, key, associated); err != nil {
		return fmt.Errorf("wrapping the key of %s: %w", it.source.Path, err)
	}
	sealer, err := seal.NewSealer(key, associated)
	if err != nil {
		return fmt.Errorf("sealing %s: %w", it.source.Path, err)
	}
	if err := s.writer.Header(sealer.Header()); err != nil {
		return err
	}
	check := d.brought(it.object)
	held := d.holdBack(it, s, func(plain []byte, index uint64, last bool) error {
		sealed, err := sealer.Seal(d.sealed[:0], plain, index, last)
		if err != nil {
			return fmt.Errorf("sealing %s: %w", it.source.Path, err)
		}
		d.sealed = sealed
		return s.writer.Segment(sealed)
	})
	defer held.release()
	s.reading, err = d.pass(ctx, it.object, true, func(w *window) error {
		if check != nil {
			check.Write(w.data)
		}
		return held.take(w)
	})
	if err == nil {
		s.hashes = d.compared(it, check)
	}
	return err
}

// short copies are made durable together.
func (s *sealing) small() bool { return s.length <= seal.SegmentSize }

// flush lets the disk flush a long copy while the camera is read again.
func (s *sealing) flush() <-chan error {
	flushed := make(chan error, 1)
	if s.small() {
		flushed <- nil
		return flushed
	}
	go func() { flushed <- s.writer.Flush() }()
	return flushed
}

// statement signs the manifest and with it all that the journal keeps of a copy.
func (d *Docking) statement(it *item, s *sealing) (spool.Sealed, error) {
	root := evidence.MerkleRoot(s.leaves)
	manifest, claims, err := d.manifest(it, s, root)
	sealed := spool.Sealed{
		Length: s.length, SHA256: s.sha256, MerkleRoot: root, Leaves: s.leaves, Manifest: manifest, WrappedKey: s.wrapped,
		Claims: spool.Claims{OfficerID: claims.OfficerID, Officer: claims.Officer, Category: claims.Category},
	}
	if s.content != nil {
		sealed.Encoded, sealed.Leaves = s.content.Length, s.contentLeaves
	}
	return sealed, err
}
