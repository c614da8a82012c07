package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

func dial(t *testing.T, f *fake, options Options) Link {
	t.Helper()
	l, err := Dial(t.Context(), f.pipe(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.(*link).events.end)
	return l
}

func list(t *testing.T, l Link) []Object {
	t.Helper()
	objects, warnings, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Logf("warning: %+v", w)
	}
	return objects
}

// readAll reads an object from its start with buffers of the given size.
func readAll(ctx context.Context, l Link, o Object, buffer int) ([]byte, error) {
	var all []byte
	p := make([]byte, buffer)
	for {
		n, err := l.ReadAt(ctx, o, int64(len(all)), p)
		all = append(all, p[:n]...)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

func content(o *fakeObject) []byte {
	p := make([]byte, o.size)
	o.fill(p, 0)
	return p
}

func TestReadsEveryRecordingByteForByte(t *testing.T) {
	sizes := []uint64{0, 1, 51, 52, 53, 499, 500, 501, 511, 512, 513, 1012, 1024, 1<<16 - 12, 1<<16 + 3, 1<<20 + 7}
	ways := map[string]func(*fake){
		"64-bit parts":   func(*fake) {},
		"32-bit parts":   func(f *fake) { f.without(ptp.OpGetPartialObject64) },
		"whole objects":  func(f *fake) { f.without(ptp.OpGetPartialObject64, ptp.OpGetPartialObject) },
		"size not known": func(f *fake) { f.noSizeProp = true; hideSizes(f) },
		"whole, size not known": func(f *fake) {
			f.without(ptp.OpGetPartialObject64, ptp.OpGetPartialObject)
			f.noSizeProp = true
			hideSizes(f)
		},
		"header alone":            func(f *fake) { f.headerAlone = true },
		"without empty packets":   func(f *fake) { f.lostZLP = true },
		"containers of no length": func(f *fake) { f.unknownLength = true },
		"whole, no length":        func(f *fake) { f.unknownLength = true; f.without(ptp.OpGetPartialObject64, ptp.OpGetPartialObject) },
		"session first":           func(f *fake) { f.needsSession = ptp.RespSessionNotOpen },
		"session kept":            func(f *fake) { f.keepsSession, f.session = true, true },
		"no class requests":       func(f *fake) { f.noStatus = true },
	}
	for way, change := range ways {
		for _, packet := range []int{8, 64, 512, 1024} {
			t.Run(fmt.Sprintf("%s, packets of %d", way, packet), func(t *testing.T) {
				f := newFake(packet)
				change(f)
				if f.lostZLP && packet < ptp.MaxBlockSize {
					return // there a response can fill its packets, and nothing else ends it
				}
				for i, size := range sizes {
					f.add(uint32(i+1), fakeObject{name: ptp.NewText(fmt.Sprint(size)), size: size, seed: byte(i)})
				}
				change(f)
				l := dial(t, f, Options{Window: 1 << 20, Timeout: 5 * time.Second})
				for i, o := range list(t, l) {
					for _, buffer := range []int{1 << 20, 70001} {
						got, err := readAll(t.Context(), l, o, buffer)
						if want := content(f.objects[o.Handle]); err != nil || !bytes.Equal(got, want) {
							t.Fatalf("object of %d bytes, buffer %d: %d bytes, %v", sizes[i], buffer, len(got), err)
						}
					}
				}
				if err := l.Close(); err != nil || !f.closed {
					t.Fatalf("close: %v, pipe closed: %v", err, f.closed)
				}
				if f.session && !f.keepsSession {
					t.Error("the session was left open")
				}
			})
		}
	}
}

func hideSizes(f *fake) {
	for _, o := range f.objects {
		o.lowSize = ptp.SizeIsUnknown
	}
}

func TestReadAtAnyOffset(t *testing.T) {
	f := newFake(512)
	f.add(1, fakeObject{name: ptp.NewText("big.mp4"), size: 6<<30 + 5, seed: 9})
	l := dial(t, f, Options{})
	o := list(t, l)[0]
	if !o.SizeKnown || o.Size != 6<<30+5 {
		t.Fatalf("size %d, known %v", o.Size, o.SizeKnown)
	}
	for _, off := range []int64{0, 1, 500, 1 << 31, 1<<32 - 100, 1 << 32, 6 << 30, 6<<30 + 4} {
		p := make([]byte, 300)
		n, err := l.ReadAt(t.Context(), o, off, p)
		want := make([]byte, min(300, int64(o.Size)-off))
		f.objects[1].fill(want, uint64(off))
		if n != len(want) || !bytes.Equal(p[:n], want) || (err != nil) != (n < 300) || err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("at %d: %d bytes, %v", off, n, err)
		}
	}
	if n, err := l.ReadAt(t.Context(), o, 6<<30+5, make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
}

func TestSequentialCameraRefusesJumps(t *testing.T) {
	f := newFake(512).without(ptp.OpGetPartialObject64, ptp.OpGetPartialObject)
	f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 5000, seed: 1})
	f.add(2, fakeObject{name: ptp.NewText("b.mp4"), size: 5000, seed: 2})
	l := dial(t, f, Options{})
	objects := list(t, l)
	p := make([]byte, 1000)
	for range 2 { // the second round begins anew in mid-object
		for off := int64(0); off < 3000; off += 1000 {
			if _, err := l.ReadAt(t.Context(), objects[0], off, p); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.ReadAt(t.Context(), objects[0], 100, p); !errors.Is(err, ErrSequential) {
			t.Fatalf("jump: %v", err)
		}
		if _, err := l.ReadAt(t.Context(), objects[1], 3000, p); !errors.Is(err, ErrSequential) {
			t.Fatalf("other object: %v", err)
		}
	}
	got, err := readAll(t.Context(), l, objects[1], 999)
	if err != nil || !bytes.Equal(got, content(f.objects[2])) {
		t.Fatalf("after abandoned streams: %d bytes, %v", len(got), err)
	}
	if f.cancels == 0 {
		t.Error("the abandoned transfer was not cancelled on the camera")
	}
}

func TestIdentityIsPrintable(t *testing.T) {
	l := dial(t, newFake(512), Options{})
	id, err := l.Identity(t.Context())
	want := Identity{
		Serial: "SN%2F1", Vendor: "Maker", Model: "Model%00%E2%80%AE1", Firmware: "1.0", Battery: 77, ClockRaw: "20260301T101112+0100",
		Clock: time.Date(2026, 3, 1, 9, 11, 12, 0, time.UTC), ClockKnown: true, ClockZoned: true,
	}
	if err != nil || id != want {
		t.Fatalf("%+v, %v", id, err)
	}
	f := newFake(512)
	f.info.SerialNumber, f.info.DeviceProperties = nil, nil
	if id, err = dial(t, f, Options{}).Identity(t.Context()); err != nil || id.Serial != "usb serial" || id.Battery != -1 || id.ClockKnown {
		t.Fatalf("bare camera: %+v, %v", id, err)
	}
}

func TestListingNamesEverythingOnce(t *testing.T) {
	f := newFake(512)
	f.add(1, fakeObject{name: ptp.NewText("DCIM"), folder: true})
	f.add(2, fakeObject{name: ptp.NewText("100EVID"), folder: true, parent: 1})
	f.add(3, fakeObject{name: ptp.NewText("a.MP4"), parent: 2, size: 1})
	f.add(4, fakeObject{name: ptp.NewText("a.MP4"), parent: 2, size: 2})
	f.add(5, fakeObject{name: ptp.NewText("../../etc/passwd"), parent: 2})
	f.add(6, fakeObject{name: ptp.NewText(".."), folder: true, parent: 1})
	f.add(7, fakeObject{name: ptp.NewText("x\x00y\n.json"), parent: 6})
	f.add(8, fakeObject{name: ptp.Text{'s', 0xD800, 'e'}, parent: 6})
	f.add(9, fakeObject{name: nil, parent: 6})
	f.add(10, fakeObject{name: ptp.NewText("hidden.mp4"), parent: 2, unlisted: true})
	f.add(11, fakeObject{name: ptp.NewText("lost.mp4"), parent: 999, unlisted: true})
	f.add(12, fakeObject{name: ptp.NewText("Größe 日本 100%.mov"), parent: 0})
	f.add(13, fakeObject{name: ptp.NewText(strings.Repeat("\x01", 254)), parent: 0})
	f.children[6] = []uint32{7, 8, 9, 7, 1, 6, 0, 0xFFFFFFFF, 777} // twice, cycles, impossible, unknown
	l := dial(t, f, Options{})
	objects, warnings, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, o := range objects {
		paths = append(paths, o.Path)
		if !bytes.Equal(o.RawName, f.objects[o.Handle].name.Bytes()) {
			t.Errorf("%s: raw name %x", o.Path, o.RawName)
		}
	}
	want := []string{
		"Größe 日本 100%25.mov", strings.Repeat("%01", 169) + "%0…"[:2] + "…", "DCIM/100EVID/a.MP4", "DCIM/100EVID/a.MP4 (handle 4)",
		"DCIM/100EVID/..%2F..%2Fetc%2Fpasswd", "DCIM/%2E%2E/x%00y%0A.json", "DCIM/%2E%2E/s%uD800e", "DCIM/%2E%2E/%00",
		"DCIM/100EVID/hidden.mp4", "unlisted/lost.mp4",
	}
	if !slices.Equal(paths, want) {
		t.Errorf("paths\n%q\nwant\n%q", paths, want)
	}
	if len(warnings) != 9 {
		t.Errorf("%d warnings: %+v", len(warnings), warnings)
	}
}

func TestPathsStayTheSameInAllListings(t *testing.T) {
	f := newFake(512)
	f.add(1, fakeObject{name: ptp.NewText("A"), size: 1})
	f.add(2, fakeObject{name: ptp.NewText("A"), folder: true})
	f.add(3, fakeObject{name: ptp.NewText("T.MP4"), parent: 2, size: 1})
	f.add(4, fakeObject{name: ptp.NewText("T.MP4"), parent: 2, size: 2})
	f.add(5, fakeObject{name: ptp.NewText("A"), size: 3})
	l := dial(t, f, Options{})
	first := map[uint32]string{}
	for _, o := range list(t, l) {
		first[o.Handle] = o.Path
	}
	for _, erased := range []uint32{1, 3} {
		delete(f.objects, erased)
		f.add(erased+10, fakeObject{name: ptp.NewText("A"), size: 9}) // takes no name that was just another's
		for _, o := range list(t, l) {
			if was, known := first[o.Handle]; known && o.Path != was {
				t.Errorf("object %d was %q and is %q after %d was erased", o.Handle, was, o.Path, erased)
			}
			if first[o.Handle] = o.Path; o.Handle == 11 && o.Path == "A" {
				t.Errorf("object %d took the name of the erased one", o.Handle)
			}
		}
	}
}

func TestListingEndsAtItsLimitAndSaysSo(t *testing.T) {
	f := newFake(512)
	for i := range uint32(300) {
		f.add(i+1, fakeObject{name: ptp.NewText("f"), folder: true, parent: i}) // each in the one before
	}
	f.add(1000, fakeObject{name: ptp.NewText("deep.mp4"), parent: 300})
	l := dial(t, f, Options{})
	objects, warnings, err := l.List(t.Context())
	if err != nil || len(objects) != 1 {
		t.Fatalf("%v, %v, %v: an object below the depth limit is lost", objects, warnings, err)
	}
	l = dial(t, f, Options{MaxObjects: 50})
	objects, warnings, err = l.List(t.Context())
	if err != nil || len(objects) != 0 || !strings.Contains(fmt.Sprint(warnings), "NOT taken in") || !warnings[len(warnings)-1].Missing {
		t.Fatalf("%v, %v, %v", objects, warnings, err)
	}
}

func TestTwoSizesMakeTheSizeUnknown(t *testing.T) {
	f := newFake(512)
	f.add(1, fakeObject{name: ptp.NewText("low"), size: 5<<30 + 7, lowSize: 1<<30 + 7}) // the low 32 bits
	f.add(2, fakeObject{name: ptp.NewText("liar"), size: 5000, lowSize: 4000})
	l := dial(t, f, Options{})
	o := list(t, l)
	if !o[0].SizeKnown || o[0].Size != 5<<30+7 || o[1].SizeKnown {
		t.Fatalf("%+v", o)
	}
	if got, err := readAll(t.Context(), l, o[1], 999); err != nil || len(got) != 5000 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

// renumber gives every object the handle of the next one, as a camera may do
// between sessions.
func renumber(f *fake) {
	last := len(f.order) - 1
	first := f.objects[f.order[0]]
	for i := range last {
		f.objects[f.order[i]] = f.objects[f.order[i+1]]
	}
	f.objects[f.order[last]] = first
}

func TestRenumberedObjectsAreNeverMixedUp(t *testing.T) {
	for name, size := range map[string]uint64{"same size": 20000, "other size": 9000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(512)
				f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 20000, seed: 1})
				f.add(2, fakeObject{name: ptp.NewText("b.mp4"), size: size, seed: 2})
				l := dial(t, f, Options{})
				o := list(t, l)[0]
				if _, err := l.ReadAt(t.Context(), o, 0, make([]byte, 3000)); err != nil {
					t.Fatal(err)
				}
				hung := false
				f.sabotage = func(f *fake, c ptp.Block) bool {
					if hung {
						return false
					}
					hung = true
					renumber(f)
					return true
				}
				if _, err := l.ReadAt(t.Context(), o, 3000, make([]byte, 3000)); !errors.Is(err, ErrChanged) {
					t.Fatalf("read: %v, want ErrChanged", err)
				}
				if err := l.Delete(t.Context(), o); !errors.Is(err, ErrChanged) || len(f.objects) != 2 || f.objects[1] == nil {
					t.Fatalf("delete: %v, %d objects left", err, len(f.objects))
				}
			})
		})
	}
}

func TestObjectsOfAnEarlierDockingAreProvenFirst(t *testing.T) {
	f := newFake(512)
	f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 20000, seed: 1})
	f.add(2, fakeObject{name: ptp.NewText("b.mp4"), size: 20000, seed: 2})
	l := dial(t, f, Options{})
	o := list(t, l)[0]
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = dial(t, f, Options{})
	if got, err := readAll(t.Context(), l, o, 3000); err != nil || !bytes.Equal(got, content(f.objects[1])) {
		t.Fatalf("unchanged: %d bytes, %v", len(got), err)
	}
	renumber(f)
	l = dial(t, f, Options{})
	if _, err := readAll(t.Context(), l, o, 3000); !errors.Is(err, ErrChanged) {
		t.Fatal(err)
	}
}

func TestDeleteRemovesExactlyOneObject(t *testing.T) {
	f := newFake(512)
	f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 1})
	f.add(2, fakeObject{name: ptp.NewText("b.mp4"), size: 2})
	l := dial(t, f, Options{})
	o := list(t, l)
	if err := l.Delete(t.Context(), o[0]); err != nil {
		t.Fatal(err)
	}
	if f.objects[1] != nil || f.objects[2] == nil {
		t.Fatalf("%v", f.objects)
	}
	if err := l.Delete(t.Context(), o[0]); !errors.Is(err, ErrChanged) {
		t.Errorf("deleting twice: %v", err)
	}
	for _, handle := range []uint32{0, ptp.DeleteAll} {
		if err := l.Delete(t.Context(), Object{Handle: handle}); err == nil {
			t.Errorf("handle %08x was accepted", handle)
		}
	}
	f.sabotage = func(f *fake, c ptp.Block) bool {
		if ptp.Operation(c.Code) != ptp.OpDeleteObject {
			return false
		}
		f.respond(c, ptp.RespAccessDenied)
		return true
	}
	var refused *RefusedError
	if err := l.Delete(t.Context(), o[1]); !errors.As(err, &refused) || refused.Code != ptp.RespAccessDenied {
		t.Errorf("refusal: %v", err)
	}
}

func TestSafeNamesAreDistinctAndPlain(t *testing.T) {
	names := []ptp.Text{
		nil, {0}, ptp.NewText("."), ptp.NewText(".."), ptp.NewText("..."), ptp.NewText("a/b"), ptp.NewText(`a\b`), ptp.NewText("a%2Fb"), ptp.NewText("a b"),
		{0xD800}, {0xDC00}, ptp.NewText("%uD800"), ptp.NewText("\uFFFD"), ptp.NewText("\u202Etxt"), ptp.NewText("\u200b"), ptp.NewText("\x7f"), ptp.NewText("\u0085"), ptp.NewText("é"), ptp.NewText("e\u0301"),
	}
	seen := map[string]int{}
	for i, n := range names {
		s := SafeName(n)
		if before, ok := seen[s]; ok && i > 1 { // the empty name and one NUL are both %00
			t.Errorf("names %d and %d both become %q", before, i, s)
		}
		seen[s] = i
		if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/\\\x00\n\x7f\u202e\ufffd") {
			t.Errorf("%v became %q", n, s)
		}
	}
	if s := SafeName(ptp.NewText(strings.Repeat("日", 254))); len(s) > maxName || !strings.HasSuffix(s, "…") {
		t.Errorf("%d bytes: %s", len(s), s)
	}
}
