package check

import (
	"fmt"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
)

const (
	crowd       = 64
	crowdMemory = 512 << 20 // bytes that the agent may take at most with a crowd of cameras
	gone        = "went away|taken out|is gone|ended"
)

// pulled is a row in which the cable is pulled before a byte of the recordings.
func pulled(name, covers string, at int64, where string, short bool) Row {
	return Row{Name: name, Covers: covers, Short: short, Cameras: 1,
		Done:  "its cable is pulled " + where,
		Holds: "what was half read is dropped or gone on with; the next docking takes all",
		Play: func(s *scene) {
			s.fault(0, fault.Fault{Kind: fault.Unplug, At: at})
			s.plug(0)
			s.away(0)
			s.told(0, gone)
			s.plug(0)
			s.emptied(0)
		}}
}

// pulledErasing is a row in which the cable is pulled within a deletion.
func pulledErasing(name, variant, where string) Row {
	return Row{Name: name, Covers: "fault case 3, unplug-at-erase", Cameras: 1,
		Done:  "its cable is pulled at the second deletion, " + where,
		Holds: "the next docking erases the rest, and nothing is sent twice",
		Play: func(s *scene) {
			s.fault(0, fault.Fault{Kind: fault.UnplugErase, Variant: variant, Count: 2})
			s.plug(0)
			s.away(0)
			s.told(0, gone)
			s.plug(0)
			s.emptied(0)
			s.once(0)
		}}
}

func cableRows() []Row {
	return []Row{
		pulled("pulled at 1 % of a read", "fault case 1, unplug-at", fileSize/100, "at 1 % of the first recording", false),
		pulled("pulled at 50 % of a read", "fault case 1, unplug-at", fileSize/2, "at half of the first recording", true),
		pulled("pulled at 99 % of a read", "fault case 1, unplug-at", fileSize*99/100, "at 99 % of the first recording", false),
		pulled("pulled between two recordings", "fault case 1, unplug-at", 2*fileSize, "when the first recording was read twice and the next was not begun", false),
		{Name: "pulled before the receipts", Covers: "fault case 2, unplug-at", Short: true, Cameras: 1,
			Done:  "its cable is pulled when two recordings are copied and none is erased",
			Holds: "the copies reach the server without the camera; the next docking erases them and sends none again",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Unplug, At: 4*fileSize + fileSize/2})
				s.plug(0)
				s.away(0)
				s.stored(0, 2)
				s.keeps(0, 3)
				s.plug(0)
				s.emptied(0)
			}},
		pulledErasing("pulled before a deletion is done", fault.VariantBefore, "before it is done"),
		pulledErasing("pulled after a deletion was done", fault.VariantAfter, "when it is done and the dock was not told"),
		{Name: "reboots in its bay", Covers: "fault case 4, reboot", Cameras: 1,
			Done: "it goes away in mid-read and is back after 2 s", Holds: "it is met again and emptied",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Reboot, At: whole / 2, For: 2 * time.Second})
				s.plug(0)
				s.told(0, gone)
				s.emptied(0)
			}},
		{Name: "comes back in another bay", Covers: "fault case 4, reboot", Short: true, Cameras: 2,
			Done:  "it goes away in mid-read and is in the next bay after 1 s",
			Holds: "it is the same camera there, and emptied",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Reboot, At: whole / 2, For: time.Second, Bay: s.bays[1]})
				s.plug(0)
				s.told(0, gone)
				s.emptied(1)
				s.each(0, untouchedBut(s.serials[0]))
			}},
		{Name: "comes and goes 1,000 times a minute", Covers: "attack case 26, re-enumerate", Cameras: 2,
			Done:  "it enumerates again 1,000 times a minute for 10 s",
			Holds: "its bay alone suffers; afterwards it is emptied",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Storm, Rate: 1000, For: 10 * time.Second})
				s.meanwhile(1, 20*time.Second)
				s.told(0, gone, "cannot be read")
				s.pause(8 * time.Second)
				s.emptied(0)
			}},
		{Name: "stops answering", Covers: "fault case 11, stall", Cameras: 2,
			Done:  "it stops answering in mid-read until it is cancelled, three times",
			Holds: "its bay alone waits and says so; afterwards it is emptied",
			Play: func(s *scene) {
				for range 3 {
					s.fault(0, fault.Fault{Kind: fault.Stall, At: fileSize / 2})
				}
				s.plug(0)
				s.meanwhile(1, 20*time.Second)
				s.told(0, "did not answer in time", "does not answer")
				s.emptied(0)
				s.struck(0)
			}},
		{Name: "halts an endpoint", Covers: "halt", Short: true, Cameras: 1,
			Done: "its endpoint halts (USB STALL) at three places", Holds: "the halt is cleared and it is emptied",
			Play: func(s *scene) {
				for _, at := range []int64{1, fileSize, 3*fileSize + 7} {
					s.fault(0, fault.Fault{Kind: fault.Halt, At: at})
				}
				s.plug(0)
				s.emptied(0)
				s.struck(0)
			}},
		{Name: "trickles at 1 KiB/s", Covers: "fault case 11, slow", Cameras: 2,
			Done:  "it delivers 1 KiB a second",
			Holds: "its bay alone times out and says so; at full speed it is emptied",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Slow, Rate: 1 << 10})
				s.plug(0)
				s.meanwhile(1, 20*time.Second)
				s.told(0, "did not answer in time", "does not answer")
				s.cure(0)
				s.emptied(0)
			}},
		{Name: "delivers without end", Covers: "fault case 11, endless-content", Cameras: 2,
			Done:  "a recording goes on without end, at 4 MiB/s for 12 s",
			Holds: "its bay alone is busy; when it ends, the recording is what the camera made",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Endless, Path: s.path(0, 0)})
				s.fault(0, fault.Fault{Kind: fault.Slow, Rate: 4 << 20})
				s.plug(0)
				s.meanwhile(1, 20*time.Second)
				s.pause(12 * time.Second)
				s.cure(0)
				s.emptied(0)
			}},
		{Name: "floods the dock with events", Covers: "event-storm", Cameras: 1,
			Done: "it sends 5,000 events a second while it is read", Holds: "it is emptied meanwhile",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Events, Rate: 5000})
				s.plug(0)
				s.emptied(0)
			}},
		{Name: "64 cameras within a second", Covers: "fault case 12", Cameras: crowd, Alone: true,
			Done:  "64 cameras are plugged in at once",
			Holds: fmt.Sprintf("all are emptied, and the agent takes at most %d MiB of memory", crowdMemory>>20),
			Play:  playCrowd},
	}
}

func playCrowd(s *scene) {
	all := make([]int, crowd)
	for i := range all {
		all[i] = i
	}
	s.plug(all...)
	s.emptied(all...)
	usage, err := s.kit.station.Agent.Usage()
	switch {
	case err != nil:
		s.found(Slow, "the agent's memory cannot be measured: %v", err)
	case usage.PeakRSS > crowdMemory:
		s.found(Slow, "the agent took %d MiB of memory at most, the bound is %d", usage.PeakRSS>>20, crowdMemory>>20)
	default:
		s.heard = append(s.heard, fmt.Sprintf("the agent took %d MiB of memory at most", usage.PeakRSS>>20))
	}
}
