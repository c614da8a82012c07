//go:build cgo && linux

package usb

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

// The tests named TestGuest run on a machine that has a USB bus with a camera whose
// footage is known, such as a virtual machine with an emulated MTP device:
//
//	SEALDOCK_USB_GUEST=1            run them
//	SEALDOCK_USB_GUEST_FILE=PATH    a file that the camera has too, under the same name
//	SEALDOCK_USB_GUEST_PORT=1-2     the camera's bay; without it, the first camera found
const (
	guestFlag = "SEALDOCK_USB_GUEST"
	guestFile = "SEALDOCK_USB_GUEST_FILE"
	guestPort = "SEALDOCK_USB_GUEST_PORT"
)

func guestPipe(t *testing.T) camera.Pipe {
	t.Helper()
	if os.Getenv(guestFlag) == "" {
		t.Skipf("NOT TESTED: libusb against a real USB bus. Run it where a camera is on the bus, with %s=1 and %s", guestFlag, guestFile)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	b := New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	list, err := b.Devices(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("cameras: %v", list)
	for _, at := range list {
		if port := os.Getenv(guestPort); port != "" && port != at.Port {
			continue
		}
		p, err := b.Open(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Fatalf("no camera found (%s is %q)", guestPort, os.Getenv(guestPort))
	return nil
}

func guestLink(t *testing.T) camera.Link {
	t.Helper()
	l, err := camera.Dial(t.Context(), guestPipe(t), camera.Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func guestObject(t *testing.T, l camera.Link) camera.Object {
	t.Helper()
	objects, warnings, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d objects, warnings: %v", len(objects), warnings)
	for _, o := range objects {
		if filepath.Base(o.Path) == filepath.Base(os.Getenv(guestFile)) {
			return o
		}
	}
	t.Fatalf("the camera has no %s", filepath.Base(os.Getenv(guestFile)))
	return camera.Object{}
}

func digest(t *testing.T, r io.Reader) (sum [32]byte, n int64) {
	t.Helper()
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil)), n
}

// reader reads an object in windows of a size that is no multiple of a packet's.
type reader struct {
	ctx    context.Context
	link   camera.Link
	object camera.Object
	off    int64
	window []byte
}

func (r *reader) WriteTo(w io.Writer) (int64, error) {
	for {
		n, err := r.link.ReadAt(r.ctx, r.object, r.off, r.window)
		if _, err := w.Write(r.window[:n]); err != nil {
			return r.off, err
		}
		r.off += int64(n)
		if errors.Is(err, io.EOF) {
			return r.off, nil
		}
		if err != nil {
			return r.off, err
		}
	}
}

func (r *reader) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

func TestGuestReadsARecordingRight(t *testing.T) {
	l := guestLink(t)
	id, err := l.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("identity: %+v", id)
	o := guestObject(t, l)
	file, err := os.Open(os.Getenv(guestFile))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	want, size := digest(t, file)
	if !o.SizeKnown || o.Size != uint64(size) {
		t.Errorf("listed with %d bytes (known: %v), want %d", o.Size, o.SizeKnown, size)
	}
	for _, window := range []int{8 << 20, 1<<20 + 7} {
		r := &reader{ctx: t.Context(), link: l, object: o, window: make([]byte, window)}
		start := time.Now()
		if _, err := r.WriteTo(io.Discard); err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		r.off = 0
		got, n := digest(t, r)
		t.Logf("%d bytes in windows of %d: %.0f MB/s", n, window, float64(n)/1e6/took.Seconds())
		if n != size || got != want {
			t.Errorf("window %d: read %d bytes with digest %x, want %d with %x", window, n, got, size, want)
		}
	}
}

// A host that dies in mid-transfer must not cost the next one the camera.
func TestGuestCameraSurvivesAnInterruptedHost(t *testing.T) {
	p := guestPipe(t)
	l, err := camera.Dial(t.Context(), p, camera.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := guestObject(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	_, _ = l.ReadAt(ctx, o, 0, make([]byte, 64<<20)) // it ends wherever it is
	cancel()
	if err := p.Close(); err != nil { // without ending the session
		t.Fatal(err)
	}
	TestGuestReadsARecordingRight(t)
}
