package offload

import (
	"context"
	"errors"

	"github.com/sealdock/sealdock/internal/seal"
)

// Bounds of the short copies of one bay that wait for the medium while the next
// recording is read.
const (
	maxFinishing = 32
	maxHeld      = 2 << 20 // bytes
)

// finished is how the making durable of one confirmed copy ended.
type finished struct {
	item    *item
	sealing *sealing
	held    uint64
	err     error
}

// finish awaits the flush of a confirmed copy and commits it: at once, or for a
// short one aside, while the bay goes on with the next recording. The order is
// the same: file, folder, journal, and only then is it known as read.
func (d *Docking) finish(ctx context.Context, it *item, s *sealing, flushed <-chan error) error {
	f := finished{item: it, sealing: s, held: seal.SealedSize(s.length)}
	statement, err := d.statement(it, s)
	commit := func() error {
		if err := errors.Join(err, <-flushed); err != nil {
			return errors.Join(err, s.writer.Drop())
		}
		return s.writer.Commit(ctx, statement)
	}
	if s.length > seal.SegmentSize || err != nil {
		f.err = commit()
		d.taken(f)
		return f.err
	}
	for d.finishing == maxFinishing || d.finishing > 0 && d.held+f.held > maxHeld {
		if err := d.conclude(ctx, <-d.finished); err != nil {
			return errors.Join(err, commit())
		}
	}
	it.finishing = true
	d.finishing++
	d.held += f.held
	go func() {
		f.err = commit()
		d.finished <- f
	}()
	return nil
}

// taken notes what this docking has read and now is durable.
func (d *Docking) taken(f finished) {
	if f.err != nil {
		return
	}
	d.unpause()
	it, s := f.item, f.sealing
	it.read, it.attempt, it.length = true, s.writer.Attempt(), s.length
	if it.object.SizeKnown && s.length != it.object.Size {
		d.log.Warn("the camera lists another size than it delivers, taken as delivered", "path", it.source.Path, "listed", it.object.Size, "read", s.length)
		d.alert(aboutSizes, it.oddity())
	}
	d.log.Info("recording copied and confirmed", "path", it.source.Path, "item", it.id, "bytes", s.length, "sha256", s.sha256)
}

// collect concludes the copies that have become durable meanwhile.
func (d *Docking) collect(ctx context.Context) error {
	for {
		select {
		case f := <-d.finished:
			if err := d.conclude(ctx, f); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (d *Docking) conclude(ctx context.Context, f finished) error {
	d.settle(f)
	if f.err == nil {
		return nil
	}
	return d.ended(ctx, f.item, f.err)
}

func (d *Docking) settle(f finished) {
	d.finishing--
	d.held -= f.held
	f.item.finishing = false
	d.taken(f)
}

// desert waits for what was begun aside, at the end of a docking.
func (d *Docking) desert() {
	for d.finishing > 0 {
		d.settle(<-d.finished)
	}
}
