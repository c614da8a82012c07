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
	writer  *spool.Writer
	wrapped []byte // the item key, to the agency
	clocks  evidence.Clocks
}

// copy brings one recording into the spool: read, read again, commit.
func (d *Docking) copy(ctx context.Context, it *item) error {
	first, err := d.seal(ctx, it)
	if err != nil {
		return err
	}
	defer first.writer.Drop() // does nothing after Commit
	second, err := d.confirm(ctx, it, first.writer)
	if err != nil {
		return err
	}
	if first.same(second) {
		return d.commit(ctx, it, first)
	}
	d.log.Warn("two readings of a recording differ, reading it a third time", "path", it.source.Path, "difference", first.difference(second))
	if err := first.writer.Drop(); err != nil {
		return err
	}
	third, err := d.seal(ctx, it)
	if err != nil {
		return err
	}
	defer third.writer.Drop()
	if third.same(second) || third.same(first.reading) {
		return d.commit(ctx, it, third)
	}
	return fmt.Errorf("%w: the first had SHA-256 %v and Merkle root %v, the second Merkle root %v, the third SHA-256 %v and Merkle root %v; %s. The recording stays on the camera: clean its contacts, try another bay, then have the camera looked at",
		errDisagree, first.sha256, evidence.MerkleRoot(first.leaves), evidence.MerkleRoot(second.leaves), third.sha256, evidence.MerkleRoot(third.leaves), first.difference(second))
}

// seal reads the recording once, hashing, sealing under a fresh key, and writing
// the next attempt into the spool. The key does not outlive the call.
func (d *Docking) seal(ctx context.Context, it *item) (*sealing, error) {
	expect := uint64(0)
	if it.object.SizeKnown && it.object.Size <= evidence.MaxLength { // more is a lie: what comes, counts
		expect = it.object.Size
	}
	s := &sealing{clocks: evidence.Clocks{DockStart: d.desk.opt.Now().UTC(), CameraRaw: d.clockRaw, CameraAt: d.clockAt}}
	w, err := d.desk.opt.Spool.Begin(ctx, it.id, d.id, d.port, expect)
	if err != nil {
		return nil, err
	}
	s.writer = w
	if err := d.sealInto(ctx, it, s); err != nil {
		return nil, errors.Join(err, w.Drop())
	}
	s.clocks.DockEnd = d.desk.opt.Now().UTC()
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
	s.reading, err = d.pass(ctx, it.object, true, func(w *window) error {
		sealed, err := sealer.Seal(d.sealed[:0], w.data, w.index, w.last)
		if err != nil {
			return fmt.Errorf("sealing %s: %w", it.source.Path, err)
		}
		d.sealed = sealed
		return s.writer.Segment(sealed)
	})
	return err
}

// confirm reads the recording again, while the disk flushes the first copy.
func (d *Docking) confirm(ctx context.Context, it *item, w *spool.Writer) (*reading, error) {
	flushed := make(chan error, 1)
	go func() { flushed <- w.Flush() }()
	second, err := d.pass(ctx, it.object, false, nil)
	if err := errors.Join(err, <-flushed); err != nil {
		return nil, err
	}
	return second, nil
}

// commit signs the manifest and hands the copy on.
func (d *Docking) commit(ctx context.Context, it *item, s *sealing) error {
	root := evidence.MerkleRoot(s.leaves)
	manifest, err := d.manifest(it, s, root)
	if err != nil {
		return err
	}
	err = s.writer.Commit(ctx, spool.Sealed{Length: s.length, SHA256: s.sha256, MerkleRoot: root, Leaves: s.leaves, Manifest: manifest, WrappedKey: s.wrapped})
	if err != nil {
		return err
	}
	it.read, it.attempt = true, s.writer.Attempt()
	if it.object.SizeKnown && s.length != it.object.Size {
		d.log.Warn("the camera lists another size than it delivers, taken as delivered", "path", it.source.Path, "listed", it.object.Size, "read", s.length)
		d.alert(fmt.Sprintf("%s: the camera lists %d bytes and delivers %d, taken as delivered", it.source.Path, it.object.Size, s.length))
	}
	d.log.Info("recording copied and confirmed", "path", it.source.Path, "item", it.id, "bytes", s.length, "sha256", s.sha256)
	return nil
}
