package offload

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Bounds of what one statement carries, so that its envelope fits its frame.
const (
	maxPath          = 3 << 10
	maxInventoryPart = 3 << 20 // bytes of JSON
	maxListingPart   = 1 << 20 // bytes of one part of a camera's signed listing
	maxWarnings      = 100
)

// clean makes text from a camera fit for a statement: bounded, without control
// characters. The camera link has done most of it already.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// cameraInfo is how the statements name the camera in the bay at port. One that
// tells no serial number gets a stand-in, so that what it holds is taken in all
// the same: stable in its bay, and not that of another model or bay.
func cameraInfo(id camera.Identity, port string) (info evidence.CameraInfo, standIn bool) {
	info = evidence.CameraInfo{Serial: clean(id.Serial, 256), Vendor: clean(id.Vendor, 256), Model: clean(id.Model, 256), Firmware: clean(id.Firmware, 256)}
	if strings.TrimSpace(info.Serial) != "" {
		return info, false
	}
	sum := evidence.SHA256(fmt.Appendf(nil, "%q %q %q", id.Vendor, id.Model, port))
	info.Serial = "unknown-" + sum.String()[:12]
	return info, true
}

// recordingInfo is how the statements name an object.
func recordingInfo(o camera.Object) evidence.RecordingInfo {
	r := evidence.RecordingInfo{
		Path: clean(o.Path, maxPath), Handle: o.Handle, Format: o.Format, Size: o.Size, SizeKnown: o.SizeKnown,
		CapturedRaw: clean(o.CapturedRaw, 64), ModifiedRaw: clean(o.ModifiedRaw, 64), Kind: o.Kind,
	}
	if len(o.RawName) <= 4096 {
		r.RawName = o.RawName
	}
	if r.Path == "" {
		r.Path = fmt.Sprintf("object-%08x", o.Handle)
	}
	if r.Kind != evidence.KindVideo && r.Kind != evidence.KindMetadata {
		r.Kind = evidence.KindOther
	}
	return r
}

// sourceOf is how the journal knows an object.
func sourceOf(serial string, o camera.Object) spool.Source {
	info := recordingInfo(o)
	s := spool.Source{Serial: serial, Path: info.Path, Size: spool.UnknownSize, Captured: info.CapturedRaw}
	if o.SizeKnown {
		s.Size = min(o.Size, math.MaxInt64)
	}
	return s
}

// inventories signs the list of all that the camera shows, in as many parts as
// it takes.
func (d *Docking) inventories(objects []camera.Object, warnings []string) ([][]byte, error) {
	parts := [][]evidence.RecordingInfo{nil}
	size := 0
	for _, o := range objects {
		info := d.recordingInfo(o)
		encoded, err := json.Marshal(info)
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", info.Path, err)
		}
		last := len(parts) - 1
		if len(parts[last]) == evidence.MaxInventory || size+len(encoded) > maxInventoryPart {
			parts, size = append(parts, nil), 0
			last++
		}
		parts[last] = append(parts[last], info)
		size += len(encoded) + 1
	}
	for len(parts) < len(d.listings) {
		parts = append(parts, nil)
	}
	var signed [][]byte
	for i, recordings := range parts {
		if recordings == nil {
			recordings = []evidence.RecordingInfo{}
		}
		inventory := evidence.Inventory{
			Version: 1, Agency: d.desk.opt.Agency, Station: d.desk.opt.Station, Dock: d.desk.opt.Dock, Bay: clean(d.port, 64), Docking: d.id,
			Part: i + 1, Parts: len(parts), TakenAt: d.desk.opt.Now().UTC(), Camera: d.camera, Recordings: recordings,
			Next: d.next, Journal: d.number, ClockSet: d.clockSet,
		}
		if i == 0 {
			clocks := d.clocks(inventory.TakenAt, inventory.TakenAt)
			inventory.Warnings, inventory.Findings, inventory.Clocks = bounded(warnings), d.findings, &clocks
			inventory.Proof = d.proof
			if battery := d.Status().BatteryPercent; battery >= 0 {
				inventory.Battery = &battery
			}
		}
		if i < len(d.listings) && len(d.listings[i]) <= maxListingPart {
			inventory.Listings = d.listings[i : i+1]
		}
		envelope, err := d.sign(evidence.TypeInventory, &inventory)
		if err != nil {
			return nil, err
		}
		signed = append(signed, envelope)
	}
	return signed, nil
}

// bounded makes warnings fit for an inventory.
func bounded(warnings []string) []string {
	var out []string
	for i, w := range warnings {
		if i == maxWarnings-1 && len(warnings) > maxWarnings {
			return append(out, fmt.Sprintf("%d more warnings are left out", len(warnings)-i))
		}
		out = append(out, clean(w, 1024))
	}
	return out
}

// manifest signs the statement of one recording and returns what it claims. Marks, and then all claims,
// are left out when the statement would not fit its frame with them; the
// sidecar itself is an item of its own.
func (d *Docking) manifest(it *item, s *sealing, root evidence.Digest) ([]byte, evidence.Claims, error) {
	m := evidence.Manifest{
		Version: 1, Agency: d.desk.opt.Agency, Station: d.desk.opt.Station, Dock: d.desk.opt.Dock, Bay: clean(d.port, 64), Docking: d.id,
		Evidence: it.id, Attempt: s.writer.Attempt(), Camera: d.camera, Recording: d.recordingInfo(it.object),
		Length: s.length, SHA256: s.sha256, MerkleRoot: root, Content: s.content, Confirmed: s.confirmed, Clocks: s.clocks, Agent: clean(d.desk.opt.Version, 64),
	}
	m.Recording.Hashes = s.hashes
	if it.object.Kind == evidence.KindVideo {
		m.Claims = d.claims[stem(it.object.Path)]
	}
	d.claimSigned(it, &m.Claims)
	for _, less := range []func(){func() { m.Claims.Marks = nil }, func() { m.Claims = evidence.Claims{} }, func() { m.Recording.RawName = nil }, nil} {
		envelope, err := d.sign(evidence.TypeManifest, &m)
		if err != nil {
			return nil, m.Claims, fmt.Errorf("signing the manifest of %s: %w", it.source.Path, err)
		}
		if len(envelope) <= upload.MaxStatement || less == nil {
			return envelope, m.Claims, nil
		}
		less()
	}
	return nil, m.Claims, fmt.Errorf("the manifest of %s does not fit", it.source.Path)
}

// release signs what was done on the camera.
func (d *Docking) release(rec spool.Recording, result evidence.ReleaseResult, reason string, how erasure) ([]byte, error) {
	r := evidence.Release{
		Version: 1, Agency: d.desk.opt.Agency, Dock: d.desk.opt.Dock, Bay: clean(d.port, 64), Docking: d.id, Evidence: rec.ReceiptItem,
		CameraSerial: d.camera.Serial, Path: rec.Source.Path, ReceiptDigest: rec.ReceiptDigest, Method: how.method,
		Camera: how.statement, Result: result, Reason: clean(reason, 1024), At: d.desk.opt.Now().UTC(),
	}
	envelope, err := d.sign(evidence.TypeRelease, &r)
	if err != nil {
		return nil, fmt.Errorf("signing the release of %s: %w", rec.Source.Path, err)
	}
	return envelope, nil
}

func (d *Docking) sign(kind string, s evidence.Statement) ([]byte, error) {
	return d.desk.sign(kind, s)
}

func (k *Desk) sign(kind string, s evidence.Statement) ([]byte, error) {
	payload, err := evidence.Encode(s)
	if err != nil {
		return nil, err
	}
	envelope, err := k.opt.Signer.Sign(kind, payload)
	if err != nil {
		return nil, err
	}
	return envelope.Marshal(), nil
}
