package ledger

import (
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Known are the recordings that a camera was last known to hold.
type Known struct {
	places map[evidence.Digest]bool
	names  map[name]*catalog.Shown
}

type name struct{ path, captured string }

// Know makes Known of a camera's rows.
func Know(there []catalog.Shown) *Known {
	k := &Known{places: map[evidence.Digest]bool{}, names: map[name]*catalog.Shown{}}
	for i := range there {
		k.places[there[i].Place] = true
		k.names[name{there[i].Path, there[i].CapturedRaw}] = &there[i]
	}
	return k
}

// Place returns the place of a recording. One that is known by its name keeps
// its place when it comes with a number for the first time, or for once without:
// it is the same recording, read by another door.
func (k *Known) Place(r *evidence.RecordingInfo) evidence.Digest {
	place := catalog.Place(r)
	if k.places[place] {
		return place
	}
	same := k.names[name{r.Path, r.CapturedRaw}]
	if same == nil || r.CapturedRaw == "" {
		return place
	}
	counted := r.SequenceSource == evidence.SequenceFromCamera
	if counted && same.SequenceSource == evidence.SequenceFromCamera {
		return place // two numbers, two recordings
	}
	if r.Signed != nil && same.Signed != nil && *r.Signed != *same.Signed {
		return place
	}
	return same.Place
}
