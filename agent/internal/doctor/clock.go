package doctor

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Differences to the server's clock that are spoken of. The server's is read to a
// second only.
const (
	clockSpoken = 5 * time.Second
	clockWrong  = 5 * time.Minute
)

// webPort is where the server's administrator usually has dashboard and enrolment.
const webPort = "8443"

func clock(ctx context.Context, s *Station) []Finding {
	const sync = "Let the clock be synchronised: timedatectl set-ntp true, or install chrony; recordings get times that a court may ask about."
	var found []Finding
	c, err := s.Clock()
	switch {
	case err != nil:
		found = append(found, unknown("Whether the clock is synchronised cannot be told.", err))
	case !c.Synchronised:
		found = append(found, warn("This machine's clock is not synchronised with any other.", sync))
	default:
		found = append(found, fine(fmt.Sprintf("The clock is synchronised (to %v at worst).", c.Error.Round(time.Millisecond))))
	}
	if s.Identity == nil {
		return found
	}
	host, _, err := net.SplitHostPort(s.address())
	if err != nil {
		return found // the check of the server says so
	}
	before := s.Now()
	theirs, err := s.Network.Date(ctx, net.JoinHostPort(host, webPort), s.Identity)
	if err != nil {
		return found // the check of the server says why
	}
	after := s.Now()
	// A second's granularity and the way there leave this much open.
	offset, open := theirs.Sub(before.Add(after.Sub(before)/2)), time.Second+after.Sub(before)/2
	if offset < 0 {
		offset = min(0, offset+open)
	} else {
		offset = max(0, offset-open)
	}
	switch size := offset.Abs(); {
	case size > clockWrong:
		return append(found, fail(fmt.Sprintf("The server's clock and this one differ by at least %v.", size.Round(time.Second)), "Find out which is wrong and set it. "+sync))
	case size > clockSpoken:
		return append(found, warn(fmt.Sprintf("The server's clock and this one differ by at least %v.", size.Round(time.Second)), "Find out which is wrong. "+sync))
	}
	return append(found, fine(fmt.Sprintf("The server's clock agrees with this one (to %v).", (open+offset.Abs()).Round(100*time.Millisecond))))
}
