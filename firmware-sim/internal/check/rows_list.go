package check

import (
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
)

// lists is a row in which a camera lies in its lists and is to be emptied all the same.
func lists(name, covers string, f fault.Fault, done string, short bool) Row {
	return Row{Name: name, Covers: covers, Short: short, Cameras: 1, Done: done, Holds: "no recording is hidden by it: it is emptied",
		Play: func(s *scene) {
			s.fault(0, f)
			s.plug(0)
			s.emptied(0)
		}}
}

// listsTooMuch is a row in which a camera lists what does not exist.
func listsTooMuch(name, covers string, f fault.Fault, done string, stored int) Row {
	return Row{Name: name, Covers: covers, Cameras: 1, Done: done,
		Holds: "the listing is bounded, people are told that not all could be taken in, and what was reached is stored; with a true list it is emptied",
		Play: func(s *scene) {
			s.fault(0, f)
			s.plug(0)
			s.told(0, "Not all that this camera lists can be taken in")
			s.stored(0, stored)
			s.cure(0)
			s.redock(0)
			s.emptied(0)
		}}
}

func listRows() []Row {
	date := func(variant, done string) Row {
		return lists("dates: "+variant, "bad-dates", fault.Fault{Kind: fault.Dates, Variant: variant}, done, variant == fault.VariantGarbage)
	}
	return []Row{
		lists("each handle twice", "attack case 19, lie-handles", fault.Fault{Kind: fault.Handles, Variant: fault.VariantDouble}, "it lists each recording twice", false),
		lists("folders that contain each other", "attack case 19, lie-handles", fault.Fault{Kind: fault.Handles, Variant: fault.VariantLoop}, "its folders are inside each other", true),
		listsTooMuch("1,500 handles too many", "attack case 19, lie-handles", fault.Fault{Kind: fault.Handles, Variant: fault.VariantMany, Count: 1500}, "it lists 1,500 recordings that it has not", files),
		listsTooMuch("a million handles too many", "attack case 19, lie-handles", fault.Fault{Kind: fault.Handles, Variant: fault.VariantMany, Count: 1_000_000}, "it lists a million recordings that it has not", 0),
		listsTooMuch("a list without end", "attack case 19, lie-handles", fault.Fault{Kind: fault.Handles, Variant: fault.VariantEndless, Count: 500}, "it lists 500 recordings more each time it is asked", files),
		date(fault.VariantGarbage, "its dates are no dates"),
		date(fault.VariantImpossible, "its dates are on no calendar"),
		date(fault.VariantEmpty, "it has no dates"),
		date(fault.VariantFuture, "its dates are of the year 9999"),
		{Name: "two cameras with one serial number", Covers: "fault case 5, duplicate-serial", Short: true, Cameras: 2,
			Done: "a second camera gives the serial number of the first", Holds: "both are taken in, each with its own recordings, and people are told",
			Play: func(s *scene) {
				s.fault(1, fault.Fault{Kind: fault.Serial, Bay: s.bays[0]})
				s.fault(0, fault.Fault{Kind: fault.Slow, Rate: 1 << 20})
				s.plug(0, 1)
				s.toldOf([]int{0, 1}, "same serial number")
				s.cure(0)
				s.emptied(0, 1)
				s.each(0, untouchedBut(s.serials[0]))
				s.each(1, untouchedBut(s.serials[0]))
			}},
	}
}
