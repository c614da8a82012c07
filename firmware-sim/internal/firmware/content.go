package firmware

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sealdock/sealdock/firmware-sim/internal/bus"
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/proto/camera"
)

// content is a data container that streams part of a recording: a bus.Source.
type content struct {
	header [camera.HeaderSize]byte
	reader Reader
	path   string
	offset int64 // of the part in the recording
	size   int64 // of the part
	faults *fault.Set
}

// Fill implements bus.Source.
func (c *content) Fill(ctx context.Context, p []byte, at int64) error {
	if at < camera.HeaderSize {
		n := copy(p, c.header[at:])
		p, at = p[n:], at+int64(n)
	}
	if len(p) == 0 {
		return nil
	}
	from := c.offset + at - camera.HeaderSize
	if n, err := c.reader.ReadAt(p, from); n < len(p) {
		if errors.Is(err, io.EOF) && c.faults.Endless(c.path) {
			clear(p[n:])
			err = nil
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("reading %s at byte %d: %w", c.path, from, err)
		}
	}
	switch err := c.faults.Fill(ctx, c.path, from, p); {
	case errors.Is(err, fault.ErrUnplug):
		return bus.ErrUnplug
	case errors.Is(err, fault.ErrHalt):
		return bus.ErrHalted
	default:
		return err
	}
}

// Sent implements bus.Source.
func (c *content) Sent(at int64, n int) {
	if at < camera.HeaderSize {
		skip := min(int64(n), camera.HeaderSize-at)
		at, n = at+skip, n-int(skip)
	}
	if n > 0 {
		c.faults.Sent(c.path, c.offset+at-camera.HeaderSize, n)
	}
}
