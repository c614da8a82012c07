package offload

import (
	"context"
	"fmt"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
)

// short: the camera delivered fewer bytes than it lists. What came is stored like
// any other recording, but the rest may still be on the camera: only a person can
// say that nothing is lost when it is erased. More bytes than listed are no such
// doubt: they were read to their end.
func (it *item) short() bool { return it.object.SizeKnown && it.length < it.object.Size }

// shortage is why a short recording is kept.
func (it *item) shortage() string {
	return fmt.Sprintf("the camera lists %d bytes and delivers %d: the rest may still be on it", it.object.Size, it.length)
}

// oddity says for people that listed and delivered sizes differ, and what follows.
func (it *item) oddity() string {
	s := fmt.Sprintf("%s: the camera lists %d bytes and delivers %d, taken as delivered", it.source.Path, it.object.Size, it.length)
	if it.short() {
		s += ". It is not erased, as the rest may still be on the camera. A person must look: have the camera examined before it is used again."
	}
	return s
}

// keep leaves a short recording on the camera although it has a receipt. Each
// docking reads it again: when the camera delivers more, or lists another size,
// that is another recording for the journal.
func (d *Docking) keep(ctx context.Context, it *item) error {
	it.settled = true
	d.alert(it.about(), it.oddity())
	reason := it.shortage()
	if it.standing.State == spool.StateKept && it.standing.Reason == reason {
		return nil
	}
	rec, err := d.desk.opt.Spool.Get(ctx, it.id)
	if err != nil {
		return err
	}
	release, err := d.release(rec, evidence.ReleaseFailed, reason, erasure{method: "none"})
	if err != nil {
		return err
	}
	if err := d.desk.opt.Spool.Kept(ctx, it.id, reason, release); err != nil {
		return err
	}
	it.standing.State, it.standing.Reason = spool.StateKept, reason
	d.log.Warn("a recording that came short stays on the camera", "path", it.source.Path, "item", it.id, "reason", reason)
	return nil
}
