package uplink

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Forecast says when a backlog will be at the server.
type Forecast struct {
	Bytes   uint64    // that wait
	Unknown bool      // no rate was measured, or nothing is reported
	ClearAt time.Time // zero, while it is not Unknown: not within the next schedule.Horizon
}

// Nothing says that nothing waits.
func (f Forecast) Nothing() bool { return f.Bytes == 0 && !f.Unknown }

// Plan is how all docks send at a moment, and when they will be through.
type Plan struct {
	At       time.Time
	Stations []StationPlan
}

// StationPlan is a station and its docks.
type StationPlan struct {
	Station    evidence.StationID
	Table      *schedule.Table // nil: none
	Limit      uint64          // in force, bytes a second; NoLimit
	LimitUntil time.Time       // when that changes; zero: it does not
	Rate       uint64          // of all docks together
	Recordings uint64          // that wait
	Forecast   Forecast
	Docks      []DockPlan
}

// DockPlan is one dock.
type DockPlan struct {
	Dock         evidence.DockID
	Connected    bool
	LastSeen     time.Time
	Table        *schedule.Table   // of its own; nil: none
	Limit        uint64            // in force, with the share of its station's; NoLimit
	LimitWhy     string            // for people; "" where there is none
	Status       *upload.Status    // last report; nil: none since the server started
	Transport    *upload.Transport // nil: not told
	Rate         uint64
	Forecast     Forecast
	Bays         []BayPlan
	SpoolPercent uint64
	SpoolLevel   int       // of the alert that stands, percent; 0: none
	SpoolFullAt  time.Time // zero: not in sight
	Busy         uint64    // how often it was told to come back later
	Urgent       int       // recordings of its queue that are urgent
	Ordered      int       // recordings that people put in order
	History      []Sample  // oldest first
}

// BayPlan is one bay.
type BayPlan struct {
	Port, Camera string
	Forecast     Forecast
}

// Plan returns the plan of the moment. auth.ErrForbidden.
func (d *Desk) Plan(ctx context.Context) (*Plan, error) {
	if !d.some(auth.ListDocks) {
		return nil, auth.ErrForbidden
	}
	rows, err := d.Catalog.Docks(ctx, d.Agency)
	if err != nil {
		return nil, err
	}
	stations, err := d.Catalog.Stations(ctx, d.Agency)
	if err != nil {
		return nil, err
	}
	var reports []Dock
	if d.Live != nil {
		reports = d.Live.Docks()
	}
	stations = slices.DeleteFunc(stations, func(s catalog.Station) bool { return !d.may(auth.ListDocks, s.ID) })
	return d.plan(d.instant(), reports, stations, rows), nil
}

func (s *Service) plan(now time.Time, reports []Dock, stations []catalog.Station, rows []catalog.Dock) *Plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeAll(now, reports)
	p := &Plan{At: now}
	for _, station := range stations {
		p.Stations = append(p.Stations, s.station(now, station.ID, rows))
	}
	slices.SortFunc(p.Stations, func(a, b StationPlan) int { return cmp.Compare(a.Station, b.Station) })
	return p
}

// station runs with the lock held.
func (s *Service) station(now time.Time, id evidence.StationID, rows []catalog.Dock) StationPlan {
	v := StationPlan{Station: id, Table: s.rules.stations[id]}
	v.Limit, v.LimitUntil = v.Table.At(now)
	var loads []schedule.Load
	for _, row := range rows {
		if row.Station != id {
			continue
		}
		d := s.docks[row.ID]
		if d == nil {
			d = &dock{live: Dock{Dock: row.ID, LastSeen: row.LastSeenAt}, given: schedule.NoLimit}
		}
		plan := s.dock(now, d)
		v.Docks = append(v.Docks, plan)
		v.Rate += plan.Rate
		v.Recordings += plan.Status.GetRecordingsWaiting()
		v.Forecast.Bytes += plan.Forecast.Bytes
		if plan.Forecast.Bytes > 0 {
			loads = append(loads, schedule.Load{Bytes: plan.Forecast.Bytes, Rate: d.carries, Own: plan.Table, Weight: weightOf(d)})
			v.Forecast.Unknown = v.Forecast.Unknown || !plan.Connected || d.carries == 0
		}
	}
	slices.SortFunc(v.Docks, func(a, b DockPlan) int { return cmp.Compare(a.Dock, b.Dock) })
	if !v.Forecast.Unknown && v.Forecast.Bytes > 0 {
		v.Forecast.ClearAt = latest(schedule.FinishShared(now, v.Table, loads))
	}
	return v
}

// latest is zero where any is.
func latest(all []time.Time) (last time.Time) {
	for _, at := range all {
		if at.IsZero() {
			return time.Time{}
		}
		if at.After(last) {
			last = at
		}
	}
	return last
}

func weightOf(d *dock) uint64 {
	if d.eager() == 2 {
		return urgentWeight
	}
	return 1
}

// dock runs with the lock held.
func (s *Service) dock(now time.Time, d *dock) DockPlan {
	status := d.live.Status
	v := DockPlan{
		Dock: d.live.Dock, Connected: d.live.Connected, LastSeen: d.live.LastSeen, Table: s.rules.docks[d.live.Dock], Limit: s.limit(now, d),
		Status: status, Transport: status.GetTransport(), SpoolPercent: spoolPercent(status), SpoolLevel: d.level, Busy: d.live.Busy,
		History: slices.Clone(d.history),
	}
	if d.direction != nil && v.Connected {
		v.LimitWhy = d.direction.GetLimitWhy()
	}
	if v.Connected && d.eager() > 0 {
		v.Rate = d.rate()
	}
	if us := status.GetSpoolFullAtUs(); us > 0 {
		v.SpoolFullAt = time.UnixMicro(us).UTC()
	}
	marks := s.rules.marks[v.Dock]
	if marks == nil {
		marks = &Marks{}
	}
	v.Ordered = len(marks.Order)
	for _, w := range marks.sorted(d.live.Queue) {
		if w.Urgent {
			v.Urgent++
		}
	}
	v.Forecast = s.forecast(now, d)
	for _, bay := range status.GetBays() {
		b := BayPlan{Port: bay.GetPort(), Camera: bay.GetCameraSerial(), Forecast: Forecast{Bytes: bay.GetWaitingBytes()}}
		b.Forecast.say(bay.GetClearAtUs(), v.Connected)
		v.Bays = append(v.Bays, b)
	}
	return v
}

// forecast is the dock's own, or ours where it tells none.
func (s *Service) forecast(now time.Time, d *dock) Forecast {
	status := d.live.Status
	f := Forecast{Bytes: status.GetWaitingBytes(), Unknown: status == nil}
	f.say(status.GetClearAtUs(), d.live.Connected)
	if f.Bytes == 0 || !f.Unknown || !d.live.Connected || d.carries == 0 {
		return f
	}
	station := schedule.Cap{Table: s.rules.stations[d.live.Station], SharePPM: d.key.ppm}
	f.ClearAt, _ = schedule.Finish(now, f.Bytes, d.carries, station, schedule.Cap{Table: s.rules.docks[d.live.Dock]})
	f.Unknown = false
	return f
}

// say takes over what a dock tells. What a dock that is away has told was for
// when it was not.
func (f *Forecast) say(clearAtUs int64, connected bool) {
	switch {
	case f.Bytes == 0:
	case clearAtUs > 0 && connected:
		f.ClearAt = time.UnixMicro(clearAtUs).UTC()
	default:
		f.Unknown = true
	}
}

// StationBandwidth returns a station's weekly table, nil where there is none. auth.ErrForbidden, catalog.ErrNotFound.
func (d *Desk) StationBandwidth(ctx context.Context, station evidence.StationID) (*schedule.Table, error) {
	if !d.some(auth.ListDocks) {
		return nil, auth.ErrForbidden
	}
	all, err := d.Catalog.Stations(ctx, d.Agency)
	if err != nil {
		return nil, err
	}
	if !d.may(auth.ListDocks, station) || !slices.ContainsFunc(all, func(s catalog.Station) bool { return s.ID == station }) {
		return nil, catalog.ErrNotFound
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rules.stations[station], nil
}

// DockBandwidth is StationBandwidth of a dock.
func (d *Desk) DockBandwidth(ctx context.Context, dock evidence.DockID) (*schedule.Table, error) {
	if err := d.mayDock(ctx, auth.ListDocks, dock); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rules.docks[dock], nil
}

// Sending returns what goes first. auth.ErrForbidden.
func (d *Desk) Sending() (Sending, error) {
	if !d.some(auth.ListDocks) {
		return Sending{}, auth.ErrForbidden
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return Sending{UrgentOfficers: slices.Clone(d.rules.sending.UrgentOfficers), Categories: slices.Clone(d.rules.sending.Categories)}, nil
}

// Tables returns every table that is set, for lists of the whole agency.
func (d *Desk) Tables() (stations map[evidence.StationID]*schedule.Table, docks map[evidence.DockID]*schedule.Table, err error) {
	if !d.may(auth.ListDocks, "") {
		return nil, nil, auth.ErrForbidden
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rules.stations, d.rules.docks, nil
}
