package bus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"

	"github.com/sealdock/sealdock/proto/camera/usbip"
)

// Limits on what one host may have in flight.
const (
	maxPending      = 4096
	maxPendingBytes = 64 << 20 // payload of OUT transfers that the device has not taken
	maxEvents       = 64
	readBuffer      = 64 << 10
)

// Host is one host's hold on a device, from import to disconnection: what a
// [Function] talks to. Its methods may be called concurrently.
type Host struct {
	log      *slog.Logger
	conn     net.Conn
	identity *Identity
	function Function
	pulled   func() // called once, with mu held, before a fault's pull ends the connection

	configuration byte // owned by the reader

	// mu guards everything below and is held over each write to conn: whether a
	// transfer was answered or cancelled is decided in the order of the wire.
	mu      sync.Mutex
	changed sync.Cond // mu: an urb or a message came, or the host is gone
	in      endpoint
	out     endpoint
	events  endpoint
	pending map[uint32]*urb // by sequence number
	bytes   int             // OUT payload in pending
	epoch   uint64
	header  [usbip.HeaderSize]byte
	gone    error // why it ended
	done    chan struct{}
}

func newHost(conn net.Conn, identity *Identity, function Function, pulled func(), log *slog.Logger) *Host {
	h := &Host{log: log, conn: conn, identity: identity, function: function, pulled: pulled, configuration: configurationValue,
		pending: map[uint32]*urb{}, done: make(chan struct{})}
	h.changed.L = &h.mu
	h.in = endpoint{address: BulkIn, packet: bulkPacket}
	h.out = endpoint{address: BulkOut, packet: bulkPacket}
	h.events = endpoint{address: InterruptIn, packet: interruptPacket}
	return h
}

// serve runs the device for its host until the connection ends. It returns when
// everything that it started has ended.
func (h *Host) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { h.Unplug(ctx.Err()) })
	defer stop()
	var work sync.WaitGroup
	work.Go(func() { h.pump(&h.in) })
	work.Go(func() { h.pump(&h.events) })
	work.Go(func() { h.function.Run(ctx, h) })
	err := h.read()
	h.Unplug(err)
	cancel()
	work.Wait()
	return h.gone
}

// Unplug ends the host's hold on the device.
func (h *Host) Unplug(why error) {
	h.conn.Close() // first, as a write to a peer that reads nothing holds mu
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end(why)
}

// Pull pulls the cable by a fault: unlike after Unplug, whose connection the reader may
// find closed first, the device is out of its place for certain.
func (h *Host) Pull() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end(ErrUnplug)
}

// end is Unplug with mu held.
func (h *Host) end(why error) {
	if h.gone != nil {
		return
	}
	if why == nil {
		why = ErrGone
	}
	h.gone = why
	if errors.Is(why, ErrUnplug) {
		h.pulled()
	}
	close(h.done)
	h.conn.Close()
	for _, e := range []*endpoint{&h.in, &h.events} {
		e.dropAll(ErrGone)
	}
	h.changed.Broadcast()
}

// Done is closed when the host is gone.
func (h *Host) Done() <-chan struct{} { return h.done }

func (h *Host) endpoint(address uint8) *endpoint {
	switch address {
	case BulkIn:
		return &h.in
	case BulkOut:
		return &h.out
	case InterruptIn:
		return &h.events
	}
	return nil
}

// read takes the host's commands until the connection ends.
func (h *Host) read() error {
	r := bufio.NewReaderSize(h.conn, readBuffer)
	var header [usbip.HeaderSize]byte
	for {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return ErrGone
			}
			return fmt.Errorf("reading a command of the host: %w", err)
		}
		request, err := usbip.ParseRequest(header[:])
		if err != nil {
			return err
		}
		if request.Command == usbip.CommandUnlink {
			if err := h.unlink(&request); err != nil {
				return err
			}
			continue
		}
		var data []byte
		if n := request.PayloadLength(); n > 0 {
			data = make([]byte, n)
			if _, err := io.ReadFull(r, data); err != nil {
				return fmt.Errorf("reading %d bytes that the host sends: %w", n, err)
			}
		}
		if err := h.submit(&request, data); err != nil {
			return err
		}
	}
}

func (h *Host) submit(r *usbip.Request, data []byte) error {
	if r.Endpoint == 0 {
		return h.submitControl(r, data)
	}
	address := r.Endpoint
	if r.Direction == usbip.In {
		address |= directionIn
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.endpoint(address)
	if e == nil || e.halted {
		return h.write(usbip.Reply{Command: usbip.ReplySubmit, Sequence: r.Sequence, Status: usbip.StatusStall}, nil)
	}
	if _, double := h.pending[r.Sequence]; double || len(h.pending) >= maxPending || h.bytes+len(data) > maxPendingBytes {
		return fmt.Errorf("transfer %d of the host: %d transfers and %d bytes are in flight (limits %d, %d), same number in use: %t",
			r.Sequence, len(h.pending), h.bytes, maxPending, maxPendingBytes, double)
	}
	u := &urb{sequence: r.Sequence, endpoint: e, length: r.Length, data: data}
	u.ends = len(data)%e.packet != 0 || len(data) == 0 || r.Flags&usbip.FlagZeroPacket != 0
	defer h.changed.Broadcast()
	if r.Direction == usbip.Out && len(data) == 0 {
		return h.takeEmpty(e, u)
	}
	h.pending[u.sequence] = u
	h.bytes += len(data)
	e.waiting = append(e.waiting, u)
	return nil
}

// takeEmpty takes a zero-length packet from the host at once, as a device's
// controller does: a host may wait for that before it reads what the device, which
// knew the length, has begun to say. mu is held.
func (h *Host) takeEmpty(e *endpoint, u *urb) error {
	u.answered = true
	if n := len(e.waiting); n == 0 {
		e.waiting = append(e.waiting, u)
	} else {
		e.waiting[n-1].ends = true
	}
	return h.write(usbip.Reply{Command: usbip.ReplySubmit, Sequence: u.sequence}, nil)
}

// unlink cancels a transfer. Whoever holds mu first wins: either the transfer's
// reply is on the wire already, or it will never be.
func (h *Host) unlink(r *usbip.Request) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	reply := usbip.Reply{Command: usbip.ReplyUnlink, Sequence: r.Sequence}
	if u := h.pending[r.Target]; u != nil {
		h.settle(u)
		reply.Status = usbip.StatusReset
	}
	return h.write(reply, nil)
}

// settle takes an urb off every list. mu is held.
func (h *Host) settle(u *urb) {
	if !u.answered { // else the number may be in use again
		delete(h.pending, u.sequence)
	}
	h.bytes -= len(u.data)
	u.endpoint.remove(u)
}

// settleAs answers an urb without payload. mu is held.
func (h *Host) settleAs(u *urb, status int32, length int) error {
	h.settle(u)
	if u.answered {
		return nil
	}
	return h.write(usbip.Reply{Command: usbip.ReplySubmit, Sequence: u.sequence, Status: status, Length: length}, nil)
}

// write sends a reply. mu is held.
func (h *Host) write(r usbip.Reply, payload []byte) error {
	return h.writeFrame(r, append(h.header[:], payload...))
}

// writeFrame sends a reply whose payload stands in frame after room for the
// header. mu is held. An error has ended the connection.
func (h *Host) writeFrame(r usbip.Reply, frame []byte) error {
	if h.gone != nil {
		return h.gone
	}
	_, err := r.Append(frame[:0])
	if err == nil {
		_, err = h.conn.Write(frame)
	}
	if err != nil {
		h.end(fmt.Errorf("answering the host: %w", err))
	}
	return err
}
