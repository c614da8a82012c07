package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// control serves the control stream: statements one at a time, each sent until
// it is acknowledged, and the status in between.
func (u *Uploader) control(ctx context.Context, stream Stream) error {
	answers, broken := make(chan protocol.Message), make(chan error, 1)
	go func() { broken <- readAnswers(ctx, stream, answers) }()
	defer stream.Reset(protocol.EndNormal) // ends the reader
	ticker := time.NewTicker(u.opt.StatusEvery)
	defer ticker.Stop()
	var waiting *spool.Statement // sent, not yet answered
	var after int64              // refused in this session up to here
	var hold <-chan time.Time    // until the next try after "later"
	for {
		changed := u.opt.Spool.Changed()
		if waiting == nil && hold == nil {
			next, found, err := u.opt.Spool.NextStatement(ctx, after)
			if err != nil {
				return err
			}
			if found {
				if err := sendStatement(stream, next); err != nil {
					return err
				}
				waiting = &next
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case <-changed:
		case <-hold:
			hold = nil
		case <-ticker.C:
			if err := u.sendStatus(stream); err != nil {
				return err
			}
		case answer := <-answers:
			if waiting == nil {
				return protocol.Errorf(protocol.CodeBadFrame, "the server answered a question that was not asked")
			}
			later, err := u.answered(ctx, *waiting, answer)
			if err != nil {
				return err
			}
			if later > 0 {
				hold = time.After(later)
			} else {
				after = waiting.Sequence
			}
			waiting = nil
		}
	}
}

func readAnswers(ctx context.Context, stream Stream, answers chan<- protocol.Message) error {
	var buffer protocol.Buffer
	for {
		m, err := protocol.ReadMessage(stream, &buffer, protocol.KindInventoryAck, protocol.KindReleaseAck, protocol.KindError)
		if errors.Is(err, io.EOF) {
			return errors.New("the server closed the control stream")
		}
		if err != nil {
			return fmt.Errorf("reading the control stream: %w", err)
		}
		select {
		case answers <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func sendStatement(stream Stream, s spool.Statement) error {
	var m protocol.Message = &protocol.Inventory{Envelope: s.Envelope}
	if s.Kind == spool.KindRelease {
		m = &protocol.Release{Envelope: s.Envelope}
	}
	if err := protocol.WriteMessage(stream, m); err != nil {
		return fmt.Errorf("sending a signed %s: %w", s.Kind, err)
	}
	return nil
}

// answered deals with the answer to a statement. A statement that is refused
// stays queued for a later session and does not hold up the ones behind it;
// later asks for the same one again after a pause.
func (u *Uploader) answered(ctx context.Context, s spool.Statement, answer protocol.Message) (later time.Duration, err error) {
	switch m := answer.(type) {
	case *protocol.InventoryAck:
		if s.Kind == spool.KindInventory {
			return 0, u.opt.Spool.Acknowledged(ctx, s.Sequence)
		}
	case *protocol.ReleaseAck:
		if s.Kind == spool.KindRelease {
			return 0, u.opt.Spool.Acknowledged(ctx, s.Sequence)
		}
	case *protocol.Error:
		u.opt.Log.Warn("the server did not take a signed statement, it stays queued", "kind", s.Kind, "error", m)
		switch {
		case m.Code == protocol.CodeBadFrame, m.Code == protocol.CodeUnknownDevice, m.Code == protocol.CodeWrongAgency, m.Code == protocol.CodeVersion:
			return 0, m
		case m.Code.Retryable():
			return max(m.RetryAfter, u.opt.First), nil
		}
		return 0, nil
	}
	return 0, protocol.Errorf(protocol.CodeBadFrame, "the server answered %v to a signed %s", answer.Kind(), s.Kind)
}

func (u *Uploader) sendStatus(stream Stream) error {
	if u.opt.Status == nil {
		return nil
	}
	if err := protocol.WriteMessage(stream, u.opt.Status()); err != nil {
		return fmt.Errorf("sending the status: %w", err)
	}
	return nil
}
