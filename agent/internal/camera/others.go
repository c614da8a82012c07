package camera

import "fmt"

// maxOthers is how many interfaces beside the camera's are named.
const maxOthers = 16

// Other is an interface that a camera's device has beside the one that is used. It
// is never claimed.
type Other struct {
	Number                    uint16
	Class, SubClass, Protocol uint8
}

// Composite is a Pipe that knows what else its device is.
type Composite interface {
	Others() []Other
}

// String says in words what the interface is for (USB class codes, usb.org).
func (o Other) String() string {
	what := "of an unusual kind"
	switch o.Class {
	case 0x01:
		what = "audio"
	case 0x02, 0x0a:
		what = "network or modem"
	case 0x03:
		what = "keyboard, mouse or other input"
	case 0x06:
		what = "another still image"
	case 0x07:
		what = "printer"
	case 0x08:
		what = "mass storage"
	case 0x09:
		what = "hub"
	case 0x0b:
		what = "smart card"
	case 0x0e:
		what = "video"
	case 0xe0:
		what = "wireless or network"
	case 0xfe:
		what = "firmware update or measuring"
	case 0xff:
		what = "of the maker's own kind"
	}
	return fmt.Sprintf("interface %d, %s (class %02x/%02x/%02x)", o.Number, what, o.Class, o.SubClass, o.Protocol)
}

// beside lists what else the device behind a pipe is.
func beside(pipe Pipe) []Other {
	c, ok := pipe.(Composite)
	if !ok {
		return nil
	}
	others := c.Others()
	return others[:min(len(others), maxOthers)]
}

// warnOfOthers says in the listing that the camera is more than a camera, so that it
// stands in the signed inventory.
func (w *walk) warnOfOthers() {
	for _, o := range beside(w.l.s.pipe) {
		w.warn(0, "the device is more than a camera: it also has %s, which is left alone", o)
	}
}
