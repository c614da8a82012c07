package check

import (
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

// clock is a row in which a camera's clock is wrong.
func clock(name string, f fault.Fault, done string, short bool) Row {
	return Row{Name: name, Covers: "fault case 10, " + string(f.Kind), Short: short, Cameras: 1, Done: done,
		Holds: "its recordings are taken in, and what its clock said is kept with each",
		Play: func(s *scene) {
			s.fault(0, f)
			s.record(0)
			s.plug(0)
			s.emptied(0)
			s.each(0, func(r station.Row) string {
				if r.Manifest == nil || r.Manifest.Clocks.CameraRaw == "" {
					return "the manifest does not say what the camera's clock said"
				}
				return ""
			})
		}}
}

func clockRows() []Row {
	return []Row{
		clock("the clock says 1970", fault.Fault{Kind: fault.ClockJump, Variant: fault.Variant1970}, "its clock begins anew, and it records", true),
		clock("the clock is ten years ahead", fault.Fault{Kind: fault.ClockJump, Variant: fault.VariantTenYears}, "its clock is ten years ahead, and it records", false),
		clock("the clock has another summer time", fault.Fault{Kind: fault.ClockJump, Variant: fault.VariantDST}, "its clock is an hour ahead, and it records", false),
		clock("the clock goes back", fault.Fault{Kind: fault.ClockJump, Variant: fault.VariantBackwards}, "its clock goes back an hour, and it records", false),
		clock("the clock drifts", fault.Fault{Kind: fault.ClockDrift, Drift: 0.01}, "its clock gains 10 ms a second, and it records", false),
	}
}
