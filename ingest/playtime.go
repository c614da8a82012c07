package main

import (
	"fmt"
	"strings"
	"time"
)

// playTime is a time in a recording, from its beginning: HH:MM:SS, MM:SS or SS, the
// seconds with decimals if need be.
type playTime time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *playTime) UnmarshalText(text []byte) error {
	bad := fmt.Errorf("%q is no time in a recording: give HH:MM:SS, as 00:01:10 or 00:01:10.5", text)
	parts := strings.Split(string(text), ":")
	if len(parts) > 3 {
		return bad
	}
	total := time.Duration(0)
	for i, part := range parts {
		last := i == len(parts)-1
		if part == "" || strings.Trim(part, "0123456789.") != "" || !last && strings.Contains(part, ".") || len(part) > 12 {
			return bad
		}
		d, err := time.ParseDuration(part + "s")
		if err != nil || i > 0 && d >= time.Minute || d > 1000*time.Hour {
			return bad
		}
		total = total*60 + d
	}
	if total > 1000*time.Hour {
		return bad
	}
	*p = playTime(total)
	return nil
}
