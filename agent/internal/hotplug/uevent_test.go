package hotplug

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

const kernelAdd = "add@/devices/pci0000:00/usb1/1-2\x00ACTION=add\x00DEVPATH=/devices/pci0000:00/usb1/1-2\x00SUBSYSTEM=usb\x00BUSNUM=001\x00DEVNUM=004\x00DEVTYPE=usb_device\x00SEQNUM=811\x00"

// udevMessage puts udevd's header in front of pairs.
func udevMessage(pairs string, change func(header []byte)) []byte {
	p := append([]byte(udevPrefix), make([]byte, udevHeaderSize-len(udevPrefix))...)
	binary.BigEndian.PutUint32(p[8:], udevMagic)
	binary.NativeEndian.PutUint32(p[12:], udevHeaderSize)
	binary.NativeEndian.PutUint32(p[16:], udevHeaderSize)
	binary.NativeEndian.PutUint32(p[20:], uint32(len(pairs)))
	if change != nil {
		change(p)
	}
	return append(p, pairs...)
}

func TestMessagesAreRead(t *testing.T) {
	pairs := "SEQNUM=7\x00SUBSYSTEM=block\x00ACTION=change\x00NAME=a=b\x00"
	for name, c := range map[string]struct {
		p    []byte
		want event
	}{
		"kernel":               {[]byte(kernelAdd), event{"add", "usb"}},
		"kernel, no final NUL": {[]byte(strings.TrimRight(kernelAdd, "\x00")), event{"add", "usb"}},
		"udev":                 {udevMessage(pairs, nil), event{"change", "block"}},
		"udev, longer header": {udevMessage("\x00\x00\x00\x00"+pairs, func(h []byte) {
			binary.NativeEndian.PutUint32(h[16:], udevHeaderSize+4)
			binary.NativeEndian.PutUint32(h[20:], uint32(len(pairs)))
		}), event{"change", "block"}},
		"pairs that come twice":    {[]byte("add@/x\x00ACTION=add\x00SUBSYSTEM=net\x00SUBSYSTEM=usb\x00"), event{"add", "net"}},
		"a key that ends like one": {[]byte("add@/x\x00ID_SUBSYSTEM=usb\x00ACTION=add\x00SUBSYSTEM=net\x00"), event{"add", "net"}},
	} {
		if got, err := parse(c.p); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestMalformedMessagesAreErrors(t *testing.T) {
	pairs := "SUBSYSTEM=usb\x00ACTION=add\x00"
	for name, p := range map[string][]byte{
		"empty":             {},
		"no NUL":            []byte("add@/devices/x"),
		"no action":         []byte("@/devices/x\x00ACTION=add\x00SUBSYSTEM=usb\x00"),
		"no device":         []byte("add@\x00ACTION=add\x00SUBSYSTEM=usb\x00"),
		"no separator":      []byte("add /x\x00ACTION=add\x00SUBSYSTEM=usb\x00"),
		"no subsystem":      []byte("add@/x\x00ACTION=add\x00"),
		"no pairs":          []byte("add@/x\x00"),
		"too long":          append([]byte(kernelAdd), make([]byte, maxMessage)...),
		"udev, cut header":  udevMessage(pairs, nil)[:udevHeaderSize-1],
		"udev, other magic": udevMessage(pairs, func(h []byte) { h[8]++ }),
		"udev, into header": udevMessage(pairs, func(h []byte) { binary.NativeEndian.PutUint32(h[16:], 8) }),
		"udev, behind end":  udevMessage(pairs, func(h []byte) { binary.NativeEndian.PutUint32(h[20:], uint32(len(pairs))+1) }),
		"udev, sum overflows": udevMessage(pairs, func(h []byte) {
			binary.NativeEndian.PutUint32(h[16:], 1<<32-1)
			binary.NativeEndian.PutUint32(h[20:], 1<<32-1)
		}),
		"udev, no pairs": udevMessage("", nil),
	} {
		if got, err := parse(p); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestOnlyUSBAndDisksMatter(t *testing.T) {
	for message, want := range map[string]bool{
		kernelAdd: true,
		"add@/x\x00ACTION=add\x00SUBSYSTEM=block\x00":     true,
		"remove@/x\x00ACTION=remove\x00SUBSYSTEM=usb\x00": true,
		"add@/x\x00ACTION=add\x00SUBSYSTEM=net\x00":       false,
		"add@/x\x00ACTION=add\x00SUBSYSTEM=usbmon\x00":    false,
		"what is this": true, // rather one look too many
	} {
		if got := relevant([]byte(message)); got != want {
			t.Errorf("%q: %v", message, got)
		}
	}
}

// Whoever sends what: no message makes the reader panic, and none is taken for an
// event that does not say what it is about.
func FuzzUevent(f *testing.F) {
	f.Add([]byte(kernelAdd))
	f.Add(udevMessage("SUBSYSTEM=block\x00ACTION=change\x00", nil))
	f.Add([]byte("add@\x00"))
	f.Fuzz(func(t *testing.T, p []byte) {
		e, err := parse(p)
		if (err == nil) != (e.action != "" && e.subsystem != "") || err != nil && !errors.Is(err, errMalformed) {
			t.Fatalf("%+v, %v", e, err)
		}
		if len(e.action)+len(e.subsystem) > len(p) {
			t.Fatalf("%+v from %d bytes", e, len(p))
		}
	})
}
