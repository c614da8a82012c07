package camera

import (
	"fmt"
	"time"
)

// DateTime is a PTP date and time (PIMA 15740 section 5.3.5.2):
// "YYYYMMDDThhmmss[.s][Z|+hhmm|-hhmm]". Raw keeps the words of the camera.
type DateTime struct {
	Raw   string
	Time  time.Time // in UTC's numbers where no zone was given
	Zoned bool      // the text named a zone; without it only the camera knows which it meant
}

// ParseDateTime decodes s. The fraction may have up to nine digits. When s is
// no date, the result still holds Raw, and Time is zero.
func ParseDateTime(s string) (DateTime, error) {
	d := DateTime{Raw: s}
	bad := func(why string) (DateTime, error) {
		return d, fmt.Errorf("reading a PTP date: %w: %s", ErrMalformed, why)
	}
	const basic = "20060102T150405"
	if len(s) < len(basic) || len(s) > len(basic)+1+9+5 {
		return bad("length")
	}
	rest := s[len(basic):]
	fraction := time.Duration(0)
	if rest != "" && rest[0] == '.' {
		n := 1
		unit := time.Second
		for n < len(rest) && n <= 9 && rest[n] >= '0' && rest[n] <= '9' {
			unit /= 10
			fraction += unit * time.Duration(rest[n]-'0')
			n++
		}
		if n == 1 {
			return bad("a point without digits")
		}
		rest = rest[n:]
	}
	zone, zoned, ok := parseZone(rest)
	if !ok {
		return bad("zone")
	}
	// time.Parse alone would take a fraction after the seconds, so it sees the fixed part only.
	t, err := time.ParseInLocation(basic, s[:len(basic)], zone)
	if err != nil {
		return bad("date or time out of range")
	}
	d.Time, d.Zoned = t.Add(fraction).UTC(), zoned
	return d, nil
}

func parseZone(s string) (zone *time.Location, zoned, ok bool) {
	switch {
	case s == "":
		return time.UTC, false, true
	case s == "Z":
		return time.UTC, true, true
	case len(s) != 5 || (s[0] != '+' && s[0] != '-'):
		return nil, false, false
	}
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return nil, false, false
		}
	}
	hours := int(s[1]-'0')*10 + int(s[2]-'0')
	minutes := int(s[3]-'0')*10 + int(s[4]-'0')
	if hours > 15 || minutes > 59 {
		return nil, false, false
	}
	seconds := (hours*60 + minutes) * 60
	if s[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds), true, true
}

// FormatDateTime encodes t to the second in its own zone: with "Z" for UTC, with
// an offset otherwise, and with no zone at all when zoned is false.
func FormatDateTime(t time.Time, zoned bool) string {
	s := t.Format("20060102T150405")
	if !zoned {
		return s
	}
	if _, offset := t.Zone(); offset == 0 {
		return s + "Z"
	}
	return s + t.Format("-0700")
}
