package reading

import "github.com/sealdock/sealdock/proto/evidence"

// Times are when a recording began and ended by the server's clock. The camera's
// own words are in the item and stay as they are.
type Times struct {
	Began, Ended *evidence.Corrected // nil: the camera gave no time, or its clock was not measured
}

// times corrects what the camera said by what the dock measured of its clock.
func times(v *ItemView) Times {
	if v.Manifest == nil {
		return Times{}
	}
	var t Times
	if at, ok := v.Manifest.Clocks.Correct(v.Item.StartedAt); ok {
		t.Began = &at
	}
	if at, ok := v.Manifest.Clocks.Correct(v.Item.EndedAt); ok {
		t.Ended = &at
	}
	return t
}
