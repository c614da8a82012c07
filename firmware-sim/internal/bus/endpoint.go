package bus

import (
	"context"

	"github.com/sealdock/sealdock/proto/camera/usbip"
)

// urb is one submitted transfer that waits for its answer.
type urb struct {
	sequence uint32
	endpoint *endpoint
	length   int
	data     []byte // payload of an OUT transfer
	ends     bool   // an OUT transfer whose last packet is short or empty
	answered bool   // an empty OUT transfer, kept for the device to see
}

// endpoint is one pipe of the device. All fields are guarded by Host.mu.
type endpoint struct {
	address byte
	packet  int
	halted  bool
	waiting []*urb     // oldest first
	outbox  []*message // of an IN endpoint: what the device has to say, oldest first
}

// message is one IN transfer as the device sees it: it ends with a short packet.
// Fields other than offset never change.
type message struct {
	source  Source
	size    int64
	ctx     context.Context // ends when the message is dropped
	drop    context.CancelCauseFunc
	offset  int64 // guarded by Host.mu
	written chan error
}

func (e *endpoint) remove(u *urb) {
	for i, w := range e.waiting {
		if w == u {
			e.waiting = append(e.waiting[:i:i], e.waiting[i+1:]...)
			return
		}
	}
}

// pop ends the message at the head of the outbox.
func (e *endpoint) pop(m *message, result error) {
	if len(e.outbox) > 0 && e.outbox[0] == m {
		e.outbox[0] = nil
		e.outbox = e.outbox[1:]
		m.drop(result)
		m.written <- result
	}
}

// dropAll ends every message of the outbox.
func (e *endpoint) dropAll(why error) {
	for len(e.outbox) > 0 {
		e.pop(e.outbox[0], why)
	}
}

// slice is the part of a message that answers one urb.
type slice struct {
	n      int
	ends   bool // the urb's last packet ends the message
	status int32
}

// cut decides what of a message's rest an urb of a given length carries (USB 2.0,
// 5.8.3: a transfer ends when the buffer is full or with a packet that is not).
func (e *endpoint) cut(rest int64, length int) slice {
	switch {
	case rest < int64(length):
		return slice{n: int(rest), ends: true}
	case rest == int64(length):
		return slice{n: length, ends: length%e.packet != 0}
	case length%e.packet != 0:
		// The next packet is larger than the room that is left: the host sees babble.
		return slice{n: length - length%e.packet, status: usbip.StatusOverflow}
	}
	return slice{n: length}
}

// pump answers the urbs of an IN endpoint until the host is gone.
func (h *Host) pump(e *endpoint) {
	var buffer []byte
	for {
		u, m, part, offset := h.next(e)
		if u == nil {
			return
		}
		if need := usbip.HeaderSize + part.n; cap(buffer) < need {
			buffer = make([]byte, need)
		}
		payload := buffer[usbip.HeaderSize : usbip.HeaderSize+part.n]
		var err error
		if part.n > 0 {
			err = m.source.Fill(m.ctx, payload, offset)
		}
		h.complete(e, u, m, part, buffer[:usbip.HeaderSize+part.n], err)
	}
}

// next waits for an urb and something to put into it.
func (h *Host) next(e *endpoint) (*urb, *message, slice, int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.gone == nil {
		if len(e.waiting) > 0 && len(e.outbox) > 0 {
			u, m := e.waiting[0], e.outbox[0]
			return u, m, e.cut(m.size-m.offset, u.length), m.offset
		}
		h.changed.Wait()
	}
	return nil, nil, slice{}, 0
}

// complete answers the urb with the filled part, unless one of the two was
// cancelled meanwhile: then the part stays with the message.
func (h *Host) complete(e *endpoint, u *urb, m *message, part slice, frame []byte, fault error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone != nil || len(e.outbox) == 0 || e.outbox[0] != m {
		return
	}
	switch {
	case fault == nil:
	case m.ctx.Err() != nil:
		return
	case fault == ErrUnplug:
		h.end(ErrUnplug)
		return
	default:
		if fault != ErrHalted {
			h.log.Error("reading what the host asked for failed; the endpoint is halted", "error", fault)
		}
		h.halt(e)
		return
	}
	if h.pending[u.sequence] != u {
		return
	}
	reply := usbip.Reply{Command: usbip.ReplySubmit, Sequence: u.sequence, Status: part.status, Length: part.n}
	h.settle(u)
	if h.writeFrame(reply, frame) != nil {
		return
	}
	offset := m.offset
	m.offset += int64(part.n)
	if part.n > 0 {
		m.source.Sent(offset, part.n)
	}
	if part.ends {
		e.pop(m, nil)
	}
}
