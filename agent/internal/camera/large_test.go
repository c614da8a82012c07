package camera

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// endless is the payload of a GetObject that is made while it is read: zeroes, with the
// offset itself in each eight bytes at a multiple of a MiB. It ends with a short packet.
type endless struct {
	of     ptp.Block // the command
	left   uint64    // bytes to come
	offset uint64
	packet int
}

func (e *endless) on() bool { return e != nil && e.left > 0 }

func (e *endless) send(p []byte) int {
	n := int(min(uint64(len(p)), e.left))
	if uint64(n) < e.left {
		n -= n % e.packet
	}
	clear(p[:n])
	stamp(p[:n], e.offset)
	e.left, e.offset = e.left-uint64(n), e.offset+uint64(n)
	return n
}

// stamp writes into p, which begins at off, those stamps whose bytes it holds.
func stamp(p []byte, off uint64) {
	const every = 1 << 20
	for at := off - off%every; at < off+uint64(len(p)); at += every {
		var mark [8]byte
		binary.BigEndian.PutUint64(mark[:], at)
		for i, b := range mark {
			if k := at + uint64(i); k >= off && k < off+uint64(len(p)) {
				p[k-off] = b
			}
		}
	}
}

// An object over 4 GiB on a camera with 32-bit parts, or none, is read as a whole:
// its container has no length, and a short packet ends it.
func TestObjectsOver4GiBAreStreamedWhereThereAre32BitPartsOnly(t *testing.T) {
	const size = 4<<30 + 3<<20 + 7
	for name, missing := range map[string][]ptp.Operation{
		"32-bit parts": {ptp.OpGetPartialObject64},
		"no parts":     {ptp.OpGetPartialObject64, ptp.OpGetPartialObject},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(64 << 10).without(missing...)
			f.add(1, fakeObject{name: ptp.NewText("big.mp4"), size: size})
			f.sabotage = func(f *fake, c ptp.Block) bool {
				if ptp.Operation(c.Code) != ptp.OpGetObject {
					return false
				}
				f.transfer(ptp.DataHeader(ptp.OpGetObject, c.Transaction, size).Append(nil))
				f.endless = &endless{of: c, left: size, packet: f.packet}
				return true
			}
			l := dial(t, f, Options{})
			o := list(t, l)[0]
			if !o.SizeKnown || o.Size != size {
				t.Fatalf("listed with %d bytes, known %v", o.Size, o.SizeKnown)
			}
			if _, err := l.ReadAt(t.Context(), o, 1<<32, make([]byte, 1<<20)); !errors.Is(err, ErrSequential) {
				t.Fatalf("a part in the middle: %v", err)
			}
			p, at := make([]byte, 8<<20), uint64(0)
			for {
				n, err := l.ReadAt(t.Context(), o, int64(at), p)
				for k := (1<<20 - at%(1<<20)) % (1 << 20); k+8 <= uint64(n); k += 1 << 20 {
					if got := binary.BigEndian.Uint64(p[k:]); got != at+k {
						t.Fatalf("at %d are the bytes of %d", at+k, got)
					}
				}
				at += uint64(n)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("after %d bytes: %v", at, err)
				}
			}
			if at != size {
				t.Fatalf("%d bytes, want %d", at, uint64(size))
			}
			for _, op := range f.commands {
				if op == ptp.OpGetPartialObject {
					t.Error("a part was asked for, whose offset has 32 bits")
				}
			}
		})
	}
}
