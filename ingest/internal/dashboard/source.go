package dashboard

import (
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/proto/evidence"
)

// confirmFact says how the dock made sure that it read the camera right.
func confirmFact(m *evidence.Manifest) fact {
	if m.Confirmed == evidence.ConfirmedByCamera {
		return fact{Name: "Confirmed", Value: "signed by the camera", Note: "the hash is the one that the camera signed for this recording, with a key that it has proven to hold"}
	}
	return fact{Name: "Confirmed", Value: "by a second read", Note: "the dock read the camera twice, each time on its own"}
}

// numberFact is the camera's number of the recording, nil without one.
func numberFact(r *evidence.RecordingInfo) *fact {
	if r.Sequence == 0 {
		return nil
	}
	note := "read from its name by the dock: a hint"
	if r.SequenceSource == evidence.SequenceFromCamera {
		note = "counted and signed by the camera"
	}
	return &fact{Name: "Number", Value: countText(r.Sequence), Note: note}
}

// broughtFacts are the hashes that came with the footage, such as those of a list
// on the card.
func broughtFacts(v *reading.ItemView) []factGroup {
	if v.Manifest == nil || len(v.Manifest.Recording.Hashes) == 0 {
		return nil
	}
	var rows []fact
	for _, h := range v.Manifest.Recording.Hashes {
		rows = append(rows, fact{Name: strings.ToUpper(h.Algorithm), Value: h.Value, Mono: true, Note: broughtText(h.Result) + "; from " + h.Origin})
	}
	return []factGroup{{"Hashes that came with the footage", rows}}
}

func broughtText(r evidence.HashResult) string {
	switch r {
	case evidence.HashVerified:
		return "the dock computed it too: equal"
	case evidence.HashDiffers:
		return "the dock computed another: the footage is not what this hash says"
	}
	return "taken over, not computed"
}
