package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"
)

func configuration(_ context.Context, s *Station) []Finding {
	if s.ConfigErr != nil {
		return one(fail("The configuration cannot be used: "+sentence(s.ConfigErr), "Correct it; sealdock-agent config show explains every setting."))
	}
	return one(fine("The configuration has no errors."))
}

func enrolment(_ context.Context, s *Station) []Finding {
	if s.Identity == nil {
		return one(fail("This machine is no dock that can run: "+sentence(s.IdentityErr), "Get a token from the server's administrator and run sealdock-agent enrol; if rights are the matter, run doctor as root."))
	}
	return one(fine(fmt.Sprintf("This is dock %s of station %s, agency %s, server %s.", s.Identity.Dock, s.Identity.Station, s.Identity.Agency, s.address())))
}

// sentence ends what an error says as a sentence ends; it may be a question already.
func sentence(err error) string {
	said := err.Error()
	if strings.HasSuffix(said, "?") || strings.HasSuffix(said, ".") {
		return said
	}
	return said + "."
}

// soon is how long before its end a certificate is spoken of.
const soon = 14 * 24 * time.Hour

func certificate(_ context.Context, s *Station) []Finding {
	if s.Identity == nil {
		return one(warn("There is no certificate to look at.", "Enrol the dock first."))
	}
	const renew = "Get a new token for this dock from the server's administrator, run sealdock-agent enrol, and restart the agent. Copying goes on meanwhile, and nothing is lost."
	c, now := s.Identity.Certificate, s.Now()
	end := c.NotAfter.UTC().Format("2006-01-02 15:04 UTC")
	switch left := c.NotAfter.Sub(now); {
	case left <= 0:
		return one(fail(fmt.Sprintf("The dock's certificate ended on %s, so the server takes nothing from this dock.", end), renew))
	case now.Before(c.NotBefore):
		return one(fail(fmt.Sprintf("The dock's certificate begins only on %s: this machine's clock is behind.", c.NotBefore.UTC().Format("2006-01-02 15:04 UTC")), "Set the clock, and let it be synchronised (timedatectl set-ntp true)."))
	case left < soon:
		return one(warn(fmt.Sprintf("The dock's certificate ends in %d days, on %s.", int(left.Hours()/24), end), renew))
	default:
		return one(fine(fmt.Sprintf("The dock's certificate is good until %s.", end)))
	}
}
