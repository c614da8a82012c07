package schedule

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

var dayNames = [7]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// ParseWindow reads a window as people write it: days, times, rate, for example
//
//	mon-fri 08:00-18:00 2 Mbit/s
//	daily 22:00-06:00 none
//	sat,sun 00:00-24:00 stop
//
// Days are mon to sun, ranges of them, lists of both, or daily. Rates are a
// number with kbit/s, Mbit/s, Gbit/s (thousands of bits), kB/s or MB/s; none is
// no limit and stop is nothing at all.
func ParseWindow(text string) (Window, error) {
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return Window{}, fmt.Errorf("%.60q is no window: write days, times and rate, for example \"mon-fri 08:00-18:00 2 Mbit/s\"", text)
	}
	days, err := ParseDays(fields[0])
	if err != nil {
		return Window{}, err
	}
	begin, end, ok := strings.Cut(fields[1], "-")
	if !ok {
		return Window{}, fmt.Errorf("%.40q is no time of day from-until, for example 08:00-18:00", fields[1])
	}
	w := Window{Days: days}
	if w.From, err = ParseMinute(begin); err != nil {
		return Window{}, err
	}
	if w.Until, err = ParseMinute(end); err != nil {
		return Window{}, err
	}
	w.BytesPerSecond, err = ParseRate(strings.Join(fields[2:], " "))
	return w, err
}

// String writes a window so that [ParseWindow] reads it.
func (w Window) String() string {
	return DaysText(w.Days) + " " + MinuteText(w.From) + "-" + MinuteText(w.Until) + " " + RateText(w.BytesPerSecond)
}

// ParseDays reads days of the week.
func ParseDays(text string) (uint32, error) {
	if strings.EqualFold(text, "daily") {
		return 1<<7 - 1, nil
	}
	var days uint32
	for piece := range strings.SplitSeq(strings.ToLower(text), ",") {
		first, last, isRange := strings.Cut(piece, "-")
		from := day(first)
		until := from
		if isRange {
			until = day(last)
		}
		if from < 0 || until < 0 {
			return 0, fmt.Errorf("%.40q are no days: write mon, tue, wed, thu, fri, sat, sun, ranges as mon-fri, lists as sat,sun, or daily", text)
		}
		for d := from; ; d = (d + 1) % 7 {
			days |= 1 << d
			if d == until {
				break
			}
		}
	}
	return days, nil
}

// day is the number of a day's name, -1 where it is none.
func day(name string) int {
	for i, known := range dayNames {
		if name == known {
			return i
		}
	}
	return -1
}

// DaysText writes days so that [ParseDays] reads them.
func DaysText(days uint32) string {
	if days&(1<<7-1) == 1<<7-1 {
		return "daily"
	}
	var pieces []string
	for d := 0; d < 7; d++ {
		if days>>d&1 == 0 {
			continue
		}
		last := d
		for last < 6 && days>>(last+1)&1 == 1 {
			last++
		}
		switch {
		case last == d:
			pieces = append(pieces, dayNames[d])
		case last == d+1:
			pieces = append(pieces, dayNames[d], dayNames[last])
		default:
			pieces = append(pieces, dayNames[d]+"-"+dayNames[last])
		}
		d = last
	}
	return strings.Join(pieces, ",")
}

// ParseMinute reads a time of day, 00:00 to 24:00, as minutes.
func ParseMinute(text string) (uint32, error) {
	hours, minutes, ok := strings.Cut(text, ":")
	h, err1 := strconv.ParseUint(hours, 10, 8)
	m, err2 := strconv.ParseUint(minutes, 10, 8)
	if !ok || len(minutes) != 2 || err1 != nil || err2 != nil || m > 59 || h*60+m > minutesOfDay {
		return 0, fmt.Errorf("%.40q is no time of day: write 00:00 to 24:00", text)
	}
	return uint32(h*60 + m), nil
}

// MinuteText writes minutes of the day as a time of day.
func MinuteText(minute uint32) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// units are what rates are written in, the largest of bits first, as bytes a
// second.
var units = []struct {
	name  string
	bytes float64
}{
	{"Gbit/s", 125_000_000}, {"Mbit/s", 125_000}, {"kbit/s", 125}, {"bit/s", 0.125},
	{"GB/s", 1e9}, {"MB/s", 1e6}, {"kB/s", 1e3}, {"B/s", 1},
}

// ParseRate reads a rate; the answer is bytes a second.
func ParseRate(text string) (uint64, error) {
	text = strings.TrimSpace(text)
	switch strings.ToLower(text) {
	case "none", "no limit", "unlimited":
		return NoLimit, nil
	case "stop", "nothing":
		return 0, nil
	}
	for _, unit := range units {
		number, ok := cutUnit(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if bytes := math.Round(n * unit.bytes); err == nil && n > 0 && bytes >= 1 && bytes <= MaxRate {
			return uint64(bytes), nil
		}
		return 0, fmt.Errorf("%.40q is no rate: the number must be above 0, and at most 1000 Gbit/s; \"stop\" sends nothing, \"none\" is no limit", text)
	}
	return 0, fmt.Errorf("%.40q is no rate: write a number and kbit/s, Mbit/s, Gbit/s, kB/s or MB/s, for example 2 Mbit/s; or none, or stop", text)
}

// MaxRate is the highest rate that is written in a table, in bytes a second.
// Whoever wants more wants no limit.
const MaxRate = 125_000_000_000

// cutUnit takes a unit off the end. Only the letter b tells bits from bytes, so
// other letters may be of either case.
func cutUnit(text, unit string) (string, bool) {
	if len(text) <= len(unit) {
		return "", false
	}
	number, end := text[:len(text)-len(unit)], text[len(text)-len(unit):]
	if !strings.EqualFold(end, unit) || strings.Contains(end, "B") != strings.Contains(unit, "B") {
		return "", false
	}
	last := number[len(number)-1]
	return number, last == ' ' || '0' <= last && last <= '9'
}

// RateText writes a rate, exactly, in the largest unit of bits that needs at
// most three decimals.
func RateText(bytesPerSecond uint64) string {
	switch bytesPerSecond {
	case NoLimit:
		return "none"
	case 0:
		return "stop"
	}
	for _, unit := range units[:3] {
		size := uint64(unit.bytes)
		if bytesPerSecond < size || bytesPerSecond%size*1000%size != 0 {
			continue
		}
		whole, thousandths := bytesPerSecond/size, bytesPerSecond%size*1000/size
		if thousandths == 0 {
			return fmt.Sprintf("%d %s", whole, unit.name)
		}
		return strings.TrimRight(fmt.Sprintf("%d.%03d", whole, thousandths), "0") + " " + unit.name
	}
	return fmt.Sprintf("%d B/s", bytesPerSecond)
}

// ParseTable reads a table of windows as [ParseWindow] does.
func ParseTable(zone string, windows []string) (*Table, error) {
	if len(windows) == 0 {
		return nil, errors.New("a table without windows limits nothing: give at least one, or remove the table")
	}
	all := make([]Window, 0, min(len(windows), minutesOfWeek))
	for _, text := range windows {
		w, err := ParseWindow(text)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return Of(zone, all...)
}
