package offload

import (
	"fmt"
	"time"
)

// restless is after how many changes people are told.
const restless = 3

// steady reports whether a recording may be read: it is the same from one look to
// the next, or its size went down, so that it does not grow but the camera lies.
// The latter is taken in as it comes, once. One that still grows would be taken in
// as a part of itself.
func (d *Docking) steady(it *item) bool {
	return d.same(it) || it.shrank && !it.standing.State.HasReceipt()
}

// same reports whether two listings in a row showed a recording with the same size
// and times, or the camera has signed it. Only then is it erased.
func (d *Docking) same(it *item) bool {
	if it.seen >= 2 {
		return true
	}
	s, ok := d.signed[it.object.Handle]
	return ok && d.ours() && it.object.SizeKnown && s.Length == it.object.Size
}

// unsteady gives the most often changed of the recordings that may still grow;
// none when there are none.
func (d *Docking) unsteady() (it *item, changes int) {
	for _, i := range d.items {
		if i.listed && !i.settled && !i.read && !d.same(i) && (it == nil || i.changes > changes) {
			it, changes = i, i.changes
		}
	}
	return it, changes
}

// steadyAt is when the camera is listed again for the sake of recordings that may
// still grow: soon at first, ever later when they go on changing.
func (d *Docking) steadyAt(relist time.Duration) time.Time {
	it, changes := d.unsteady()
	if it == nil {
		return d.listedAt.Add(relist)
	}
	return d.listedAt.Add(min(relist, max(d.desk.opt.Steady, 4*d.listing)<<min(changes, 8)))
}

// changed notes that a listing shows a recording otherwise than the one before.
func (d *Docking) changed(it *item) {
	if it.changes != restless {
		return
	}
	d.alert(it.about(), fmt.Sprintf("%s changes from one look to the next. It is taken in when it stays the same; until then it stays on the camera. If it does not end, have the camera looked at.", it.source.Path))
	d.log.Warn("a recording changes from one listing to the next", "path", it.source.Path, "size", it.object.Size)
}
