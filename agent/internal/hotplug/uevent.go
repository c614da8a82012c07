package hotplug

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// maxMessage is the longest message that is read, in bytes. The kernel sends 2 KiB
// at most (UEVENT_BUFFER_SIZE) and libudev reads 16 KiB itself.
const maxMessage = 16 << 10

// errMalformed is a message that is no uevent.
var errMalformed = errors.New("malformed uevent")

// event is what a uevent says, as far as it is used.
type event struct {
	action    string // add, remove, bind, unbind, change, ...
	subsystem string // usb, block, ...
}

// matters says whether a camera or a card may have come, gone or changed.
func (e event) matters() bool { return e.subsystem == "usb" || e.subsystem == "block" }

// parse reads one message: the kernel's "ACTION@DEVPATH", NUL, "KEY=VALUE", NUL,
// ..., or udevd's, which has a binary header in front of the same pairs.
func parse(p []byte) (event, error) {
	if len(p) > maxMessage {
		return event{}, fmt.Errorf("%w: %d bytes", errMalformed, len(p))
	}
	if bytes.HasPrefix(p, []byte(udevPrefix)) {
		pairs, err := udevPairs(p)
		if err != nil {
			return event{}, err
		}
		return fromPairs(pairs)
	}
	head, pairs, found := bytes.Cut(p, []byte{0})
	if action, path, ok := bytes.Cut(head, []byte("@")); !found || !ok || len(action) == 0 || len(path) == 0 {
		return event{}, fmt.Errorf("%w: it does not begin with an action and a device", errMalformed)
	}
	return fromPairs(pairs)
}

// udevd's header (systemd, src/libsystemd/sd-device/device-monitor.c): the prefix,
// a magic number in network order, then 32-bit numbers in the machine's order: length of
// the header, offset and length of the pairs, and four hashes for socket filters.
const (
	udevPrefix     = "libudev\x00"
	udevMagic      = 0xfeedcafe
	udevHeaderSize = 40
)

func udevPairs(p []byte) ([]byte, error) {
	if len(p) < udevHeaderSize {
		return nil, fmt.Errorf("%w: udev header of %d bytes", errMalformed, len(p))
	}
	if magic := binary.BigEndian.Uint32(p[8:]); magic != udevMagic {
		return nil, fmt.Errorf("%w: udev magic number 0x%08x", errMalformed, magic)
	}
	offset, length := uint64(binary.NativeEndian.Uint32(p[16:])), uint64(binary.NativeEndian.Uint32(p[20:]))
	if offset < udevHeaderSize || offset+length > uint64(len(p)) {
		return nil, fmt.Errorf("%w: udev properties at %d, %d bytes long, in %d bytes", errMalformed, offset, length, len(p))
	}
	return p[offset : offset+length], nil
}

// fromPairs takes the first ACTION and SUBSYSTEM; both have to be there.
func fromPairs(pairs []byte) (event, error) {
	var e event
	for pair := range bytes.SplitSeq(pairs, []byte{0}) {
		key, value, _ := bytes.Cut(pair, []byte("="))
		switch {
		case e.action == "" && string(key) == "ACTION":
			e.action = string(value)
		case e.subsystem == "" && string(key) == "SUBSYSTEM":
			e.subsystem = string(value)
		}
	}
	if e.action == "" || e.subsystem == "" {
		return event{}, fmt.Errorf("%w: no action or no subsystem", errMalformed)
	}
	return e, nil
}
