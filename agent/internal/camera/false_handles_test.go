package camera

import (
	"strings"
	"testing"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// Handles that stand for nothing, however many, do not keep the walk from what is
// in other folders.
func TestFalseHandlesHideNoFolder(t *testing.T) {
	f := newFake(512)
	f.add(1, fakeObject{name: ptp.NewText("DCIM"), folder: true})
	f.add(2, fakeObject{name: ptp.NewText("a.MP4"), parent: 1, size: 1})
	f.add(3, fakeObject{name: ptp.NewText("root.MP4"), size: 1})
	f.children[0] = []uint32{1, 3}
	for n := range uint32(100_000) {
		f.children[0] = append(f.children[0], 10_000+n)
	}
	objects, warnings, err := dial(t, f, Options{}).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 2 {
		t.Errorf("%d recordings, want 2", len(objects))
	}
	last := warnings[len(warnings)-1]
	if !last.Missing || !strings.Contains(last.Message, "stand for nothing") {
		t.Errorf("not told: %+v", last)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.commands) > 5*maxRefused {
		t.Errorf("%d questions", len(f.commands))
	}
}
