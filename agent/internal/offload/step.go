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
	lookEvery   = 250 * time.Millisecond // how long work goes on without a look at what upload has done
	eraseBatch  = 32                     // receipts that are enough to erase while there is more to copy
	erasePause  = time.Second            // between two erasures while receipts are still to come
	newsPause   = time.Second            // between two listings of a camera that tells of changes
	addBatch    = 64                     // new rows of the journal made in one commit

	idleShare     = 400             // an idle camera is listed at most one part in so many of the time
	longestRelist = 5 * time.Minute // unless that were less often than this
)

// step does what there is to do, for lookEvery at most, and says whether it did
// any.
func (d *Docking) step(ctx context.Context) (busy bool, err error) {
	began := d.desk.opt.Now()
	d.secure(ctx)
	if err := errors.Join(d.collect(ctx), d.refresh(ctx)); err != nil {
		return false, err
	}
	if err := d.recognise(ctx); err != nil {
		return false, err
	}
	if err := d.stand(ctx); err != nil {
		return false, err
	}
	queue := d.queue()
	t := d.count(queue)
	if d.eraseNow(queue, t, true) {
		return true, d.erase(ctx, queue)
	}
	// What the above takes grows with the camera: it is done at most every tenth of the time.
	until := began.Add(max(lookEvery, 10*d.desk.opt.Now().Sub(began)))
	for i, it := range queue {
		now := d.desk.opt.Now()
		if it.settled || it.finishing || it.retryAt.After(now) || !it.read && !d.steady(it) {
			continue
		}
		if now.After(until) {
			return true, nil
		}
		if it.id.IsZero() {
			if added, err := d.add(ctx, unknown(queue[i:])...); !added || err != nil {
				return false, err
			}
		}
		done, err := d.advance(ctx, it)
		if err != nil {
			return true, err
		}
		busy = busy || done
	}
	d.secure(ctx)
	if !busy && d.finishing > 0 {
		return true, d.conclude(ctx, <-d.finished)
	}
	if busy {
		return true, nil
	}
	if d.eraseNow(queue, t, false) {
		return true, d.erase(ctx, queue)
	}
	if it, changes := d.unsteady(); it != nil && changes < restless && t.waiting == 0 {
		d.say("reading", "Making sure that nothing is being recorded any more.")
	} else {
		d.summarise(queue)
	}
	if err := d.indicate(ctx); err != nil {
		return false, err
	}
	if tended, err := d.tend(ctx); tended || err != nil {
		return tended, err
	}
	if !d.desk.opt.Now().Before(d.relistAt()) {
		return true, d.list(ctx)
	}
	return false, nil
}

// stand keeps what the server says of the camera fresh, and follows it: a camera
// that was approved meanwhile is opened and listed anew.
func (d *Docking) stand(ctx context.Context) error {
	if d.desk.opt.Server != nil && !d.desk.opt.Now().Before(d.askAt) {
		before := d.answer.GetStanding()
		answered := d.ask(ctx)
		if answered && d.extended != nil && (d.cameraStatus.Locked || d.answer.GetStanding() != before) {
			if err := d.open(ctx); err != nil {
				return err
			}
			d.listedAt = time.Time{} // what it signs or shows may count now
		}
	}
	d.reason = d.withheld()
	return d.hurry(ctx)
}

// SetUrgent says that what the camera holds goes before all else, or takes that
// back. Safe for concurrent use.
func (d *Docking) SetUrgent(on bool) {
	d.hasten(on)
	select {
	case d.pressed <- struct{}{}:
	default: // it looks soon anyway
	}
}

// hurry follows the button at the bay: recordings that wait are handed over
// first.
func (d *Docking) hurry(ctx context.Context) error {
	on := d.isUrgent()
	if on == d.hurried {
		return nil
	}
	var all []evidence.EvidenceID
	for _, it := range d.items {
		if !it.id.IsZero() {
			all = append(all, it.id)
		}
	}
	d.hurried = on
	d.log.Info("what this camera holds goes first", "urgent", on, "recordings", len(all))
	if on {
		return d.desk.opt.Spool.SetUrgent(ctx, all, spool.UrgentBay)
	}
	return d.desk.opt.Spool.ClearUrgent(ctx, all, spool.UrgentBay)
}

// eraseNow says whether it is time to erase. Each erasure lists the whole camera
// twice: while there is more to copy, or receipts are still to come, what there
// is waits for more, so that listing takes a small part of the time.
func (d *Docking) eraseNow(queue []*item, t tally, copying bool) bool {
	erasable := 0
	for _, it := range queue {
		if it.erasable() && d.ripe(it) && d.same(it) {
			erasable++
		}
	}
	switch {
	case erasable == 0 || d.reason != "":
		return false
	case !copying && t.waiting == 0:
		return true
	case copying && erasable < eraseBatch:
		return false
	}
	return !d.desk.opt.Now().Before(d.erasePause())
}

// relistAt is when the camera is listed again: soon after it told of a change, and
// else after Relist, or later where that would take more than a small part of the
// time. A camera that tells all the time is listed a quarter of the time at most.
func (d *Docking) relistAt() time.Time {
	pause := max(d.desk.opt.Relist, min(idleShare*d.listing, longestRelist))
	if d.stale {
		pause = min(pause, max(newsPause, 4*d.listing))
	}
	return d.steadyAt(pause)
}

// erasePause is until when an erasure waits for more receipts.
func (d *Docking) erasePause() time.Time { return d.erasedAt.Add(max(20*d.listing, erasePause)) }

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
// object, no fewer than it lists, in the attempt that the receipt was given for.
func (it *item) erasable() bool {
	return it.read && !it.short() && !it.settled && it.listed && it.standing.Attempt == it.attempt &&
		(it.standing.State == spool.StateReceived || it.standing.State == spool.StateErasing)
}

// advance does what an item needs next. done is false when it needs nothing now.
func (d *Docking) advance(ctx context.Context, it *item) (done bool, err error) {
	ours := it.read && it.attempt == it.standing.Attempt
	switch it.standing.State {
	case spool.StateFailed, spool.StateReading:
		if ours && it.standing.State == spool.StateFailed {
			it.settled = true
			d.alert(it.about(), fmt.Sprintf("%s was refused by the server and stays on the camera: %s", it.source.Path, it.standing.Reason))
			return false, nil
		}
		return true, d.take(ctx, it, d.copy)
	case spool.StateReceived, spool.StateErasing, spool.StateErased, spool.StateKept:
		return d.advanceReceived(ctx, it, ours)
	case spool.StateQuarantined:
		it.settled = true
		d.alert(it.about(), fmt.Sprintf("%s is in quarantine at the server and stays on the camera: %s", it.source.Path, it.standing.Reason))
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
	case !ours && (d.reason != "" || !d.ripe(it)):
		return false, nil // nothing is erased now, so that nothing need be read again
	case ours && it.short():
		return true, d.keep(ctx, it)
	case ours:
		return false, nil
	}
	return true, d.take(ctx, it, d.check)
}

// recognise finds the journal's rows of objects that are new to this docking.
// A row that another docking or object has stands for something else.
func (d *Docking) recognise(ctx context.Context) error {
	bound := map[evidence.EvidenceID]bool{}
	for _, it := range d.items {
		bound[it.id] = true
	}
	var fresh []*item
	var sources []spool.Source
	for _, it := range d.items {
		if !it.sought {
			fresh, sources = append(fresh, it), append(sources, it.source)
		}
	}
	rows, err := d.desk.opt.Spool.MatchingAll(ctx, d.camera.Serial, sources)
	if err != nil {
		return err
	}
	for _, it := range fresh {
		it.sought = true
		for _, row := range rows[it.source] {
			if bound[row.Evidence] || !d.desk.claim(row.Evidence, d) {
				continue
			}
			it.id, bound[row.Evidence] = row.Evidence, true
			it.standing = spool.Standing{Attempt: row.Attempt, State: row.State, Reason: row.Reason, ChangedAt: row.ChangedAt}
			if row.State == spool.StateFailed {
				it.failures = 1 // after those that never failed
			}
			break
		}
	}
	return nil
}

// unknown gives the next items that no row stands for.
func unknown(queue []*item) (next []*item) {
	for _, it := range queue {
		if it.id.IsZero() && !it.settled && len(next) < addBatch {
			next = append(next, it)
		}
	}
	return next
}

// add makes new rows for objects that no row stands for.
func (d *Docking) add(ctx context.Context, items ...*item) (bool, error) {
	sources := make([]spool.Source, len(items))
	for i, it := range items {
		sources[i] = it.source
	}
	rows, err := d.desk.opt.Spool.AddAll(ctx, sources, d.id, d.port)
	if errors.Is(err, spool.ErrFull) {
		d.pause(items[0], err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var marked, asked []evidence.EvidenceID
	for i, row := range rows {
		d.desk.claim(row.Evidence, d)
		items[i].id, items[i].standing = row.Evidence, spool.Standing{State: spool.StateReading}
		if d.signed[items[i].object.Handle].Urgent {
			marked = append(marked, row.Evidence)
		}
		if d.hurried {
			asked = append(asked, row.Evidence)
		}
	}
	return true, errors.Join(d.desk.opt.Spool.SetUrgent(ctx, marked, spool.UrgentCamera), d.desk.opt.Spool.SetUrgent(ctx, asked, spool.UrgentBay))
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
	return d.ended(ctx, it, err)
}

// ended sorts how the work on a recording ended.
func (d *Docking) ended(ctx context.Context, it *item, err error) error {
	switch {
	case err == nil:
		it.failures, d.troubles = 0, 0
		d.withdraw(it.about())
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
		it.seen = 0
		it.changes++
		d.changed(it)
		if d.troubles++; d.troubles < maxTroubles {
			return nil
		}
		return err
	}
	return d.failed(ctx, it, err)
}

// pause holds everything back while there is no room. It ends by itself.
func (d *Docking) pause(it *item, err error) {
	if large := (*spool.LargeError)(nil); errors.As(err, &large) {
		d.pauseLarge(it, large)
		return
	}
	it.retryAt = d.desk.opt.Now().Add(d.desk.opt.Retry)
	d.waitingForRoom(fmt.Sprintf("Spool full: copying is paused and the camera keeps its recordings. %v", err))
	if !d.paused {
		d.paused = true
		d.log.Warn("copying is paused", "path", it.source.Path, "error", err)
	}
}

// pauseLarge holds back one recording that fits into no spool of this size; the
// others go on.
func (d *Docking) pauseLarge(it *item, large *spool.LargeError) {
	it.retryAt = d.desk.opt.Now().Add(d.desk.opt.RetryMost)
	limit := "the disk has"
	if large.Quota {
		limit = "its quota allows"
	}
	d.alert(it.about(), fmt.Sprintf("%s stays on the camera: this recording alone (listed size %d bytes) needs more room than %s: %v", it.source.Path, it.object.Size, limit, large))
	if !it.large {
		it.large = true
		d.log.Warn("a recording alone needs more room than there is", "path", it.source.Path, "listed", it.object.Size, "error", large)
	}
}

// unpause notes that there was room for a copy.
func (d *Docking) unpause() {
	if d.paused {
		d.paused = false
		d.log.Info("copying goes on")
	}
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
	d.alert(it.about(), fmt.Sprintf("%s was not copied and stays on the camera: %v", it.source.Path, cause))
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
	until := d.relistAt().Sub(now)
	if pause := d.erasePause().Sub(now); pause > 0 {
		until = min(until, pause)
	}
	if d.desk.opt.Server != nil {
		until = min(until, d.askAt.Sub(now))
		if d.extended != nil {
			until = min(until, d.care.at.Sub(now))
		}
	}
	for _, it := range d.items {
		if !it.settled && it.retryAt.After(now) {
			until = min(until, it.retryAt.Sub(now))
		}
	}
	timer := time.NewTimer(max(until, min(shortPause, d.desk.opt.Steady)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	case <-d.news:
		d.stale = true
	case <-d.pressed:
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
