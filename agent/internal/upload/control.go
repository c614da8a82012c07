package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/agent/internal/spool"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// statementsAhead is how many releases are sent before the first of them is
// answered. An inventory goes alone, so that it comes before what follows it.
const statementsAhead = 32

// statusLasts is how long a status that does not change is not sent again.
const statusLasts = 3 * time.Minute

// asksAhead is how many questions of this agent may be under way at once.
const asksAhead = 16

// listen reads a lane's control stream: directions from any, answers where this
// lane leads.
func (u *Uploader) listen(ctx context.Context, l *lane) error {
	var buffer protocol.Buffer
	for {
		m, err := protocol.ReadMessage(l.control, &buffer, protocol.KindDirection, protocol.KindInventoryAck, protocol.KindReleaseAck, protocol.KindAnswer, protocol.KindError)
		if errors.Is(err, io.EOF) {
			return errors.New("the server closed the control stream")
		}
		if err != nil {
			return fmt.Errorf("reading the control stream: %w", err)
		}
		if d, ok := m.(*protocol.Direction); ok {
			u.follow(l, d)
			continue
		}
		select {
		case l.answers <- answered{m, u.opt.Now()}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// speak waits until no other lane speaks for the dock, and does.
func (u *Uploader) speak(ctx context.Context, l *lane) error {
	select {
	case <-u.lead:
		defer func() { u.lead <- struct{}{} }()
	case a := <-l.answers:
		return unasked(a)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	asks := u.letAsk()
	defer u.endAsking()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return u.control(ctx, l, asks) })
	group.Go(func() error { return u.attend(ctx, l.Session()) })
	return group.Wait()
}

func unasked(a answered) error {
	if refused, ok := a.message.(*protocol.Error); ok {
		return refused
	}
	return protocol.Errorf(protocol.CodeBadFrame, "the server answered a question that was not asked")
}

// control serves the control stream of the lane that leads: statements in their
// order, each sent until it is acknowledged, questions, and the status in between.
func (u *Uploader) control(ctx context.Context, l *lane, asks <-chan *question) error {
	ticker := time.NewTicker(u.opt.StatusEvery)
	defer ticker.Stop()
	t := talk{u: u, stream: l.control}
	var shown shownQueue
	var told shownStatus
	for {
		changed := u.opt.Spool.Changed()
		if err := t.send(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		case <-t.hold:
			t.hold = nil
		case <-ticker.C:
			if err := u.sendStatus(l.control, &told); err != nil {
				return err
			}
			if err := u.showQueue(ctx, l.control, &shown); err != nil {
				return err
			}
		case q := <-t.room(asks):
			q.sentAt = u.opt.Now()
			if err := protocol.WriteMessage(l.control, q.ask); err != nil {
				return fmt.Errorf("asking the server: %w", err)
			}
			t.waiting = append(t.waiting, request{question: q})
			t.asks++
		case answer := <-l.answers:
			if err := t.take(ctx, answer, l.answers); err != nil {
				return err
			}
		}
	}
}

// talk is what has been said on a control stream and not yet answered.
type talk struct {
	u       *Uploader
	stream  lanes.Stream
	waiting []request         // sent, in order, not yet answered
	asks    int               // of these, questions
	again   []spool.Statement // to be sent once more after hold, before any other
	hold    <-chan time.Time  // until the next try after "later"
	after   int64             // statements up to here were sent in this session
}

// request is what the server owes an answer to: a statement or a question.
type request struct {
	statement spool.Statement
	question  *question // nil: it is the statement
}

// room gives the questions as long as another one may be asked.
func (t *talk) room(asks <-chan *question) <-chan *question {
	if t.asks >= asksAhead {
		return nil
	}
	return asks
}

// stated is how many statements wait for their answer, and of what kind the
// first of them is.
func (t *talk) stated() (n int, kind spool.StatementKind) {
	for _, r := range t.waiting {
		if r.question == nil {
			if n == 0 {
				kind = r.statement.Kind
			}
			n++
		}
	}
	return n, kind
}

// send sends as many statements as may be on their way.
func (t *talk) send(ctx context.Context) error {
	n, kind := t.stated()
	if t.hold != nil || n == statementsAhead || n > 0 && kind != spool.KindRelease {
		return nil
	}
	queued := t.again
	if len(queued) == 0 {
		var err error
		if queued, err = t.u.opt.Spool.Statements(ctx, t.after, statementsAhead-n); err != nil {
			return err
		}
	}
	for _, s := range queued {
		if n, kind := t.stated(); n > 0 && (s.Kind != spool.KindRelease || kind != spool.KindRelease) {
			break
		}
		if err := sendStatement(t.stream, s); err != nil {
			return err
		}
		t.waiting = append(t.waiting, request{statement: s})
		t.after = max(t.after, s.Sequence)
		if len(t.again) > 0 {
			t.again = t.again[1:]
		}
	}
	return nil
}

// take deals with an answer and those that came with it; what they acknowledge
// is removed in one commit.
func (t *talk) take(ctx context.Context, answer answered, more <-chan answered) error {
	var removed []int64
	for {
		if len(t.waiting) == 0 {
			return unasked(answer)
		}
		r := t.waiting[0]
		t.waiting = t.waiting[1:]
		if r.question != nil {
			t.asks--
			if a, ok := answer.message.(*protocol.Answer); ok && !r.question.fits(a) {
				return protocol.Errorf(protocol.CodeBadFrame, "the server answered another question than it was asked")
			}
			r.question.answer <- answer
		} else {
			s := r.statement
			done, later, err := t.u.answered(s, answer.message)
			if err != nil {
				return err
			}
			if done {
				removed = append(removed, s.Sequence)
			}
			if later > 0 {
				t.again = append(t.again, s)
				t.hold = time.After(later)
			}
		}
		select {
		case answer = <-more:
			continue
		default:
		}
		if len(removed) == 0 {
			return nil
		}
		return t.u.opt.Spool.Acknowledged(ctx, removed...)
	}
}

func sendStatement(stream lanes.Stream, s spool.Statement) error {
	var m protocol.Message = &protocol.Inventory{Envelope: s.Envelope}
	if s.Kind == spool.KindRelease {
		m = &protocol.Release{Envelope: s.Envelope}
	}
	if err := protocol.WriteMessage(stream, m); err != nil {
		return fmt.Errorf("sending a signed %s: %w", s.Kind, err)
	}
	return nil
}

// answered deals with the answer to a statement: done says that the server has
// it. A statement that is refused stays queued for a later session and does not
// hold up the ones behind it; later asks for the same one again after a pause.
func (u *Uploader) answered(s spool.Statement, answer protocol.Message) (done bool, later time.Duration, err error) {
	switch m := answer.(type) {
	case *protocol.InventoryAck:
		if s.Kind == spool.KindInventory {
			return true, 0, nil
		}
	case *protocol.ReleaseAck:
		if s.Kind == spool.KindRelease {
			return true, 0, nil
		}
	case *protocol.Error:
		u.opt.Log.Warn("the server did not take a signed statement, it stays queued", "kind", s.Kind, "error", m)
		switch {
		case m.Code == protocol.CodeBadFrame, m.Code == protocol.CodeUnknownDevice, m.Code == protocol.CodeWrongAgency, m.Code == protocol.CodeVersion:
			return false, 0, m
		case m.Code.Retryable():
			return false, max(m.RetryAfter, u.opt.First), nil
		}
		return false, 0, nil
	}
	return false, 0, protocol.Errorf(protocol.CodeBadFrame, "the server answered %v to a signed %s", answer.Kind(), s.Kind)
}

// shownStatus is the status that was sent last.
type shownStatus struct {
	at   time.Time
	what *protocol.Status
}

// sendStatus sends how the dock is doing when that has changed, or was not said
// for statusLasts: a server with thousands of idle docks has little to read.
func (u *Uploader) sendStatus(stream lanes.Stream, shown *shownStatus) error {
	if u.opt.Status == nil {
		return nil
	}
	status, now := u.opt.Status(), time.Now()
	what := proto.CloneOf(status)
	what.AtUs = 0
	if t := what.GetTransport(); t != nil {
		t.RttUs, t.LostPpm = 0, 0
	}
	if now.Sub(shown.at) < statusLasts && proto.Equal(what, shown.what) {
		return nil
	}
	shown.at, shown.what = now, what
	if err := protocol.WriteMessage(stream, status); err != nil {
		return fmt.Errorf("sending the status: %w", err)
	}
	return nil
}
