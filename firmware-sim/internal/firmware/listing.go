package firmware

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	maxName      = 1024    // bytes of a name in a listing
	partOverhead = 2 << 10 // bytes of a part's JSON and envelope beside its recordings, encoded
	maxPart      = 1 << 20 // bytes of recordings in one part, as JSON
)

// NextNumber is the number that the next recording gets.
func (c *Camera) NextNumber() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.extension.number
}

// ContinueAt has the next recording get that number, or a higher one that is due already.
func (c *Camera) ContinueAt(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.extension.number = max(c.extension.number, number)
}

// numberLocked gives a recording its number, where it has none yet. mu is held.
func (c *Camera) numberLocked(r *Recording) {
	if r.Sequence == 0 {
		r.Sequence = c.extension.number
	}
	c.extension.number = max(c.extension.number, r.Sequence+1)
}

// Mark marks a recording as urgent, or no longer, and tells the host. It says whether
// there is one with that path.
func (c *Camera) Mark(path string, urgent bool) bool {
	var marked []uint32
	c.mu.Lock()
	for h, o := range c.objects {
		if !o.folder() && o.path == path {
			o.urgent = urgent
			marked = append(marked, h)
		}
	}
	host := c.host
	c.mu.Unlock()
	for _, h := range marked {
		notify(host, camera.EventObjectInfoChanged, h)
	}
	return len(marked) > 0
}

// Urgent lists the paths of the recordings that are marked as urgent.
func (c *Camera) Urgent() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := map[string]bool{}
	for _, o := range c.objects {
		if o.urgent {
			list[o.path] = true
		}
	}
	return list
}

// listed are the recordings from a number on, in the order of their numbers. mu is held.
func (c *Camera) listed(first uint64) []*object {
	var list []*object
	for _, h := range c.order {
		if o := c.objects[h]; !o.folder() && o.recording.Sequence >= first {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b *object) int { return cmp.Compare(a.recording.Sequence, b.recording.Sequence) })
	return list
}

// entry is a recording's line in a listing.
func (o *object) entry() evidence.CameraRecording {
	r := o.recording
	return evidence.CameraRecording{Sequence: r.Sequence, Handle: o.handle, Name: listName(r.Path), Length: uint64(r.Size), SHA256: r.SHA256,
		StartedAt: r.Started.UTC(), EndedAt: r.Ended.UTC(), Officer: r.Officer, OfficerID: r.OfficerID, Urgent: o.urgent}
}

// listName is a recording's file name, from its printable path (SPEC.md 7.3).
func listName(printable string) string {
	name := strings.ToValidUTF8(path.Base(printable), "")
	if len(name) <= maxName {
		return name
	}
	n := maxName
	for !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n]
}

// listing answers GetListing: as many recordings from a number on as fit.
func (c *Camera) listing(first uint64) answer {
	serial, at := c.claim(), c.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	parts, err := divide(c.listed(first))
	if err != nil {
		return refuse(camera.RespGeneralError)
	}
	var l camera.Listing
	key := c.key()
	if c.faults.Has(fault.ListSignature) {
		key = derived(c.extension.memory.Key, "wrong signature")
	}
	for i, recordings := range parts {
		part := evidence.CameraListing{Version: 1, Serial: serial, Boot: c.extension.memory.Boot, Part: i + 1, Parts: len(parts), At: at,
			Next: c.extension.number, Recordings: recordings}
		envelope, err := sign(evidence.TypeCameraListing, &part, key)
		if err != nil {
			c.log.Error("the listing cannot be signed", "error", err)
			return refuse(camera.RespGeneralError)
		}
		l.Parts = append(l.Parts, envelope)
	}
	return document(&l)
}

// divide puts recordings into parts, the first ones that fit into one document.
func divide(list []*object) ([][]evidence.CameraRecording, error) {
	parts := [][]evidence.CameraRecording{{}}
	used, room := 0, camera.MaxListingDocument-partOverhead // bytes of the document
	filled := 0                                             // bytes of the last part
	for _, o := range list {
		entry := o.entry()
		text, err := json.Marshal(&entry)
		if err != nil {
			return nil, err
		}
		size := len(text) + 1
		if last := len(parts[len(parts)-1]); last == evidence.MaxListing || last > 0 && filled+size > maxPart {
			parts = append(parts, []evidence.CameraRecording{})
			used, filled = used+partOverhead, 0
		}
		if used += size*16/9 + 1; used > room { // base64 within base64
			if i := len(parts) - 1; len(parts[i]) == 0 {
				parts = parts[:i]
			}
			return parts, nil
		}
		filled += size
		parts[len(parts)-1] = append(parts[len(parts)-1], entry)
	}
	return parts, nil
}
