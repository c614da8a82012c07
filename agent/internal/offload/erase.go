package offload

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
)

// intents is how many recordings share one note that they will be erased.
const intents = 64

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
	it.length = content.length
	for _, row := range rows {
		if it.short() && row.State == spool.StateErased {
			continue // it came again, or was never gone: a row of its own says that it is kept
		}
		if row.State.HasReceipt() && row.Length == content.length && row.SHA256 == content.sha256 && d.desk.claim(row.Evidence, d) {
			if row.State != spool.StateReceived && !it.short() {
				if err := d.desk.opt.Spool.Erasing(ctx, row.Evidence); err != nil {
					return err
				}
				row.State = spool.StateErasing
			}
			d.log.Info("a recording of an earlier docking was read again and is what the receipt says", "path", it.source.Path, "item", row.Evidence)
			it.id, it.read, it.attempt = row.Evidence, true, row.Attempt
			it.standing = spool.Standing{Attempt: row.Attempt, State: row.State, Reason: row.Reason, ChangedAt: row.ChangedAt}
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
	var tried []*item
	for _, it := range queue {
		if it.erasable() && d.ripe(it) && d.same(it) { // else gone from the listing, or another object by now
			tried = append(tried, it)
		}
	}
	refusals, erasures := map[*item]string{}, map[*item]erasure{}
	for block := range slices.Chunk(tried, intents) {
		if err := d.eraseBlock(ctx, block, refusals, erasures); err != nil {
			return err
		}
	}
	objects, _, err := d.link.List(ctx)
	if err != nil {
		return fmt.Errorf("listing the camera in bay %s after erasing: %w", d.port, err)
	}
	still := map[objectKey]bool{}
	for _, o := range objects {
		still[objectKey{o.Storage, o.Handle}] = placeOf(sourceOf(d.camera.Serial, o)) == placeOf(d.items[objectKey{o.Storage, o.Handle}].known())
	}
	for block := range slices.Chunk(tried, intents) {
		if err := d.endBlock(ctx, block, still, refusals, erasures); err != nil {
			return err
		}
	}
	d.merge(objects)
	d.erasedAt = d.desk.opt.Now()
	return nil
}

// eraseBlock journals that the camera is about to be told to erase these
// recordings, and tells it. When that breaks off, those that it was not told
// about go back to received.
func (d *Docking) eraseBlock(ctx context.Context, block []*item, refusals map[*item]string, erasures map[*item]erasure) error {
	if err := d.desk.opt.Spool.Erasing(ctx, ids(block)...); err != nil {
		return err
	}
	for i, it := range block {
		how, err := d.remove(ctx, it)
		erasures[it] = how
		var refused *camera.RefusedError
		switch {
		case err == nil:
		case errors.As(err, &refused), errors.Is(err, camera.ErrChanged):
			refusals[it] = err.Error()
		default:
			spared := d.desk.opt.Spool.Spared(context.WithoutCancel(ctx), ids(block[i+1:])...)
			return errors.Join(fmt.Errorf("erasing %s: %w", it.source.Path, err), spared)
		}
	}
	return nil
}

// erasure is how a recording was erased, as far as the camera says.
type erasure struct {
	method    string
	statement []byte // the camera's own, signed; nil for none
}

// remove has the camera erase one recording. A camera with the extension that is
// the agency's verifies the receipt itself.
func (d *Docking) remove(ctx context.Context, it *item) (erasure, error) {
	if d.extended == nil || d.cameraStatus.Authority == "" {
		method := "ptp-delete-object"
		if d.camera.Access == evidence.AccessStorage {
			method = "unlink"
		}
		return erasure{method: method}, d.link.Delete(ctx, it.object)
	}
	rec, err := d.desk.opt.Spool.Get(ctx, it.id)
	if err != nil {
		return erasure{}, err
	}
	number := d.signed[it.object.Handle].Sequence
	how := erasure{method: "camera-erase"}
	how.statement, err = d.extended.EraseRecording(ctx, it.object, number, rec.Receipt)
	if err != nil || how.statement == nil {
		return how, err
	}
	said, err := d.erased(how.statement)
	switch {
	case err != nil:
		d.log.Error("the camera's statement of an erase does not hold", "path", it.source.Path, "error", err)
		d.find(evidence.FoundListingFailed, "%s: the camera's statement of its erase does not hold: %v", it.source.Path, err)
		how.statement = nil
	case said.SHA256 != rec.SHA256 || said.ReceiptDigest != rec.ReceiptDigest:
		d.log.Error("the camera's statement of an erase is about another recording", "path", it.source.Path)
		d.find(evidence.FoundListingFailed, "%s: the camera's statement of its erase is about another recording", it.source.Path)
	default:
		how.method = clean(said.Method, 64)
	}
	return how, nil
}

func (d *Docking) erased(text []byte) (*evidence.CameraErase, error) {
	envelope, err := evidence.ParseEnvelope(text)
	if err != nil {
		return nil, err
	}
	payload, err := envelope.Verify(evidence.TypeCameraErase, d.publicKey())
	if err != nil {
		return nil, err
	}
	e := new(evidence.CameraErase)
	return e, evidence.Decode(payload, e)
}

func ids(items []*item) []evidence.EvidenceID {
	all := make([]evidence.EvidenceID, len(items))
	for i, it := range items {
		all[i] = it.id
	}
	return all
}

// place is what a camera's listing must no longer show of an erased recording. The
// size is not part of it: a camera that now lists another one still has it.
type place struct{ path, captured string }

func placeOf(s spool.Source) place { return place{s.Path, s.Captured} }

// known is the source of an item that may be missing.
func (it *item) known() spool.Source {
	if it == nil {
		return spool.Source{}
	}
	return it.source
}

// endBlock signs and journals what became of recordings on the camera.
func (d *Docking) endBlock(ctx context.Context, block []*item, still map[objectKey]bool, refusals map[*item]string, erasures map[*item]erasure) error {
	endings := make([]spool.Ending, len(block))
	for i, it := range block {
		rec, err := d.desk.opt.Spool.Get(ctx, it.id)
		if err != nil {
			return err
		}
		endings[i], err = d.ending(rec, still[objectKey{it.object.Storage, it.object.Handle}], refusals[it], erasures[it])
		if err != nil {
			return err
		}
	}
	if err := d.desk.opt.Spool.Ended(ctx, endings...); err != nil {
		return err
	}
	for i, it := range block {
		it.settled, it.standing.State = true, endings[i].State
		if it.standing.State == spool.StateErased {
			d.log.Info("the camera erased a recording that is safe at the server", "path", it.source.Path, "item", it.id)
			continue
		}
		d.alert(it.about(), fmt.Sprintf("%s is safe at the server, but the camera did not erase it: %s. It is tried again at the next docking.", it.source.Path, endings[i].Reason))
		d.log.Warn("the camera did not erase a recording", "path", it.source.Path, "item", it.id, "reason", endings[i].Reason)
	}
	return nil
}

// ending signs what became of one recording on the camera.
func (d *Docking) ending(rec spool.Recording, still bool, refusal string, how erasure) (e spool.Ending, err error) {
	e = spool.Ending{Item: rec.Evidence, State: spool.StateErased}
	result := evidence.ReleaseErased
	if still {
		e.State, result, e.Reason = spool.StateKept, evidence.ReleaseFailed, refusal
		if e.Reason == "" {
			e.Reason = "the camera said that it erased the recording and still lists it"
		}
	}
	e.Release, err = d.release(rec, result, e.Reason, how)
	return e, err
}

// finishErasing closes what was cut off between the deletion on the camera and
// its note in the journal: what was to be erased and is no longer listed. Behind a
// stand-in for a serial number may be another camera, which never had it.
func (d *Docking) finishErasing(ctx context.Context) error {
	if d.standIn {
		return nil
	}
	open, err := d.desk.opt.Spool.InState(ctx, d.camera.Serial, 10_000, spool.StateErasing)
	if err != nil {
		return err
	}
	listed := map[place]bool{}
	for _, it := range d.items {
		listed[placeOf(it.source)] = true
	}
	var endings []spool.Ending
	for _, rec := range open {
		if listed[placeOf(rec.Source)] || !d.desk.claim(rec.Evidence, d) {
			continue
		}
		release, err := d.release(rec, evidence.ReleaseErased, "found erased at the docking after the one in which the camera was being told to", erasure{method: "unknown"})
		if err != nil {
			return err
		}
		endings = append(endings, spool.Ending{Item: rec.Evidence, State: spool.StateErased, Release: release})
	}
	if len(endings) == 0 {
		return nil
	}
	return d.desk.opt.Spool.Ended(ctx, endings...)
}
