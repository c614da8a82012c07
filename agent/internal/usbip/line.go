package usbip

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	wire "github.com/sealdock/sealdock/proto/camera/usbip"
)

const (
	readerBuffer  = 4 << 10 // bytes; small, so that payload goes straight into the transfer's buffer
	writeTimeout  = 10 * time.Second
	unlinkTimeout = 3 * time.Second // for a server to answer an unlink; then the connection is given up
)

var errUnlinked = errors.New("transfer was cancelled")

// transfer is one URB. The fields below done belong to the line's reader until
// done is closed, and to the submitter afterwards; so does the buffer.
type transfer struct {
	sequence  uint32
	endpoint  uint8
	direction wire.Direction
	setup     wire.Setup
	buffer    []byte
	done      chan struct{}
	failed    chan struct{} // closed before done when it failed or came short; nil where nobody waits for that

	n   int
	err error
}

// complete gives the transfer back.
func (t *transfer) complete() {
	if t.failed != nil && (t.err != nil || t.n != len(t.buffer)) {
		close(t.failed)
	}
	close(t.done)
}

// line is an imported device's connection: it matches replies with transfers.
type line struct {
	conn   net.Conn
	device uint32
	exited chan struct{} // closed when the reader has ended; no buffer is touched after that

	writing sync.Mutex // held while a command is written

	mu       sync.Mutex // guards the fields below
	sequence uint32
	pending  map[uint32]*transfer
	unlinks  map[uint32]uint32 // sequence of an unlink: sequence of its target
	fault    error             // why the line ended
}

func newLine(conn net.Conn, device uint32) *line {
	l := &line{conn: conn, device: device, exited: make(chan struct{}), pending: map[uint32]*transfer{}, unlinks: map[uint32]uint32{}}
	go l.read()
	return l
}

func (l *line) ended() bool { return l.reason() != nil }

// reason is why the line ended; nil while it lives.
func (l *line) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// end closes the connection; the first reason stays.
func (l *line) end(reason error) {
	l.mu.Lock()
	if l.fault == nil {
		l.fault = reason
	}
	l.mu.Unlock()
	_ = l.conn.Close() // it only makes the reader return; nothing is left to lose
}

func (l *line) close() {
	l.end(fmt.Errorf("%w: it was closed", camera.ErrGone))
	<-l.exited
}

// read is the line's only reader. When it returns, every pending transfer has failed.
func (l *line) read() {
	err := l.readReplies(bufio.NewReaderSize(l.conn, readerBuffer))
	l.end(err)
	l.mu.Lock()
	for _, t := range l.pending {
		t.err = l.fault
		t.complete()
	}
	clear(l.pending)
	l.mu.Unlock()
	close(l.exited)
}

func (l *line) readReplies(r io.Reader) error {
	header := make([]byte, wire.HeaderSize)
	for {
		if _, err := io.ReadFull(r, header); err != nil {
			return fmt.Errorf("%w: the USB/IP connection ended (%v)", camera.ErrGone, err)
		}
		reply, err := wire.ParseReply(header)
		if err != nil {
			return fmt.Errorf("%w: %w", camera.ErrProtocol, err)
		}
		if reply.Command == wire.ReplyUnlink {
			err = l.unlinked(reply)
		} else {
			err = l.completed(r, reply)
		}
		if err != nil {
			return err
		}
	}
}

func (l *line) completed(r io.Reader, reply wire.Reply) error {
	l.mu.Lock()
	t := l.pending[reply.Sequence]
	l.mu.Unlock()
	if t == nil {
		return fmt.Errorf("%w: USB/IP reply to transfer %d, which is not pending", camera.ErrProtocol, reply.Sequence)
	}
	if reply.Length > len(t.buffer) {
		return fmt.Errorf("%w: USB/IP reply of %d bytes to a transfer of %d", camera.ErrProtocol, reply.Length, len(t.buffer))
	}
	if n := reply.PayloadLength(t.direction); n > 0 {
		if _, err := io.ReadFull(r, t.buffer[:n]); err != nil {
			return fmt.Errorf("%w: the USB/IP connection ended in mid-transfer (%v)", camera.ErrGone, err)
		}
	}
	t.n = reply.Length
	t.err = statusError(reply.Status)
	l.finish(t)
	return nil
}

func (l *line) finish(t *transfer) {
	l.mu.Lock()
	delete(l.pending, t.sequence)
	l.mu.Unlock()
	t.complete()
}

// unlinked handles the answer to a cancel. With StatusOK the transfer's own reply came
// before or is on its way.
func (l *line) unlinked(reply wire.Reply) error {
	l.mu.Lock()
	target, known := l.unlinks[reply.Sequence]
	delete(l.unlinks, reply.Sequence)
	t := l.pending[target]
	l.mu.Unlock()
	if !known {
		return fmt.Errorf("%w: USB/IP reply to unlink %d, which was not sent", camera.ErrProtocol, reply.Sequence)
	}
	if t != nil && reply.Status != wire.StatusOK {
		t.err = errUnlinked
		l.finish(t)
	}
	return nil
}

func statusError(status int32) error {
	switch status {
	case wire.StatusOK:
		return nil
	case wire.StatusStall:
		return camera.ErrStall
	case wire.StatusTimedOut:
		return camera.ErrTimeout
	case wire.StatusNoDevice, wire.StatusShutdown, wire.StatusReset, wire.StatusNoEntry:
		return camera.ErrGone
	case wire.StatusOverflow:
		return fmt.Errorf("%w: it sent more than was asked for", camera.ErrProtocol)
	}
	return fmt.Errorf("%w: USB status %d", camera.ErrProtocol, status)
}

// number gives the next sequence number. The caller holds mu.
func (l *line) number() uint32 {
	for {
		l.sequence++
		if _, busy := l.pending[l.sequence]; l.sequence != 0 && !busy {
			return l.sequence
		}
	}
}

// newTransfer prepares a transfer; submit sends it.
func newTransfer(endpoint uint8, direction wire.Direction, setup wire.Setup, buffer []byte) *transfer {
	return &transfer{endpoint: endpoint & 0x0f, direction: direction, setup: setup, buffer: buffer, done: make(chan struct{})}
}

// submit sends transfers, in one write. Their buffers are in use until done is
// closed. After an error all of them have been given back.
func (l *line) submit(list ...*transfer) error {
	l.mu.Lock()
	if l.fault != nil {
		l.mu.Unlock()
		return l.fault
	}
	for _, t := range list {
		t.sequence = l.number()
		l.pending[t.sequence] = t
	}
	l.mu.Unlock()
	size := 0
	for _, t := range list {
		size += wire.HeaderSize
		if t.direction == wire.Out {
			size += len(t.buffer)
		}
	}
	message, err := make([]byte, 0, size), error(nil)
	for _, t := range list {
		if message, err = t.append(message, l.device); err != nil {
			break
		}
	}
	if err = l.write(message, err); err != nil {
		for _, t := range list {
			<-t.done // the line has ended, so the reader gives every transfer back
		}
		return l.reason()
	}
	return nil
}

// append writes the command of the transfer, with what it sends.
func (t *transfer) append(dst []byte, device uint32) ([]byte, error) {
	request := wire.Request{
		Command: wire.CommandSubmit, Sequence: t.sequence, DeviceID: device, Direction: t.direction,
		Endpoint: t.endpoint, Length: len(t.buffer), Setup: t.setup,
	}
	if t.direction == wire.In {
		request.Flags = wire.FlagDirIn
	}
	dst, err := request.Append(dst)
	if err == nil && t.direction == wire.Out {
		dst = append(dst, t.buffer...)
	}
	return dst, err
}

// write sends commands, unless making them failed. A write that fails half-way makes
// the stream unusable, so it ends the line.
func (l *line) write(message []byte, err error) error {
	if err != nil {
		l.end(fmt.Errorf("%w: %w", camera.ErrProtocol, err))
		return err
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	err = l.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = l.conn.Write(message)
	}
	if err != nil {
		l.end(fmt.Errorf("%w: the USB/IP connection ended (%v)", camera.ErrGone, err))
	}
	return err
}

// wait waits for a transfer. When ctx ends it cancels the transfer, and gives what
// became of it: it may have completed all the same.
func (l *line) wait(ctx context.Context, t *transfer) (int, error) {
	select {
	case <-t.done:
		return t.n, t.err
	case <-ctx.Done():
	}
	l.cancel(t)
	if errors.Is(t.err, errUnlinked) {
		return t.n, ctx.Err()
	}
	return t.n, t.err
}

// cancel unlinks transfers and waits until none is in use any more.
func (l *line) cancel(list ...*transfer) {
	if len(list) == 0 {
		return
	}
	for _, t := range list {
		l.unlink(t)
	}
	patience := time.NewTimer(unlinkTimeout)
	defer patience.Stop()
	for _, t := range list {
		select {
		case <-t.done:
		case <-patience.C:
			l.end(fmt.Errorf("%w: the USB/IP server does not answer a cancel", camera.ErrGone))
			<-t.done
			patience.Reset(0)
		}
	}
}

func (l *line) unlink(t *transfer) {
	l.mu.Lock()
	if l.pending[t.sequence] != t || l.fault != nil {
		l.mu.Unlock()
		return
	}
	request := wire.Request{Command: wire.CommandUnlink, Sequence: l.number(), DeviceID: l.device, Target: t.sequence}
	l.unlinks[request.Sequence] = t.sequence
	l.mu.Unlock()
	_ = l.write(request.Append(nil)) // a failure ended the line, and so the transfer
}
