package schedule

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
	_ "time/tzdata" // for machines that have no zones

	"github.com/sealdock/sealdock/proto/upload"
)

// NoLimit is the rate where no window says otherwise, in bytes a second.
const NoLimit = math.MaxUint64

const (
	minutesOfDay  = 24 * 60
	minutesOfWeek = 7 * minutesOfDay
)

// Table is a weekly bandwidth table. A nil Table limits nothing.
type Table struct {
	zone    *time.Location
	windows []Window
	week    []part // covers the week from Monday 00:00; neighbours differ; never empty
}

// Window is a part of the week with a limit.
type Window struct {
	Days           uint32 // bit 0 is Monday, bit 6 Sunday: the days on which it begins
	From, Until    uint32 // minutes of the day, 0 to 1440; where Until is not after From it lasts into the next day
	BytesPerSecond uint64 // 0: nothing is sent
}

// part is a stretch of the week with one rate.
type part struct {
	from int // minute of the week
	rate uint64
}

// New makes a table of the message of proto/upload; nil for nil. It refuses what
// the protocol does not allow and zones that do not exist, in words for people.
func New(b *upload.Bandwidth) (*Table, error) {
	if b == nil {
		return nil, nil
	}
	windows := make([]Window, 0, len(b.GetWindows()))
	for _, w := range b.GetWindows() {
		windows = append(windows, Window{w.GetDays(), w.GetFrom(), w.GetUntil(), w.GetBytesPerSecond()})
	}
	return Of(b.GetZone(), windows...)
}

// Of makes a table of windows in a time zone, an IANA name.
func Of(zone string, windows ...Window) (*Table, error) {
	place, err := place(zone)
	if err != nil {
		return nil, err
	}
	if len(windows) > upload.MaxWindows {
		return nil, fmt.Errorf("a bandwidth table has %d windows, at most %d are taken", len(windows), upload.MaxWindows)
	}
	for i, w := range windows {
		if err := w.check(); err != nil {
			return nil, fmt.Errorf("window %d: %w", i+1, err)
		}
	}
	t := &Table{zone: place, windows: slices.Clone(windows)}
	t.week = t.parts()
	return t, nil
}

// place finds a zone. "Local" is none: it means another place on each machine.
func place(zone string) (*time.Location, error) {
	if zone == "" || zone == "Local" || len(zone) > upload.MaxText {
		return nil, fmt.Errorf("%.40q is no time zone: give an IANA name, for example America/New_York or UTC", zone)
	}
	place, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("there is no time zone %.40q: give an IANA name, for example America/New_York or UTC", zone)
	}
	return place, nil
}

func (w Window) check() error {
	switch {
	case w.Days == 0 || w.Days > 1<<7-1:
		return fmt.Errorf("it names no day of the week")
	case w.From > minutesOfDay || w.Until > minutesOfDay:
		return fmt.Errorf("a time of day is beyond 24:00")
	}
	return nil
}

// Bandwidth is the table as the message of proto/upload; nil for nil.
func (t *Table) Bandwidth() *upload.Bandwidth {
	if t == nil {
		return nil
	}
	b := &upload.Bandwidth{Zone: t.Zone()}
	for _, w := range t.windows {
		b.Windows = append(b.Windows, &upload.Window{Days: w.Days, From: w.From, Until: w.Until, BytesPerSecond: w.BytesPerSecond})
	}
	return b
}

// Zone is the IANA name of the table's zone; empty for nil.
func (t *Table) Zone() string {
	if t == nil {
		return ""
	}
	return t.zone.String()
}

// Local is a moment by the clock on the wall in the table's zone; UTC for nil.
func (t *Table) Local(at time.Time) time.Time {
	if t == nil {
		return at.UTC()
	}
	return at.In(t.zone)
}

// Windows returns the table's windows in their order.
func (t *Table) Windows() []Window {
	if t == nil {
		return nil
	}
	return slices.Clone(t.windows)
}

// Stretch is a part of the week with one rate.
type Stretch struct {
	From, Until    int // minutes of the week, from Monday 00:00
	BytesPerSecond uint64
}

// Week draws the week as the windows make it, without gaps; empty for nil.
func (t *Table) Week() []Stretch {
	if t == nil {
		return nil
	}
	all := make([]Stretch, len(t.week))
	for i, p := range t.week {
		all[i] = Stretch{p.from, minutesOfWeek, p.rate}
		if i > 0 {
			all[i-1].Until = p.from
		}
	}
	return all
}

// At returns the most bytes a second that may be sent at a moment, [NoLimit] for
// no limit, and when that changes. Where it does not change within eight days
// the moment is one to ask again at; zero: it never changes.
func (t *Table) At(now time.Time) (bytesPerSecond uint64, until time.Time) {
	if t == nil {
		return NoLimit, time.Time{}
	}
	rate, until := t.step(now)
	if until.IsZero() {
		return rate, until
	}
	for horizon := now.AddDate(0, 0, 8); until.Before(horizon); {
		next, after := t.step(until)
		if next != rate {
			break
		}
		until = after
	}
	return rate, until
}

// step is At without looking beyond the next border of the week or change of
// the zone's offset.
func (t *Table) step(now time.Time) (rate uint64, until time.Time) {
	if len(t.week) == 1 {
		return t.week[0].rate, time.Time{}
	}
	wall := now.In(t.zone)
	second := time.Duration(weekday(wall))*24*time.Hour +
		time.Duration(wall.Hour())*time.Hour + time.Duration(wall.Minute())*time.Minute +
		time.Duration(wall.Second())*time.Second + time.Duration(wall.Nanosecond())
	at, exact := slices.BinarySearchFunc(t.week, second, func(p part, d time.Duration) int { return cmp.Compare(time.Duration(p.from)*time.Minute, d) })
	if !exact {
		at-- // the first part begins at 0
	}
	border := minutesOfWeek
	if at+1 < len(t.week) {
		border = t.week[at+1].from
	}
	until = now.Add(time.Duration(border)*time.Minute - second)
	if _, end := wall.ZoneBounds(); !end.IsZero() && end.Before(until) {
		until = end // the clock on the wall jumps
	}
	return t.week[at].rate, until
}

// parts draws the week.
func (t *Table) parts() []part {
	borders := []int{0}
	for _, w := range t.windows {
		for day := range 7 {
			if w.Days>>day&1 == 1 {
				from, length := w.span(day)
				borders = append(borders, from%minutesOfWeek, (from+length)%minutesOfWeek)
			}
		}
	}
	slices.Sort(borders)
	var all []part
	for _, minute := range slices.Compact(borders) {
		rate := t.rate(minute)
		if len(all) == 0 || all[len(all)-1].rate != rate {
			all = append(all, part{minute, rate})
		}
	}
	return all
}

// rate is the limit of the first window that holds a minute of the week.
func (t *Table) rate(minute int) uint64 {
	for _, w := range t.windows {
		for day := range 7 {
			if w.Days>>day&1 == 0 {
				continue
			}
			from, length := w.span(day)
			if (minute-from+2*minutesOfWeek)%minutesOfWeek < length {
				return w.BytesPerSecond
			}
		}
	}
	return NoLimit
}

// span is the minute of the week at which the window of a day begins, and its
// length.
func (w Window) span(day int) (from, length int) {
	length = int(w.Until) - int(w.From)
	if length <= 0 {
		length += minutesOfDay
	}
	return day*minutesOfDay + int(w.From), length
}

// weekday counts from Monday.
func weekday(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }
