package dashboard

import (
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/uplink"
)

// Size of a spark in its own units.
const (
	sparkWidth  = 240
	sparkHeight = 44
)

// spark is a small drawing of what a dock sent lately, and what it might have.
type spark struct {
	Area, Line, Limit string // paths; "" for none
	Says              string // the same in words
}

// sparkOf draws the last minutes; nothing for less than two samples.
func sparkOf(history []uplink.Sample) spark {
	if len(history) < 2 {
		return spark{}
	}
	top, most := uint64(1), uint64(0)
	for _, s := range history {
		most = max(most, s.Rate)
		if s.Limit != uplink.NoLimit {
			top = max(top, s.Limit)
		}
	}
	top = max(top, most)
	begin, long := history[0].At, history[len(history)-1].At.Sub(history[0].At)
	x := func(at time.Time) float64 { return float64(at.Sub(begin)) / float64(max(long, 1)) * sparkWidth }
	y := func(rate uint64) float64 { return sparkHeight - 1 - float64(rate)/float64(top)*(sparkHeight-4) }
	var line, limit strings.Builder
	pen := "M"
	limited := false
	for _, s := range history {
		fmt.Fprintf(&line, "%s%.1f %.1f", pen, x(s.At), y(s.Rate))
		pen = "L"
		switch {
		case s.Limit == uplink.NoLimit:
			limited = false
		case limited:
			fmt.Fprintf(&limit, "H%.1fV%.1f", x(s.At), y(s.Limit))
		default:
			fmt.Fprintf(&limit, "M%.1f %.1f", x(s.At), y(s.Limit))
			limited = true
		}
	}
	return spark{
		Area: fmt.Sprintf("%sV%dH0Z", line.String(), sparkHeight), Line: line.String(), Limit: limit.String(),
		Says: fmt.Sprintf("The last %d minutes: at most %s", max(int(long.Round(time.Minute).Minutes()), 1), bitText(most)),
	}
}
