package camera

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// fakeObject is an object whose bytes are computed from its seed, so that it can be of any size.
type fakeObject struct {
	name     ptp.Text
	parent   uint32 // 0 is the root
	folder   bool
	size     uint64
	seed     byte
	captured string
	unlisted bool    // only the list of all objects has it
	listed   *uint64 // what is said instead of the size, unless nil
	lowSize  uint32  // what ObjectInfo says instead of the size, unless 0
}

// says is the size that the camera lists.
func (o *fakeObject) says() uint64 {
	if o.listed != nil {
		return *o.listed
	}
	return o.size
}

func (o *fakeObject) fill(p []byte, off uint64) {
	for i := range p {
		x := off + uint64(i)
		p[i] = byte(x) ^ byte(x>>9)*31 ^ byte(x>>21)*17 ^ o.seed
	}
}

// fake is a camera in memory, as seen through a Pipe: a PTP responder that cuts
// its containers into packets, and misbehaves as told.
type fake struct {
	packet        int
	headerAlone   bool // the header of data comes as a transfer of its own
	lostZLP       bool
	unknownLength bool         // data containers that are not empty have length 0xFFFFFFFF
	needsSession  ptp.Response // how GetDeviceInfo is refused outside a session; 0 when it is not
	keepsSession  bool         // a session once opened is never closed
	noStatus      bool         // class requests stall
	noSizeProp    bool

	// sabotage may take a command over; it runs with mu held.
	sabotage func(f *fake, c ptp.Block) (taken bool)

	mu       sync.Mutex
	wake     chan struct{} // closed and replaced when the queue or state changes
	queue    [][]byte      // packets to come
	stalled  bool
	gone     bool
	session  bool
	info     ptp.DeviceInfo
	objects  map[uint32]*fakeObject
	order    []uint32
	children map[uint32][]uint32 // overrides what a folder lists
	commands []ptp.Operation
	cancels  int
	resets   int

	portResets int
	events     chan []byte // what the interrupt endpoint sends
	endless    *endless    // what GetObject sends, behind what is queued
	closed     bool
}

func newFake(packet int) *fake {
	return &fake{
		packet: packet, wake: make(chan struct{}), objects: map[uint32]*fakeObject{}, children: map[uint32][]uint32{},
		info: ptp.DeviceInfo{
			StandardVersion: 100, Manufacturer: ptp.NewText("Maker"), Model: ptp.NewText("Model\x00\u202e1"),
			DeviceVersion: ptp.NewText("1.0"), SerialNumber: ptp.NewText("SN/1"),
			Operations:       []ptp.Operation{ptp.OpGetPartialObject64, ptp.OpGetPartialObject, ptp.OpDeleteObject, ptp.OpGetObjectPropValue, ptp.OpGetDevicePropValue},
			DeviceProperties: []ptp.DeviceProperty{ptp.DevPropBatteryLevel, ptp.DevPropDateTime},
		},
	}
}

func (f *fake) without(ops ...ptp.Operation) *fake {
	var left []ptp.Operation
	for _, have := range f.info.Operations {
		keep := true
		for _, op := range ops {
			keep = keep && have != op
		}
		if keep {
			left = append(left, have)
		}
	}
	f.info.Operations = left
	return f
}

func (f *fake) add(handle uint32, o fakeObject) {
	if o.captured == "" {
		o.captured = "20260301T101112"
	}
	f.objects[handle] = &o
	f.order = append(f.order, handle)
}

func (f *fake) changed() {
	close(f.wake)
	f.wake = make(chan struct{})
}

// transfer queues bytes as packets, with the short or empty packet that ends them.
func (f *fake) transfer(p []byte) {
	for len(p) >= f.packet {
		f.queue = append(f.queue, p[:f.packet])
		p = p[f.packet:]
		if len(p) == 0 && f.lostZLP {
			return
		}
	}
	f.queue = append(f.queue, p)
}

func (f *fake) respond(c ptp.Block, code ptp.Response, parameters ...uint32) {
	p, err := ptp.Respond(code, c.Transaction, parameters...).Append(nil)
	if err != nil {
		panic(err)
	}
	f.transfer(p)
}

func (f *fake) data(c ptp.Block, payload []byte) {
	h := ptp.DataHeader(ptp.Operation(c.Code), c.Transaction, uint64(len(payload)))
	if f.unknownLength && len(payload) > 0 {
		h.Length = ptp.LengthUnknown
	}
	if f.headerAlone {
		f.transfer(h.Append(nil))
		f.transfer(payload)
		return
	}
	f.transfer(append(h.Append(make([]byte, 0, ptp.HeaderSize+len(payload))), payload...))
}

func (f *fake) answer(c ptp.Block, payload []byte) {
	f.data(c, payload)
	f.respond(c, ptp.RespOK, uint32(len(payload)))
}

func (f *fake) BulkIn(ctx context.Context, p []byte) (int, error) {
	n := 0
	for {
		f.mu.Lock()
		for !f.gone && !f.stalled && len(f.queue) > 0 {
			packet := f.queue[0]
			if len(packet) > len(p)-n {
				f.queue = f.queue[1:]
				f.mu.Unlock()
				return n, fmt.Errorf("%w: overflow", ErrProtocol)
			}
			f.queue = f.queue[1:]
			n += copy(p[n:], packet)
			if len(packet) < f.packet || n == len(p) {
				f.mu.Unlock()
				return n, nil
			}
		}
		if f.endless.on() && !f.gone && !f.stalled && len(f.queue) == 0 {
			got := f.endless.send(p[n:])
			if f.endless.left == 0 {
				f.respond(f.endless.of, ptp.RespOK)
			}
			f.mu.Unlock()
			return n + got, nil
		}
		wake, gone, stalled := f.wake, f.gone, f.stalled
		f.mu.Unlock()
		switch {
		case gone:
			return n, ErrGone
		case stalled:
			return n, ErrStall
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return n, ctx.Err()
		}
	}
}

func (f *fake) BulkOut(ctx context.Context, p []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.changed()
	switch {
	case f.gone:
		return ErrGone
	case f.stalled:
		return ErrStall
	case ctx.Err() != nil:
		return ctx.Err()
	}
	c, err := ptp.ParseBlock(p)
	if err != nil {
		panic(err) // our own initiator wrote it
	}
	f.commands = append(f.commands, ptp.Operation(c.Code))
	if f.sabotage != nil && f.sabotage(f, c) {
		return nil
	}
	f.run(c)
	return nil
}

func (f *fake) run(c ptp.Block) {
	op := ptp.Operation(c.Code)
	switch {
	case op == ptp.OpOpenSession && f.session:
		f.respond(c, ptp.RespSessionAlreadyOpen)
		return
	case op == ptp.OpOpenSession:
		f.session = true
		f.respond(c, ptp.RespOK)
		return
	case op == ptp.OpGetDeviceInfo && (f.session || f.needsSession == 0):
		p, err := f.info.Append(nil)
		if err != nil {
			panic(err)
		}
		f.answer(c, p)
		return
	case !f.session && op == ptp.OpGetDeviceInfo:
		f.respond(c, f.needsSession)
		return
	case !f.session:
		f.respond(c, ptp.RespSessionNotOpen)
		return
	}
	switch op {
	case ptp.OpCloseSession:
		f.session = f.keepsSession
		f.respond(c, ptp.RespOK)
	case ptp.OpGetStorageIDs:
		f.answer(c, ptp.AppendHandles(nil, []uint32{0x10001}))
	case ptp.OpGetObjectHandles:
		f.answer(c, ptp.AppendHandles(nil, f.list(c.Parameter(2))))
	case ptp.OpGetDevicePropValue:
		if ptp.DeviceProperty(c.Parameter(0)) == ptp.DevPropBatteryLevel {
			f.answer(c, []byte{77})
			return
		}
		p, _ := ptp.NewText("20260301T101112+0100").Append(nil)
		f.answer(c, p)
	default:
		f.object(c, op)
	}
}

func (f *fake) list(parent uint32) []uint32 {
	if list, ok := f.children[parent]; ok {
		return list
	}
	var list []uint32
	for _, h := range f.order {
		o := f.objects[h]
		if o == nil {
			continue
		}
		if parent == ptp.AllObjects || !o.unlisted && (o.parent == parent || o.parent == 0 && parent == ptp.RootParent) {
			list = append(list, h)
		}
	}
	return list
}

func (f *fake) object(c ptp.Block, op ptp.Operation) {
	o := f.objects[c.Parameter(0)]
	if o == nil {
		f.respond(c, ptp.RespInvalidObjectHandle)
		return
	}
	part := func(off, length uint64) {
		p := make([]byte, min(length, o.size-min(off, o.size)))
		o.fill(p, off)
		f.answer(c, p)
	}
	switch op {
	case ptp.OpGetObjectInfo:
		f.describe(c, o)
	case ptp.OpGetObjectPropValue:
		if f.noSizeProp {
			f.respond(c, ptp.RespObjectPropNotSupported)
			return
		}
		f.answer(c, binary.LittleEndian.AppendUint64(nil, o.says()))
	case ptp.OpGetObject:
		part(0, o.size)
	case ptp.OpGetPartialObject:
		part(uint64(c.Parameter(1)), uint64(c.Parameter(2)))
	case ptp.OpGetPartialObject64:
		part(uint64(c.Parameter(1))|uint64(c.Parameter(2))<<32, uint64(c.Parameter(3)))
	case ptp.OpDeleteObject:
		delete(f.objects, c.Parameter(0))
		f.respond(c, ptp.RespOK)
	default:
		f.respond(c, ptp.RespOperationNotSupported)
	}
}

func (f *fake) describe(c ptp.Block, o *fakeObject) {
	info := ptp.ObjectInfo{Storage: 0x10001, Format: ptp.FormatMP4, Parent: o.parent, Filename: o.name, CaptureDate: ptp.NewText(o.captured)}
	info.CompressedSize = uint32(min(o.says(), uint64(ptp.SizeIsUnknown)))
	if o.lowSize != 0 {
		info.CompressedSize = o.lowSize
	}
	if o.folder {
		info.Format = ptp.FormatAssociation
	}
	p, err := info.Append(nil)
	if err != nil {
		panic(err)
	}
	f.answer(c, p)
}

func (f *fake) Control(ctx context.Context, requestType, request uint8, value, index uint16, data []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.changed()
	switch {
	case f.gone:
		return 0, ErrGone
	case f.noStatus || index != f.Interface():
		return 0, ErrStall
	}
	switch request {
	case ptp.RequestCancel:
		f.cancels++
		f.queue = nil
		return len(data), nil
	case ptp.RequestReset:
		f.resets++
		f.queue = nil
		f.session = f.session && f.keepsSession
		return 0, nil
	case ptp.RequestGetDeviceStatus:
		p, err := ptp.DeviceStatus{Code: ptp.RespOK}.Append(nil)
		return copy(data, p), err
	}
	return 0, ErrStall
}

func (f *fake) ClearHalt(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stalled = false
	return nil
}

func (f *fake) Reset(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return ErrGone
	}
	f.queue, f.stalled, f.session = nil, false, false
	f.portResets++
	return nil
}

func (f *fake) Interrupt(ctx context.Context, p []byte) (int, error) {
	select {
	case event := <-f.events:
		return copy(p, event), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (f *fake) Serial() string    { return "usb serial" }
func (f *fake) Port() string      { return "1-1" }
func (f *fake) Interface() uint16 { return 3 }
func (f *fake) MaxPacket() int    { return f.packet }
func (f *fake) Close() error      { f.closed = true; return nil }

// unplug makes the camera vanish.
func (f *fake) unplug() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	f.changed()
}
