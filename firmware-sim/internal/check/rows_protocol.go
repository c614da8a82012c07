package check

import (
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
)

const unreadable = "cannot be read|does not answer|not what was expected|protocol|malformed|fails again and again|was not copied"

// container is a row in which every PTP container of one sort lies.
func container(name, variant, done string, short bool) Row {
	return Row{Name: name, Covers: "attack case 20, lie-containers", Short: short, Cameras: 1, Done: done,
		Holds: "nothing hangs, people are told that it cannot be read; when it speaks sense, it is emptied with no hands",
		Play: func(s *scene) {
			s.fault(0, fault.Fault{Kind: fault.Containers, Variant: variant})
			s.plug(0)
			s.told(0, unreadable)
			s.keeps(0, files)
			s.cure(0)
			s.emptied(0)
		}}
}

// descriptor is a row in which the descriptors make no camera.
func descriptor(name, variant, done string, short bool) Row {
	return Row{Name: name, Covers: "attack case 21, lie-descriptors", Short: short, Cameras: 1, Done: done,
		Holds: "nothing hangs, people are told that it cannot be read; with true descriptors it is emptied with no hands",
		Play: func(s *scene) {
			s.fault(0, fault.Fault{Kind: fault.Descriptors, Variant: variant})
			s.plug(0)
			s.told(0, unreadable, "no still image interface")
			s.keeps(0, files)
			s.cure(0)
			s.emptied(0)
		}}
}

func protocolRows() []Row {
	return []Row{
		container("containers shorter than a header", fault.VariantShort, "its responses say that they are 5 bytes long", false),
		container("answers to another transaction", fault.VariantTransaction, "its responses carry another transaction's number", false),
		container("arrays of 2^32-1 elements", fault.VariantCount, "its lists say that they have 2^32-1 elements", true),
		{Name: "strings without end", Covers: "attack case 20, lie-containers", Cameras: 1,
			Done: "its object descriptions end within a string", Holds: "people are told that not all could be taken in; when it speaks sense, it is emptied",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Containers, Variant: fault.VariantText})
				s.plug(0)
				s.told(0, "Not all that this camera lists can be taken in", unreadable)
				s.keeps(0, files)
				s.cure(0)
				s.emptied(0)
			}},
		{Name: "a lost zero-length packet", Covers: "attack case 20, lie-containers", Cameras: 1,
			Done: "the empty packet that ends a data phase of whole packets never comes", Holds: "no byte of a response passes for footage; it is emptied, at the latest when the packets come",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Containers, Variant: fault.VariantZeroPacket, Count: 4})
				s.plug(0)
				s.emptied(0)
				s.struck(0)
			}},
		descriptor("a descriptor of length 0", fault.VariantZeroLength, "an endpoint descriptor has length 0", true),
		descriptor("a configuration of 65,535 bytes", fault.VariantTotalLength, "its configuration says that it is 65,535 bytes long", false),
		descriptor("no endpoints", fault.VariantNoEndpoints, "its interface has no endpoints", false),
		lists("255 interfaces", "attack case 21, lie-descriptors", fault.Fault{Kind: fault.Descriptors, Variant: fault.VariantInterfaces}, "it has 255 interfaces, the last of which is the camera", false),
		lists("badUSB", "attack case 22, lie-descriptors", fault.Fault{Kind: fault.Descriptors, Variant: fault.VariantBadUSB}, "it is a keyboard, a network card and a disk as well; over USB/IP the dock takes the camera's interface alone, and what a kernel may make of the others is make test-usb's", true),
		{Name: "busy for a moment", Covers: "busy", Short: true, Cameras: 1,
			Done: "it answers five transactions with Device Busy", Holds: "it is asked again and emptied",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Busy, Count: 5})
				s.plug(0)
				s.emptied(0)
				s.struck(0)
			}},
		{Name: "busy without end", Covers: "busy", Cameras: 1,
			Done: "it answers everything with Device Busy", Holds: "people are told; when it is free, it is emptied with no hands",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Busy, Count: 1_000_000})
				s.plug(0)
				s.told(0, "busy")
				s.cure(0)
				s.emptied(0)
			}},
	}
}

func elsewhereRows() []Row {
	return []Row{
		{Name: "a broken card image", Covers: "attack case 23", Done: "make test-usb: a disk needs a kernel, USB/IP cameras have none",
			Holds: "it is mounted read-only, nosuid, nodev, noexec, and nothing but regular files is read"},
		{Name: "firmware that is not for it", Covers: "attack case 27", Done: "go test ./firmware-sim/internal/firmware: the camera refuses it whatever the dock sends",
			Holds: "unsigned, older and other models' firmware is refused"},
	}
}
