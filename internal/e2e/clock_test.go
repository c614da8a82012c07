package e2e

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// A camera is 1 h 17 min wrong and its clock gains 43 s a day more than any quartz
// should: what it recorded before the docking is put right within the uncertainty
// that the manifest states, which is below a second.
func TestATimeOfAWrongAndDriftingCameraIsCorrectedWithinItsUncertainty(t *testing.T) {
	const wrong, drift = 77 * time.Minute, 0.0005
	for name, extension := range map[string]string{"with the extension": "--extension", "by whole seconds": "--no-extension"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			shift := began.Add(wrong - 10*time.Minute).UTC().Truncate(time.Second) // as the camera's clock read then
			s := open(t, station.Options{}, extension, "--cameras", "1", "--recordings", "3", "--size-mib", "1", "--clock-error", wrong.String(), "--clock-drift", "0.0005", "--shift-start", shift.Format(time.RFC3339))
			var rows []station.Row
			check(t, station.Wait(within(t), func() (bool, string) { // a camera with a key keeps them until it is approved
				var err error
				rows, err = s.Rows(t.Context())
				stored := 0
				for _, r := range rows {
					if r.Receipt != nil {
						stored++
					}
				}
				return err == nil && stored > 0 && stored == len(rows), "not all is stored"
			}))
			checked := 0
			for _, r := range rows {
				if r.Manifest == nil || r.Manifest.Claims.StartedAt.IsZero() {
					continue
				}
				raw := r.Manifest.Claims.StartedAt
				// The simulator's clock reads now + wrong + drift * (now - its start).
				truth := began.Add(time.Duration(float64(raw.Sub(began.Add(wrong))) / (1 + drift)))
				got, ok := r.Manifest.Clocks.Correct(raw)
				off := got.At.Sub(truth).Abs()
				t.Logf("%s: the camera says %v, corrected to %v, off by %v, stated %v (%s)", r.Recording.Path, raw, got.At, off, got.Uncertainty, got.Basis)
				if !ok || off > got.Uncertainty+10*time.Millisecond {
					t.Errorf("%s: off by %v and the stated uncertainty is %v", r.Recording.Path, off, got.Uncertainty)
				}
				if u := time.Duration(r.Manifest.Clocks.Camera.Uncertainty) * time.Microsecond; u > time.Second || r.Manifest.Clocks.Dock == nil {
					t.Errorf("the clock was measured to %v, dock and server compared: %v", u, r.Manifest.Clocks.Dock != nil)
				}
				checked++
			}
			if checked == 0 {
				t.Fatal("no recording carries a time")
			}
		})
	}
}
