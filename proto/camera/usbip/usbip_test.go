package usbip

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Commands as vhci_hcd of Linux 6.1 sends them, and replies as usbip-host does
// (layout: kernel, Documentation/usb/usbip_protocol.rst).
var requestVectors = []struct {
	name, wire string
	want       Request
}{
	{"get device descriptor", `00000001 00000001 00010002 00000001 00000000 00000200 00000040 00000000 00000000 00000000 8006000100004000`,
		Request{Command: CommandSubmit, Sequence: 1, DeviceID: 0x10002, Direction: In, Flags: FlagDirIn, Length: 64,
			Setup: Setup{RequestType: 0x80, Request: 6, Value: 0x0100, Length: 64}}},
	{"bulk in 1 MiB", `00000001 00000d06 00010002 00000001 00000001 00000200 00100000 00000000 00000000 00000000 0000000000000000`,
		Request{Command: CommandSubmit, Sequence: 0xd06, DeviceID: 0x10002, Direction: In, Endpoint: 1, Flags: FlagDirIn, Length: 1 << 20}},
	{"bulk out with zero packet", `00000001 00000d07 00010002 00000000 00000002 00000040 00000200 00000000 00000000 00000000 0000000000000000`,
		Request{Command: CommandSubmit, Sequence: 0xd07, DeviceID: 0x10002, Endpoint: 2, Flags: FlagZeroPacket, Length: 512}},
	{"interrupt in", `00000001 00000005 00010002 00000001 00000003 00000200 00000040 00000000 00000000 00000006 0000000000000000`,
		Request{Command: CommandSubmit, Sequence: 5, DeviceID: 0x10002, Direction: In, Endpoint: 3, Flags: FlagDirIn, Length: 64, Interval: 6}},
	{"unlink", `00000002 00000d08 00010002 00000000 00000000 00000d06 00000000 00000000 00000000 00000000 0000000000000000`,
		Request{Command: CommandUnlink, Sequence: 0xd08, DeviceID: 0x10002, Target: 0xd06}},
}

var replyVectors = []struct {
	name, wire string
	want       Reply
}{
	{"data", `00000003 00000d06 00000000 00000000 00000000 00000000 00000012 00000000 00000000 00000000 0000000000000000`,
		Reply{Command: ReplySubmit, Sequence: 0xd06, Length: 18}},
	{"stall", `00000003 00000001 00000000 00000000 00000000 ffffffe0 00000000 00000000 00000000 00000000 0000000000000000`,
		Reply{Command: ReplySubmit, Sequence: 1, Status: StatusStall}},
	{"unlinked", `00000004 00000d08 00000000 00000000 00000000 ffffff98 00000000 00000000 00000000 00000000 0000000000000000`,
		Reply{Command: ReplyUnlink, Sequence: 0xd08, Status: StatusReset}},
}

func TestRequestsMatchTheWire(t *testing.T) {
	for _, v := range requestVectors {
		t.Run(v.name, func(t *testing.T) {
			wire := unhex(t, v.wire)
			got, err := ParseRequest(wire)
			if err != nil || got != v.want {
				t.Fatalf("ParseRequest = %+v, %v; want %+v", got, err, v.want)
			}
			if back, err := v.want.Append(nil); err != nil || !bytes.Equal(back, wire) {
				t.Fatalf("Append = %x, %v; want %x", back, err, wire)
			}
		})
	}
}

func TestRepliesMatchTheWire(t *testing.T) {
	for _, v := range replyVectors {
		t.Run(v.name, func(t *testing.T) {
			wire := unhex(t, v.wire)
			got, err := ParseReply(wire)
			if err != nil || got != v.want {
				t.Fatalf("ParseReply = %+v, %v; want %+v", got, err, v.want)
			}
			if back, err := v.want.Append(nil); err != nil || !bytes.Equal(back, wire) {
				t.Fatalf("Append = %x, %v; want %x", back, err, wire)
			}
		})
	}
}

func TestOnlyInRepliesAndOutSubmitsCarryPayload(t *testing.T) {
	in := Request{Command: CommandSubmit, Direction: In, Length: 7}
	out := Request{Command: CommandSubmit, Direction: Out, Length: 7}
	done := Reply{Command: ReplySubmit, Length: 7}
	gone := Reply{Command: ReplyUnlink}
	got := []int{in.PayloadLength(), out.PayloadLength(), done.PayloadLength(In), done.PayloadLength(Out), gone.PayloadLength(In)}
	if want := []int{0, 7, 7, 0, 0}; !reflect.DeepEqual(got, want) {
		t.Fatalf("payload lengths %v, want %v", got, want)
	}
}

func TestHostileHeadersAreRefused(t *testing.T) {
	patch := func(wire string, offset int, value byte) []byte {
		b := unhex(t, wire)
		b[offset] = value
		return b
	}
	submit, unlink, data := requestVectors[1].wire, requestVectors[4].wire, replyVectors[0].wire
	for _, c := range []struct {
		name string
		wire []byte
		want error
	}{
		{"request cut short", unhex(t, submit)[:47], ErrShort},
		{"unknown command", patch(submit, 3, 9), ErrInvalid},
		{"a reply where a command belongs", patch(submit, 3, 3), ErrInvalid},
		{"direction 2", patch(submit, 15, 2), ErrInvalid},
		{"endpoint 16", patch(submit, 19, 16), ErrInvalid},
		{"endpoint 256", patch(unlink, 18, 1), ErrInvalid},
		{"negative length", patch(submit, 24, 0xff), ErrTooLarge},
		{"length over 16 MiB", patch(submit, 24, 1), ErrTooLarge},
		{"isochronous", patch(submit, 35, 8), ErrIsochronous},
	} {
		if _, err := ParseRequest(c.wire); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	for _, c := range []struct {
		name string
		wire []byte
		want error
	}{
		{"reply cut short", unhex(t, data)[:10], ErrShort},
		{"unknown reply", patch(data, 3, 1), ErrInvalid},
		{"positive status", patch(data, 23, 1), ErrInvalid},
		{"negative length", patch(data, 24, 0x80), ErrTooLarge},
		{"isochronous", patch(data, 35, 1), ErrIsochronous},
	} {
		if _, err := ParseReply(c.wire); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	for _, r := range []Request{{}, {Command: CommandSubmit, Endpoint: 16}, {Command: CommandSubmit, Length: -1},
		{Command: CommandSubmit, Length: MaxTransfer + 1}, {Command: CommandSubmit, Direction: 2}} {
		if _, err := r.Append(nil); err == nil {
			t.Errorf("encoding %+v succeeded", r)
		}
	}
	if _, err := (&Reply{Command: ReplySubmit, Status: 5}).Append(nil); err == nil {
		t.Error("encoding a positive status succeeded")
	}
}

func camera(busID string) Device {
	return Device{Path: "/sealdock/" + busID, BusID: busID, BusNum: 1, DevNum: 2, Speed: SpeedHigh, Vendor: 0x1209, Product: 1,
		Release: 0x0100, Configuration: 1, Configurations: 1, Interfaces: []Interface{{6, 1, 1}}}
}

func TestDeviceListsMatchTheWire(t *testing.T) {
	wire, err := AppendDeviceList(nil, []Device{camera("1-1")})
	if err != nil {
		t.Fatal(err)
	}
	pad := func(text string, size int) string { return text + strings.Repeat("00", size-len(text)/2) }
	want := unhex(t, "0111 0005 00000000 00000001"+pad(hex.EncodeToString([]byte("/sealdock/1-1")), 256)+
		pad(hex.EncodeToString([]byte("1-1")), 32)+"00000001 00000002 00000003 1209 0001 0100 00 00 00 01 01 01 06010100")
	if !bytes.Equal(wire, want) {
		t.Fatalf("device list\n%x, want\n%x", wire, want)
	}
}

func TestDeviceListsSurviveTheRoundTrip(t *testing.T) {
	bare := camera("2-1.4")
	bare.Interfaces = nil
	for _, list := range [][]Device{nil, {camera("1-1")}, {camera("1-1"), bare, camera("1-3")}} {
		wire, err := AppendDeviceList(nil, list)
		if err != nil {
			t.Fatal(err)
		}
		h, err := ParseOpHeader(wire)
		if err != nil || h.Code != OpReplyDeviceList || h.Status != OpOK {
			t.Fatalf("header %+v, %v", h, err)
		}
		got, err := ParseDeviceList(wire[OpHeaderSize:])
		if err != nil || !reflect.DeepEqual(got, list) {
			t.Fatalf("list %+v, %v; want %+v", got, err, list)
		}
		if _, err := ParseDeviceList(append(wire[OpHeaderSize:], 0)); !errors.Is(err, ErrInvalid) {
			t.Errorf("trailing byte: %v", err)
		}
		for n := range len(wire) - OpHeaderSize {
			if _, err := ParseDeviceList(wire[OpHeaderSize:][:n]); !errors.Is(err, ErrShort) {
				t.Fatalf("cut to %d bytes: %v, want ErrShort", n, err)
			}
		}
	}
}

func TestImportsNameOneBusID(t *testing.T) {
	wire, err := AppendImport(nil, "1-1")
	if err != nil || len(wire) != OpHeaderSize+BusIDSize {
		t.Fatalf("import of %d bytes, %v", len(wire), err)
	}
	if id, err := ParseImport(wire[OpHeaderSize:]); err != nil || id != "1-1" {
		t.Fatalf("bus id %q, %v", id, err)
	}
	if _, err := AppendImport(nil, strings.Repeat("1", BusIDSize)); !errors.Is(err, ErrInvalid) {
		t.Errorf("long bus id: %v", err)
	}
	if _, err := AppendImport(nil, "1\x00"); !errors.Is(err, ErrInvalid) {
		t.Errorf("bus id with NUL: %v", err)
	}
	if _, err := ParseImport(bytes.Repeat([]byte{'1'}, BusIDSize)); !errors.Is(err, ErrInvalid) {
		t.Errorf("bus id without end: %v", err)
	}
	d := camera("1-1")
	if d.DeviceID() != 0x10002 {
		t.Errorf("device id %#x", d.DeviceID())
	}
}

func TestOtherVersionsAreRefusedWithTheirHeader(t *testing.T) {
	h, err := ParseOpHeader(unhex(t, "0106 8005 00000000"))
	if !errors.Is(err, ErrVersion) || h.Code != OpRequestDeviceList {
		t.Fatalf("%+v, %v", h, err)
	}
}

func FuzzRequest(f *testing.F) {
	for _, v := range requestVectors {
		f.Add(unhex(f, v.wire))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		r, err := ParseRequest(wire)
		if err != nil {
			return
		}
		if r.Length > MaxTransfer || r.PayloadLength() > MaxTransfer || r.Endpoint > 15 {
			t.Fatalf("limits broken: %+v", r)
		}
		back, err := r.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseRequest(back); err != nil || again != r {
			t.Fatalf("%+v became %+v, %v", r, again, err)
		}
	})
}

func FuzzReply(f *testing.F) {
	for _, v := range replyVectors {
		f.Add(unhex(f, v.wire))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		r, err := ParseReply(wire)
		if err != nil {
			return
		}
		back, err := r.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseReply(back); err != nil || again != r {
			t.Fatalf("%+v became %+v, %v", r, again, err)
		}
	})
}

func FuzzDeviceList(f *testing.F) {
	for _, list := range [][]Device{nil, {camera("1-1")}, {camera("1-1"), camera("1-2")}} {
		wire, err := AppendDeviceList(nil, list)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		if _, err := ParseOpHeader(wire); err != nil {
			return
		}
		list, err := ParseDeviceList(wire[OpHeaderSize:])
		if err != nil {
			return
		}
		if back, err := AppendDeviceList(nil, list); err == nil {
			if again, err := ParseDeviceList(back[OpHeaderSize:]); err != nil || !reflect.DeepEqual(again, list) {
				t.Fatalf("%+v became %+v, %v", list, again, err)
			}
		}
	})
}

func BenchmarkParseRequest(b *testing.B) {
	wire := unhex(b, requestVectors[1].wire)
	for b.Loop() {
		if _, err := ParseRequest(wire); err != nil {
			b.Fatal(err)
		}
	}
}
