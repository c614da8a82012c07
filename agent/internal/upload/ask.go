package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/sealdock/sealdock/agent/internal/clock"
	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/agent/internal/policy"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// ErrAway is wrapped when a question found no session, or the session ended
// before its answer.
var ErrAway = errors.New("the server is not reached")

const (
	clockExchanges = 8                // readings of the server's clock in a row
	clockEvery     = 10 * time.Minute // how often it is compared again
	policySpread   = 2 * time.Second  // over which docks ask for a policy that they were all told of
)

// question is an Ask on its way.
type question struct {
	ask    *protocol.Ask
	sentAt time.Time
	answer chan<- answered // holds one
}

// answered is what came back. at is when it was read.
type answered struct {
	message protocol.Message
	at      time.Time
}

// Ask puts a question to the server and waits for its answer, which is of the
// question's kind. Without a session the error is ErrAway at once. Safe for
// concurrent use.
func (u *Uploader) Ask(ctx context.Context, ask *protocol.Ask) (*protocol.Answer, error) {
	a, _, err := u.exchange(ctx, ask)
	return a, err
}

// exchange is Ask that also tells when the question was sent and the answer read.
func (u *Uploader) exchange(ctx context.Context, ask *protocol.Ask) (*protocol.Answer, [2]time.Time, error) {
	var at [2]time.Time
	u.mu.Lock()
	asks, ended := u.asks, u.ended
	u.mu.Unlock()
	if asks == nil {
		return nil, at, ErrAway
	}
	back := make(chan answered, 1)
	q := &question{ask: ask, answer: back}
	select {
	case asks <- q:
	case <-ended:
		return nil, at, ErrAway
	case <-ctx.Done():
		return nil, at, ctx.Err()
	}
	select {
	case a := <-back:
		at = [2]time.Time{q.sentAt, a.at}
		switch m := a.message.(type) {
		case *protocol.Answer:
			return m, at, nil
		case *protocol.Error:
			return nil, at, fmt.Errorf("asking the server: %w", m)
		}
		return nil, at, fmt.Errorf("asking the server: it answered with %v", a.message.Kind())
	case <-ended:
		return nil, at, ErrAway
	case <-ctx.Done():
		return nil, at, ctx.Err()
	}
}

// letAsk lets questions in while a lane leads.
func (u *Uploader) letAsk() <-chan *question {
	u.mu.Lock()
	defer u.mu.Unlock()
	asks := make(chan *question)
	u.asks, u.ended = asks, make(chan struct{})
	return asks
}

// endAsking ends every question that is under way.
func (u *Uploader) endAsking() {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.ended)
	u.asks, u.ended = nil, nil
}

// fits reports whether an answer is of its question's kind.
func (q *question) fits(a *protocol.Answer) bool {
	switch {
	case q.ask.GetClock() != nil:
		return a.GetClock() != nil && a.GetClock().GetDockUs() == q.ask.GetClock().GetDockUs()
	case q.ask.GetCamera() != nil:
		return a.GetCamera() != nil && a.GetCamera().GetSerial() == q.ask.GetCamera().GetSerial()
	}
	return a.GetPolicy() != nil
}

// attend keeps clock, policy and firmware up to date for one session.
func (u *Uploader) attend(ctx context.Context, s lanes.Session) error {
	var compared time.Time
	for {
		told := u.toldPolicy()
		if compared.IsZero() || u.opt.Now().Sub(compared) >= clockEvery {
			if err := u.compareClocks(ctx); err != nil {
				return err
			}
			compared = u.opt.Now()
		}
		if err := u.askPolicy(ctx); err != nil {
			return err
		}
		whole := u.opt.Images == nil || u.fetchImages(ctx, s)
		pause := u.opt.PolicyEvery
		if len(told) > 0 && whole {
			pause = clockEvery
		}
		if err := u.settle(ctx, told, pause); err != nil {
			return err
		}
	}
}

// settle waits for a while, or until the server tells of another policy than told
// and than the one that is here: thousands of docks hear that at one moment, and do
// not ask at one.
func (u *Uploader) settle(ctx context.Context, told []byte, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for hurried := false; ; {
		called := u.called()
		if now := u.toldPolicy(); !hurried && u.opt.Policy != nil && len(now) > 0 && !bytes.Equal(now, told) && !bytes.Equal(now, u.opt.Policy.Current().Digest) {
			hurried = true
			timer.Reset(rand.N(min(policySpread, pause)))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		case <-called:
		}
	}
}

// toldPolicy is the digest of the policy that the server told of last; nil: it
// does not tell.
func (u *Uploader) toldPolicy() []byte { return u.Direction().GetPolicyDigest() }

// compareClocks measures how far the dock's clock is ahead of the server's.
func (u *Uploader) compareClocks(ctx context.Context) error {
	var e clock.Estimate
	for range clockExchanges {
		a, at, err := u.exchange(ctx, &protocol.Ask{Clock: &protocol.ClockQuestion{DockUs: u.opt.Now().UnixMicro()}})
		var refused *protocol.Error
		if errors.As(err, &refused) {
			u.opt.Log.Warn("the server does not tell its clock", "error", refused)
			return nil
		}
		if err != nil {
			return err
		}
		c := a.GetClock()
		e.Add(at[0].Sub(time.UnixMicro(c.GetReceivedUs())), at[1].Sub(time.UnixMicro(c.GetSentUs())))
	}
	offset := e.Offset(u.opt.Now())
	u.opt.Log.Info("dock clock compared with the server's", "ahead_us", offset.Ahead, "uncertainty_us", offset.Uncertainty)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.clock = offset
	return nil
}

// ClockOffset is how far the dock's clock is ahead of the server's, as last
// measured; nil before. Safe for concurrent use.
func (u *Uploader) ClockOffset() *evidence.Offset {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.clock
}

func (u *Uploader) askPolicy(ctx context.Context) error {
	if u.opt.Policy == nil {
		return nil
	}
	a, err := u.Ask(ctx, &protocol.Ask{Policy: &protocol.PolicyQuestion{Have: u.opt.Policy.Current().Digest}})
	var refused *protocol.Error
	switch {
	case errors.As(err, &refused) && refused.Code == protocol.CodeUnknownDevice:
		return err // disabled since: the session ends, and the next greeting says so
	case errors.As(err, &refused):
		u.opt.Log.Warn("the server gives no policy, the one before stays in force", "error", refused)
		return nil
	case err != nil:
		return err
	}
	if err := u.opt.Policy.Take(a.GetPolicy()); err != nil {
		u.opt.Log.Error("policy", "error", err)
	}
	return nil
}

// fetchImages fetches what firmware the policy offers and is not there yet. It
// reports whether all of it is there now.
func (u *Uploader) fetchImages(ctx context.Context, s lanes.Session) (whole bool) {
	whole = true
	offers := u.opt.Policy.Current().Firmware
	if err := u.opt.Images.Keep(offers); err != nil {
		u.opt.Log.Warn("tidying firmware", "error", err)
	}
	for i := range offers {
		f := &offers[i]
		if u.opt.Images.Has(f.SHA256) {
			continue
		}
		if err := u.fetchImage(ctx, s, f); err != nil {
			u.opt.Log.Warn("a firmware image was not fetched whole, it goes on by itself", "release", f.Release, "error", err)
			whole = false
			continue
		}
		u.opt.Log.Info("firmware image fetched", "model", f.Model, "release", f.Release, "bytes", f.Length)
	}
	return whole
}

func (u *Uploader) fetchImage(ctx context.Context, s lanes.Session, f *policy.Firmware) error {
	var stream lanes.Stream
	defer func() {
		if stream != nil {
			stream.Reset(protocol.EndNormal)
		}
	}()
	return u.opt.Images.Receive(&f.Firmware, func(offset uint64) (io.Reader, error) {
		var err error
		if stream, err = s.OpenStream(ctx); err != nil {
			return nil, err
		}
		if err := protocol.WriteMessage(stream, &protocol.FirmwareFetch{Sha256: f.SHA256[:], Offset: offset}); err != nil {
			return nil, err
		}
		return &blocks{u: u, stream: stream, next: offset}, stream.CloseWrite()
	})
}

// blocks reads the blocks of an image as a stream of bytes.
type blocks struct {
	u      *Uploader
	stream lanes.Stream
	buffer protocol.Buffer
	next   uint64
	rest   []byte
}

func (b *blocks) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		if err := b.stream.SetReadDeadline(time.Now().Add(b.u.opt.Answer)); err != nil {
			return 0, err
		}
		m, err := protocol.Expect[*protocol.FirmwareBlock](b.stream, &b.buffer)
		if err != nil {
			return 0, err
		}
		if m.GetOffset() != b.next {
			return 0, fmt.Errorf("a block of byte %d came where byte %d belongs", m.GetOffset(), b.next)
		}
		b.rest = m.GetData()
		b.next += uint64(len(b.rest))
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}
