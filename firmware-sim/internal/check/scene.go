package check

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

const (
	look     = 250 * time.Millisecond  // between two looks at the programs
	rowLimit = 5 * time.Minute         // for one row in all
	fileSize = 1<<20 + 64<<10 + 500    // bytes; the last read of 1 MiB windows ends a data phase with a whole packet
	files    = 3                       // recordings on each camera
	whole    = int64(files * fileSize) // bytes on each camera
)

// scene is where a row is played: its bays and what happens in them. Its methods do
// nothing once something was found wrong, so that a row reads as one sentence. It is
// for one goroutine.
type scene struct {
	kit     *kit
	ctx     context.Context // of the row
	bays    []string
	serials []string // of the cameras that were in them at first
	since   time.Time
	verdict Verdict
	why     []string
	heard   []string
}

// over says whether there is nothing more to play.
func (s *scene) over() bool { return s.verdict != Kept || s.ctx.Err() != nil }

// found notes what was found wrong.
func (s *scene) found(v Verdict, format string, args ...any) {
	if v.worse(s.verdict) {
		s.verdict = v
	}
	s.why = append(s.why, fmt.Sprintf(format, args...))
}

// do runs one act of remote control.
func (s *scene) do(what string, bay int, act func(ctx context.Context, bay string) error) {
	if s.over() {
		return
	}
	if err := act(s.ctx, s.bays[bay]); err != nil {
		s.found(Slow, "the kit could not %s in bay %s: %v", what, s.bays[bay], err)
	}
}

// fault lets something go wrong with a camera.
func (s *scene) fault(bay int, f fault.Fault) {
	s.do("arm a fault", bay, func(ctx context.Context, port string) error { return s.kit.control.Break(ctx, port, f) })
}

// plug puts a camera in, unplug takes it out.
func (s *scene) plug(bays ...int) {
	for _, bay := range bays {
		s.do("plug the camera in", bay, s.kit.control.Plug)
	}
}

func (s *scene) unplug(bay int) { s.do("pull the camera", bay, s.kit.control.Unplug) }

// record makes a recording more.
func (s *scene) record(bay int) {
	s.do("record", bay, func(ctx context.Context, port string) error {
		_, err := s.kit.control.Record(ctx, port)
		return err
	})
}

// cure ends the faults of a camera.
func (s *scene) cure(bay int) { s.do("clear the faults", bay, s.kit.control.Clear) }

// redock takes a camera out and, once the agent has seen that, puts it back.
func (s *scene) redock(bay int) {
	s.unplug(bay)
	s.until(Slow, s.kit.options.Patience, "the agent does not see that the camera was taken out", func() (bool, string) {
		b := s.kit.watch.bay(s.bays[bay])
		return b.State == "empty" || b.State == "", fmt.Sprintf("%+v", b)
	})
	s.plug(bay)
}

// path is the n-th recording of a camera, from 0.
func (s *scene) path(bay, n int) string {
	list := s.recordings(bay)
	if n >= len(list) {
		s.found(Slow, "the camera in bay %s has no recording %d to break", s.bays[bay], n+1)
		return ""
	}
	return list[n].Path
}

// recordings are what a bay's camera holds.
func (s *scene) recordings(bay int) []simulator.Recording { return s.look(bay).Recordings }

func (s *scene) look(bay int) (found simulator.Bay) {
	s.do("look", bay, func(ctx context.Context, port string) error {
		list, err := s.kit.control.List(ctx)
		i := slices.IndexFunc(list, func(b simulator.Bay) bool { return b.BusID == port })
		if err == nil && i >= 0 {
			found = list[i]
		}
		return err
	})
	return found
}

// until waits for something; if it does not come in time, the verdict is v.
func (s *scene) until(v Verdict, patience time.Duration, otherwise string, cond func() (bool, string)) {
	if s.over() {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	last := ""
	for {
		ok, state := cond()
		if ok || s.over() {
			return
		}
		last = state
		select {
		case <-ctx.Done():
			s.found(v, "%s within %.0f s: %s", otherwise, patience.Seconds(), last)
			return
		case <-time.After(look):
		}
	}
}

// emptied waits until cameras hold nothing any more.
func (s *scene) emptied(bays ...int) {
	for _, bay := range bays {
		s.until(Slow, s.kit.options.Patience, fmt.Sprintf("the camera in bay %s is not emptied", s.bays[bay]), func() (bool, string) {
			n := len(s.recordings(bay))
			return n == 0, fmt.Sprintf("%d recordings are left; the dock says %s", n, s.kit.watch.bay(s.bays[bay]))
		})
	}
}

// away waits until a camera is out of its bay.
func (s *scene) away(bay int) {
	s.until(Slow, s.kit.options.Patience, "the fault did not pull the camera in bay "+s.bays[bay], func() (bool, string) {
		return !s.look(bay).Plugged, "it is there"
	})
}

// left waits until so many recordings are left on a camera.
func (s *scene) left(bay, want int) {
	s.until(Slow, s.kit.options.Patience, fmt.Sprintf("the others on the camera in bay %s do not go on", s.bays[bay]), func() (bool, string) {
		n := len(s.recordings(bay))
		return n == want, fmt.Sprintf("%d are left, want %d; the dock says %s", n, want, s.kit.watch.bay(s.bays[bay]))
	})
}

// stored waits until at least so many recordings of the scene's n-th camera have a
// valid receipt, whether they are still on it or not.
func (s *scene) stored(camera, want int) {
	s.until(Slow, s.kit.options.Patience, "not stored", func() (bool, string) {
		rows, err := s.rows(camera)
		if err != nil {
			return false, err.Error()
		}
		n := 0
		for _, r := range rows {
			if r.Receipt != nil {
				n++
			}
		}
		return n >= want, fmt.Sprintf("%d recordings have a receipt, want %d; the dock says %s", n, want, s.kit.watch.bay(s.bays[camera]))
	})
}

// rows are what became of the recordings of the scene's n-th camera.
func (s *scene) rows(camera int) (list []station.Row, err error) {
	all, err := s.kit.rows(s.ctx)
	for _, r := range all {
		if r.Camera.Serial == s.serials[camera] {
			list = append(list, r)
		}
	}
	return list, err
}

// each looks at what became of every recording of the scene's n-th camera.
func (s *scene) each(camera int, problem func(station.Row) string) {
	if s.over() {
		return
	}
	rows, err := s.rows(camera)
	if err != nil {
		s.found(Slow, "the kit could not ask what is stored: %v", err)
	}
	for _, r := range rows {
		if words := problem(r); words != "" {
			s.found(AcceptedWrong, "%s: %s", r.Recording.Path, words)
		}
	}
}

// once says that no recording of a camera was carried to the server twice.
func (s *scene) once(camera int) {
	s.each(camera, func(r station.Row) string {
		if r.Item != nil && r.Item.Attempt > 1 {
			return fmt.Sprintf("it was sent %d times", r.Item.Attempt)
		}
		return ""
	})
}

// told waits until the dock has told people of a bay's trouble, in its status or, for
// its administrator, in its log: one of the words, which are regular expressions.
func (s *scene) told(bay int, words ...string) { s.toldOf([]int{bay}, words...) }

// toldOf is told for a trouble that several bays have together.
func (s *scene) toldOf(bays []int, words ...string) {
	pattern := regexp.MustCompile("(?i)" + strings.Join(words, "|"))
	s.until(Silent, s.kit.options.Patience, fmt.Sprintf("nobody was told of the trouble (%s)", pattern), func() (bool, string) {
		var shown []string
		for _, bay := range bays {
			if where, sentence := s.kit.watch.heard(s.bays[bay], s.since, pattern); where != "" {
				s.heard = append(s.heard, where+": "+sentence)
				return true, ""
			}
			shown = append(shown, fmt.Sprintf("bay %s: %s", s.bays[bay], s.kit.watch.bay(s.bays[bay])))
		}
		return false, "the dock says " + strings.Join(shown, ", ")
	})
}

// struck says that every fault of a camera that strikes a number of times did so: a
// fault that never struck would show nothing.
func (s *scene) struck(bay int) {
	if s.over() {
		return
	}
	if left := s.look(bay).Faults; len(left) > 0 {
		s.found(Slow, "the row shows nothing, as these faults did not strike: %+v", left)
	}
}

// meanwhile says that another camera is emptied in good time while this one has its trouble.
func (s *scene) meanwhile(bay int, patience time.Duration) {
	s.plug(bay)
	s.until(Slow, patience, fmt.Sprintf("the healthy camera in bay %s is not emptied beside it", s.bays[bay]), func() (bool, string) {
		n := len(s.recordings(bay))
		return n == 0, fmt.Sprintf("%d recordings are left; the dock says %s", n, s.kit.watch.bay(s.bays[bay]))
	})
}

// keeps says that a camera still holds so many recordings.
func (s *scene) keeps(bay, want int) {
	if s.over() {
		return
	}
	if n := len(s.recordings(bay)); n != want {
		s.found(Lost, "the camera in bay %s holds %d recordings, want %d: what the fault spoilt was erased", s.bays[bay], n, want)
	}
}

// pause lets a fault last for a while.
func (s *scene) pause(d time.Duration) {
	if s.over() {
		return
	}
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
	}
}
