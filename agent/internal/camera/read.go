package camera

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// ReadAt implements Link.
func (l *link) ReadAt(ctx context.Context, object Object, off int64, p []byte) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("reading %s: negative offset %d", object.Path, off)
	}
	n, err := l.readAt(ctx, &object, off, p)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("reading %s at %d: %w", object.Path, off, err)
	}
	return n, err
}

func (l *link) readAt(ctx context.Context, o *Object, off int64, p []byte) (int, error) {
	if !l.inParts(o) {
		return l.readStream(ctx, o, off, p)
	}
	l.stopStream()
	done := 0
	for done < len(p) {
		at := uint64(off) + uint64(done)
		part := p[done:min(len(p), done+l.options.Window)]
		if o.SizeKnown && at < o.Size && o.Size-at < uint64(len(part)) {
			part = part[:o.Size-at] // a read across its end is what some cameras refuse
		}
		n, err := l.readPart(ctx, o, at, part)
		done += n
		if err == nil && n > 0 {
			continue // also when it came short: some cameras give less at a time than they are asked for
		}
		if err == nil || endsAt(o, at, err) {
			return done, io.EOF
		}
		return done, err
	}
	return done, nil
}

// endsAt says whether a refusal to read at an offset means that the object ends
// there. Cameras answer so, or with no bytes, when they are asked behind an
// object's end. In front of the listed size a refusal is a failure: it may be the
// medium's, or the camera's own limit. The same goes for a general error where no
// size is known.
func endsAt(o *Object, at uint64, err error) bool {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return false
	}
	if o.SizeKnown {
		return at >= o.Size && (refused.Code == ptp.RespInvalidParameter || refused.Code == ptp.RespGeneralError)
	}
	return at > 0 && refused.Code == ptp.RespInvalidParameter
}

// inParts says whether the object can be read in parts with what the camera
// supports, and asked for more at its listed end.
func (l *link) inParts(o *Object) bool {
	switch l.partial {
	case ptp.OpGetPartialObject64:
		return true
	case ptp.OpGetPartialObject:
		return o.SizeKnown && o.Size <= math.MaxUint32
	}
	return false
}

// readPart reads one window with one transaction. After a fault it recovers,
// proves that the handle still means the object, and tries once more.
func (l *link) readPart(ctx context.Context, o *Object, at uint64, p []byte) (int, error) {
	if at > math.MaxUint32 && l.partial == ptp.OpGetPartialObject {
		return 0, fmt.Errorf("%w: it lists %d bytes and has 4 GiB or more", ErrBeyond, o.Size)
	}
	for again := false; ; again = true {
		if err := l.prove(ctx, o); err != nil {
			return 0, err
		}
		expect := answer{data: true, bytes: len(p)}
		if o.SizeKnown && at >= o.Size {
			expect = answer{data: true} // no bytes, most likely
		}
		n, err := l.part(ctx, o.Handle, at, p, expect)
		if err == nil {
			return n, nil
		}
		if l.s.doubt && len(l.s.room(expect)) > len(l.s.first) {
			l.s.wary = true
		}
		if again || !l.s.doubt || fatal(ctx, err) {
			return 0, err
		}
		l.s.log.Warn("reading a part failed, trying again", "offset", at, "error", err)
	}
}

func (l *link) part(ctx context.Context, handle uint32, off uint64, p []byte, expect answer) (int, error) {
	parameters := []uint32{handle, uint32(off), uint32(len(p))}
	if l.partial == ptp.OpGetPartialObject64 {
		parameters = []uint32{handle, uint32(off), uint32(off >> 32), uint32(len(p))}
	}
	n := 0
	block, err := l.s.patiently(ctx, l.partial, false, func() (ptp.Block, error) {
		n = 0
		phase, block, err := l.s.begin(ctx, l.partial, expect, parameters...)
		if err != nil || phase == nil {
			return block, err
		}
		if n, err = phase.read(ctx, p); err != nil && !errors.Is(err, io.EOF) {
			return block, err
		}
		return phase.finish(ctx)
	})
	if err != nil {
		return 0, err
	}
	if said := block.Parameter(0); said != 0 && said != uint32(n) {
		return 0, l.s.broken("%s sent %d bytes and says %d", l.partial, n, said)
	}
	return n, nil
}

// settle makes the camera ready for a transaction, whatever went before.
func (l *link) settle(ctx context.Context) error {
	l.stopStream()
	if !l.s.doubt {
		return nil
	}
	return l.s.recover(ctx)
}

// prove makes sure that the handle means this object in the session that is open now.
func (l *link) prove(ctx context.Context, o *Object) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	want := proof{l.s.generation, o.fingerprint()}
	if l.proven[o.Handle] == want {
		return nil
	}
	err := l.recognise(ctx, o)
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Code == ptp.RespInvalidObjectHandle {
		// Some responders know a handle only after it was listed in the same session.
		if _, _, err := l.List(ctx); err != nil {
			return fmt.Errorf("listing again to find the object: %w", err)
		}
		if l.proven[o.Handle].of != want.of {
			return fmt.Errorf("%w: handle 0x%08x is not listed any more", ErrChanged, o.Handle)
		}
		return nil
	}
	return err
}

// recognise asks the camera what the handle means and compares.
func (l *link) recognise(ctx context.Context, o *Object) error {
	info, err := l.objectInfo(ctx, o.Handle)
	if err != nil {
		return err
	}
	now, _, err := l.describe(ctx, o.Handle, info, proof{}) // asked in full
	if err != nil {
		return err
	}
	if now.fingerprint() != o.fingerprint() {
		return fmt.Errorf("%w: handle 0x%08x is now %s of %d bytes, listed was %d bytes", ErrChanged, o.Handle, SafeName(info.Filename), now.Size, o.Size)
	}
	l.proven[o.Handle] = proof{l.s.generation, now.fingerprint()}
	return nil
}

// Delete implements Link.
func (l *link) Delete(ctx context.Context, object Object) error {
	if err := l.delete(ctx, &object); err != nil {
		return fmt.Errorf("deleting %s from the camera: %w", object.Path, err)
	}
	return nil
}

func (l *link) delete(ctx context.Context, o *Object) error {
	if o.Handle == 0 || o.Handle == ptp.DeleteAll {
		return fmt.Errorf("handle 0x%08x would delete every object", o.Handle)
	}
	if !l.info.Supports(ptp.OpDeleteObject) {
		return &RefusedError{Operation: ptp.OpDeleteObject, Code: ptp.RespOperationNotSupported}
	}
	delete(l.proven, o.Handle) // asked anew, however recently it was proven
	if err := l.prove(ctx, o); err != nil {
		return err
	}
	delete(l.proven, o.Handle)
	_, err := l.s.patiently(ctx, ptp.OpDeleteObject, false, func() (ptp.Block, error) {
		_, block, err := l.s.once(ctx, ptp.OpDeleteObject, maxDataset, o.Handle, 0)
		return block, err
	})
	return err
}
