package hosttest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/camera/usbip"
)

// Patience is how long a reply may take before a test fails.
const Patience = 20 * time.Second

// ErrGone says that the connection has ended.
var ErrGone = errors.New("the device is gone")

// Result is the reply to a transfer.
type Result struct {
	Status int32
	Length int    // bytes moved
	Data   []byte // of an IN transfer
}

// Call is a transfer that was submitted.
type Call struct {
	Sequence  uint32
	direction usbip.Direction
	room      int
	done      chan struct{}
	result    Result
	err       error
}

// Host is the host's end of an imported device. Safe for concurrent use.
type Host struct {
	t    testing.TB
	conn net.Conn
	id   uint32

	write sync.Mutex

	mu       sync.Mutex
	sequence uint32
	calls    map[uint32]*Call
	gone     chan struct{}
	broken   error // the device broke the protocol

	transaction uint32 // of the PTP part
}

// List asks for the devices on a bus.
func List(t testing.TB, conn net.Conn) []usbip.Device {
	t.Helper()
	defer conn.Close()
	if _, err := conn.Write(usbip.OpHeader{Code: usbip.OpRequestDeviceList}.Append(nil)); err != nil {
		t.Fatal(err)
	}
	var b [usbip.DeviceSize]byte
	take := func(n int) []byte {
		if _, err := io.ReadFull(conn, b[:n]); err != nil {
			t.Fatal(err)
		}
		return b[:n]
	}
	if h, err := usbip.ParseOpHeader(take(usbip.OpHeaderSize)); err != nil || h.Code != usbip.OpReplyDeviceList || h.Status != usbip.OpOK {
		t.Fatalf("device list answered %+v, %v", h, err)
	}
	n, err := usbip.ParseCount(take(usbip.CountSize))
	if err != nil {
		t.Fatal(err)
	}
	var list []usbip.Device
	for range n {
		d, interfaces, err := usbip.ParseDevice(take(usbip.DeviceSize))
		if err != nil {
			t.Fatal(err)
		}
		if d.Interfaces, err = usbip.ParseInterfaces(take(interfaces*usbip.InterfaceSize), interfaces); err != nil {
			t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}

// TryImport imports a device; the status says why there is none.
func TryImport(t testing.TB, conn net.Conn, busID string) (*Host, usbip.OpStatus) {
	t.Helper()
	request, err := usbip.AppendImport(nil, busID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	var b [usbip.DeviceSize]byte
	if _, err := io.ReadFull(conn, b[:usbip.OpHeaderSize]); err != nil {
		t.Fatal(err)
	}
	h, err := usbip.ParseOpHeader(b[:])
	if err != nil || h.Code != usbip.OpReplyImport {
		t.Fatalf("import answered %+v, %v", h, err)
	}
	if h.Status != usbip.OpOK {
		conn.Close()
		return nil, h.Status
	}
	if _, err := io.ReadFull(conn, b[:]); err != nil {
		t.Fatal(err)
	}
	d, _, err := usbip.ParseDevice(b[:])
	if err != nil || d.BusID != busID {
		t.Fatalf("imported %+v, %v", d, err)
	}
	host := &Host{t: t, conn: conn, id: d.DeviceID(), calls: map[uint32]*Call{}, gone: make(chan struct{})}
	go host.read()
	t.Cleanup(func() {
		host.Close()
		host.mu.Lock()
		defer host.mu.Unlock()
		if host.broken != nil {
			t.Errorf("the device broke the protocol: %v", host.broken)
		}
	})
	return host, usbip.OpOK
}

// Import imports a device, waiting while an earlier host is still being let go.
func Import(t testing.TB, dial func() net.Conn, busID string) *Host {
	t.Helper()
	for deadline := time.Now().Add(Patience); ; {
		h, status := TryImport(t, dial(), busID)
		if h != nil {
			return h
		}
		if status != usbip.OpBusy || time.Now().After(deadline) {
			t.Fatalf("import of %s: %v", busID, status)
		}
	}
}

// Close lets the device go and waits until the connection has ended.
func (h *Host) Close() {
	h.conn.Close()
	<-h.gone
}

// Gone is closed when the connection has ended.
func (h *Host) Gone() <-chan struct{} { return h.gone }

func (h *Host) read() {
	defer close(h.gone)
	err := h.replies()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken = err
	for _, c := range h.calls {
		c.err = ErrGone
		close(c.done)
	}
	h.calls = nil
}

// replies takes replies until the connection ends; its error is a broken protocol.
func (h *Host) replies() error {
	r := bufio.NewReaderSize(h.conn, 1<<16)
	var b [usbip.HeaderSize]byte
	for {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil
		}
		reply, err := usbip.ParseReply(b[:])
		if err != nil {
			return err
		}
		h.mu.Lock()
		c := h.calls[reply.Sequence]
		delete(h.calls, reply.Sequence)
		h.mu.Unlock()
		if c == nil {
			return fmt.Errorf("reply to %d, which nobody waits for (the kernel would drop the connection)", reply.Sequence)
		}
		if reply.Command == usbip.ReplySubmit && reply.Length > c.room {
			return fmt.Errorf("reply of %d bytes to a transfer of %d", reply.Length, c.room)
		}
		c.result = Result{Status: reply.Status, Length: reply.Length}
		if n := reply.PayloadLength(c.direction); n > 0 {
			c.result.Data = make([]byte, n)
			if _, err := io.ReadFull(r, c.result.Data); err != nil {
				return nil
			}
		}
		close(c.done)
	}
}

// Submit sends a transfer and does not wait for it.
func (h *Host) Submit(r usbip.Request, payload []byte) *Call {
	c := &Call{direction: r.Direction, room: r.Length, done: make(chan struct{})}
	h.write.Lock()
	defer h.write.Unlock()
	h.mu.Lock()
	if h.calls == nil {
		h.mu.Unlock()
		c.err = ErrGone
		close(c.done)
		return c
	}
	h.sequence++
	c.Sequence = h.sequence
	h.calls[c.Sequence] = c
	h.mu.Unlock()
	r.Sequence, r.DeviceID = c.Sequence, h.id
	frame, err := r.Append(nil)
	if err != nil {
		h.t.Error(err)
	}
	_, _ = h.conn.Write(append(frame, payload...)) // when it fails, read fails too
	return c
}

// Send writes raw bytes, for hosts that break the protocol.
func (h *Host) Send(raw []byte) { _, _ = h.conn.Write(raw) }

// In submits a bulk or interrupt IN transfer.
func (h *Host) In(endpoint uint8, length int) *Call {
	return h.Submit(usbip.Request{Command: usbip.CommandSubmit, Direction: usbip.In, Endpoint: endpoint & 0x0f, Length: length}, nil)
}

// Out submits a bulk OUT transfer.
func (h *Host) Out(endpoint uint8, p []byte) *Call {
	return h.Submit(usbip.Request{Command: usbip.CommandSubmit, Direction: usbip.Out, Endpoint: endpoint, Length: len(p)}, p)
}

// Unlink cancels a transfer and returns the status of the cancelling: StatusReset
// if the transfer will never be answered, 0 if it was. After that no reply to the
// transfer is tolerated.
func (h *Host) Unlink(c *Call) int32 {
	u := h.Submit(usbip.Request{Command: usbip.CommandUnlink, Target: c.Sequence}, nil)
	r, err := u.Wait()
	if err != nil {
		return usbip.StatusShutdown
	}
	if r.Status == usbip.StatusReset {
		h.mu.Lock()
		_, waiting := h.calls[c.Sequence]
		delete(h.calls, c.Sequence)
		h.mu.Unlock()
		if !waiting {
			h.t.Errorf("transfer %d was answered and then cancelled with success", c.Sequence)
		}
	}
	return r.Status
}

// Done says whether the reply is there.
func (c *Call) Done() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Wait returns the reply.
func (c *Call) Wait() (Result, error) {
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case <-c.done:
		return c.result, c.err
	case <-timer.C:
		return Result{}, fmt.Errorf("transfer %d: no reply within %v", c.Sequence, Patience)
	}
}

// Stays fails the test if the reply comes within a moment: for transfers that must wait.
func (c *Call) Stays(t testing.TB) {
	t.Helper()
	timer := time.NewTimer(30 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-c.done:
		t.Errorf("transfer %d was answered: %+v, %v", c.Sequence, c.result, c.err)
	case <-timer.C:
	}
}

// Control makes a request on endpoint 0. The direction is that of the request type.
func (h *Host) Control(s usbip.Setup, data []byte) (Result, error) {
	r := usbip.Request{Command: usbip.CommandSubmit, Setup: s, Length: int(s.Length)}
	if s.RequestType&0x80 != 0 {
		r.Direction = usbip.In
	}
	return h.Submit(r, data).Wait()
}
