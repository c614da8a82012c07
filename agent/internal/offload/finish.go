package offload

import (
	"context"
	"errors"
	"sync"

	"github.com/sealdock/sealdock/agent/internal/spool"
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
	item      *item
	sealing   *sealing
	statement spool.Sealed
	held      uint64
	err       error
}

// finish makes a confirmed copy durable and commits it: a long one at once, short
// ones together with others aside, while the bay goes on with the next recording.
// The order is the same: file, folder, journal, and only then is it known as read.
func (d *Docking) finish(ctx context.Context, it *item, s *sealing, flushed <-chan error) error {
	f := finished{item: it, sealing: s, held: seal.SealedSize(s.length)}
	f.statement, f.err = d.statement(it, s)
	if !s.small() || f.err != nil {
		f.commit(ctx, <-flushed)
		d.taken(f)
		return f.err
	}
	for d.finishing == maxFinishing || d.finishing > 0 && d.held+f.held > maxHeld {
		if len(d.together) == d.finishing {
			d.secure(ctx) // else those under way make room
		}
		if err := d.conclude(ctx, <-d.finished); err != nil {
			f.commit(ctx, nil)
			d.taken(f)
			return errors.Join(err, f.err)
		}
	}
	it.finishing = true
	d.finishing++
	d.held += f.held
	d.together = append(d.together, f)
	d.heldTogether += f.held
	if len(d.together) == maxFinishing/2 || d.heldTogether >= maxHeld/2 {
		d.secure(ctx)
	}
	return nil
}

// commit makes one copy durable, unless something went wrong with it before.
func (f *finished) commit(ctx context.Context, flushed error) {
	if f.err = errors.Join(f.err, flushed); f.err != nil {
		f.err = errors.Join(f.err, f.sealing.writer.Drop())
		return
	}
	f.err = f.sealing.writer.Commit(ctx, f.statement)
}

// secure makes the short copies that were gathered durable, aside. All are flushed
// before the first is committed: so they share flushes of the folder and the
// journal. They are whole and confirmed, so they are kept though the camera may be
// gone by then.
func (d *Docking) secure(ctx context.Context) {
	group := d.together
	d.together, d.heldTogether = nil, 0
	if len(group) == 0 {
		return
	}
	d.log.Debug("short copies are made durable together", "copies", len(group))
	ctx = context.WithoutCancel(ctx)
	go func() {
		flushed := make([]error, len(group))
		each(group, func(i int) { flushed[i] = group[i].sealing.writer.Flush() })
		each(group, func(i int) {
			group[i].commit(ctx, flushed[i])
			d.finished <- group[i]
		})
	}()
}

// each runs work for every copy of a group side by side, and waits for all.
func each(group []finished, work func(int)) {
	var all sync.WaitGroup
	for i := range group {
		all.Go(func() { work(i) })
	}
	all.Wait()
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
	d.secure(context.Background())
	for d.finishing > 0 {
		d.settle(<-d.finished)
	}
}
