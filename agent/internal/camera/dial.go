package camera

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// Options of Dial. The zero value is good.
type Options struct {
	// Timeout is how long one USB transfer (4 MiB at most) may take. Default 15 s.
	Timeout time.Duration
	// FirstTimeout is the same for the first question to a camera of unknown state,
	// after which it is reset. Default 3 s.
	FirstTimeout time.Duration
	// Window is how many bytes one partial read asks for at most: 1 MiB to 16 MiB, default 8 MiB.
	Window int
	// MaxObjects is how many objects, folders included, a listing takes. Default 100,000.
	MaxObjects int
	// Log gets what was odd. Default: nothing is logged.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.FirstTimeout <= 0 {
		o.FirstTimeout = min(3*time.Second, o.Timeout)
	}
	if o.Window <= 0 {
		o.Window = 8 << 20
	}
	o.Window = min(max(o.Window, 1<<20), 16<<20)
	if o.MaxObjects <= 0 {
		o.MaxObjects = 100_000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// link is a PTP initiator.
type link struct {
	s       *session
	options Options
	info    ptp.DeviceInfo
	partial ptp.Operation // how parts are read: GetPartialObject64, GetPartialObject or 0

	// proven holds, per handle, what it was last seen to mean, and in which session.
	proven map[uint32]proof
	named  map[uint32]named // paths by handle, of the last listing
	stream *stream          // an open GetObject, for cameras without partial reads
	zoned  bool             // the camera's clock names its zone, as last read

	sizeless map[ptp.Format]bool // formats for which the camera has no size property

	events *events
}

// Dial opens a PTP session on the pipe and takes the pipe over: Close of the link
// closes it, and so does Dial when it fails. The camera may be in any state, in
// mid-transfer too. The link is Extended when the camera has the extension.
func Dial(ctx context.Context, pipe Pipe, options Options) (Link, error) {
	options = options.withDefaults()
	s := newSession(pipe, options.FirstTimeout, options.Log.With("component", "camera", "port", pipe.Port()))
	l := &link{s: s, options: options, proven: map[uint32]proof{}, sizeless: map[ptp.Format]bool{}}
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the camera in bay %s: %w", escapeText(pipe.Port()), err), pipe.Close())
	}
	for _, o := range beside(pipe) {
		s.log.Warn("the device is more than a camera; the rest is left alone", "also", o.String())
	}
	l.events = listen(pipe, s.log)
	if l.info.HasExtension() {
		return &extendedLink{l}, nil
	}
	return l, nil
}

func (l *link) start(ctx context.Context) error {
	if err := l.greet(ctx); err != nil {
		return err
	}
	l.s.timeout = l.options.Timeout
	switch {
	case l.info.Supports(ptp.OpGetPartialObject64):
		l.partial = ptp.OpGetPartialObject64
	case l.info.Supports(ptp.OpGetPartialObject):
		l.partial = ptp.OpGetPartialObject
	}
	if l.s.open {
		return nil
	}
	err := l.s.openSession(ctx)
	if err != nil && l.s.doubt && !fatal(ctx, err) {
		err = l.s.recover(ctx)
	}
	return err
}

// greet asks for DeviceInfo, first outside a session as the standard allows, then
// within one for responders that want it so.
func (l *link) greet(ctx context.Context) error {
	status, known, err := l.s.status(ctx)
	if err != nil {
		return err
	}
	l.s.doubt = known && status.Code != ptp.RespOK
	if !l.s.doubt {
		err = l.deviceInfo(ctx)
		if isRefusal(err) {
			if err = l.s.openSession(ctx); err == nil {
				err = l.deviceInfo(ctx)
			}
		}
		if err == nil || !l.s.doubt || fatal(ctx, err) {
			return err
		}
	}
	l.s.log.Info("camera is not ready for a new host, resetting its transfer state", "error", err)
	l.s.timeout = l.options.Timeout
	if err := l.s.recover(ctx); err != nil {
		return err
	}
	return l.deviceInfo(ctx)
}

func (l *link) deviceInfo(ctx context.Context) error {
	data, block, err := l.s.once(ctx, ptp.OpGetDeviceInfo, maxDataset)
	if err != nil {
		return err
	}
	if code := ptp.Response(block.Code); code != ptp.RespOK {
		return &RefusedError{Operation: ptp.OpGetDeviceInfo, Code: code}
	}
	if l.info, err = ptp.ParseDeviceInfo(data); err != nil {
		return l.s.broken("%v", err)
	}
	return nil
}

// Close ends the session as well as the camera lets it, and closes the pipe.
func (l *link) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), controlTimeout)
	defer cancel()
	l.events.end()
	l.stopStream()
	if l.s.doubt {
		// The next host finds a quiet camera; when it is gone, there is nothing to do.
		if err := l.s.quieten(ctx); err != nil {
			l.s.log.Debug("leaving the camera", "error", err)
		}
	} else if l.s.open {
		if _, _, err := l.s.once(ctx, ptp.OpCloseSession, maxDataset); err != nil {
			l.s.log.Debug("closing the session", "error", err)
		}
	}
	return l.s.pipe.Close()
}
