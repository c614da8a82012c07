package camera

import (
	"context"
	"errors"
	"fmt"
	"time"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

const (
	controlTimeout = 2 * time.Second
	quietTime      = 300 * time.Millisecond // silence after which nothing more is queued
	drainTime      = 30 * time.Second
	statusTries    = 20
	statusPause    = 100 * time.Millisecond
	sessionID      = 1
)

// recover brings a camera whose last transaction ended in doubt back to where it
// takes commands: cancel, class reset, clear halts, drain, open a session. When
// that does not help, the device is reset and it is tried once more.
func (s *session) recover(ctx context.Context) error {
	err := s.resynchronise(ctx)
	if err == nil || errors.Is(err, ErrGone) || ctx.Err() != nil {
		return err
	}
	s.log.Warn("camera does not recover, resetting it", "error", err)
	if resetErr := s.pipe.Reset(ctx); resetErr != nil {
		return fmt.Errorf("resetting a camera that does not answer (%v): %w", err, resetErr)
	}
	if err = s.resynchronise(ctx); err != nil {
		return fmt.Errorf("recovering a camera after a reset (unplug it and plug it in again): %w", err)
	}
	return nil
}

func (s *session) resynchronise(ctx context.Context) error {
	s.open = false
	if err := s.quieten(ctx); err != nil {
		return err
	}
	s.doubt = false
	return s.openSession(ctx)
}

// quieten cancels whatever runs on the camera and empties its bulk-in endpoint.
func (s *session) quieten(ctx context.Context) error {
	cancel := ptp.AppendCancelRequest(make([]byte, 0, ptp.CancelRequestSize), s.transaction)
	if err := s.classRequest(ctx, ptp.RequestTypeOut, ptp.RequestCancel, cancel); err != nil {
		return err
	}
	if err := s.classRequest(ctx, ptp.RequestTypeOut, ptp.RequestReset, nil); err != nil {
		return err
	}
	if s.halted {
		if err := s.clearHalt(ctx); err != nil {
			return err
		}
	}
	if err := s.drain(ctx); err != nil {
		return err
	}
	return s.awaitReady(ctx)
}

// classRequest sends a request that a camera may not know: a stall or a timeout is no failure.
func (s *session) classRequest(ctx context.Context, kind, request uint8, data []byte) error {
	limited, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	_, err := s.pipe.Control(limited, kind, request, 0, s.pipe.Interface(), data)
	if err != nil && fatal(ctx, err) {
		return fmt.Errorf("sending class request 0x%02x: %w", request, err)
	}
	return nil
}

// fatal says whether recovery is pointless: the camera is gone or the caller gave up.
func fatal(ctx context.Context, err error) bool {
	return errors.Is(err, ErrGone) || ctx.Err() != nil
}

// clearHalt is for endpoints that did stall: done to others, it could put the two
// sides' data toggles out of step (USB 2.0 section 9.4.5).
func (s *session) clearHalt(ctx context.Context) error {
	s.halted = false
	if err := s.pipe.ClearHalt(ctx); err != nil && fatal(ctx, err) {
		return fmt.Errorf("clearing the camera's halted endpoints: %w", err)
	}
	return nil
}

// drain reads and drops what the camera still sends, until it is quiet.
func (s *session) drain(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	const size = 256 << 10
	sink := make([]byte, size-size%s.packet)
	dropped, faults, empty := 0, 0, 0
	for {
		quiet, stop := context.WithTimeout(limited, quietTime)
		n, err := s.pipe.BulkIn(quiet, sink)
		silent := quiet.Err() != nil
		stop()
		dropped += n
		switch {
		case err == nil && n == 0 && empty < maxSkips:
			empty++
		case err == nil && n > 0:
		case err != nil && fatal(ctx, err):
			return fmt.Errorf("draining the camera: %w", err)
		case limited.Err() != nil:
			return fmt.Errorf("draining the camera: %w: it sent %d bytes and does not stop", ErrProtocol, dropped)
		case err != nil && silent && n == 0:
			if dropped > 0 {
				s.log.Debug("drained what an interrupted transfer had left", "bytes", dropped)
			}
			return nil
		case err != nil && silent:
		default: // a stall, an overflow, or empty packets without end
			if faults++; faults > 4 {
				return fmt.Errorf("draining the camera: %w", errors.Join(err, ErrProtocol))
			}
			if errors.Is(err, ErrStall) {
				if err := s.clearHalt(ctx); err != nil {
					return err
				}
			}
		}
	}
}

// awaitReady polls the device status until the camera takes commands. A camera without
// that request counts as ready.
func (s *session) awaitReady(ctx context.Context) error {
	for range statusTries {
		status, known, err := s.status(ctx)
		if err != nil {
			return err
		}
		switch {
		case !known || status.Code == ptp.RespOK:
			return nil
		case len(status.Endpoints) > 0:
			if err := s.clearHalt(ctx); err != nil {
				return err
			}
		}
		if err := sleep(ctx, statusPause); err != nil {
			return err
		}
	}
	return fmt.Errorf("waiting for the camera to take commands: %w", ErrTimeout)
}

// status asks for the device status; known is false when the camera gives no sensible answer.
func (s *session) status(ctx context.Context) (status ptp.DeviceStatus, known bool, err error) {
	limited, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	p := make([]byte, ptp.MaxDeviceStatusSize)
	n, err := s.pipe.Control(limited, ptp.RequestTypeIn, ptp.RequestGetDeviceStatus, 0, s.pipe.Interface(), p)
	if err != nil {
		if fatal(ctx, err) {
			return status, false, fmt.Errorf("asking for the device status: %w", err)
		}
		return status, false, nil
	}
	status, err = ptp.ParseDeviceStatus(p[:min(max(n, 0), len(p))])
	return status, err == nil, nil
}

// openSession opens a session of our own. One that an earlier host left open is closed
// first; a camera that insists on keeping it is taken as it is.
func (s *session) openSession(ctx context.Context) error {
	code, err := s.tryOpen(ctx)
	if err != nil {
		return err
	}
	if code == ptp.RespSessionAlreadyOpen {
		s.open = true // so that the close has a transaction id
		if _, _, err := s.once(ctx, ptp.OpCloseSession, maxDataset); err != nil {
			return fmt.Errorf("closing the session of an earlier host: %w", err)
		}
		s.open = false
		if code, err = s.tryOpen(ctx); err != nil {
			return err
		}
	}
	if code != ptp.RespOK && code != ptp.RespSessionAlreadyOpen {
		return &RefusedError{Operation: ptp.OpOpenSession, Code: code}
	}
	if code == ptp.RespOK {
		s.transaction = 0
	}
	s.open = true
	s.generation++
	return nil
}

func (s *session) tryOpen(ctx context.Context) (ptp.Response, error) {
	_, block, err := s.once(ctx, ptp.OpOpenSession, maxDataset, sessionID)
	if err != nil {
		return 0, fmt.Errorf("opening a session: %w", err)
	}
	return ptp.Response(block.Code), nil
}
