package receive

import (
	"context"

	"github.com/sealdock/sealdock/proto/upload"
)

// recording is a stream that began with an Offer.
type recording struct{ *other }

// take speaks the stream from its Offer to the Receipt.
func (r *recording) take(ctx context.Context, offer *upload.Offer) error {
	s := r.session
	admission, err := s.acceptor.Offer(ctx, s.peer, offer)
	if err != nil {
		return err
	}
	if admission.Receipt != nil {
		return r.write(&upload.Receipt{Envelope: admission.Receipt})
	}
	defer func() {
		if err := admission.Intake.Close(); err != nil {
			s.log.WarnContext(ctx, "closing an intake", "error", err)
		}
	}()
	transfer := s.live.begin(s.peer, admission.Item, admission.Intake.Durable())
	defer transfer.end()
	opened := s.open.add(s.peer, admission, transfer)
	err = r.carry(ctx, opened, upload.KindFinish)
	s.open.end(opened, err) // nobody writes from here on
	if err != nil {
		return err
	}
	// From here on the work goes on even if the dock goes away: its receipt
	// will be there when it offers again.
	receipt, err := admission.Intake.Finish(context.WithoutCancel(ctx), transfer.stage)
	if err != nil {
		return err
	}
	return r.write(&upload.Receipt{Envelope: receipt})
}
