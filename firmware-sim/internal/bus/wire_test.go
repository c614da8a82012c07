package bus_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/sealdock/sealdock/firmware-sim/internal/bus"
	"github.com/sealdock/sealdock/proto/camera/usbip"
)

func TestStandardRequestsAreAnsweredAsUSBWants(t *testing.T) {
	rig := newRig(t)
	h := rig.host(t)
	in := func(kind, request uint8, value, index, length uint16) usbip.Setup {
		return usbip.Setup{RequestType: kind, Request: request, Value: value, Index: index, Length: length}
	}
	configuration := []byte{9, 2, 39, 0, 1, 1, 0, 0xC0, 250, 9, 4, 0, 0, 3, 6, 1, 1, 4,
		7, 5, 0x81, 2, 0, 2, 0, 7, 5, 2, 2, 0, 2, 0, 7, 5, 0x83, 3, 64, 0, 6}
	fullSpeed := bytes.Clone(configuration)
	fullSpeed[1], fullSpeed[22], fullSpeed[23], fullSpeed[29], fullSpeed[30], fullSpeed[38] = 7, 64, 0, 64, 0, 10
	for _, c := range []struct {
		name  string
		setup usbip.Setup
		want  []byte
		stall bool
	}{
		{"device descriptor", in(0x80, 6, 0x0100, 0, 64), []byte{18, 1, 0, 2, 0, 0, 0, 64, 0x09, 0x12, 1, 0, 0, 1, 1, 2, 3, 1}, false},
		{"its first eight bytes", in(0x80, 6, 0x0100, 0, 8), []byte{18, 1, 0, 2, 0, 0, 0, 64}, false},
		{"configuration", in(0x80, 6, 0x0200, 0, 255), configuration, false},
		{"configuration's head", in(0x80, 6, 0x0200, 0, 9), configuration[:9], false},
		{"second configuration", in(0x80, 6, 0x0201, 0, 9), nil, true},
		{"qualifier", in(0x80, 6, 0x0600, 0, 10), []byte{10, 6, 0, 2, 0, 0, 0, 64, 1, 0}, false},
		{"other speed", in(0x80, 6, 0x0700, 0, 255), fullSpeed, false},
		{"languages", in(0x80, 6, 0x0300, 0, 255), []byte{4, 3, 9, 4}, false},
		{"model", in(0x80, 6, 0x0302, 0x409, 255), []byte{10, 3, 'E', 0, 'c', 0, 'h', 0, 'o', 0}, false},
		{"Microsoft's string", in(0x80, 6, 0x03EE, 0, 255), nil, true},
		{"BOS", in(0x80, 6, 0x0F00, 0, 5), nil, true},
		{"device status", in(0x80, 0, 0, 0, 2), []byte{1, 0}, false},
		{"configuration value", in(0x80, 8, 0, 0, 1), []byte{1}, false},
		{"interface status", in(0x81, 0, 0, 0, 2), []byte{0, 0}, false},
		{"alternate setting", in(0x81, 10, 0, 0, 1), []byte{0}, false},
		{"set interface", in(0x01, 11, 0, 0, 0), nil, false},
		{"set a missing alternate", in(0x01, 11, 1, 0, 0), nil, true},
		{"set configuration", in(0x00, 9, 1, 0, 0), nil, false},
		{"set a missing configuration", in(0x00, 9, 2, 0, 0), nil, true},
		{"halt of a missing endpoint", in(0x02, 3, 0, 0x84, 0), nil, true},
		{"class request, cut to what was asked", in(0xA1, 0x67, 0, 0, 6), []byte("status"), false},
		{"unknown class request", in(0xA1, 0x13, 0, 0, 6), nil, true},
		{"vendor request", in(0xC0, 1, 0, 4, 16), nil, true},
	} {
		r, err := h.Control(c.setup, nil)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if c.stall != (r.Status == usbip.StatusStall) || !bytes.Equal(r.Data, c.want) {
			t.Errorf("%s: status %d, %v; want %v", c.name, r.Status, r.Data, c.want)
		}
	}
	if len(rig.echo.resets) != 1 {
		t.Errorf("%d resets of the function, want 1", len(rig.echo.resets))
	}
	if r := result(t, h.In(9, 512)); r.Status != usbip.StatusStall {
		t.Errorf("missing endpoint: status %d", r.Status)
	}
}

func TestHostsThatBreakTheProtocolAreDropped(t *testing.T) {
	submit := func(r usbip.Request) []byte {
		r.Command = usbip.CommandSubmit
		b, err := r.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tooLong := submit(usbip.Request{Sequence: 9, Direction: usbip.In, Endpoint: 1})
	tooLong[24] = 0x7f
	twice := submit(usbip.Request{Sequence: 9, Direction: usbip.In, Endpoint: 1, Length: 512})
	flood := []byte{}
	for i := range 5000 {
		flood = append(flood, submit(usbip.Request{Sequence: uint32(i + 1), Direction: usbip.In, Endpoint: 1, Length: 512})...)
	}
	for name, raw := range map[string][]byte{"nonsense": bytes.Repeat([]byte("nonsense"), 100), "a length beyond the limit": tooLong,
		"a number twice": append(bytes.Clone(twice), twice...), "too many transfers": flood} {
		rig := newRig(t)
		h := rig.host(t)
		h.Send(raw)
		<-h.Gone()
		rig.host(t) // and the device is free again
		t.Log(name)
	}
	rig := newRig(t)
	for _, raw := range []string{"GET / HTTP/1.1\r\n\r\n", "\x01\x11\x80\x04\x00\x00\x00\x00",
		"\x01\x11\x80\x03\x00\x00\x00\x00" + "11111111111111111111111111111111"} {
		conn := rig.dial()
		_, _ = conn.Write([]byte(raw))
		if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, io.EOF) {
			t.Logf("%q: %v", raw, err) // reset by the peer: as good as closed
		}
		conn.Close()
	}
}

func BenchmarkBulkIn(b *testing.B) {
	for _, c := range []struct {
		name          string
		length, depth int
	}{{"1MiBx1", 1 << 20, 1}, {"1MiBx4", 1 << 20, 4}, {"256KiBx4", 256 << 10, 4}, {"16KiBx32", 16 << 10, 32}} {
		b.Run(c.name, func(b *testing.B) {
			rig := newRig(b)
			zero := make([]byte, 1<<30)
			rig.echo.source.Store(func(n int64) bus.Source { return bus.Bytes(zero[:n]) })
			conn := rig.dial()
			request, _ := usbip.AppendImport(nil, "1-1")
			_, _ = conn.Write(request)
			_, _ = io.ReadFull(conn, make([]byte, usbip.OpHeaderSize+usbip.DeviceSize))
			defer conn.Close()
			out := usbip.Request{Command: usbip.CommandSubmit, Endpoint: 2, Length: 4}
			in := usbip.Request{Command: usbip.CommandSubmit, Direction: usbip.In, Endpoint: 1, Length: c.length}
			const message = 1 << 30
			buffer := make([]byte, usbip.HeaderSize+c.length)
			b.SetBytes(message)
			for b.Loop() {
				frame, _ := out.Append(nil)
				_, _ = conn.Write(append(frame, ask(message)...))
				_, _ = io.ReadFull(conn, buffer[:usbip.HeaderSize])
				asked := 0
				more := func() {
					if asked <= message/c.length { // one more, for the empty packet
						asked++
						in.Sequence = uint32(asked)
						frame, _ := in.Append(nil)
						_, _ = conn.Write(frame)
					}
				}
				for range c.depth {
					more()
				}
				for got, full := 0, true; full; more() {
					_, _ = io.ReadFull(conn, buffer[:usbip.HeaderSize])
					reply, err := usbip.ParseReply(buffer)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(conn, buffer[:reply.Length]); err != nil {
						b.Fatal(err)
					}
					got += reply.Length
					full = reply.Length == c.length
				}
			}
		})
	}
}
