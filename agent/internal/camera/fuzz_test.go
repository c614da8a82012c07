package camera

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// hostile is a camera whose every byte comes from the fuzzer: each bulk-in packet
// is a length byte and what follows it, and each length of 255 begins an answer
// that a well-behaved camera could give.
type hostile struct {
	*fake
	script []byte
}

func (h *hostile) BulkOut(ctx context.Context, p []byte) error {
	c, err := ptp.ParseBlock(p)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.changed()
	for len(h.script) > 0 {
		n := int(h.script[0])
		h.script = h.script[1:]
		if n == 255 {
			h.run(c)
			return nil
		}
		n = min(n, len(h.script))
		packet := h.script[:n]
		h.script = h.script[n:]
		if n >= ptp.HeaderSize && packet[0] == 0xEE { // with the header that is expected, so that the dataset is reached
			header := ptp.DataHeader(ptp.Operation(c.Code), c.Transaction, uint64(n-ptp.HeaderSize))
			packet = append(header.Append(nil), packet[ptp.HeaderSize:]...)
			h.queue = append(h.queue, packet)
			h.respond(c, ptp.RespOK)
			return nil
		}
		h.queue = append(h.queue, packet)
		if n%2 == 0 {
			return nil
		}
	}
	h.gone = true
	return nil
}

// A camera may send what it likes: nothing panics, nothing waits for ever, and what
// comes out keeps the promises of the interface.
func FuzzLink(f *testing.F) {
	ok := []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255}
	f.Add([]byte{})
	f.Add(ok)
	f.Add(append(append([]byte{}, ok[:3]...), append([]byte{20, 0xEE}, make([]byte, 19)...)...))
	f.Add(append(append([]byte{}, ok[:5]...), append([]byte{200, 0xEE}, make([]byte, 199)...)...))
	f.Fuzz(func(t *testing.T, script []byte) {
		synctest.Test(t, func(t *testing.T) {
			base := newFake(512)
			base.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 700})
			h := &hostile{fake: base, script: script}
			start := time.Now()
			l, err := Dial(t.Context(), h, Options{MaxObjects: 100})
			if err != nil {
				return
			}
			id, err := l.Identity(t.Context())
			if err == nil && (len(id.Serial) > maxText || len(id.ClockRaw) > maxDate || id.Battery > 100) {
				t.Fatalf("%+v", id)
			}
			objects, _, err := l.List(t.Context())
			if err != nil && len(objects) > 0 {
				t.Fatal("objects with an error")
			}
			paths := map[string]bool{}
			for _, o := range objects {
				if paths[o.Path] || len(o.Path) > maxPath+100 || o.Path == "" {
					t.Fatalf("path %q", o.Path)
				}
				paths[o.Path] = true
				n, err := l.ReadAt(t.Context(), o, 0, make([]byte, 600))
				if n < 600 && err == nil || n > 600 {
					t.Fatalf("%d bytes without an error", n)
				}
			}
			if err := l.Close(); err != nil && !errors.Is(err, ErrGone) {
				t.Fatal(err)
			}
			if waited := time.Since(start); waited > time.Hour {
				t.Fatalf("waited %v", waited)
			}
		})
	})
}
