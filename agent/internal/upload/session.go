package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	protocol "github.com/sealdock/sealdock/proto/upload"
)

// errOtherServer means that the server shows other names or keys than those
// pinned at enrolment.
var errOtherServer = errors.New("the server is another than the one enrolled at")

// session serves one connection from dial to break. welcomed tells whether the
// server took the dock; the error is never nil.
func (u *Uploader) session(ctx context.Context) (welcomed bool, err error) {
	dialling, cancel := context.WithTimeout(ctx, u.opt.Answer)
	s, err := u.opt.Dial(dialling)
	cancel()
	if err != nil {
		return false, err
	}
	code, reason := protocol.EndGoingAway, "shutting down"
	defer func() { s.Close(code, reason) }()
	control, err := s.OpenStream(ctx)
	if err != nil {
		return false, err
	}
	if err := u.greet(control); err != nil {
		code, reason = protocol.EndRefused, "not the server that was expected"
		return false, err
	}
	u.say(true, "Connected.")
	u.opt.Log.Info("connected to the server")
	group, within := errgroup.WithContext(ctx)
	stop := context.AfterFunc(s.Context(), func() { control.Reset(protocol.EndNormal) })
	defer stop()
	asks := u.open()
	defer u.close()
	group.Go(func() error { return u.control(within, control, asks) })
	group.Go(func() error { return u.attend(within, s) })
	group.Go(func() error { return u.dispatch(within, s) })
	err = group.Wait()
	if failure := sessionError(s); failure != nil {
		err = failure
	}
	var bad *protocol.Error
	if errors.As(err, &bad) && bad.Code == protocol.CodeBadFrame {
		code, reason = protocol.EndProtocol, "bytes outside the protocol"
	}
	return true, err
}

// open lets questions in for this session.
func (u *Uploader) open() <-chan *question {
	u.mu.Lock()
	defer u.mu.Unlock()
	asks := make(chan *question)
	u.asks, u.ended = asks, make(chan struct{})
	return asks
}

// close ends every question of this session.
func (u *Uploader) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.ended)
	u.asks, u.ended = nil, nil
}

// sessionError is why the session itself ended, if it has.
func sessionError(s Session) error {
	if e, ok := s.(interface{ Err() error }); ok {
		return e.Err()
	}
	return nil
}

// greet sends Hello and checks that Welcome comes from the enrolled server.
func (u *Uploader) greet(control Stream) error {
	if err := control.SetReadDeadline(time.Now().Add(u.opt.Answer)); err != nil {
		return err
	}
	hello := &protocol.Hello{Protocol: protocol.Version, AgentVersion: u.opt.Version, Agency: string(u.opt.Agency), Dock: string(u.opt.Dock)}
	if err := protocol.WriteMessage(control, hello); err != nil {
		return fmt.Errorf("greeting the server: %w", err)
	}
	var buffer protocol.Buffer
	welcome, err := protocol.Expect[*protocol.Welcome](control, &buffer)
	if err != nil {
		return fmt.Errorf("waiting for the server's welcome: %w", err)
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	return u.recognise(welcome)
}

// recognise compares a welcome with what was pinned at enrolment.
func (u *Uploader) recognise(w *protocol.Welcome) error {
	switch {
	case w.GetProtocol() != protocol.Version:
		return protocol.VersionMismatch(w.GetProtocol())
	case w.GetAgency() != string(u.opt.Agency):
		return fmt.Errorf("%w: it serves agency %q, this dock belongs to %q", errOtherServer, w.GetAgency(), u.opt.Agency)
	case !bytes.Equal(w.GetAgencyPublicKey(), u.opt.AgencyKey):
		return fmt.Errorf("%w: its agency key is another one", errOtherServer)
	case w.GetLogOrigin() != u.opt.Trust.LogOrigin || !bytes.Equal(w.GetLogPublicKey(), u.opt.Trust.LogPublicKey):
		return fmt.Errorf("%w: its custody log is another one", errOtherServer)
	case !bytes.Equal(w.GetReceiptPublicKey(), u.opt.Trust.ReceiptPublicKey):
		return fmt.Errorf("%w: its receipt key is another one", errOtherServer)
	}
	return nil
}
