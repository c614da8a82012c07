package offload

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
)

// track makes n bytes of text that compresses.
func track(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"at_seconds":%d,"latitude":48.%06d,"longitude":11.%06d},`+"\n", i, i*7919%1000000, i*104729%1000000)
	}
	return b.Bytes()[:n]
}

// Text is sealed encoded where that pays, and gives the bytes that were read;
// everything else is sealed as it was read.
func TestTextIsSealedEncodedAndNothingElse(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	type recording struct {
		kind    evidence.Kind
		data    []byte
		encoded bool
	}
	want := map[string]recording{
		"DCIM/A.JSON":   {evidence.KindMetadata, track(3000), true},
		"DCIM/B.gpx":    {evidence.KindOther, track(3*mib + 17), true},
		"DCIM/C.LOG":    {evidence.KindOther, track(mib), true},
		"DCIM/D.TXT":    {evidence.KindOther, nil, false},
		"DCIM/E.JSON":   {evidence.KindMetadata, track(100), false},
		"DCIM/F.CSV":    {evidence.KindOther, append([]byte("a;b\x00"), track(4000)...), false},
		"DCIM/G.LOG":    {evidence.KindOther, append(bytes.Repeat([]byte{' '}, firstLook), noise(3, 2*mib)...), false},
		"DCIM/H.XML":    {evidence.KindOther, track(maxEncoded + 1), false},
		"DCIM/I.MP4":    {evidence.KindVideo, track(2 * mib), false},
		"DCIM/J.JPG":    {evidence.KindOther, track(5000), false},
		"DCIM/K.JSON":   {evidence.KindVideo, track(5000), false},
		"DCIM/L.NMEA":   {evidence.KindOther, track(maxEncoded), true},
		"DCIM/M.README": {evidence.KindOther, track(5000), false},
	}
	for path, r := range want {
		c.record(path, r.kind, r.data)
	}
	d.plug(c, "1-1")
	d.until("all spooled", func() bool { return d.in(spool.StateSpooled) == len(want) })
	for _, r := range d.rows() {
		plain, m := d.open(r)
		is := want[r.Source.Path]
		if !bytes.Equal(plain, is.data) || m.Length != uint64(len(is.data)) || m.SHA256 != evidence.SHA256(is.data) {
			t.Errorf("%s came out wrong", r.Source.Path)
		}
		if encoded := m.Content != nil; encoded != is.encoded {
			t.Errorf("%s is encoded: %v, want %v", r.Source.Path, encoded, is.encoded)
		}
		if is.encoded && (m.Content.Length > m.Length*9/10 || r.SealedLength() != m.Content.Length) {
			t.Errorf("%s: %d of %d bytes, the spool has %d", r.Source.Path, m.Content.Length, m.Length, r.SealedLength())
		}
		if c.readsOf(r.Source.Path) != 2 {
			t.Errorf("%s was read %d times, want 2", r.Source.Path, c.readsOf(r.Source.Path))
		}
	}
}

// A camera that lists less than it delivers, or other bytes at the second
// reading, gets no other copy for being compressed.
func TestHeldBackRecordingsAreTakenAsTheyCome(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	for i, listed := range []int{10, mib + 5, 3 * mib} {
		c.record(fmt.Sprintf("DCIM/%d.JSON", i), evidence.KindMetadata, track(3*mib+100)).Size = uint64(listed)
	}
	c.record("DCIM/SHORT.JSON", evidence.KindMetadata, track(5000)).Size = 9000
	c.record("DCIM/ODD.JSON", evidence.KindMetadata, track(6000))
	c.onRead = func(o *fakeObject, pass int, off int64, p []byte) error {
		if o.Path == "DCIM/ODD.JSON" && pass == 1 {
			p[100] ^= 1
		}
		return nil
	}
	d.plug(c, "1-1")
	d.until("all spooled", func() bool { return d.in(spool.StateSpooled) == len(c.objects) })
	for _, r := range d.rows() {
		plain, m := d.open(r)
		i := 0
		for c.objects[i].Path != r.Source.Path {
			i++
		}
		if !bytes.Equal(plain, c.objects[i].data) {
			t.Errorf("%s came out wrong", r.Source.Path)
		}
		if longer := uint64(len(plain)) > r.Source.Size; longer != (m.Content == nil) {
			t.Errorf("%s, listed with %d bytes, has content %+v", r.Source.Path, r.Source.Size, m.Content)
		}
	}
	if !d.desk.room.TryAcquire(encodingRoom) {
		t.Error("memory was not given back")
	}
}

// Without memory to hold it, a recording is sealed as it is.
func TestWithoutRoomTextIsSealedAsItIs(t *testing.T) {
	d := newDock(t, nil)
	if !d.desk.room.TryAcquire(encodingRoom - 5000) {
		t.Fatal("no room")
	}
	c := newCamera("CAM-1")
	c.record("DCIM/LONG.JSON", evidence.KindMetadata, track(5000))
	c.record("DCIM/SHORT.JSON", evidence.KindMetadata, track(2500))
	d.plug(c, "1-1")
	d.until("all spooled", func() bool { return d.in(spool.StateSpooled) == 2 })
	for _, r := range d.rows() {
		if _, m := d.open(r); (m.Content != nil) != (r.Source.Path == "DCIM/SHORT.JSON") {
			t.Errorf("%s: content %+v", r.Source.Path, m.Content)
		}
	}
}
