package offload

import (
	"context"
	"math"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/clock"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	clockReadings = 90                      // of the camera's clock for one measurement, at most
	clockFine     = 5 * time.Millisecond    // width at which a fine clock is known well enough
	clockCoarse   = 40 * time.Millisecond   // the same for one that counts seconds
	clockPace     = 15 * time.Millisecond   // between two readings of a coarse clock
	clockWrong    = time.Minute             // off by more: people are told
	clockDoubt    = 2 * time.Second         // off by more: its drift is measured too
	clockApart    = 2500 * time.Millisecond // between the two measurements of a drift
)

// compareClock measures how far the camera's clock is off the dock's, sets it, and
// measures again. Nothing that the camera recorded changes.
func (d *Docking) compareClock(ctx context.Context) error {
	c, ok := d.link.(camera.Clocked)
	if !ok {
		return nil
	}
	first, err := d.measure(ctx, c)
	if err != nil || first == nil {
		return d.tolerate("reading the camera's clock", err)
	}
	d.measured = first
	off := d.off(first)
	if off.Abs() > clockWrong {
		d.find(evidence.FoundClockWrong, "the camera's clock is off by %v", off.Round(time.Second))
	}
	if off.Abs() > clockDoubt {
		if err := d.measureDrift(ctx, c); err != nil {
			return d.tolerate("reading the camera's clock", err)
		}
	}
	d.lastSet()
	d.clockSet = d.measured // what is known of the clock from here on, also when it is not set
	if d.desk.opt.LeaveClocks || d.camera.KeyStanding == evidence.KeyForeign {
		return nil
	}
	if d.coarse && off.Abs() <= time.Second {
		return nil // it counts whole seconds, and is right to the second
	}
	if err := c.SetClock(ctx, d.desk.opt.Now, 0); err != nil {
		return d.tolerate("setting the camera's clock", err)
	}
	after, err := d.measure(ctx, c)
	if err != nil || after == nil {
		return d.tolerate("reading the camera's clock after it was set", err)
	}
	d.clockSet = after
	d.log.Info("camera clock compared and set", "ahead_us", d.measured.Ahead, "uncertainty_us", d.measured.Uncertainty, "ahead_after_us", after.Ahead)
	return nil
}

// off is how wrong an offset makes the camera's clock. One that shows local time is
// right.
func (d *Docking) off(o *evidence.Offset) time.Duration {
	off := time.Duration(o.Ahead) * time.Microsecond
	_, zone := d.desk.opt.Now().Local().Zone()
	if local := off - time.Duration(zone)*time.Second; local.Abs() < off.Abs() {
		return local
	}
	return off
}

// measure reads the camera's clock until its offset is known well; nil when the
// camera tells no clock.
func (d *Docking) measure(ctx context.Context, c camera.Clocked) (*evidence.Offset, error) {
	var e clock.Estimate
	for range clockReadings {
		_, resolution, ok, err := d.readClock(ctx, c, &e)
		if err != nil || !ok {
			return nil, err
		}
		width, n := e.Width()
		if resolution <= clockCoarse {
			if width <= clockFine && n >= 4 || n >= 16 {
				break
			}
			continue
		}
		d.coarse = true
		if width <= clockCoarse {
			if d.off(e.Offset(d.desk.opt.Now())).Abs() <= clockDoubt {
				break
			}
			if err := d.measureTick(ctx, c, &e); err != nil {
				return nil, err
			}
			break
		}
		if err := rest(ctx, clockPace); err != nil {
			return nil, err
		}
	}
	return e.Offset(d.desk.opt.Now()), nil
}

// readClock adds one exchange to an estimate.
func (d *Docking) readClock(ctx context.Context, c camera.Clocked, e *clock.Estimate) (reading time.Time, resolution time.Duration, ok bool, err error) {
	before := d.desk.opt.Now()
	reading, resolution, ok, err = c.ReadClock(ctx)
	if ok && err == nil {
		e.Add(reading.Sub(d.desk.opt.Now()), reading.Add(resolution).Sub(before))
	}
	return reading, resolution, ok, err
}

// measureTick reads a clock of whole seconds in quick succession around its next
// tick, which the estimate so far foretells: then the offset is known to the time
// of one reading.
func (d *Docking) measureTick(ctx context.Context, c camera.Clocked, e *clock.Estimate) error {
	width, _ := e.Width()
	now := d.desk.opt.Now()
	reads := now.Add(time.Duration(e.Offset(now).Ahead) * time.Microsecond)
	if err := rest(ctx, reads.Truncate(time.Second).Add(time.Second).Sub(reads)-width); err != nil {
		return err
	}
	first, _, ok, err := d.readClock(ctx, c, e)
	for range clockReadings {
		if err != nil || !ok {
			return err
		}
		var next time.Time
		if next, _, ok, err = d.readClock(ctx, c, e); !next.Equal(first) {
			return err
		}
	}
	return nil
}

// measureDrift measures a second time after a while. A clock that is this wrong
// may run wrong too, so what was measured counts, however rough it is.
func (d *Docking) measureDrift(ctx context.Context, c camera.Clocked) error {
	if err := rest(ctx, clockApart); err != nil {
		return err
	}
	second, err := d.measure(ctx, c)
	if err != nil || second == nil {
		return err
	}
	if drift, ok := clock.Drift(d.measured, second); ok {
		d.drift = &drift
	}
	d.measured = second
	return nil
}

// lastSet takes over when the camera's clock was set before, by the dock's clock.
func (d *Docking) lastSet() {
	if d.answer == nil || d.answer.GetClockSetUs() == 0 {
		return
	}
	offset := d.desk.opt.Server.ClockOffset()
	if offset == nil {
		return
	}
	d.wasSet = &evidence.Offset{
		At:          time.UnixMicro(d.answer.GetClockSetUs() + offset.Ahead).UTC(),
		Ahead:       d.answer.GetClockAheadUs() - offset.Ahead,
		Uncertainty: int64(min(d.answer.GetClockUncertaintyUs(), math.MaxInt64/2)) + offset.Uncertainty,
		Exchanges:   1,
	}
}

// clocks are the readings that go into statements of this moment.
func (d *Docking) clocks(start, end time.Time) evidence.Clocks {
	c := evidence.Clocks{DockStart: start, DockEnd: end, CameraRaw: d.clockRaw, CameraAt: d.clockAt, Camera: d.measured, Set: d.wasSet, Drift: d.drift}
	if d.desk.opt.Server != nil {
		c.Dock = d.desk.opt.Server.ClockOffset()
	}
	return c
}

func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
