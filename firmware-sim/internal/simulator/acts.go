package simulator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/oracle"
	"github.com/sealdock/sealdock/proto/camera"
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
}

// Recording is one recording on a camera.
type Recording struct {
	Path   string          `json:"path"`
	Size   int64           `json:"size"`
	SHA256 evidence.Digest `json:"sha256"`
}

func (s *Simulator) bay(busID string) (*bay, error) {
	i := slices.IndexFunc(s.bays, func(b *bay) bool { return b.busID == busID })
	if i < 0 {
		var known []string
		for _, b := range s.bays {
			known = append(known, b.busID)
		}
		return nil, fmt.Errorf("bay %q (there are %s): %w", busID, strings.Join(known, ", "), ErrNoBay)
	}
	return s.bays[i], nil
}

// List shows every bay.
func (s *Simulator) List() []Bay {
	var list []Bay
	for _, b := range s.bays {
		show := Bay{BusID: b.busID, Serial: b.camera.Serial(), Recordings: []Recording{}, Faults: b.camera.Faults().Pending()}
		show.Plugged, show.Imported = s.bus.Plugged(b.busID)
		for _, r := range b.camera.Recordings() {
			show.Recordings = append(show.Recordings, Recording{r.Path, r.Size, r.SHA256})
		}
		list = append(list, show)
	}
	return list
}

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
	made, err := s.source.next(ctx, b.number, b.camera.Serial(), b.taken+1)
	if err != nil {
		return nil, fmt.Errorf("recording on camera %s: %w", busID, err)
	}
	b.taken++
	return s.enter(b, made)
}

// enter puts new recordings into the oracle first, then on the camera.
func (s *Simulator) enter(b *bay, made []recording) ([]Recording, error) {
	var list []Recording
	for _, r := range made {
		if err := s.book.Recorded(b.camera.Serial(), r.row); err != nil {
			return list, err
		}
		if err := b.camera.Add(r.Recording); err != nil {
			return list, err
		}
		list = append(list, Recording{r.Path, r.Size, r.SHA256})
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

// Break arms a fault on a camera; hostile names are added to it at once.
func (s *Simulator) Break(busID string, f fault.Fault) error {
	b, err := s.bay(busID)
	if err != nil {
		return err
	}
	if err := f.Check(); err != nil {
		return err
	}
	if f.Path != "" && !slices.ContainsFunc(b.camera.Recordings(), func(r *firmware.Recording) bool { return r.Path == f.Path }) {
		return fmt.Errorf("camera %s, %q: %w", busID, f.Path, ErrNoRecording)
	}
	if err := s.book.Note(b.camera.Serial(), oracle.ActFault, fmt.Sprintf("%+v", f)); err != nil {
		return err
	}
	if f.Kind == fault.Names {
		return s.addHostile(b, f.Variant)
	}
	return b.camera.Faults().Add(f)
}

// Clear removes every fault of a camera. Recordings with hostile names stay.
func (s *Simulator) Clear(busID string) error {
	b, err := s.bay(busID)
	if err != nil {
		return err
	}
	b.camera.Faults().Clear()
	return s.book.Note(b.camera.Serial(), oracle.ActFault, "clear")
}

type hostileName struct {
	where []camera.Text
	name  camera.Text
}

// hostile invents names of a variant.
func hostile(variant string) []hostileName {
	root, text := folders(1), camera.NewText
	switch variant {
	case fault.VariantParent:
		return []hostileName{
			{root, text("../../../../etc/cron.d/evil.mp4")}, {root, text("..")}, {root, text("/etc/passwd")},
			{root, text(`..\..\windows\system32\evil.mp4`)}, {append(slices.Clone(root), text("..")), text("UP.MP4")},
		}
	case fault.VariantNUL:
		return []hostileName{
			{root, camera.Text{'N', 'U', 'L', 0, '.', 'M', 'P', '4'}}, {root, text("LINE\nBREAK\r.MP4")},
			{root, text("\x1b[31mRED\x1b[0m.MP4")}, {root, text("gnp\u202e4PM.exe")}, {root, text(`<script>alert(1)</script>.MP4`)},
		}
	case fault.VariantLong:
		deep := slices.Clone(root)
		for len(deep) < 20 {
			deep = append(deep, text(strings.Repeat("D", camera.MaxText)))
		}
		return []hostileName{{deep, text(strings.Repeat("L", camera.MaxText-4) + ".MP4")}, {root, text(strings.Repeat("漢", camera.MaxText))}}
	case fault.VariantSurrogate:
		return []hostileName{{root, camera.Text{0xD800, '.', 'M', 'P', '4'}}, {root, camera.Text{'A', 0xDC00, 0xD800, 'B'}}}
	case fault.VariantTwins:
		return []hostileName{{root, text("TWIN.MP4")}, {root, text("TWIN.MP4")}, {root, text("twin.mp4")}}
	}
	var all []hostileName
	for _, v := range []string{fault.VariantParent, fault.VariantNUL, fault.VariantLong, fault.VariantSurrogate, fault.VariantTwins} {
		all = append(all, hostile(v)...)
	}
	return all
}

func (s *Simulator) addHostile(b *bay, variant string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range hostile(variant) {
		b.names++
		c := firmware.Synthetic{Seed: uint64(b.number)<<32 | 1<<31 | uint64(b.names), Size: 1000 + int64(b.names)}
		at := s.config.ShiftStart.Add(time.Duration(b.names) * time.Second)
		r, err := newRecording(h.where, h.name, evidence.KindOther, at, c)
		if err != nil {
			return err
		}
		if _, err := s.enter(b, []recording{r}); err != nil {
			return err
		}
	}
	return nil
}
