package ledger

import (
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Listing is what a camera has signed about all that it holds.
type Listing struct {
	Next       uint64
	Recordings map[uint64]evidence.CameraRecording // by number
}

// MaxListingParts bounds the parts of a signed listing that are looked at: with
// 2000 recordings each, more than any camera holds.
const MaxListingParts = 100

// Join makes one listing of the parts that a camera has signed, in any order.
func Join(serial string, parts []evidence.CameraListing) (*Listing, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("the camera's signed listing is missing")
	}
	l := &Listing{Next: parts[0].Next, Recordings: map[uint64]evidence.CameraRecording{}}
	seen := map[int]bool{}
	for i := range parts {
		p := &parts[i]
		switch {
		case p.Serial != serial:
			return nil, fmt.Errorf("the signed listing is of camera %q", p.Serial)
		case p.Next != l.Next || p.Boot != parts[0].Boot || p.Parts != parts[0].Parts || !p.At.Equal(parts[0].At):
			return nil, fmt.Errorf("the parts of the signed listing are not of one moment")
		case seen[p.Part]:
			return nil, fmt.Errorf("part %d of the signed listing is there twice", p.Part)
		}
		seen[p.Part] = true
		for _, r := range p.Recordings {
			if _, twice := l.Recordings[r.Sequence]; twice {
				return nil, fmt.Errorf("number %d is in the signed listing twice", r.Sequence)
			}
			l.Recordings[r.Sequence] = r
		}
	}
	if len(seen) != parts[0].Parts {
		return nil, fmt.Errorf("%d of %d parts of the signed listing are there", len(seen), parts[0].Parts)
	}
	return l, nil
}

// maxDifferences is how many differences are named one by one.
const maxDifferences = 5

// Differences names in what the dock's list of a docking differs from what the
// camera signed: recordings that the dock does not list, that the camera did
// not sign, or that are another one under the same number. It returns how many
// there are, and the first few in words.
func (l *Listing) Differences(shown []catalog.Shown) (count int, first []string) {
	tell := func(format string, args ...any) {
		if count++; count <= maxDifferences {
			first = append(first, fmt.Sprintf(format, args...))
		}
	}
	listed := map[uint64]bool{}
	for i := range shown {
		s := &shown[i]
		if s.SequenceSource != evidence.SequenceFromCamera {
			if s.Kind != evidence.KindVideo {
				continue // sidecars and other files need no number
			}
			tell("%s has no number that the camera has signed", s.Path)
			continue
		}
		signed, ok := l.Recordings[s.Sequence]
		switch {
		case !ok:
			tell("%s is listed as number %d, which the camera has not signed", s.Path, s.Sequence)
			continue
		case s.Signed == nil || *s.Signed != signed.SHA256:
			tell("%s is listed with another hash than the camera has signed for number %d", s.Path, s.Sequence)
		case s.LastSize != 0 && s.LastSize != signed.Length:
			tell("%s is listed with %d bytes, the camera has signed %d", s.Path, s.LastSize, signed.Length)
		}
		listed[s.Sequence] = true
	}
	for number := range sortedKeys(l.Recordings) {
		if !listed[number] {
			tell("number %d (%s) is signed by the camera and was not listed by the dock", number, l.Recordings[number].Name)
		}
	}
	return count, first
}
