package offload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	maxTroubles = 3                      // failed copies in a row after which the link is opened anew
	shortPause  = 250 * time.Millisecond // between two looks at a spool that keeps changing
	eraseBatch  = 32                     // receipts that are enough to erase while there is more to copy
)

// step does the next thing that there is to do, and says whether it did any.
func (d *Docking) step(ctx context.Context) (busy bool, err error) {
	if err := d.refresh(ctx); err != nil {
		return false, err
	}
	if err := d.recognise(ctx); err != nil {
		return false, err
	}
	now := d.desk.opt.Now()
	queue := d.queue()
	d.count(queue)
	erasable := 0
	for _, it := range queue {
		if it.erasable() && !d.desk.opt.KeepOnCard {
			erasable++
		}
	}
	if erasable >= eraseBatch {
		return true, d.erase(ctx, queue)
	}
	for _, it := range queue {
		if it.settled || it.retryAt.After(now) {
			continue
		}
		if done, err := d.advance(ctx, it); done || err != nil {
			return true, err
		}
	}
	if erasable > 0 {
		return true, d.erase(ctx, queue)
	}
	d.summarise(queue)
	if now.Sub(d.listedAt) >= d.desk.opt.Relist {
		return false, d.list(ctx)
	}
	return false, nil
}

// refresh takes in what upload has done meanwhile.
func (d *Docking) refresh(ctx context.Context) error {
	standings, err := d.desk.opt.Spool.Standings(ctx, d.camera.Serial)
	if err != nil {
		return err
	}
	for _, it := range d.items {
		if it.id.IsZero() {
			continue
		}
		if standing, ok := standings[it.id]; ok {
			it.standing = standing
		}
	}
	return nil
}

// erasable: a verified receipt stands for bytes that this docking read from this
// object, in the attempt that the receipt was given for.
func (it *item) erasable() bool {
	return it.read && !it.settled && it.listed && it.standing.Attempt == it.attempt &&
		(it.standing.State == spool.StateReceived || it.standing.State == spool.StateErasing)
}

// advance does what an item needs next. done is false when it needs nothing now.
func (d *Docking) advance(ctx context.Context, it *item) (done bool, err error) {
	if it.id.IsZero() {
		if added, err := d.add(ctx, it); !added || err != nil {
			return false, err
		}
	}
	ours := it.read && it.attempt == it.standing.Attempt
	switch it.standing.State {
	case spool.StateFailed, spool.StateReading:
		if ours && it.standing.State == spool.StateFailed {
			it.settled = true
			d.alert(fmt.Sprintf("%s was refused by the server and stays on the camera: %s", it.source.Path, it.standing.Reason))
			return false, nil
		}
		return true, d.take(ctx, it, d.copy)
	case spool.StateReceived, spool.StateErasing, spool.StateErased, spool.StateKept:
		return d.advanceReceived(ctx, it, ours)
	case spool.StateQuarantined:
		it.settled = true
		d.alert(fmt.Sprintf("%s is in quarantine at the server and stays on the camera: %s", it.source.Path, it.standing.Reason))
	}
	return false, nil
}

// advanceReceived deals with an object whose description has a receipt. What
// this docking read itself is erased in batches; the rest is read again first.
func (d *Docking) advanceReceived(ctx context.Context, it *item, ours bool) (done bool, err error) {
	switch {
	case d.desk.opt.KeepOnCard && it.standing.State == spool.StateReceived:
		it.settled = true
		return true, d.desk.opt.Spool.Kept(ctx, it.id, "this dock is set to keep recordings on cameras", nil)
	case d.desk.opt.KeepOnCard:
		it.settled = true
		return false, nil
	case ours:
		return false, nil
	}
	return true, d.take(ctx, it, d.check)
}

// recognise finds the journal's rows of objects that are new to this docking.
// A row that another docking or object has stands for something else.
func (d *Docking) recognise(ctx context.Context) error {
	for _, it := range d.items {
		if it.sought {
			continue
		}
		rows, err := d.desk.opt.Spool.Matching(ctx, it.source)
		if err != nil {
			return err
		}
		it.sought = true
		for _, row := range rows {
			if d.bound(row.Evidence) || !d.desk.claim(row.Evidence, d) {
				continue
			}
			it.id = row.Evidence
			it.standing = spool.Standing{Attempt: row.Attempt, State: row.State, Reason: row.Reason, ChangedAt: row.ChangedAt}
			if row.State == spool.StateFailed {
				it.failures = 1 // after those that never failed
			}
			break
		}
	}
	return nil
}

// add makes a new row for an object that no row stands for.
func (d *Docking) add(ctx context.Context, it *item) (bool, error) {
	row, err := d.desk.opt.Spool.Add(ctx, it.source, d.id, d.port)
	if errors.Is(err, spool.ErrFull) {
		d.pause(it, err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d.desk.claim(row.Evidence, d)
	it.id, it.standing = row.Evidence, spool.Standing{State: spool.StateReading}
	return true, nil
}

func (d *Docking) bound(id evidence.EvidenceID) bool {
	for _, it := range d.items {
		if it.id == id {
			return true
		}
	}
	return false
}

// take waits for a turn at reading, does the work, and sorts its errors: what
// concerns one recording is noted and tried again later, what concerns the
// camera ends the docking.
func (d *Docking) take(ctx context.Context, it *item, work func(context.Context, *item) error) error {
	select {
	case d.desk.turns <- struct{}{}:
		defer func() { <-d.desk.turns }()
	default:
		d.say("reading", "Waiting for its turn: other bays are being copied.")
		select {
		case d.desk.turns <- struct{}{}:
			defer func() { <-d.desk.turns }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.starting(it)
	err := work(ctx, it)
	d.stopped(it, err == nil)
	switch {
	case err == nil:
		it.failures, d.troubles = 0, 0
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, camera.ErrGone):
		return err
	case errors.Is(err, spool.ErrFull):
		d.pause(it, err)
		return nil
	case errors.Is(err, camera.ErrChanged):
		d.log.Warn("the camera renumbered its recordings", "path", it.source.Path)
		d.listedAt = time.Time{} // list again at once
		delete(d.items, objectKey{it.object.Storage, it.object.Handle})
		if d.troubles++; d.troubles < maxTroubles {
			return nil
		}
		return err
	}
	return d.failed(ctx, it, err)
}

// pause holds everything back while there is no room. It ends by itself.
func (d *Docking) pause(it *item, err error) {
	it.retryAt = d.desk.opt.Now().Add(d.desk.opt.Retry)
	d.waitingForRoom(fmt.Sprintf("Spool full: copying is paused and the camera keeps its recordings. %v", err))
	d.log.Warn("copying is paused", "path", it.source.Path, "error", err)
}

// failed notes a recording that could not be copied, and when to try again.
func (d *Docking) failed(ctx context.Context, it *item, cause error) error {
	d.log.Error("a recording could not be copied, the camera keeps it", "path", it.source.Path, "item", it.id, "error", cause)
	pause := d.desk.opt.Retry << min(it.failures, 8)
	it.failures++
	it.retryAt = d.desk.opt.Now().Add(min(pause, d.desk.opt.RetryMost))
	if errors.Is(cause, errDisagree) || errors.Is(cause, errTooLong) || errors.Is(cause, camera.ErrBeyond) {
		it.settled = true // until the next docking: another reading would end the same way
	}
	d.alert(fmt.Sprintf("%s was not copied and stays on the camera: %v", it.source.Path, cause))
	if err := d.desk.opt.Spool.Failed(ctx, it.id, clean(cause.Error(), 4096)); err != nil && !errors.Is(err, spool.ErrState) && !errors.Is(err, spool.ErrFull) {
		return err
	}
	d.troubles++
	doubtful := errors.Is(cause, camera.ErrTimeout) || errors.Is(cause, camera.ErrStall) || errors.Is(cause, camera.ErrProtocol)
	if doubtful && d.troubles >= maxTroubles {
		return fmt.Errorf("the camera in bay %s fails again and again: %w", d.port, cause)
	}
	return nil
}

// wait sleeps until the spool changed, a retry or the next listing is due.
func (d *Docking) wait(ctx context.Context, changed <-chan struct{}) error {
	now := d.desk.opt.Now()
	until := d.desk.opt.Relist - now.Sub(d.listedAt)
	for _, it := range d.items {
		if !it.settled && it.retryAt.After(now) {
			until = min(until, it.retryAt.Sub(now))
		}
	}
	timer := time.NewTimer(max(until, shortPause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	case <-changed:
	}
	short := time.NewTimer(shortPause)
	defer short.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-short.C:
		return nil
	}
}
