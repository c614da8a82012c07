package volume

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/internal/mhl"
)

// The tests named TestGuest run on a machine that has a USB bus with one
// mass-storage device whose content is known, such as a virtual machine with an
// emulated one:
//
//	SEALDOCK_USB_GUEST=1              run them
//	SEALDOCK_USB_GUEST_FOLDER=PATH    a folder with the same files; without it, contents are not compared
//	SEALDOCK_USB_GUEST_PULLED=1       TestGuestPulled: somebody pulls the device when "reading" is printed
const (
	guestFlag   = "SEALDOCK_USB_GUEST"
	guestFolder = "SEALDOCK_USB_GUEST_FOLDER"
	guestPulled = "SEALDOCK_USB_GUEST_PULLED"
)

func guestDoor(t *testing.T) (*Door, camera.Location) {
	t.Helper()
	if os.Getenv(guestFlag) == "" {
		t.Skipf("NOT TESTED: mounting a card with the kernel. Run it where a mass-storage device is on a USB bus, with %s=1", guestFlag)
	}
	d := New(Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	list, err := d.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("devices: %v", list)
	if len(list) != 1 {
		t.Fatalf("%d mass-storage devices, want 1", len(list))
	}
	return d, list[0]
}

func guestLink(t *testing.T) camera.Link {
	t.Helper()
	d, at := guestDoor(t)
	began := time.Now()
	l, err := d.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("opened in %v", time.Since(began))
	t.Cleanup(func() {
		if err := l.Close(); err != nil && os.Getenv(guestPulled) == "" {
			t.Error(err)
		}
	})
	return l
}

func guestList(t *testing.T, l camera.Link) []camera.Object {
	t.Helper()
	objects, warnings, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Logf("warning (missing: %v): %s", w.Missing, w.Message)
	}
	for _, o := range objects {
		t.Logf("%d %s %d bytes %s %s", o.Handle, o.Path, o.Size, o.ModifiedRaw, o.Kind)
	}
	return objects
}

// take reads an object to its end.
func take(ctx context.Context, l camera.Link, o camera.Object, w io.Writer) (int64, error) {
	p := make([]byte, 1<<20)
	for off := int64(0); ; {
		n, err := l.ReadAt(ctx, o, off, p)
		off += int64(n)
		if _, err := w.Write(p[:n]); err != nil {
			return off, err
		}
		if errors.Is(err, io.EOF) {
			return off, nil
		}
		if err != nil {
			return off, err
		}
	}
}

// sectorsRead is how many sectors of 512 bytes all USB disks have delivered
// (Documentation/admin-guide/iostats.rst, field 3).
func sectorsRead(t *testing.T) (sum uint64) {
	t.Helper()
	devices, err := scan("/sys")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		for _, k := range d.disks {
			n, err := strconv.ParseUint(strings.Fields(attribute(k.path, "stat"))[2], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

func TestGuestReadsTheCardTwiceFromTheDevice(t *testing.T) {
	l := guestLink(t)
	id, err := l.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("identity: %+v", id)
	for _, o := range guestList(t, l) {
		check := mhl.NewCheck(nil)
		expected := l.(camera.Hashed).Expected(o)
		if len(expected) > 0 {
			var hashes []mhl.Hash
			for _, e := range expected {
				hashes = append(hashes, mhl.Hash(e))
			}
			check = mhl.NewCheck(hashes)
		}
		var sums [2][32]byte
		for pass := range sums {
			h := sha256.New()
			before, began := sectorsRead(t), time.Now()
			n, err := take(t.Context(), l, o, io.MultiWriter(h, check))
			if err != nil {
				t.Fatalf("%s, pass %d: %v", o.Path, pass+1, err)
			}
			if came := (sectorsRead(t) - before) * 512; came < uint64(n) {
				t.Errorf("%s, pass %d: %d bytes were read and %d came from the device", o.Path, pass+1, n, came)
			}
			if n > 1<<20 {
				t.Logf("%s, pass %d: %.0f MB/s", o.Path, pass+1, float64(n)/1e6/time.Since(began).Seconds())
			}
			if pass == 0 {
				for _, r := range check.Results() {
					t.Logf("%s: %s %s (%s)", o.Path, r.Algorithm, r.Outcome, r.Origin)
				}
				check = mhl.NewCheck(nil)
			}
			sums[pass] = [32]byte(h.Sum(nil))
		}
		if sums[0] != sums[1] {
			t.Errorf("%s: two readings differ", o.Path)
		}
		compare(t, o, l.(*link).files[o.Handle].path, sums[0])
	}
	began := time.Now()
	if objects := guestList(t, l); len(objects) == 0 {
		t.Error("the card is empty")
	}
	t.Logf("listed again in %v", time.Since(began))
}

// compare compares a file's digest with that of the file with its path in the known folder.
func compare(t *testing.T, o camera.Object, raw string, got [32]byte) {
	t.Helper()
	folder := os.Getenv(guestFolder)
	if folder == "" {
		return
	}
	file, err := os.Open(filepath.Join(folder, raw))
	if err != nil {
		t.Errorf("%s is on the card and not in the known folder: %v", o.Path, err)
		return
	}
	defer func() { _ = file.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		t.Fatal(err)
	}
	if [32]byte(h.Sum(nil)) != got {
		t.Errorf("%s: the card's copy has another digest", o.Path)
	}
}

// Everything but the last file is read and erased; then the card is opened anew.
func TestGuestErasesWhatItRead(t *testing.T) {
	l := guestLink(t)
	objects := guestList(t, l)
	if len(objects) < 2 {
		t.Fatalf("%d files on the card, want 2", len(objects))
	}
	for _, o := range objects[1:] {
		if _, err := take(t.Context(), l, o, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range objects[1:] {
		if err := l.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if left := guestList(t, l); len(left) != 1 || left[0].Path != objects[0].Path {
		t.Errorf("left: %v", left)
	}
	if _, err := take(t.Context(), l, objects[1], io.Discard); !errors.Is(err, camera.ErrChanged) {
		t.Errorf("reading what was erased: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if left := guestList(t, guestLink(t)); len(left) != 1 {
		t.Errorf("left after opening anew: %v", left)
	}
}

// The card's state forbids writing: nothing is erased, and the reason is told.
func TestGuestRefusesToErase(t *testing.T) {
	l := guestLink(t)
	objects := guestList(t, l)
	if len(objects) == 0 {
		t.Fatal("nothing on the card")
	}
	o := objects[0]
	if _, err := take(t.Context(), l, o, io.Discard); err != nil {
		t.Fatal(err)
	}
	err := l.Delete(t.Context(), o)
	var refused *camera.RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("%v, want a refusal", err)
	}
	t.Logf("told: %v", err)
	if left := guestList(t, l); len(left) != len(objects) {
		t.Errorf("left: %v", left)
	}
}

// What the device has is not read; the reason is told and nothing hangs.
func TestGuestRefusesToOpen(t *testing.T) {
	d, at := guestDoor(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	l, err := d.Open(ctx, at)
	if err == nil {
		t.Fatal(errors.Join(errors.New("it was opened"), l.Close()))
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	t.Logf("told: %v", err)
}

// A damaged or hostile card: whatever comes, everything ends in time and no file
// gives more than the card has.
func TestGuestSurvives(t *testing.T) {
	d, at := guestDoor(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	l, err := d.Open(ctx, at)
	if err != nil {
		t.Logf("told: %v", err)
		return
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	objects, warnings, err := l.List(ctx)
	if ctx.Err() != nil {
		t.Fatalf("listing hangs: %v", err)
	}
	for _, w := range warnings[:min(len(warnings), 10)] {
		t.Logf("warning (missing: %v): %.200s", w.Missing, w.Message)
	}
	t.Logf("%d files, %d warnings, %v", len(objects), len(warnings), err)
	for _, o := range objects[:min(len(objects), 50)] {
		n, err := take(ctx, l, o, io.Discard)
		if ctx.Err() != nil || n > 5<<30 {
			t.Fatalf("reading %s hangs after %d bytes: %v", o.Path, n, err)
		}
		if err != nil {
			t.Logf("%s ends after %d of %d bytes: %v", o.Path, n, o.Size, err)
		}
	}
}

func TestGuestPulled(t *testing.T) {
	if os.Getenv(guestPulled) == "" {
		t.Skipf("NOT TESTED: a card that is pulled. Run it with %s=1 and pull it", guestPulled)
	}
	l := guestLink(t)
	objects := guestList(t, l)
	watched := make(chan time.Time, 1)
	go func() {
		if err := l.Watch(t.Context()); errors.Is(err, camera.ErrGone) {
			watched <- time.Now()
		}
	}()
	_, _ = os.Stdout.WriteString("reading\n")
	for {
		for _, o := range objects {
			if _, err := take(t.Context(), l, o, io.Discard); errors.Is(err, camera.ErrGone) {
				read := time.Now()
				t.Logf("told: %v", err)
				t.Logf("watch and read told it within %v of each other", read.Sub(<-watched).Abs())
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}
