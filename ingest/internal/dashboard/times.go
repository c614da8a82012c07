package dashboard

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/proto/evidence"
)

// timeFacts are when it was recorded: what the camera's clock said, and beside it
// what follows from the measurements of that clock. The first is never changed.
func timeFacts(v *reading.ItemView) []factGroup {
	var rows []fact
	add := func(what string, raw time.Time, corrected *evidence.Corrected) {
		if raw.IsZero() {
			return
		}
		rows = append(rows, fact{Name: what + ", by the camera’s clock", Time: raw, Note: "as it was; never changed"})
		if corrected != nil {
			rows = append(rows, fact{Name: what + ", corrected", Time: corrected.At, Note: "give or take " + aboutText(corrected.Uncertainty) + "; " + basisText(corrected.Basis)})
		}
	}
	add("Began", v.Item.StartedAt, v.Times.Began)
	add("Ended", v.Item.EndedAt, v.Times.Ended)
	if rows == nil {
		return nil
	}
	if v.Times.Began == nil && v.Times.Ended == nil {
		rows = append(rows, fact{Name: "Corrected", Value: "cannot be told", Note: "the camera’s clock was not compared with the dock’s when this was read"})
	}
	return []factGroup{{"When it was recorded", rows}}
}

// basisText puts what a correction rests on into a page's words.
func basisText(basis string) string { return strings.ReplaceAll(basis, "'", "’") }

// clockFacts are the readings of clocks and what was measured of them.
func clockFacts(v *reading.ItemView) []factGroup {
	rows := []fact{}
	add := func(name string, t time.Time, note string) {
		if !t.IsZero() {
			rows = append(rows, fact{Name: name, Time: t, Note: note})
		}
	}
	if m := v.Manifest; m != nil {
		rows = measuredFacts(&m.Clocks)
		if m.Recording.CapturedRaw != "" {
			rows = append(rows, fact{Name: "Listed by the camera as", Value: m.Recording.CapturedRaw, Mono: true, Note: "never corrected"})
		}
		if m.Clocks.CameraRaw != "" {
			rows = append(rows, fact{Name: "Camera’s clock showed", Value: m.Clocks.CameraRaw, Mono: true})
			add("at", m.Clocks.CameraAt, "dock’s clock")
		}
		add("Reading at the dock began", m.Clocks.DockStart, "dock’s clock")
		add("Reading at the dock ended", m.Clocks.DockEnd, "dock’s clock")
	}
	add("Announced", v.Item.OfferedAt, "server’s clock")
	add("Stored", v.Item.StoredAt, "server’s clock")
	add("Last proven intact", v.Item.ProvenAt, "server’s clock")
	add("Copy in the mirror last proven", v.Item.MirroredAt, "server’s clock")
	return []factGroup{{"Clocks", rows}}
}

// measuredFacts are the offsets between the clocks, as they were measured.
func measuredFacts(c *evidence.Clocks) []fact {
	var rows []fact
	if c.Camera == nil {
		rows = append(rows, fact{Name: "Camera’s clock", Value: "not compared with the dock’s"})
	} else {
		rows = append(rows, fact{Name: "Camera’s clock", Value: offsetText(c.Camera) + " the dock’s", Note: measureText(c.Camera) + ", before it was set"})
	}
	if c.Set != nil {
		rows = append(rows, fact{Name: "Camera’s clock last set", Time: c.Set.At, Note: "dock’s clock; afterwards " + offsetText(c.Set) + " the dock’s, " + measureText(c.Set)})
	}
	if c.Drift != nil {
		const day = 0.0864 // seconds that one part per million is in a day
		way := "gains"
		if c.Drift.PPM < 0 {
			way = "loses"
		}
		rows = append(rows, fact{
			Name: "Camera’s clock " + way, Value: aboutText(seconds(math.Abs(c.Drift.PPM)*day)) + " a day",
			Note: "measured while it was docked, give or take " + aboutText(seconds(c.Drift.Uncertainty*day)) + " a day",
		})
	}
	if c.Dock == nil {
		rows = append(rows, fact{Name: "Dock’s clock", Value: "not compared with this server’s", Note: "the server was not reached at that time"})
	} else {
		rows = append(rows, fact{Name: "Dock’s clock", Value: offsetText(c.Dock) + " this server’s", Note: measureText(c.Dock)})
	}
	return rows
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// offsetText says how far a clock is from another one: "1 h 17 min ahead of".
func offsetText(o *evidence.Offset) string {
	ahead := time.Duration(o.Ahead) * time.Microsecond
	switch {
	case ahead.Abs() < time.Millisecond:
		return "equal to"
	case ahead < 0:
		return spanText(-ahead) + " behind"
	}
	return spanText(ahead) + " ahead of"
}

func measureText(o *evidence.Offset) string {
	readings := "1 reading"
	if o.Exchanges != 1 {
		readings = countText(o.Exchanges) + " readings"
	}
	return "give or take " + aboutText(time.Duration(o.Uncertainty)*time.Microsecond) + ", from " + readings
}

// spanText writes a length of time in its two largest units.
func spanText(d time.Duration) string {
	day := 24 * time.Hour
	switch {
	case d >= day:
		d = d.Round(time.Hour)
		return twoUnits(d/day, "d", d%day/time.Hour, "h")
	case d >= time.Hour:
		d = d.Round(time.Minute)
		return twoUnits(d/time.Hour, "h", d%time.Hour/time.Minute, "min")
	case d >= time.Minute:
		d = d.Round(time.Second)
		return twoUnits(d/time.Minute, "min", d%time.Minute/time.Second, "s")
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond)/time.Millisecond)
}

func twoUnits(n time.Duration, big string, m time.Duration, small string) string {
	if m == 0 {
		return fmt.Sprintf("%d %s", n, big)
	}
	return fmt.Sprintf("%d %s %d %s", n, big, m, small)
}

// aboutText writes an uncertainty, rounded up: it is never shown smaller than it
// is.
func aboutText(d time.Duration) string {
	up := func(step time.Duration) time.Duration { return (d + step - 1) / step * step }
	switch {
	case d > 24*time.Hour:
		return spanText(up(time.Hour))
	case d > time.Hour:
		return spanText(up(time.Minute))
	case d > time.Minute:
		return spanText(up(time.Second))
	case d > time.Second:
		return spanText(up(100 * time.Millisecond))
	}
	return spanText(max(up(time.Millisecond), time.Millisecond))
}
