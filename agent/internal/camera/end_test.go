package camera

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// lists makes the camera list another size than it delivers, in both places.
func (f *fake) lists(handle uint32, size uint64) {
	f.objects[handle].listed = &size
}

// ending makes the camera answer in its own way when it is asked for bytes behind
// the end of an object of that size.
func (f *fake) ending(size uint64, answer func(c ptp.Block)) {
	f.sabotage = func(f *fake, c ptp.Block) bool {
		off := uint64(c.Parameter(1))
		switch ptp.Operation(c.Code) {
		case ptp.OpGetPartialObject64:
			off |= uint64(c.Parameter(2)) << 32
		case ptp.OpGetPartialObject:
		default:
			return false
		}
		if off < size {
			return false
		}
		answer(c)
		return true
	}
}

// The ways in which cameras tell that there is nothing more.
func endings(f *fake) map[string]func(c ptp.Block) {
	return map[string]func(c ptp.Block){
		"no bytes":          func(c ptp.Block) { f.answer(c, nil) },
		"OK alone":          func(c ptp.Block) { f.respond(c, ptp.RespOK) },
		"invalid parameter": func(c ptp.Block) { f.respond(c, ptp.RespInvalidParameter) },
		"general error":     func(c ptp.Block) { f.respond(c, ptp.RespGeneralError) },
	}
}

// Whatever size is listed, every byte that the camera has is read, in each way of
// reading and of telling the end.
func TestListedSizesDoNotCutRecordings(t *testing.T) {
	const size = 20000
	for _, parts := range []ptp.Operation{ptp.OpGetPartialObject64, ptp.OpGetPartialObject, ptp.OpGetObject} {
		for _, listed := range []uint64{0, 1, 511, 4096, size - 1, size, size + 1, size + 4096, 1 << 30, 5 << 30} {
			for how := range endings(nil) {
				t.Run(fmt.Sprintf("%v, %d listed, %s", parts, listed, how), func(t *testing.T) {
					f := newFake(512)
					switch parts {
					case ptp.OpGetPartialObject:
						f.without(ptp.OpGetPartialObject64)
					case ptp.OpGetObject:
						f.without(ptp.OpGetPartialObject64, ptp.OpGetPartialObject)
					}
					f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: size, seed: 7})
					f.lists(1, listed)
					f.ending(size, endings(f)[how])
					l := dial(t, f, Options{})
					o := list(t, l)[0]
					if !o.SizeKnown || o.Size != listed {
						t.Fatalf("listed %d, known %v", o.Size, o.SizeKnown)
					}
					whole := parts == ptp.OpGetObject || parts == ptp.OpGetPartialObject && listed > 1<<32
					refused := !whole && listed > size && (how == "invalid parameter" || how == "general error")
					for _, buffer := range []int{4096, 5000, 1 << 20} {
						got, err := readAll(t.Context(), l, o, buffer)
						if refused { // it may be the medium that fails: the recording stays where it is
							if !isRefusal(err) {
								t.Fatalf("buffer %d: %d bytes and %v, want the refusal", buffer, len(got), err)
							}
							continue
						}
						if err != nil || !bytes.Equal(got, content(f.objects[1])) {
							t.Fatalf("buffer %d: %d bytes, %v", buffer, len(got), err)
						}
					}
				})
			}
		}
	}
}

// The end of an honest recording costs one transaction, however small it is.
func TestTheEndCostsOneTransaction(t *testing.T) {
	for _, size := range []uint64{0, 1, 4095, 4096, 4097, 8192} {
		f := newFake(512)
		f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: size})
		l := dial(t, f, Options{})
		o := list(t, l)[0]
		before := len(f.commands)
		if got, err := readAll(t.Context(), l, o, 4096); err != nil || uint64(len(got)) != size {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if n, want := len(f.commands)-before, int(size+4095)/4096+1; n != want {
			t.Errorf("%d bytes took %d reads, want %d", size, n, want)
		}
	}
}

// A camera with 32-bit offsets that has more than it can be asked for fails, so
// that the recording stays on it.
func TestBytesOutOfReachAreAnError(t *testing.T) {
	for _, listed := range []uint64{0, 1000, 1 << 31, 1<<32 - 1} {
		f := newFake(512).without(ptp.OpGetPartialObject64) // one part may reach across 4 GiB, none begins there
		f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 1<<32 + 5, seed: 3})
		f.lists(1, listed)
		l := dial(t, f, Options{})
		o := list(t, l)[0]
		p := make([]byte, 1<<20)
		if _, err := l.ReadAt(t.Context(), o, 1<<32-1<<20, p); err != nil {
			t.Fatalf("below 4 GiB: %v", err)
		}
		want := make([]byte, len(p))
		f.objects[1].fill(want, 1<<32-1<<20)
		if !bytes.Equal(p, want) {
			t.Fatal("below 4 GiB: other bytes")
		}
		if n, err := l.ReadAt(t.Context(), o, 1<<32, p); n != 0 || !errors.Is(err, ErrBeyond) || errors.Is(err, io.EOF) {
			t.Errorf("%d listed: %d bytes, %v", listed, n, err)
		}
		if n, err := l.ReadAt(t.Context(), o, 1<<32-5, p); n != 10 || !errors.Is(err, ErrBeyond) {
			t.Errorf("%d listed, across: %d bytes, %v", listed, n, err)
		}
	}
}

// Refusals with other meanings, and any in front of the listed end, are no end.
func TestRefusalsInTheMiddleAreErrors(t *testing.T) {
	const size = 20000
	codes := []ptp.Response{ptp.RespGeneralError, ptp.RespInvalidParameter, ptp.RespAccessDenied, ptp.RespStoreNotAvailable, ptp.RespIncompleteTransfer}
	for _, code := range codes {
		for _, at := range []uint64{0, 4096, 16384, size} {
			f := newFake(512)
			f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: size})
			f.ending(at, func(c ptp.Block) { f.respond(c, code) })
			l := dial(t, f, Options{})
			o := list(t, l)[0]
			got, err := readAll(t.Context(), l, o, 4096)
			ends := at == size && (code == ptp.RespGeneralError || code == ptp.RespInvalidParameter)
			if ends != (err == nil) || uint64(len(got)) != at {
				t.Errorf("%v at %d: %d bytes, %v", code, at, len(got), err)
			}
			o.Size, o.SizeKnown = 0, false
			f.noSizeProp = true
			hideSizes(f)
			l = dial(t, f, Options{})
			got, err = readAll(t.Context(), l, list(t, l)[0], 4096)
			ends = at > 0 && code == ptp.RespInvalidParameter
			if ends != (err == nil) || uint64(len(got)) != at {
				t.Errorf("size unknown, %v at %d: %d bytes, %v", code, at, len(got), err)
			}
		}
	}
}

// A camera that gives less at a time than it is asked for is read to its end.
func TestShortPartsAreNoEnd(t *testing.T) {
	for _, listed := range []uint64{100, 1024, 20000, 30000} {
		f := newFake(512)
		f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 20000, seed: 1})
		f.lists(1, listed)
		f.sabotage = func(f *fake, c ptp.Block) bool {
			if ptp.Operation(c.Code) == ptp.OpGetPartialObject64 && c.Parameter(3) > 1024 {
				c = ptp.Command(ptp.OpGetPartialObject64, c.Transaction, c.Parameter(0), c.Parameter(1), c.Parameter(2), 1024)
				f.run(c)
				return true
			}
			return false
		}
		l := dial(t, f, Options{})
		if got, err := readAll(t.Context(), l, list(t, l)[0], 5000); err != nil || !bytes.Equal(got, content(f.objects[1])) {
			t.Errorf("%d listed: %d bytes, %v", listed, len(got), err)
		}
	}
}
