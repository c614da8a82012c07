package offload

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Bounds of what is held in memory until its end is known, since only then it can
// be said whether encoding pays.
const (
	maxEncoded   = 16 << 20 // bytes of one recording, as listed
	encodingRoom = 64 << 20 // bytes of all bays, a recording and its encoding
	firstLook    = 4 << 10  // bytes
)

// heldBack stands between reading and sealing. A recording that may be encoded
// stays in it until its last window came; every other passes through.
type heldBack struct {
	docking *Docking
	sealing *sealing
	seal    func(plain []byte, index uint64, last bool) error
	plain   []byte // read and not yet sealed; its capacity is what may be held
	room    int64
}

// holdBack prepares to seal a recording, encoded if it is text by its name, fits
// into memory, and that pays.
func (d *Docking) holdBack(it *item, s *sealing, seal func(plain []byte, index uint64, last bool) error) *heldBack {
	h := &heldBack{docking: d, sealing: s, seal: seal}
	room := 2 * int64(min(it.object.Size, maxEncoded))
	if textName(it.object) && it.object.SizeKnown && it.object.Size <= maxEncoded && d.desk.room.TryAcquire(room) {
		h.room, h.plain = room, make([]byte, 0, it.object.Size)
	}
	return h
}

// textName: sidecars, tracks and logs, never sound, pictures or video.
func textName(o camera.Object) bool {
	if o.Kind == evidence.KindVideo {
		return false
	}
	switch strings.ToLower(path.Ext(o.Path)) {
	case ".json", ".geojson", ".gpx", ".kml", ".nmea", ".csv", ".tsv", ".xml", ".log", ".txt":
		return true
	}
	return false
}

// textLook: no byte at its beginning is one that text does not have.
func textLook(data []byte) bool {
	return !bytes.ContainsFunc(data[:min(len(data), firstLook)], func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f'
	})
}

func (h *heldBack) take(w *window) error {
	if h.room == 0 || len(h.plain)+len(w.data) > cap(h.plain) || w.index == 0 && !textLook(w.data) { // not held, longer than listed, or no text
		if err := h.sealAll(h.plain, false); err != nil {
			return err
		}
		h.release()
		return h.seal(w.data, w.index, w.last)
	}
	h.plain = append(h.plain, w.data...)
	if !w.last {
		return nil
	}
	encoded, err := h.docking.desk.encoder.Encode(h.plain)
	if err != nil {
		return err
	}
	if encoded == nil {
		return h.sealAll(h.plain, true)
	}
	s := h.sealing
	for leaf := range slices.Chunk(encoded, evidence.LeafSize) {
		s.contentLeaves = append(s.contentLeaves, evidence.LeafHash(leaf))
	}
	s.content = &evidence.Content{Encoding: evidence.EncodedZstd, Length: uint64(len(encoded)), MerkleRoot: evidence.MerkleRoot(s.contentLeaves)}
	return h.sealAll(encoded, true)
}

// sealAll seals what is in memory from the first segment on. Unless it ends the
// recording, it is whole leaves.
func (h *heldBack) sealAll(b []byte, ends bool) error {
	index, last := uint64(0), evidence.LeafCount(uint64(len(b)))-1
	for leaf := range slices.Chunk(b, evidence.LeafSize) {
		if err := h.seal(leaf, index, ends && index == last); err != nil {
			return err
		}
		index++
	}
	return nil
}

// release gives the memory back. What comes then passes through.
func (h *heldBack) release() {
	h.docking.desk.room.Release(h.room)
	h.room, h.plain = 0, nil
}
