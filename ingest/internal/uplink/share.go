package uplink

import (
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

const (
	// urgentWeight is what a dock with urgent recordings counts against others.
	urgentWeight = 4
	// settle is how long a dock is given to reach what it may send, before what
	// it does send is taken for all that it can.
	settle = 10 * time.Second
	// idlePart is the part of a station's limit that all docks with nothing to
	// send have together, for what they have to tell.
	idlePart = 100
	// steady is the change of a share, in percent, below which none is told.
	steady = 5
)

// shareKey is what the shares of a station were made of.
type shareKey struct {
	limit   uint64
	version uint64
	members uint64 // hash of who is connected, who has something to send, and what is urgent
}

// share divides a station's limit among its docks at a moment. It runs with the
// lock held.
func (s *Service) share(now time.Time, station evidence.StationID, members []*dock) (until time.Time) {
	limit, until := s.rules.stations[station].At(now)
	var who maphash.Hash
	who.SetSeed(s.seed)
	demands := make([]schedule.Demand, len(members))
	idle := uint64(0)
	for _, d := range members {
		eager := d.eager()
		who.WriteString(string(d.live.Dock))
		who.WriteByte(byte(eager)) // ends the name too, which has no such byte
		if eager == 0 {
			idle++
		}
	}
	key := shareKey{limit: limit, version: s.version, members: who.Sum64()}
	for i, d := range members {
		d.slow = d.slow && limit == s.shares[station].limit
		own, end := s.rules.docks[d.live.Dock].At(now)
		until = earlier(until, end)
		demands[i] = s.demand(now, d, own, limit, idle)
	}
	given := schedule.Share(limit, demands)
	if key == s.shares[station] && near(members, given) {
		return until
	}
	s.shares[station] = key
	for i, d := range members {
		if d.given != given[i] || d.since.IsZero() {
			d.given, d.since = given[i], now
		}
	}
	return until
}

// demand is what a dock can use.
func (s *Service) demand(now time.Time, d *dock, own, limit, idle uint64) schedule.Demand {
	demand := schedule.Demand{Want: own, Weight: 1}
	switch eager := d.eager(); {
	case limit == schedule.NoLimit:
	case eager == 0:
		demand.Want = min(own, limit/idlePart/idle)
	default:
		if !d.since.IsZero() && now.Sub(d.since) >= settle {
			d.slow = d.rate() < d.given/10*9
		}
		if d.slow { // a little more than it used, so that it can show more
			demand.Want = min(own, max(d.rate()/4*5, limit/50, 1))
		}
		if eager == 2 {
			demand.Weight = urgentWeight
		}
	}
	return demand
}

// eager is 0 for a dock that has nothing to send, 2 for one that has something
// urgent, 1 for others, also for one that has not told yet.
func (d *dock) eager() int {
	status := d.live.Status
	switch {
	case status != nil && status.GetWaitingBytes() == 0 && status.GetRecordingsWaiting() == 0:
		return 0
	case slices.ContainsFunc(d.live.Queue.GetWaiting(), (*upload.Waiting).GetUrgent):
		return 2
	}
	return 1
}

// rate is what the dock sent lately, by its own report.
func (d *dock) rate() uint64 { return d.live.Status.GetBytesPerSecond() }

// near says that no dock's share has changed so much that it is worth telling.
func near(members []*dock, given []uint64) bool {
	for i, d := range members {
		change := max(d.given, given[i]) - min(d.given, given[i])
		if d.since.IsZero() || change > d.given/100*steady {
			return false
		}
	}
	return true
}

// direct brings all directions up to a moment, and returns the next one at which
// a window begins or ends; zero: none. It runs with the lock held.
func (s *Service) direct(now time.Time) (until time.Time) {
	stations := map[evidence.StationID][]*dock{}
	for _, id := range slices.Sorted(maps.Keys(s.docks)) {
		if d := s.docks[id]; d.live.Connected {
			stations[d.live.Station] = append(stations[d.live.Station], d)
		}
	}
	for station, members := range stations {
		until = earlier(until, s.share(now, station, members))
		eager := 0
		for _, d := range members {
			eager += min(d.eager(), 1)
		}
		for _, d := range members {
			s.tell(now, d, len(members), eager)
		}
	}
	for _, d := range s.docks {
		if !d.live.Connected { // it is measured anew when it comes back
			d.since = time.Time{}
		}
	}
	return until
}

// earlier is the earlier of two moments; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
