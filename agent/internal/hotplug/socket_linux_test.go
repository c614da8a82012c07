package hotplug

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func testSocket(t *testing.T) *socket {
	t.Helper()
	s, err := openSocket(1<<(groupKernel-1) | 1<<(groupUdev-1))
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("NOT TESTED: this system has no uevents for this program: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// send sends a message to a uevent group, or past all groups to one socket.
func send(t *testing.T, to unix.SockaddrNetlink, p []byte) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	to.Family = unix.AF_NETLINK
	err = unix.Sendto(fd, p, 0, &to)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ECONNREFUSED) {
		t.Skipf("NOT TESTED: this user may not send uevents: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestRootsMessagesInUdevdsGroupAreTrusted(t *testing.T) {
	s := testSocket(t)
	want := udevMessage("SUBSYSTEM=usb\x00ACTION=add\x00", nil)
	send(t, unix.SockaddrNetlink{Groups: 1 << (groupUdev - 1)}, want)
	m, err := s.receive()
	if err != nil || string(m.payload) != string(want) || m.group != groupUdev || !m.signed || int(m.user) != os.Getuid() {
		t.Fatalf("%+v, %v", m, err)
	}
	if trusted(m) != (os.Getuid() == 0) {
		t.Error("not judged by its user")
	}
}

// Others can write into the kernel's group, or straight to a socket; that shows in the address.
func TestForgedKernelMessagesAreNotTrusted(t *testing.T) {
	s := testSocket(t)
	send(t, unix.SockaddrNetlink{Groups: 1 << (groupKernel - 1)}, []byte(kernelAdd))
	m, err := s.receive()
	if err != nil || m.group != groupKernel || m.sender == 0 || trusted(m) {
		t.Fatalf("%+v, %v", m, err)
	}
}

func TestTooLongAMessageIsALoss(t *testing.T) {
	s := testSocket(t)
	send(t, unix.SockaddrNetlink{Groups: 1 << (groupUdev - 1)}, udevMessage(string(make([]byte, maxMessage)), nil))
	if m, err := s.receive(); !errors.Is(err, errLost) && os.Getuid() == 0 {
		t.Fatalf("%+v, %v", m, err)
	}
}

func TestClosingEndsAReceiveThatWaits(t *testing.T) {
	s := testSocket(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := s.receive(); err != nil && !errors.Is(err, errLost) {
				return
			}
		}
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-ended
}
