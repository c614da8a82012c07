package netlab

import (
	"fmt"
	"net/netip"
	"syscall"
)

// Move gives the client's device another address, as a machine has that was
// plugged into another network: what is bound to the old one hears nothing more,
// and the server sees another address too. [Host.Address] keeps the first one.
func (l *Lab) Move() error {
	next := l.translator.nextClient()
	if err := l.Client.renumber("nl-client", netip.AddrFrom4(next)); err != nil {
		return err
	}
	l.translator.moved(next)
	return nil
}

// renumber replaces the address of the host's device.
func (h *Host) renumber(name string, address netip.Addr) (err error) {
	h.Do(func() {
		var s int
		if s, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0); err != nil {
			return
		}
		defer syscall.Close(s)
		for _, step := range []struct {
			op      uintptr
			address [4]byte
		}{{syscall.SIOCSIFADDR, address.As4()}, {syscall.SIOCSIFNETMASK, [4]byte{255, 255, 255, 0}}} {
			var r ifreq
			copy(r.name[:], name)
			r.setAddress(step.address)
			if err = ioctl(s, step.op, &r); err != nil {
				err = fmt.Errorf("giving %s the address %v: %w", name, address, err)
				return
			}
		}
	})
	return err
}
