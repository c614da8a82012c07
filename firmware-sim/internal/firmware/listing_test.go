package firmware_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestAListingIsSignedAndInOrder(t *testing.T) {
	rig := newRig(t)
	h := rig.session(t)
	if list := rig.listing(t, h, 0); len(list) != 0 {
		t.Errorf("an empty camera lists %v", list)
	}
	made := rig.add(t, 10, 20, 30, 40)
	if err := rig.camera.Remove(made[1].Path); err != nil {
		t.Fatal(err)
	}
	rig.camera.Mark(made[2].Path, true)
	list := rig.listing(t, h, 0)
	if len(list) != 3 {
		t.Fatalf("%d recordings", len(list))
	}
	for i, want := range []uint64{1, 3, 4} {
		r := made[want-1]
		if l := list[i]; l.Sequence != want || l.SHA256 != evidence.Digest(digest(t, r)) || l.Length != uint64(r.Size) || l.Name != r.Name.String() ||
			l.Handle != find(t, h, r.Name.String()) || !l.StartedAt.Equal(noon) || !l.EndedAt.Equal(noon.Add(time.Minute)) || l.Urgent != (want == 3) {
			t.Errorf("%+v", l)
		}
	}
	if rest := rig.listing(t, h, 4); len(rest) != 1 || rest[0].Sequence != 4 {
		t.Errorf("from 4 on: %+v", rest)
	}
	if rest := rig.listing(t, h, 5); len(rest) != 0 {
		t.Errorf("from 5 on: %+v", rest)
	}
	if rest := rig.listing(t, h, 1<<40); len(rest) != 0 {
		t.Errorf("from 2^40 on: %+v", rest)
	}
	if err := rig.camera.Remove(made[3].Path); err != nil {
		t.Fatal(err)
	}
	if n := rig.add(t, 1)[0].Sequence; n != 5 {
		t.Errorf("number %d was given, want 5: none is given twice", n)
	}
}

func TestALongListingComesInPartsAndThenFromANumberOn(t *testing.T) {
	rig := newRig(t)
	const n = 12_000
	for i := range n {
		r := &firmware.Recording{Name: camera.NewText("A"), Path: "DCIM/" + strings.Repeat("n", i%300+1), Kind: evidence.KindVideo, Size: 1, SHA256: evidence.Digest{1},
			Captured: noon, Started: noon, Ended: noon, Officer: "Maya Lindqvist", OfficerID: "o-1041", Content: firmware.Synthetic{Size: 1}}
		if err := rig.camera.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	h := rig.session(t)
	first := get[camera.Listing](t, h, camera.OpGetListing)
	if len(first.Parts) < 3 {
		t.Errorf("%d parts", len(first.Parts))
	}
	var part evidence.CameraListing
	verified(t, first.Parts[0], evidence.TypeCameraListing, rig.camera.Key(), &part)
	if len(part.Recordings) != evidence.MaxListing {
		t.Errorf("%d recordings in the first part", len(part.Recordings))
	}
	if size := len(encode(t, first)); size > camera.MaxListingDocument || size < camera.MaxListingDocument*9/10 {
		t.Errorf("a document of %d bytes, the limit is %d", size, camera.MaxListingDocument)
	}
	list := rig.listing(t, h, 1)
	if len(list) != n || !slices.IsSortedFunc(list, func(a, b evidence.CameraRecording) int { return int(a.Sequence) - int(b.Sequence) }) {
		t.Errorf("%d recordings of %d", len(list), n)
	}
}

func TestNamesThatCannotBeSignedAreWrittenSoThatTheyCan(t *testing.T) {
	rig := newRig(t)
	for _, name := range []string{strings.Repeat(`\u0000`, 254), "漢\u200bx", strings.Repeat("漢", 400)} {
		r := &firmware.Recording{Name: camera.NewText("A"), Path: "DCIM/" + name, Kind: evidence.KindVideo, Content: firmware.Synthetic{}, SHA256: evidence.Digest{1}}
		if err := rig.camera.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	list := rig.listing(t, rig.session(t), 1)
	if len(list) != 3 || len(list[0].Name) > 1024 || len(list[2].Name) != 1023 {
		t.Errorf("%+v", list)
	}
}
