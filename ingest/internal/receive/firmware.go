package receive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// backgroundUrgency is how firmware goes: after everything that carries evidence
// and answers (wire.Stream.Prefer).
const backgroundUrgency = 7

// firmware sends an image in blocks, from the offset that was asked for. It
// holds one block at a time, and gives up on a dock that takes none of it for
// the idle time.
func (o *other) firmware(ctx context.Context, fetch *upload.FirmwareFetch) error {
	s := o.session
	if !s.budget.firmware.TryAcquire(1) {
		refused := upload.Errorf(upload.CodeRetryLater, "this dock fetches %d images already: end one first", s.options.FirmwarePerDock)
		refused.RetryAfter = 10 * time.Second
		return refused
	}
	defer s.budget.firmware.Release(1)
	image, err := s.acceptor.Firmware(ctx, s.peer, evidence.Digest(fetch.GetSha256()))
	if err != nil {
		return err
	}
	defer func() {
		if err := image.Close(); err != nil {
			s.log.WarnContext(ctx, "closing a firmware image", "error", err)
		}
	}()
	o.stream.Prefer(backgroundUrgency)
	// A stop of the server, and the end of the connection, end the writing too.
	defer context.AfterFunc(ctx, func() { o.stream.Reset(upload.EndGoingAway) })()
	size := uint64(image.Size())
	for offset := fetch.GetOffset(); offset < size; offset += upload.MaxBlock {
		if err := o.block(ctx, image, offset, min(upload.MaxBlock, size-offset)); err != nil {
			return err
		}
	}
	return nil
}

// block reads and sends one block.
func (o *other) block(ctx context.Context, image Image, offset, length uint64) error {
	s := o.session
	release, err := take(ctx, s.budget.control, s.all.control, int64(length))
	if err != nil {
		return err
	}
	defer release()
	data := make([]byte, length)
	if n, err := image.ReadAt(data, int64(offset)); n < len(data) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("reading a firmware image at %d: %w", offset, err)
	}
	if err := o.stream.SetWriteDeadline(time.Now().Add(s.options.IdleTimeout)); err != nil {
		return &goneError{err}
	}
	return o.write(&upload.FirmwareBlock{Offset: offset, Data: data})
}
