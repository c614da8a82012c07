package offload

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// maxSigned bounds the recordings of a camera's signed listing.
const maxSigned = 100_000

// readSigned asks a camera with the extension for its signed listing and compares
// it with what the camera lists. What does not fit is found and told; the
// recordings are taken in either way.
func (d *Docking) readSigned(ctx context.Context, objects []camera.Object) error {
	if d.extended == nil || d.key == nil || d.cameraStatus.Locked {
		return nil
	}
	signed, texts, next, err := d.fetchSigned(ctx)
	if err != nil {
		var broken *brokenListing
		if errors.As(err, &broken) {
			d.signed, d.listings = nil, nil
			d.find(evidence.FoundListingFailed, "the camera's signed listing does not hold: %v", err)
			d.alert(aboutSignature, "The list that this camera has signed does not hold. What it holds is taken in; have the camera looked at.")
			d.log.Error("the camera's signed listing does not hold", "error", err)
			return nil
		}
		return d.tolerate("asking for the signed listing", err)
	}
	d.signed, d.listings, d.next = signed, texts, next
	d.withdraw(aboutSignature)
	shown := map[uint32]*camera.Object{}
	for i := range objects {
		shown[objects[i].Handle] = &objects[i]
	}
	for handle, r := range signed {
		o := shown[handle]
		switch {
		case o == nil:
			d.alert(aboutSignature, "This camera has signed recordings that it does not show. Have it looked at before it is used again.")
			d.find(evidence.FoundListingFailed, "recording %d (%s) is in the camera's signed listing and not in what it lists", r.Sequence, r.Name)
		case o.SizeKnown && o.Size != r.Length:
			d.alert(aboutSignature, "This camera shows a recording otherwise than it has signed it. What it holds is taken in; have it looked at.")
			d.find(evidence.FoundListingFailed, "%s: the camera lists %d bytes and signed %d", o.Path, o.Size, r.Length)
		}
	}
	return nil
}

// brokenListing is a signed listing that does not hold.
type brokenListing struct{ error }

// fetchSigned reads the signed listing by its parts, each verified by the key that
// the camera has proven.
func (d *Docking) fetchSigned(ctx context.Context) (signed map[uint32]evidence.CameraRecording, texts [][]byte, next uint64, err error) {
	signed = map[uint32]evidence.CameraRecording{}
	for from := uint64(1); ; {
		parts, err := d.extended.SignedListing(ctx, from)
		if err != nil {
			return nil, nil, 0, err
		}
		last := from - 1
		whole := false
		for _, text := range parts {
			l, err := d.signedPart(text)
			if err != nil {
				return nil, nil, 0, &brokenListing{err}
			}
			next, whole = l.Next, l.Part == l.Parts
			for _, r := range l.Recordings {
				if r.Sequence <= last {
					return nil, nil, 0, &brokenListing{fmt.Errorf("recording %d comes after %d", r.Sequence, last)}
				}
				last = r.Sequence
				if _, twice := signed[r.Handle]; twice || len(signed) == maxSigned {
					return nil, nil, 0, &brokenListing{fmt.Errorf("recording %d has the handle of another one, or there are more than %d", r.Sequence, maxSigned)}
				}
				signed[r.Handle] = r
			}
			texts = append(texts, text)
		}
		if whole || last < from || last+1 >= next {
			return signed, texts, next, nil
		}
		from = last + 1
	}
}

func (d *Docking) signedPart(text []byte) (*evidence.CameraListing, error) {
	envelope, err := evidence.ParseEnvelope(text)
	if err != nil {
		return nil, err
	}
	payload, err := envelope.Verify(evidence.TypeCameraListing, d.publicKey())
	if err != nil {
		return nil, err
	}
	l := new(evidence.CameraListing)
	if err := evidence.Decode(payload, l); err != nil {
		return nil, err
	}
	if l.Serial != d.camera.Serial {
		return nil, fmt.Errorf("it is of a camera with serial number %q", clean(l.Serial, 64))
	}
	return l, nil
}

// recordingInfo is how this docking's statements name an object: what the camera
// lists, and what it has signed.
func (d *Docking) recordingInfo(o camera.Object) evidence.RecordingInfo {
	r := recordingInfo(o)
	if s, ok := d.signed[o.Handle]; ok {
		sum := s.SHA256
		r.Sequence, r.SequenceSource, r.Signed, r.Urgent = s.Sequence, evidence.SequenceFromCamera, &sum, s.Urgent
	} else if n := derivedNumber(r.Path); n > 0 && r.Kind == evidence.KindVideo {
		r.Sequence, r.SequenceSource = n, evidence.SequenceDerived
	}
	r.Urgent = r.Urgent || d.isUrgent()
	return r
}

// claimSigned fills what no sidecar claims of a recording from what the camera has
// signed of it.
func (d *Docking) claimSigned(it *item, c *evidence.Claims) {
	s, ok := d.signed[it.object.Handle]
	if !ok || it.object.Kind == evidence.KindMetadata {
		return
	}
	if c.StartedAt.IsZero() {
		c.StartedAt, c.EndedAt = plausible(s.StartedAt), plausible(s.EndedAt)
	}
	if c.Officer == "" && c.OfficerID == "" {
		c.Officer, c.OfficerID = clean(s.Officer, 256), clean(s.OfficerID, 256)
	}
}

// derivedNumber is the number at the end of a file's name, such as 7 in
// CLIP0007.MP4; 0 when there is none. It is a hint: cameras start such numbers
// anew.
func derivedNumber(name string) uint64 {
	base := strings.TrimSuffix(path.Base(name), path.Ext(name))
	digits := len(base) - len(strings.TrimRight(base, "0123456789"))
	if digits == 0 || digits > 9 {
		return 0
	}
	n, err := strconv.ParseUint(base[len(base)-digits:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// vouched reports whether the camera's own signature confirms a reading: same
// length and SHA-256, signed with a key that counts. Then no second read is
// needed, since the hash was not made by reading over this cable.
func (d *Docking) vouched(it *item, r *reading) bool {
	s, ok := d.signed[it.object.Handle]
	if !ok || !d.ours() {
		return false
	}
	if s.Length == r.length && s.SHA256 == r.sha256 {
		return true
	}
	d.log.Warn("a reading is not what the camera has signed, it is read again", "path", it.source.Path, "signed", s.SHA256, "read", r.sha256)
	return false
}
