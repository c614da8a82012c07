package simulator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/bus"
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/oracle"
)

const (
	movePause  = 20 * time.Millisecond // between two looks whether a host has let go
	movePauses = 500
	eventTick  = 20 * time.Millisecond
)

// ErrNoExtension means that a fault of the vendor extension meets a camera without it.
var ErrNoExtension = errors.New("this camera has no vendor extension")

// Break makes something go wrong on a camera: at once where the fault is an act, else
// when it strikes.
func (s *Simulator) Break(busID string, f fault.Fault) error {
	b, err := s.bay(busID)
	if err != nil {
		return err
	}
	if err := s.sensible(b, f); err != nil {
		return err
	}
	if err := s.book.Note(b.camera.Serial(), oracle.ActFault, fmt.Sprintf("%+v", f)); err != nil {
		return err
	}
	if err := s.act(b, busID, f); err != nil {
		return err
	}
	if f.Kind == fault.Names || f.Kind == fault.Content || f.Kind == fault.Again {
		return nil // what they add stays; there is nothing to clear
	}
	return b.camera.Faults().Add(f)
}

// sensible says whether a fault can strike this camera.
func (s *Simulator) sensible(b *bay, f fault.Fault) error {
	if err := f.Check(); err != nil {
		return err
	}
	if f.Path != "" && !slices.ContainsFunc(b.camera.Recordings(), func(r *firmware.Recording) bool { return r.Path == f.Path }) {
		return fmt.Errorf("camera %s, %q: %w", b.camera.Serial(), f.Path, ErrNoRecording)
	}
	if f.Bay != "" {
		if _, err := s.bay(f.Bay); err != nil {
			return err
		}
	}
	if f.Kind.Extension() && !b.camera.Extended() {
		return fmt.Errorf("%s: %w: %w", f.Kind, ErrNoExtension, fault.ErrScript)
	}
	return nil
}

// act does what a fault does at once.
func (s *Simulator) act(b *bay, busID string, f fault.Fault) error {
	switch f.Kind {
	case fault.Names:
		return s.addHostile(b, f.Variant)
	case fault.Content:
		return s.addContent(b, f.Variant)
	case fault.Again:
		return s.addAgain(b, f.Path)
	case fault.Descriptors, fault.Serial:
		return s.disguise(b, busID, f)
	case fault.ClockJump:
		s.jump(b, f.Variant)
	case fault.ClockDrift:
		b.camera.SetDrift(f.Drift)
	case fault.Storm:
		s.begin(b, func(ctx context.Context) { s.storm(ctx, b, f) })
	case fault.Events:
		s.begin(b, func(ctx context.Context) { s.bother(ctx, b, f) })
	}
	return nil
}

// Clear removes every fault of a camera; what it made of clock and recordings stays.
func (s *Simulator) Clear(busID string) error {
	b, err := s.bay(busID)
	if err != nil {
		return err
	}
	b.mu.Lock()
	for _, stop := range b.acting {
		stop()
	}
	b.acting = nil
	b.mu.Unlock()
	b.camera.Faults().Clear()
	b.camera.Claim("")
	b.camera.SetDrift(s.config.ClockDrift)
	return errors.Join(s.bus.Identify(busID, b.camera.Identity()), s.book.Note(b.camera.Serial(), oracle.ActFault, "clear"))
}

// disguise changes what the camera's descriptors say, for its next docking.
func (s *Simulator) disguise(b *bay, busID string, f fault.Fault) error {
	if f.Kind == fault.Serial {
		other, err := s.bay(f.Bay)
		if err != nil {
			return err
		}
		b.camera.Claim(other.camera.Serial())
		if err := s.book.Claimed(b.camera.Serial(), other.camera.Serial()); err != nil {
			return err
		}
	}
	identity := b.camera.Identity()
	if f.Kind == fault.Descriptors {
		identity.Lie = bus.Lie(f.Variant) // the words are the same
	}
	return s.bus.Identify(busID, identity)
}

// jump sets a camera's clock.
func (s *Simulator) jump(b *bay, variant string) {
	before := b.camera.Clock()
	after := before
	switch variant {
	case fault.Variant1970:
		after = time.Unix(0, 0).UTC()
	case fault.VariantTenYears:
		after = before.AddDate(10, 0, 0)
	case fault.VariantDST:
		after = before.Add(time.Hour)
	case fault.VariantBackwards:
		after = before.Add(-time.Hour)
	}
	b.camera.SetClock(after)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.jumped += after.Sub(before)
}

// begin runs what goes on for a while, until it ends, the camera's faults are cleared
// or the simulator closes.
func (s *Simulator) begin(b *bay, work func(ctx context.Context)) {
	ctx, stop := context.WithCancel(s.running)
	b.mu.Lock()
	b.acting = append(b.acting, stop)
	b.mu.Unlock()
	s.acts.Go(func() {
		defer stop()
		work(ctx)
	})
}

// pause waits, and says whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// limit is ctx with the time that a fault lasts.
func limit(ctx context.Context, f fault.Fault) (context.Context, context.CancelFunc) {
	if f.For == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, f.For)
}

// storm pulls a camera and plugs it, again and again. At the end it is plugged in.
func (s *Simulator) storm(ctx context.Context, b *bay, f fault.Fault) {
	ctx, cancel := limit(ctx, f)
	defer cancel()
	half := time.Minute / time.Duration(2*f.Rate)
	for more := true; more; more = pause(ctx, half) {
		busID := s.place(b)
		s.note(s.Unplug(busID))
		more = pause(ctx, half)
		s.note(s.Plug(busID))
		if !more {
			return
		}
	}
}

// bother floods a camera's host with events.
func (s *Simulator) bother(ctx context.Context, b *bay, f fault.Fault) {
	ctx, cancel := limit(ctx, f)
	defer cancel()
	begun, sent := s.now(), int64(0)
	for pause(ctx, eventTick) {
		due := int64(s.now().Sub(begun).Seconds()*float64(f.Rate)) - sent
		b.camera.Bother(int(due))
		sent += due
	}
}

// struck is told by a camera's faults that it went away.
func (s *Simulator) struck(b *bay, f fault.Fault) {
	if f.Kind == fault.Reboot {
		s.begin(b, func(ctx context.Context) { s.reboot(ctx, b, f) })
	}
}

// reboot brings a camera back that went away; at once when the faults are cleared.
func (s *Simulator) reboot(ctx context.Context, b *bay, f fault.Fault) {
	pause(ctx, f.For)
	from := s.place(b)
	for plugged := true; plugged; plugged, _ = s.bus.Plugged(from) {
		if s.running.Err() != nil {
			return
		}
		pause(s.running, movePause)
	}
	if f.Bay != "" && f.Bay != from {
		if err := s.move(s.running, from, f.Bay); err != nil {
			s.log.Error("a camera comes back in its old bay", "from", from, "to", f.Bay, "error", err)
		}
	}
	s.note(s.Plug(s.place(b)))
}

// places are the bays of all cameras, at one moment.
func (s *Simulator) places() (list []string) {
	s.moving.RLock()
	defer s.moving.RUnlock()
	for _, b := range s.bays {
		list = append(list, b.busID)
	}
	return list
}

// place is the bay that a camera is in by now.
func (s *Simulator) place(b *bay) string {
	s.moving.RLock()
	defer s.moving.RUnlock()
	return b.busID
}

func (s *Simulator) note(err error) {
	if err != nil {
		s.log.Error("a camera did not move as its fault wants", "error", err)
	}
}

// move puts a camera into another bay, and what was there into its own. Both must be
// out; a host that still holds one is waited for.
func (s *Simulator) move(ctx context.Context, from, to string) (err error) {
	for range movePauses {
		if err = s.exchange(from, to); !errors.Is(err, bus.ErrTaken) || !pause(ctx, movePause) {
			return err
		}
	}
	return err
}

func (s *Simulator) exchange(from, to string) error {
	one, err := s.bay(from)
	if err != nil {
		return err
	}
	other, err := s.bay(to)
	if err != nil {
		return err
	}
	moved := func() { // within the bus's lock, which is always taken first
		s.moving.Lock()
		defer s.moving.Unlock()
		one.busID, other.busID = to, from
	}
	if err := s.bus.Exchange(from, to, moved); err != nil {
		return err
	}
	return errors.Join(s.book.Moved(one.camera.Serial(), to), s.book.Moved(other.camera.Serial(), from))
}
