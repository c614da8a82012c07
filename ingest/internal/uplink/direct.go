package uplink

import (
	"fmt"
	"time"

	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// directionKey is what a direction is made of; the same makes the same.
type directionKey struct {
	limit, version uint64
	ppm            uint32
	why            string
}

// Direction returns how a dock is to send at this moment, and a channel that is
// closed when that changes. The direction is not to be changed. The dock need not
// be known yet; what it may do is then shared anew.
func (s *Service) Direction(station evidence.StationID, id evidence.DockID) (*upload.Direction, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.docks[id]
	if d == nil {
		d = &dock{changed: make(chan struct{})}
		s.docks[id] = d
	}
	if !d.live.Connected || d.live.Station != station { // its first report comes after this answer
		d.live = Dock{Agency: s.Agency, Station: station, Dock: id, Connected: true, LastSeen: s.Now()}
		s.direct(s.Now())
	}
	return d.direction, d.changed
}

// tell makes a dock's direction anew where something in it has changed. It runs
// with the lock held.
func (s *Service) tell(now time.Time, d *dock, members, eager int) {
	id, station := d.live.Dock, d.live.Station
	own, ownUntil := s.rules.docks[id].At(now)
	limit := min(own, d.given)
	key := directionKey{limit: limit, version: s.version, ppm: s.ppm(now, d, members, eager)}
	switch shared, until := s.rules.stations[station].At(now); {
	case limit == schedule.NoLimit:
	case limit == own:
		key.why = limitText("Dock "+string(id), own, s.rules.docks[id], ownUntil)
	default:
		key.why = limitText("Station "+string(station), shared, s.rules.stations[station], until) + shareText(eager, d.eager() > 0)
	}
	if d.direction != nil && key == d.key {
		return
	}
	d.key = key
	d.direction = s.compose(id, station, key)
	close(d.changed)
	d.changed = make(chan struct{})
}

// compose makes a direction.
func (s *Service) compose(id evidence.DockID, station evidence.StationID, key directionKey) *upload.Direction {
	m := &upload.Direction{
		LimitWhy: key.why, SharePpm: key.ppm,
		DockBandwidth: s.rules.docks[id].Bandwidth(), StationBandwidth: s.rules.stations[station].Bandwidth(),
		UrgentOfficers: s.rules.sending.UrgentOfficers, PolicyDigest: s.policy,
	}
	if key.limit != schedule.NoLimit {
		m.Limited, m.BytesPerSecond = true, key.limit
	}
	for _, c := range s.rules.sending.Categories {
		m.Categories = append(m.Categories, &upload.Category{Category: c.Category, Weight: c.Weight, Urgent: c.Urgent})
	}
	if marks := s.rules.marks[id]; marks != nil {
		for _, item := range marks.Order {
			m.Order = append(m.Order, item.String())
		}
		for _, item := range marks.Urgent {
			m.Urgent = append(m.Urgent, item.String())
		}
	}
	return m
}

// ppm is the part of the station's bandwidth, of a million, that a dock may count
// on in its forecast: what it has now, or an equal part where there is no limit.
func (s *Service) ppm(now time.Time, d *dock, members, eager int) uint32 {
	if s.rules.stations[d.live.Station] == nil {
		return upload.MaxShare // of nothing: it need not hear of each dock that comes
	}
	shared, _ := s.rules.stations[d.live.Station].At(now)
	if shared != schedule.NoLimit && shared > 0 && d.eager() > 0 {
		return uint32(min(float64(d.given)/float64(shared), 1) * upload.MaxShare)
	}
	if d.eager() == 0 {
		eager++ // if it had something
	}
	return uint32(upload.MaxShare / max(min(eager, members), 1))
}

// limitText says what limits whom, and until when, by the clock of its table.
func limitText(who string, rate uint64, table *schedule.Table, until time.Time) string {
	text := who + " may send " + schedule.RateText(rate)
	if rate == 0 {
		text = who + " sends nothing"
	}
	if !until.IsZero() {
		text += " until " + table.Local(until).Format("Mon 15:04 MST")
	}
	return text + ", by its bandwidth table."
}

func shareText(eager int, has bool) string {
	switch {
	case !has:
		return " This dock has nothing to send, and so a small part of it."
	case eager > 1:
		return fmt.Sprintf(" It is shared by %d docks that have something to send.", eager)
	}
	return ""
}
