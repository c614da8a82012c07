package timeline

import (
	"fmt"
	"strings"
	"time"
)

// ParseTime reads a time in a recording, from its beginning: HH:MM:SS, MM:SS or SS, the
// seconds with decimals if need be.
func ParseTime(text string) (time.Duration, error) {
	bad := fmt.Errorf("%.40q is no time in a recording: give HH:MM:SS, as 00:01:10 or 00:01:10.5", text)
	parts := strings.Split(text, ":")
	if len(parts) > 3 {
		return 0, bad
	}
	total := time.Duration(0)
	for i, part := range parts {
		last := i == len(parts)-1
		if part == "" || strings.Trim(part, "0123456789.") != "" || !last && strings.Contains(part, ".") || len(part) > 12 {
			return 0, bad
		}
		d, err := time.ParseDuration(part + "s")
		if err != nil || i > 0 && d >= time.Minute || d > maxTime {
			return 0, bad
		}
		total = total*60 + d
	}
	if total > maxTime {
		return 0, bad
	}
	return total, nil
}
