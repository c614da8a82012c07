package offload

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/sealdock/sealdock/agent/internal/camera"
	ptp "github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// fakeCamera is a camera with behaviour: it keeps recordings and handles over
// dockings, and misbehaves as its hooks say. Safe for concurrent use.
type fakeCamera struct {
	serial string

	mu      sync.Mutex // guards all below
	objects []*fakeObject
	next    uint32
	deletes []string // paths, in order
	reads   map[string]int
	lists   int

	onRead   func(o *fakeObject, pass int, off int64, p []byte) error // may alter p
	onDelete func(o *fakeObject) error                                // an error leaves the object
	gone     bool
}

type fakeObject struct {
	camera.Object
	data []byte
}

func newCamera(serial string) *fakeCamera {
	return &fakeCamera{serial: serial, next: 1, reads: map[string]int{}}
}

func (c *fakeCamera) record(path string, kind evidence.Kind, data []byte) *fakeObject {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &fakeObject{data: data, Object: camera.Object{Handle: c.next, Storage: 1, Path: path, Format: 0xb982, Size: uint64(len(data)), SizeKnown: true, CapturedRaw: "20261101T100000", Kind: kind}}
	c.next++
	c.objects = append(c.objects, o)
	return o
}

// paths lists what is left on the camera.
func (c *fakeCamera) paths() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []string{}
	for _, o := range c.objects {
		out = append(out, o.Path)
	}
	return out
}

func (c *fakeCamera) readsOf(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads[path]
}

func (c *fakeCamera) listings() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lists
}

func (c *fakeCamera) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// fakeLink is a session with a fakeCamera.
type fakeLink struct{ *fakeCamera }

func (l fakeLink) Identity(ctx context.Context) (camera.Identity, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return camera.Identity{}, camera.ErrGone
	}
	return camera.Identity{Serial: l.serial, Vendor: "Fictional", Model: "F1", Firmware: "1.0", Battery: 80, ClockRaw: "20261101T110000"}, nil
}

func (l fakeLink) List(ctx context.Context) ([]camera.Object, []camera.Warning, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return nil, nil, camera.ErrGone
	}
	l.lists++
	var out []camera.Object
	for _, o := range l.objects {
		out = append(out, o.Object)
	}
	return out, nil, nil
}

func (l fakeLink) find(handle uint32) *fakeObject {
	i := slices.IndexFunc(l.objects, func(o *fakeObject) bool { return o.Handle == handle })
	if i < 0 {
		return nil
	}
	return l.objects[i]
}

func (l fakeLink) ReadAt(ctx context.Context, object camera.Object, off int64, p []byte) (int, error) {
	l.mu.Lock()
	o, hook, gone := l.find(object.Handle), l.onRead, l.gone
	if o != nil && off == 0 {
		l.reads[o.Path]++
	}
	pass := 0
	if o != nil {
		pass = l.reads[o.Path]
	}
	l.mu.Unlock()
	switch {
	case gone:
		return 0, camera.ErrGone
	case o == nil:
		return 0, &camera.RefusedError{Operation: ptp.OpGetPartialObject64, Code: ptp.RespInvalidObjectHandle}
	case ctx.Err() != nil:
		return 0, ctx.Err()
	}
	n := copy(p, o.data[min(off, int64(len(o.data))):])
	if hook != nil {
		if err := hook(o, pass, off, p[:n]); err != nil {
			if err == errHang {
				<-ctx.Done()
				return 0, fmt.Errorf("hanging: %w", ctx.Err())
			}
			return 0, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (l fakeLink) Delete(ctx context.Context, object camera.Object) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.find(object.Handle)
	switch {
	case l.gone:
		return camera.ErrGone
	case o == nil || o.Path != object.Path:
		return camera.ErrChanged
	}
	if l.onDelete != nil {
		if err := l.onDelete(o); err == errKept {
			return nil
		} else if err != nil {
			return err
		}
	}
	l.deletes = append(l.deletes, o.Path)
	l.objects = slices.DeleteFunc(l.objects, func(x *fakeObject) bool { return x == o })
	return nil
}

func (l fakeLink) Close() error { return nil }

func (l fakeLink) Watch(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

// errKept, from a delete hook, keeps the object of which the camera says that it
// is erased.
var errKept = fmt.Errorf("kept")

// errHang, from a read hook, stalls the read until the reader gives up.
var errHang = fmt.Errorf("hang")
