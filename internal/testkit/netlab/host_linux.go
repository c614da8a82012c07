package netlab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"
)

// Host is one of the two namespaces, with a loopback and a TUN device. It owns
// a thread that sits in the namespace; commands are forked from that thread and
// so start inside. Safe for concurrent use.
type Host struct {
	Address string // of the TUN device
	tun     *os.File
	do      chan func()
}

const (
	tunSetIff = 0x400454ca
	iffTun    = 0x0001
	iffNoPI   = 0x1000
)

// newHost makes the namespace, names the device, gives it address/24 and brings
// both devices up.
func newHost(name string, address netip.Addr, c Conditions) (*Host, error) {
	h := &Host{Address: address.String(), do: make(chan func())}
	ready := make(chan error)
	go func() {
		// Never unlocked: the thread belongs to the namespace, and ends with this function.
		runtime.LockOSThread()
		err := h.setUp(name, address, c)
		ready <- err
		if err != nil {
			return
		}
		for f := range h.do {
			f()
		}
	}()
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("making the namespace of %s: %w", name, err)
	}
	return h, nil
}

func (h *Host) setUp(name string, address netip.Addr, c Conditions) error {
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		return fmt.Errorf("a network namespace (this needs root): %w", err)
	}
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("opening /dev/net/tun: %w", err)
	}
	var req ifreq
	copy(req.name[:], name)
	req.setShort(iffTun | iffNoPI)
	if err := ioctl(fd, tunSetIff, &req); err != nil {
		return errors.Join(fmt.Errorf("making a TUN device: %w", err), syscall.Close(fd))
	}
	h.tun = os.NewFile(uintptr(fd), name)
	mtu := c.MTU
	if mtu == 0 {
		mtu = 1500
	}
	if err := bringUp(name, address, mtu); err != nil {
		return errors.Join(err, h.tun.Close())
	}
	if c.TCPCC == "" {
		return nil
	}
	// /proc/sys/net follows the namespace of the thread that opens it.
	return os.WriteFile("/proc/sys/net/ipv4/tcp_congestion_control", []byte(c.TCPCC), 0)
}

func bringUp(name string, address netip.Addr, mtu int) error {
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(s)
	set := func(what string, op uintptr, fill func(*ifreq), device string) error {
		var r ifreq
		copy(r.name[:], device)
		fill(&r)
		if err := ioctl(s, op, &r); err != nil {
			return fmt.Errorf("setting the %s of %s: %w", what, device, err)
		}
		return nil
	}
	up := func(r *ifreq) { r.setShort(syscall.IFF_UP | syscall.IFF_RUNNING) }
	return errors.Join(
		set("address", syscall.SIOCSIFADDR, func(r *ifreq) { r.setAddress(address.As4()) }, name),
		set("netmask", syscall.SIOCSIFNETMASK, func(r *ifreq) { r.setAddress([4]byte{255, 255, 255, 0}) }, name),
		set("MTU", syscall.SIOCSIFMTU, func(r *ifreq) { r.setInt(int32(mtu)) }, name),
		// A deep device queue: the only place that drops is the link itself.
		set("queue length", syscall.SIOCSIFTXQLEN, func(r *ifreq) { r.setInt(20000) }, name),
		set("state", syscall.SIOCSIFFLAGS, up, name),
		set("state", syscall.SIOCSIFFLAGS, up, "lo"),
	)
}

// Start starts a command in the namespace.
func (h *Host) Start(cmd *exec.Cmd) (err error) {
	h.Do(func() { err = cmd.Start() })
	return err
}

// Do runs f on the namespace's thread: sockets that f itself makes are in the
// namespace. One at a time.
func (h *Host) Do(f func()) {
	done := make(chan struct{})
	h.do <- func() {
		defer close(done)
		f()
	}
	<-done
}

// close ends the thread, and with it the namespace once no process is in it.
func (h *Host) close() error {
	close(h.do)
	return h.tun.Close()
}

// ifreq is struct ifreq: a device's name and a union.
type ifreq struct {
	name [16]byte
	data [24]byte
}

func (r *ifreq) setShort(v uint16) { *(*uint16)(unsafe.Pointer(&r.data[0])) = v }
func (r *ifreq) setInt(v int32)    { *(*int32)(unsafe.Pointer(&r.data[0])) = v }
func (r *ifreq) setAddress(a [4]byte) {
	r.setShort(syscall.AF_INET)
	copy(r.data[4:8], a[:])
}

func ioctl(fd int, op uintptr, r *ifreq) error {
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), op, uintptr(unsafe.Pointer(r)))
	if e != 0 {
		return e
	}
	return nil
}
