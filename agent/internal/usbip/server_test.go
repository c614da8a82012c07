package usbip

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	wire "github.com/sealdock/sealdock/proto/camera/usbip"
)

// transferIn is data that the fake device has for its bulk-in endpoint: one transfer.
type transferIn struct {
	data  []byte
	empty bool // it is full packets, so an empty one ends it
}

// fakeServer exports one device with bulk endpoints 0x81 and 0x02 and an interrupt endpoint 0x83. It
// sends what a test feeds it.
type fakeServer struct {
	device        wire.Device
	configuration []byte
	name          string        // of the interface that asks for string 4
	status        wire.OpStatus // of an import

	mu       sync.Mutex // guards the fields below
	conn     net.Conn
	waiting  []wire.Request // bulk-in URBs
	silent   []wire.Request // interrupt URBs: never answered
	queue    []transferIn
	halted   bool
	sent     [][]byte // what the host wrote to bulk-out
	controls []wire.Setup
	unlinks  int
	imports  int
}

// cameraConfiguration is a configuration with a storage interface, then a still
// image interface number 1 with endpoints 0x81, 0x02 and 0x83.
var cameraConfiguration = []byte{
	9, 2, 55, 0, 2, 1, 0, 0x80, 50,
	9, 4, 0, 0, 1, 8, 6, 0x50, 0, 7, 5, 0x84, 2, 0, 2, 0,
	9, 4, 1, 0, 3, 6, 1, 1, 0, 7, 5, 0x81, 2, 0, 2, 0, 7, 5, 0x02, 2, 0, 2, 0, 7, 5, 0x83, 3, 28, 0, 6,
}

func newServer(busID string) *fakeServer {
	return &fakeServer{
		configuration: cameraConfiguration,
		device: wire.Device{Path: "/sim", BusID: busID, BusNum: 1, DevNum: 2, Speed: wire.SpeedHigh, Configurations: 1,
			Interfaces: []wire.Interface{{Class: 8}, {Class: 6, SubClass: 1, Protocol: 1}}},
	}
}

// start serves on a unix socket and returns its address.
func start(t testing.TB, devices ...*fakeServer) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "usbip")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				serve(conn, devices)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		for _, d := range devices {
			d.unplug()
		}
		group.Wait()
	})
	return "unix:" + path
}

func serve(conn net.Conn, devices []*fakeServer) {
	p, err := readN(conn, wire.OpHeaderSize)
	if err != nil {
		return
	}
	h, err := wire.ParseOpHeader(p)
	if err != nil {
		return
	}
	if h.Code == wire.OpRequestDeviceList {
		var list []wire.Device
		for _, d := range devices {
			list = append(list, d.device)
		}
		if p, err = wire.AppendDeviceList(nil, list); err == nil {
			_, _ = conn.Write(p)
		}
		return
	}
	if p, err = readN(conn, wire.BusIDSize); err != nil {
		return
	}
	id, err := wire.ParseImport(p)
	if err != nil {
		return
	}
	status := wire.OpNoDevice
	for _, d := range devices {
		if d.device.BusID != id {
			continue
		}
		if status = d.status; status == wire.OpOK {
			d.attach(conn)
			return
		}
		break
	}
	_, _ = conn.Write(wire.OpHeader{Code: wire.OpReplyImport, Status: status}.Append(nil))
}

func (f *fakeServer) attach(conn net.Conn) {
	p, err := f.device.Append(wire.OpHeader{Code: wire.OpReplyImport}.Append(nil))
	if err != nil {
		return
	}
	f.mu.Lock()
	f.imports++
	f.conn = conn
	f.waiting, f.silent = nil, nil
	_, _ = conn.Write(p)
	f.mu.Unlock()
	header := make([]byte, wire.HeaderSize)
	for {
		if _, err := io.ReadFull(conn, header); err != nil {
			return
		}
		r, err := wire.ParseRequest(header)
		if err != nil {
			return
		}
		payload, err := readN(conn, r.PayloadLength())
		if err != nil {
			return
		}
		f.mu.Lock()
		f.request(r, payload)
		f.mu.Unlock()
	}
}

func (f *fakeServer) reply(r wire.Request, status int32, length int, payload []byte) {
	reply := wire.Reply{Command: wire.ReplySubmit, Sequence: r.Sequence, Status: status, Length: length}
	if r.Command == wire.CommandUnlink {
		reply.Command = wire.ReplyUnlink
	}
	p, err := reply.Append(make([]byte, 0, wire.HeaderSize+len(payload)))
	if err != nil {
		panic(err)
	}
	_, _ = f.conn.Write(append(p, payload...))
}

func (f *fakeServer) request(r wire.Request, payload []byte) {
	switch {
	case r.Command == wire.CommandUnlink:
		f.unlink(r)
	case r.Endpoint == 0:
		f.control(r)
	case r.Endpoint == 3:
		f.silent = append(f.silent, r)
	case r.Direction == wire.Out:
		f.sent = append(f.sent, payload)
		f.reply(r, wire.StatusOK, len(payload), nil)
	case f.halted:
		f.reply(r, wire.StatusStall, 0, nil)
	default:
		f.waiting = append(f.waiting, r)
		f.move()
	}
}

func (f *fakeServer) unlink(r wire.Request) {
	f.unlinks++
	for _, list := range []*[]wire.Request{&f.waiting, &f.silent} {
		for i, w := range *list {
			if w.Sequence == r.Target {
				*list = slices.Delete(*list, i, i+1)
				f.reply(r, wire.StatusReset, 0, nil)
				return
			}
		}
	}
	f.reply(r, wire.StatusOK, 0, nil)
}

// move hands queued data to waiting URBs, as packets of 512 bytes would fill them.
func (f *fakeServer) move() {
	for len(f.waiting) > 0 && len(f.queue) > 0 {
		r, t := f.waiting[0], &f.queue[0]
		n := min(r.Length, len(t.data))
		f.reply(r, wire.StatusOK, n, t.data[:n])
		f.waiting = f.waiting[1:]
		t.data = t.data[n:]
		if len(t.data) == 0 && !(t.empty && n > 0 && n == r.Length) {
			f.queue = f.queue[1:]
		}
	}
}

// feed queues one transfer.
func (f *fakeServer) feed(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, transferIn{p, len(p)%512 == 0})
	f.move()
}

func (f *fakeServer) control(r wire.Request) {
	f.controls = append(f.controls, r.Setup)
	var data []byte
	switch s := r.Setup; {
	case s.Request == requestGetDescriptor && s.Value == descriptorDevice<<8:
		data = []byte{18, 1, 0, 2, 0, 0, 0, 64, 9, 0x12, 1, 0, 0, 1, 0, 0, 1, 1}
	case s.Request == requestGetDescriptor && s.Value == descriptorConfiguration<<8:
		data = f.configuration
	case s.Request == requestGetDescriptor && s.Value == descriptorString<<8|1:
		data = []byte{6, 3, 'S', 0, '1', 0}
	case s.Request == requestGetDescriptor && s.Value == descriptorString<<8|4 && f.name != "":
		data = []byte{byte(2 + 2*len(f.name)), 3}
		for _, c := range []byte(f.name) {
			data = append(data, c, 0)
		}
	case s.Request == requestGetConfiguration:
		data = []byte{0}
	case s.Request == requestClearFeature:
		f.halted = false
	case s.Request == requestSetConfiguration:
	default:
		f.reply(r, wire.StatusStall, 0, nil)
		return
	}
	data = data[:min(len(data), r.Length)]
	f.reply(r, wire.StatusOK, len(data), data)
}

func (f *fakeServer) unplug() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conn != nil {
		_ = f.conn.Close()
	}
}

func open(t testing.TB, f *fakeServer) *pipe {
	t.Helper()
	p, err := openPipe(context.Background(), start(t, f), f.device.BusID, f.device.BusID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}
