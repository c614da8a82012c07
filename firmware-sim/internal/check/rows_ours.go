package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
)

// operate runs a command of the server's operator.
func (s *scene) operate(args ...string) {
	if s.over() {
		return
	}
	if _, err := s.kit.station.Operate(s.ctx, args...); err != nil {
		s.found(Slow, "the kit could not run sealdock-ingest %s: %v", strings.Join(args, " "), err)
	}
}

// welcome docks a camera, waits until the server knows it, and approves its key.
func (s *scene) welcome(bay int) {
	s.plug(bay)
	s.until(Slow, s.kit.options.Patience, "the server does not get to know the camera", func() (bool, string) {
		list, err := s.kit.station.Operate(s.ctx, "cameras", "list")
		if err != nil {
			return false, err.Error()
		}
		return strings.Contains(list, s.serials[bay]), "it knows\n" + list
	})
	s.operate("cameras", "approve", s.serials[bay], "--reason", "conformance kit")
}

// firmware makes a signed bundle and publishes it; the first one makes its maker
// known at the server too.
func (s *scene) firmware(first bool, release, counter string) {
	if s.over() {
		return
	}
	dir, err := os.MkdirTemp("", "sealdock-firmware")
	if err != nil {
		s.found(Slow, "the kit could not make a folder: %v", err)
		return
	}
	defer os.RemoveAll(dir)
	if _, err := s.kit.station.Sim(s.ctx, "firmware", "make", "--release", release, "--counter", counter, "--out", dir); err != nil {
		s.found(Slow, "the kit could not make firmware: %v", err)
		return
	}
	if first {
		s.operate("firmware", "trust-maker", "kit", filepath.Join(dir, "maker.pem"))
	}
	s.operate("firmware", "publish", dir)
}

// runs waits until a camera runs a release, with no update under way.
func (s *scene) runs(bay int, release, state string) {
	s.until(Slow, s.kit.options.Patience, "the camera does not come to run "+release, func() (bool, string) {
		c := s.look(bay).Camera
		if c == nil {
			return false, "it has no extension"
		}
		return c.Firmware == release && string(c.Update.State) == state, fmt.Sprintf("it runs %s, update %+v", c.Firmware, c.Update)
	})
}

// oursRows are about cameras that people at the server have approved.
func oursRows() []Row {
	return []Row{
		{Name: "a new camera is approved", Covers: "D6, X1", Short: true, Cameras: 1, Extended: true,
			Done:  "it is docked for the first time, and its key approved while it is docked",
			Holds: "all is taken in, nothing is erased before the approval, and then against receipts that the camera verifies",
			Play: func(s *scene) {
				s.plug(0)
				s.stored(0, files)
				s.keeps(0, files)
				s.told(0, "nobody at the server has approved this camera yet")
				s.welcome(0)
				s.emptied(0)
				s.once(0)
			}},
		{Name: "a camera on hold", Covers: "R36, X1", Cameras: 1, Extended: true,
			Done:  "its recordings are put on hold before it is docked again",
			Holds: "new recordings are taken in and stay on it until the hold ends",
			Play: func(s *scene) {
				s.welcome(0)
				s.emptied(0)
				s.operate("cameras", "hold", s.serials[0], "--reason", "case 26-1187")
				s.unplug(0)
				s.record(0)
				held := len(s.recordings(0))
				s.redock(0)
				s.stored(0, files+held)
				s.told(0, "on hold: case 26-1187")
				s.keeps(0, held)
				s.operate("cameras", "release", s.serials[0], "--reason", "case closed")
				s.emptied(0)
			}},
		{Name: "a bit wrong in the reading of a signed recording", Covers: "X21, fault case 7", Cameras: 1, Extended: true,
			Done:  "it is ours, and one bit of a recording reads wrong the first time",
			Holds: "the camera's signature shows it; what is stored is what the camera signed",
			Play: func(s *scene) {
				s.welcome(0)
				s.emptied(0)
				s.unplug(0)
				s.record(0)
				s.fault(0, fault.Fault{Kind: fault.Flip, Path: s.path(0, 0), At: 1000, Bit: 3, Read: 1})
				s.redock(0)
				s.emptied(0)
				s.struck(0)
			}},
		{Name: "firmware that does not start", Covers: "attack case 27, firmware-fails", Cameras: 1, Extended: true, Alone: true,
			Done:  "it is brought firmware with which it does not start, and then sound firmware",
			Holds: "it goes back by itself, once, people are told, the sound one runs, and no recording is touched",
			Play: func(s *scene) {
				s.welcome(0)
				s.emptied(0)
				before := s.look(0).Camera
				if before == nil {
					s.found(Slow, "the camera has no extension")
					return
				}
				s.fault(0, fault.Fault{Kind: fault.FirmwareFails})
				s.firmware(true, "7.0.0", "70")
				s.runs(0, before.Firmware, "failed")
				s.told(0, "firmware 7.0.0")
				s.cure(0)
				s.record(0)
				s.firmware(false, "7.1.0", "71")
				s.runs(0, "7.1.0", "idle")
				s.emptied(0)
			}},
	}
}
