package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Errors of acts that name what is not there.
var (
	ErrNoBay       = errors.New("no such bay")
	ErrNoRecording = errors.New("no such recording")
)

// Bay is what can be seen of one bay.
type Bay struct {
	BusID      string        `json:"busid"`
	Serial     string        `json:"serial"`
	Plugged    bool          `json:"plugged"`
	Imported   bool          `json:"imported"` // a host holds the camera
	Recordings []Recording   `json:"recordings"`
	Faults     []fault.Fault `json:"faults"`
	Camera     *Standing     `json:"camera,omitempty"` // nil: it has no Sealdock extension
}

// Recording is one recording on a camera.
type Recording struct {
	Path   string          `json:"path"`
	Size   int64           `json:"size"`
	SHA256 evidence.Digest `json:"sha256"`
	Number uint64          `json:"number"` // that the camera gave it
	Urgent bool            `json:"urgent,omitempty"`
}

func (s *Simulator) bay(busID string) (*bay, error) {
	s.moving.RLock()
	defer s.moving.RUnlock()
	i := slices.IndexFunc(s.bays, func(b *bay) bool { return b.busID == busID })
	if i < 0 {
		var known []string
		for _, b := range s.bays {
			known = append(known, b.busID)
		}
		slices.SortFunc(known, byNumber)
		return nil, fmt.Errorf("bay %q (there are %s): %w", busID, strings.Join(known, ", "), ErrNoBay)
	}
	return s.bays[i], nil
}

// List shows every bay.
func (s *Simulator) List() []Bay {
	var list []Bay
	places := s.places()
	for i, b := range s.bays {
		busID := places[i]
		show := Bay{BusID: busID, Serial: b.camera.Serial(), Recordings: []Recording{}, Faults: b.camera.Faults().Pending()}
		show.Plugged, show.Imported = s.bus.Plugged(busID)
		urgent := b.camera.Urgent()
		for _, r := range b.camera.Recordings() {
			show.Recordings = append(show.Recordings, Recording{r.Path, r.Size, r.SHA256, r.Sequence, urgent[r.Path]})
		}
		show.Camera = standing(b.camera)
		list = append(list, show)
	}
	slices.SortFunc(list, func(a, b Bay) int { return byNumber(a.BusID, b.BusID) })
	return list
}

// byNumber puts 1-2 before 1-10.
func byNumber(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// moved is told by the bus when a camera comes or goes.
func (s *Simulator) moved(busID string, plugged bool, why string) {
	b, err := s.bay(busID)
	if err == nil {
		err = s.book.Plugged(b.camera.Serial(), plugged, why)
	}
	if err != nil {
		s.log.Error("the oracle missed that a camera moved", "bay", busID, "plugged", plugged, "error", err)
	}
}

// Plug puts a camera into its bay.
func (s *Simulator) Plug(busID string) error {
	if _, err := s.bay(busID); err != nil {
		return err
	}
	return s.bus.Plug(busID)
}

// Unplug pulls a camera out of its bay; a host that holds it loses it at once.
func (s *Simulator) Unplug(busID string) error {
	if _, err := s.bay(busID); err != nil {
		return err
	}
	return s.bus.Unplug(busID)
}

// Record makes a new recording on a camera and returns it.
func (s *Simulator) Record(ctx context.Context, busID string) ([]Recording, error) {
	b, err := s.bay(busID)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.camera.Faults().Has(fault.Full) {
		return nil, fmt.Errorf("recording on camera %s: its card is full", busID)
	}
	made, err := s.source.next(ctx, b.number, b.camera.Serial(), b.taken+1, b.camera.Wearer())
	if err != nil {
		return nil, fmt.Errorf("recording on camera %s: %w", busID, err)
	}
	for _, r := range made {
		r.Captured = r.Captured.Add(b.jumped)
	}
	b.taken++
	return s.enter(b, made)
}

// enter puts new recordings into the oracle first, then on the camera.
func (s *Simulator) enter(b *bay, made []recording) ([]Recording, error) {
	var list []Recording
	for _, r := range made {
		r.Sequence = b.camera.NextNumber()
		r.row.Sequence = r.Sequence
		if err := s.book.Recorded(b.camera.Serial(), r.row); err != nil {
			return list, err
		}
		if err := b.camera.Add(r.Recording); err != nil {
			return list, err
		}
		list = append(list, Recording{r.Path, r.Size, r.SHA256, r.Sequence, r.Urgent})
	}
	return list, nil
}

// Remove makes a camera lose a recording by itself.
func (s *Simulator) Remove(busID, path string) error {
	b, err := s.bay(busID)
	if err != nil {
		return err
	}
	if err := b.camera.Remove(path); err != nil {
		return fmt.Errorf("camera %s, %q: %w", busID, path, ErrNoRecording)
	}
	return s.book.Removed(b.camera.Serial(), path)
}
