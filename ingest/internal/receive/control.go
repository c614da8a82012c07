package receive

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/sealdock/sealdock/proto/upload"
)

// The shortest times between two reports that are taken; others are dropped
// (SPEC.md section 4: at most two a second, and a queue in two seconds).
const (
	statusInterval = 200 * time.Millisecond
	queueInterval  = 500 * time.Millisecond
)

// control answers requests in their order until the stream ends. nil is a clean
// end; an *upload.Error was told to the dock.
func (s *session) control(ctx context.Context, control *talk) error {
	if err := control.stream.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	defer stopReading(ctx, control.stream)()
	in := &frames{stream: control.stream, ctx: ctx, whole: s.options.FrameTimeout}
	asks := rate.NewLimiter(rate.Limit(s.options.AsksPerSecond), s.options.AsksPerSecond)
	var shown reported
	for {
		message, release, err := s.request(in)
		received := s.options.Now()
		if err == io.EOF || ctx.Err() != nil {
			return nil
		}
		var refused *upload.Error
		if errors.As(err, &refused) {
			s.log.WarnContext(ctx, "a dock broke the protocol", "why", refused.Message)
			if err := control.write(refused); err != nil {
				return err
			}
			return refused
		}
		if err != nil {
			return err
		}
		if s.reports(message, &shown, time.Now()) {
			release()
			continue
		}
		answer := s.tooMany(asks, message, received)
		if answer == nil {
			answer = s.answer(ctx, message, received)
		}
		if clock := clockOf(answer); clock != nil {
			clock.SentUs = s.options.Now().UnixMicro()
		}
		err = control.write(answer)
		release()
		if err != nil {
			return err
		}
	}
}

// reported is when a dock's reports were last taken.
type reported struct{ status, queue time.Time }

// reports takes what a dock reports without an answer; false for anything else.
func (s *session) reports(message upload.Message, last *reported, now time.Time) bool {
	switch m := message.(type) {
	case *upload.Status:
		if now.Sub(last.status) < statusInterval {
			return true
		}
		last.status = now
		s.live.status(s.peer, m)
		if s.options.Observer != nil {
			s.options.Observer.Status(s.peer, m)
		}
		return true
	case *upload.Queue:
		if now.Sub(last.queue) < queueInterval {
			return true
		}
		last.queue = now
		s.live.queue(s.peer, m)
		if s.options.Observer != nil {
			s.options.Observer.Queue(s.peer, m)
		}
		return true
	}
	return false
}

// request reads one frame. release gives back its memory.
func (s *session) request(in *frames) (upload.Message, func(), error) {
	release := func() {}
	room := func(ctx context.Context, kind upload.Kind, n int64) (err error) {
		release, err = take(ctx, s.budget.control, s.all.control, n)
		return err
	}
	// The deadline of a frame ends with it; between frames there is none.
	if !in.end.IsZero() {
		if err := in.stream.SetReadDeadline(time.Time{}); err != nil {
			return nil, nil, err
		}
	}
	// A buffer of its own for each frame: an inventory's megabytes must not
	// stay with a connection that is silent from then on.
	message, err := in.next(new(upload.Buffer), room, upload.KindInventory, upload.KindRelease, upload.KindAsk, upload.KindStatus, upload.KindQueue)
	if err != nil {
		release()
		return nil, nil, err
	}
	return message, release, nil
}

// tooMany refuses a question when there were too many; nil lets it pass.
func (s *session) tooMany(asks *rate.Limiter, message upload.Message, now time.Time) upload.Message {
	if _, ok := message.(*upload.Ask); !ok || asks.AllowN(now, 1) {
		return nil
	}
	refused := upload.Errorf(upload.CodeRetryLater, "more than %d questions a second: ask more slowly", s.options.AsksPerSecond)
	refused.RetryAfter = time.Second
	return refused
}

// clockOf returns the answer to a clock question, nil for anything else.
func clockOf(message upload.Message) *upload.ClockAnswer {
	answer, ok := message.(*upload.Answer)
	if !ok {
		return nil
	}
	return answer.GetClock()
}

// answer does what an Inventory, a Release or an Ask wants.
func (s *session) answer(ctx context.Context, message upload.Message, received time.Time) upload.Message {
	var answer upload.Message
	var err error
	switch m := message.(type) {
	case *upload.Inventory:
		answer, err = &upload.InventoryAck{}, s.acceptor.Inventory(ctx, s.peer, m.GetEnvelope())
	case *upload.Release:
		id, failure := s.acceptor.Release(ctx, s.peer, m.GetEnvelope())
		answer, err = &upload.ReleaseAck{EvidenceId: id.String()}, failure
	case *upload.Ask:
		answer, err = s.acceptor.Answer(ctx, s.peer, m, received)
	}
	if err == nil {
		return answer
	}
	refused, told := refusal(err)
	if told {
		s.log.WarnContext(ctx, "a request was refused", "kind", message.Kind().String(), "code", refused.Code, "why", refused.Message)
	} else {
		s.log.ErrorContext(ctx, "answering a request failed", "kind", message.Kind().String(), "error", err)
	}
	return refused
}
