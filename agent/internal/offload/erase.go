package offload

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
)

// check reads an object whose description fits a recording with a receipt from
// an earlier docking. The same bytes: the receipt stands for this object. Other
// bytes: it is a recording of its own, and is copied.
func (d *Docking) check(ctx context.Context, it *item) error {
	content, err := d.pass(ctx, it.object, true, nil)
	if err != nil {
		return err
	}
	rows, err := d.desk.opt.Spool.Matching(ctx, it.source)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.State.HasReceipt() && row.Length == content.length && row.SHA256 == content.sha256 && d.desk.claim(row.Evidence, d) {
			if row.State != spool.StateReceived {
				if err := d.desk.opt.Spool.Erasing(ctx, row.Evidence); err != nil {
					return err
				}
			}
			d.log.Info("a recording of an earlier docking was read again and is what the receipt says", "path", it.source.Path, "item", row.Evidence)
			it.id, it.read, it.attempt = row.Evidence, true, row.Attempt
			return nil
		}
	}
	d.log.Warn("a recording has the name, size and time of an earlier one and other bytes: it is taken in as a new one", "path", it.source.Path, "earlier", it.id)
	_, err = d.add(ctx, it)
	return err
}

// erase lets the camera erase what a verified receipt stands for: list again,
// delete, list again. Only what the camera no longer lists counts as erased.
func (d *Docking) erase(ctx context.Context, queue []*item) error {
	d.say("releasing", "The camera is erasing recordings that are safe at the server.")
	if err := d.list(ctx); err != nil {
		return err
	}
	refusals := map[*item]string{}
	var tried []*item
	for _, it := range queue {
		if !it.erasable() {
			continue // gone from the listing, or another object by now
		}
		if err := d.desk.opt.Spool.Erasing(ctx, it.id); err != nil {
			return err
		}
		tried = append(tried, it)
		err := d.link.Delete(ctx, it.object)
		var refused *camera.RefusedError
		switch {
		case err == nil:
		case errors.As(err, &refused), errors.Is(err, camera.ErrChanged):
			refusals[it] = err.Error()
		default:
			return fmt.Errorf("erasing %s: %w", it.source.Path, err)
		}
	}
	objects, _, err := d.link.List(ctx)
	if err != nil {
		return fmt.Errorf("listing the camera in bay %s after erasing: %w", d.port, err)
	}
	still := map[objectKey]bool{}
	for _, o := range objects {
		still[objectKey{o.Storage, o.Handle}] = sourceOf(d.camera.Serial, o) == d.items[objectKey{o.Storage, o.Handle}].known()
	}
	for _, it := range tried {
		if err := d.conclude(ctx, it, still[objectKey{it.object.Storage, it.object.Handle}], refusals[it]); err != nil {
			return err
		}
	}
	d.merge(objects)
	return nil
}

// known is the source of an item that may be missing.
func (it *item) known() spool.Source {
	if it == nil {
		return spool.Source{}
	}
	return it.source
}

// conclude signs and journals what became of one recording on the camera.
func (d *Docking) conclude(ctx context.Context, it *item, still bool, refusal string) error {
	rec, err := d.desk.opt.Spool.Get(ctx, it.id)
	if err != nil {
		return err
	}
	it.settled = true
	if !still {
		release, err := d.release(rec, evidence.ReleaseErased, "")
		if err != nil {
			return err
		}
		it.standing.State = spool.StateErased
		d.log.Info("the camera erased a recording that is safe at the server", "path", it.source.Path, "item", it.id)
		return d.desk.opt.Spool.Erased(ctx, it.id, release)
	}
	reason := refusal
	if reason == "" {
		reason = "the camera said that it erased the recording and still lists it"
	}
	release, err := d.release(rec, evidence.ReleaseFailed, reason)
	if err != nil {
		return err
	}
	d.alert(fmt.Sprintf("%s is safe at the server, but the camera did not erase it: %s. It is tried again at the next docking.", it.source.Path, reason))
	d.log.Warn("the camera did not erase a recording", "path", it.source.Path, "item", it.id, "reason", reason)
	return d.desk.opt.Spool.Kept(ctx, it.id, reason, release)
}

// finishErasing closes what was cut off between the deletion on the camera and
// its note in the journal: what was to be erased and is no longer listed.
func (d *Docking) finishErasing(ctx context.Context) error {
	open, err := d.desk.opt.Spool.InState(ctx, d.camera.Serial, 10_000, spool.StateErasing)
	if err != nil {
		return err
	}
	listed := map[spool.Source]bool{}
	for _, it := range d.items {
		listed[it.source] = true
	}
	for _, rec := range open {
		if listed[rec.Source] || !d.desk.claim(rec.Evidence, d) {
			continue
		}
		release, err := d.release(rec, evidence.ReleaseErased, "found erased at the docking after the one in which the camera was told to")
		if err != nil {
			return err
		}
		if err := d.desk.opt.Spool.Erased(ctx, rec.Evidence, release); err != nil {
			return err
		}
	}
	return nil
}
