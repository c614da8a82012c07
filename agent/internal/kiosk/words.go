package kiosk

import "fmt"

// sizeText shows bytes in binary units with up to three significant digits.
func sizeText(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	units := [...]string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	f, i := float64(n)/1024, 0
	for f >= 999.5 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	if f < 99.95 && f != float64(int(f)) {
		return fmt.Sprintf("%.1f %s", f, units[i])
	}
	return fmt.Sprintf("%.0f %s", f, units[i])
}

// spanText shows a time to go, rounded up: nobody minds a camera that is ready
// early.
func spanText(seconds int64) string {
	const minute, hour, day = 60, 60 * 60, 24 * 60 * 60
	switch {
	case seconds < 0:
		return ""
	case seconds < minute:
		return "< 1 min"
	case seconds <= hour-minute:
		return fmt.Sprintf("%d min", (seconds+minute-1)/minute)
	case seconds < day:
		minutes := (seconds + minute - 1) / minute
		return fmt.Sprintf("%d h %02d", minutes/60, minutes%60)
	}
	return "> 1 day"
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// permille is done of total in thousandths. It is 1000 only when nothing is left.
func permille(done, total uint64) int {
	if total == 0 {
		return 0
	}
	if done >= total {
		return 1000
	}
	return min(int(float64(done)/float64(total)*1000), 999)
}
