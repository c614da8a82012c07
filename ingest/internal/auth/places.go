package auth

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ErrPlace: the agency does not let anybody in, or not this role, from there.
var ErrPlace = errors.New("the agency does not allow this from the network that you are in; go to an allowed one, or ask an administrator")

// Networks are from where people may come. The zero value is everywhere.
type Networks struct {
	Agency []netip.Prefix          // for everybody; none is everywhere
	Roles  map[Role][]netip.Prefix // for a role, in them as well; none is everywhere
}

// Allow reports whether somebody of the role may come from address. The command
// line, which is on the server itself, always may; an address that cannot be
// read may not where there is a list.
func (n Networks) Allow(role Role, address string) bool {
	return address == "local" || within(n.Agency, address) && within(n.Roles[role], address)
}

func within(allowed []netip.Prefix, address string) bool {
	if len(allowed) == 0 {
		return true
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	for _, p := range allowed {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// Admit refuses, with ErrPlace and an event, whoever comes from outside of the
// agency's networks, before anybody is asked who they are.
func (s *Service) Admit(ctx context.Context, from Origin) error {
	if s.policy(ctx).Networks.Allow("", from.Address) {
		return nil
	}
	return s.refusePlace(ctx, &catalog.User{ID: "unknown"}, from)
}

// refusePlace records that somebody came from where they may not, and returns
// ErrPlace.
func (s *Service) refusePlace(ctx context.Context, user *catalog.User, from Origin) error {
	place := network(from.Address).String()
	if !s.noted.first(user.ID+" "+place, s.now()) {
		return ErrPlace
	}
	e := s.event(evidence.EventPlaceRefused, evidence.Actor{Kind: "user", ID: user.ID, Name: user.Name}, from, "", evidence.OutcomeRefused)
	if user.Login != "" {
		e.Object = "user:" + user.ID
	}
	e.Reason, e.Details = "the network is not allowed", map[string]string{"network": place}
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, e); return err })
	if err != nil {
		return unexpected("recording a refused place", err)
	}
	return ErrPlace
}

const (
	notedFor = 10 * time.Minute
	maxNoted = 1024
)

// seldom tells what is new from what was seen in the last ten minutes, so that
// whoever knocks without end does not fill the custody log: of more than
// maxNoted at once, the rest waits.
type seldom struct {
	mu   sync.Mutex // guards seen
	seen map[string]time.Time
}

func (s *seldom) first(what string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, known := s.seen[what]; known && at.Before(last.Add(notedFor)) {
		return false
	}
	if len(s.seen) >= maxNoted {
		for k, last := range s.seen {
			if !at.Before(last.Add(notedFor)) {
				delete(s.seen, k)
			}
		}
		if len(s.seen) >= maxNoted {
			return false
		}
	}
	if s.seen == nil {
		s.seen = map[string]time.Time{}
	}
	s.seen[what] = at
	return true
}
