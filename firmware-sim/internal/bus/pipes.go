package bus

import (
	"context"

	"github.com/sealdock/sealdock/proto/camera/usbip"
)

// AnyEpoch lets Receive take whatever comes next.
const AnyEpoch = ^uint64(0)

// Receive returns the next bulk OUT transfer of the host, waiting for it. With an
// epoch of an earlier chunk it fails with ErrFlushed once the host has cancelled
// since.
func (h *Host) Receive(epoch uint64) (Chunk, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if h.gone != nil {
			return Chunk{}, ErrGone
		}
		if epoch != AnyEpoch && epoch != h.epoch {
			return Chunk{}, ErrFlushed
		}
		if len(h.out.waiting) > 0 {
			u := h.out.waiting[0]
			if h.settleAs(u, usbip.StatusOK, len(u.data)) != nil {
				return Chunk{}, ErrGone
			}
			return Chunk{Data: u.data, Ends: u.ends, Epoch: h.epoch}, nil
		}
		h.changed.Wait()
	}
}

// Send gives the host size bytes of source over the bulk IN endpoint, as one
// transfer ended by a short or empty packet, and waits until the host has taken
// them all. ErrFlushed: the host cancelled, now or since the epoch. ErrHalted: the
// endpoint was halted in the middle.
func (h *Host) Send(ctx context.Context, epoch uint64, source Source, size int64) error {
	m := h.post(ctx, &h.in, epoch, source, size)
	return <-m.written
}

func (h *Host) post(ctx context.Context, e *endpoint, epoch uint64, source Source, size int64) *message {
	m := &message{source: source, size: size, written: make(chan error, 1)}
	m.ctx, m.drop = context.WithCancelCause(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	e.outbox = append(e.outbox, m)
	switch {
	case h.gone != nil:
		e.dropAll(ErrGone)
	case epoch != AnyEpoch && epoch != h.epoch:
		e.dropAll(ErrFlushed)
	case e.halted:
		e.dropAll(ErrHalted)
	}
	h.changed.Broadcast()
	return m
}

// Notify queues an event for the interrupt endpoint. It never blocks: when the
// host does not poll, the oldest events are lost, as they are in hardware.
func (h *Host) Notify(event []byte) {
	h.post(context.Background(), &h.events, AnyEpoch, Bytes(event), int64(len(event)))
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.events.outbox) > maxEvents {
		h.events.pop(h.events.outbox[0], ErrFlushed)
	}
}

// Flush forgets all bulk data in both directions and starts a new epoch: when it
// returns, no byte of what came before can reach the host any more.
func (h *Host) Flush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flush()
}

func (h *Host) flush() {
	h.epoch++
	h.in.dropAll(ErrFlushed)
	for len(h.out.waiting) > 0 {
		u := h.out.waiting[0]
		if h.settleAs(u, usbip.StatusOK, len(u.data)) != nil {
			return
		}
	}
	h.changed.Broadcast()
}

// Halt halts endpoints: their transfers fail with a stall until the host clears
// the condition. What was being sent on them is dropped. Nothing happens if the
// host has flushed since the epoch.
func (h *Host) Halt(epoch uint64, addresses ...uint8) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if epoch != AnyEpoch && epoch != h.epoch {
		return
	}
	for _, a := range addresses {
		if e := h.endpoint(a); e != nil {
			h.halt(e)
		}
	}
}

func (h *Host) halt(e *endpoint) {
	e.halted = true
	e.dropAll(ErrHalted)
	for len(e.waiting) > 0 {
		u := e.waiting[0]
		if h.settleAs(u, usbip.StatusStall, 0) != nil {
			return
		}
	}
}

// Halted lists the addresses of the endpoints that are halted.
func (h *Host) Halted() []uint8 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []uint8
	for _, e := range []*endpoint{&h.in, &h.out, &h.events} {
		if e.halted {
			list = append(list, e.address)
		}
	}
	return list
}

func (h *Host) halted(address uint8) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.endpoint(address).halted
}

func (h *Host) clearHalt(address uint8) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.endpoint(address).halted = false
	h.changed.Broadcast()
}

// reset is what a new configuration does: no halts, no data, a new session.
func (h *Host) reset() {
	h.mu.Lock()
	h.flush()
	for _, e := range []*endpoint{&h.in, &h.out, &h.events} {
		e.halted = false
	}
	h.events.dropAll(ErrFlushed)
	h.mu.Unlock()
	h.function.Reset(h)
}
