package evidence

import (
	"fmt"
	"time"
)

// assumedDrift is how fast an undisciplined quartz clock may be wrong when
// nothing was measured: seconds per second. Makers promise 20 to 50 ppm at room
// temperature; cars are colder and hotter.
const assumedDrift = 100e-6

// bent is the part of a clock's change between two settings by which it may
// have run unevenly in between.
const bent = 0.1

// Offset is how far one clock is ahead of another, as measured by exchanges of
// readings.
type Offset struct {
	At          time.Time `json:"at"`             // the reference clock, UTC
	Ahead       int64     `json:"ahead_us"`       // microseconds; negative: behind
	Uncertainty int64     `json:"uncertainty_us"` // microseconds, either way
	Exchanges   int       `json:"exchanges"`      // readings that it rests on
}

func (o *Offset) check(what string) error {
	if o == nil {
		return nil
	}
	if o.At.IsZero() || o.Uncertainty < 0 || o.Exchanges < 1 {
		return fmt.Errorf("%s: time, uncertainty or exchanges are missing", what)
	}
	const most = int64(290 * 365 * 24 * time.Hour / time.Microsecond)
	if o.Ahead > most || o.Ahead < -most || o.Uncertainty > most {
		return fmt.Errorf("%s: more than 290 years", what)
	}
	return nil
}

// Clocks are the clock readings that belong to one reading of a recording.
// Nothing is corrected in them: Correct says what follows from them.
type Clocks struct {
	DockStart time.Time `json:"dock_start"` // UTC, the dock's clock, when reading began
	DockEnd   time.Time `json:"dock_end"`
	CameraRaw string    `json:"camera_raw,omitempty"` // the camera's clock as it reads, at CameraAt
	CameraAt  time.Time `json:"camera_at,omitzero"`   // the dock's clock at that reading

	Camera *Offset `json:"camera,omitempty"` // camera ahead of dock, at this docking, before the clock was set
	Set    *Offset `json:"set,omitempty"`    // camera ahead of dock after its clock was last set, at an earlier docking
	Drift  *Drift  `json:"drift,omitempty"`  // measured within this docking
	Dock   *Offset `json:"dock,omitempty"`   // dock ahead of server; nil: not measured, the server was not reached
}

// Drift is how fast a clock gains, in parts per million.
type Drift struct {
	PPM         float64 `json:"ppm"`
	Uncertainty float64 `json:"uncertainty_ppm"`
}

func (c *Clocks) check() error {
	if c.DockStart.IsZero() || c.DockEnd.IsZero() {
		return fmt.Errorf("the dock's clock is missing")
	}
	if c.Drift != nil && !(c.Drift.Uncertainty >= 0 && c.Drift.Uncertainty < 1e6 && c.Drift.PPM > -1e6 && c.Drift.PPM < 1e6) {
		return fmt.Errorf("the camera clock's drift is out of bounds")
	}
	return firstError(checkText("camera clock", c.CameraRaw, 64), c.Camera.check("camera clock's offset"), c.Set.check("camera clock's setting"), c.Dock.check("dock clock's offset"))
}

// Corrected is a time by the server's clock, and how wrong it may be either way.
type Corrected struct {
	At          time.Time
	Uncertainty time.Duration
	Basis       string // for people: what the correction rests on
}

// Correct turns a reading of the camera's clock into a time by the server's
// clock. ok is false when the camera's offset was not measured.
//
// Between the last setting of the camera's clock and this docking the clock is
// taken to have gained evenly, which may be wrong by a tenth of what it gained. A
// reading from before that setting, or without one, is taken back from the
// offset at this docking, with the drift that was measured or, without any, one
// of at most 100 ppm.
func (c *Clocks) Correct(raw time.Time) (at Corrected, ok bool) {
	if c.Camera == nil || raw.IsZero() {
		return Corrected{}, false
	}
	now := c.Camera.ahead()
	reading := c.Camera.At.Add(now) // of the camera's clock, at this docking
	switch {
	case c.Set != nil && c.Set.At.Before(c.Camera.At) && !raw.Before(c.Set.At.Add(c.Set.ahead()).Add(-c.Set.uncertainty())) && reading.After(c.Set.At.Add(c.Set.ahead())):
		begin := c.Set.At.Add(c.Set.ahead())
		part := float64(raw.Sub(begin)) / float64(reading.Sub(begin))
		gained := now - c.Set.ahead()
		at.At = c.Set.At.Add(time.Duration(part * float64(c.Camera.At.Sub(c.Set.At))))
		at.Uncertainty = max(c.Camera.uncertainty(), c.Set.uncertainty()) + time.Duration(bent*float64(gained.Abs()))
		at.Basis = "camera clock measured at this docking and when it was last set"
	case c.Drift != nil:
		age := reading.Sub(raw)
		rate := c.Drift.PPM / 1e6
		at.At = c.Camera.At.Add(-time.Duration(float64(age) / (1 + rate)))
		at.Uncertainty = c.Camera.uncertainty() + time.Duration(c.Drift.Uncertainty/1e6*float64(age.Abs()))
		at.Basis = "camera clock and its drift measured at this docking"
	default:
		age := reading.Sub(raw)
		at.At = c.Camera.At.Add(-age)
		at.Uncertainty = c.Camera.uncertainty() + time.Duration(assumedDrift*float64(age.Abs()))
		at.Basis = "camera clock measured at this docking; a drift of at most 100 ppm assumed"
	}
	if c.Dock == nil {
		at.Basis += "; by the dock's clock, which was not compared with the server's"
		return at, true
	}
	at.At = at.At.Add(-c.Dock.ahead())
	at.Uncertainty += c.Dock.uncertainty()
	return at, true
}

func (o *Offset) ahead() time.Duration       { return time.Duration(o.Ahead) * time.Microsecond }
func (o *Offset) uncertainty() time.Duration { return time.Duration(o.Uncertainty) * time.Microsecond }
