package api

import (
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
)

// forecastShape says when a backlog is at the server. clear_at is null where it
// is not known, nothing waits, or it will not be within 60 days.
type forecastShape struct {
	WaitingBytes uint64     `json:"waiting_bytes"`
	Known        bool       `json:"known"`
	ClearAt      *time.Time `json:"clear_at"`
}

func forecastOf(f uplink.Forecast) forecastShape {
	return forecastShape{f.Bytes, !f.Unknown, moment(f.ClearAt)}
}

// rateOf is a limit, null for none.
func rateOf(bytesPerSecond uint64) *uint64 {
	if bytesPerSecond == uplink.NoLimit {
		return nil
	}
	return &bytesPerSecond
}

type bayUplinkShape struct {
	Port     string        `json:"port"`
	Camera   string        `json:"camera"`
	Forecast forecastShape `json:"forecast"`
}

type transportShape struct {
	Over        string `json:"over" jsonschema:"quic or tcp"`
	Connections uint32 `json:"connections"`
	Why         string `json:"why"`
	RTT         uint32 `json:"rtt_us"`
	LostPPM     uint32 `json:"lost_ppm"`
}

type dockUplinkShape struct {
	Dock            evidence.DockID  `json:"dock"`
	Connected       bool             `json:"connected"`
	LastSeen        *time.Time       `json:"last_seen"`
	Transport       *transportShape  `json:"transport"`
	BytesPerSecond  uint64           `json:"bytes_per_second"`
	Limit           *uint64          `json:"limit_bytes_per_second"`
	LimitWhy        string           `json:"limit_why"`
	Recordings      uint64           `json:"recordings_waiting"`
	Urgent          int              `json:"urgent"`
	Ordered         int              `json:"ordered"`
	Forecast        forecastShape    `json:"forecast"`
	Bays            []bayUplinkShape `json:"bays"`
	SpoolBytes      uint64           `json:"spool_bytes"`
	SpoolQuota      uint64           `json:"spool_quota"`
	SpoolAlarm      int              `json:"spool_alarm_percent" jsonschema:"0: none"`
	SpoolFullAt     *time.Time       `json:"spool_full_at"`
	ToldToComeLater uint64           `json:"told_to_come_later" jsonschema:"since the server started"`
}

type stationUplinkShape struct {
	Station        evidence.StationID `json:"station"`
	BytesPerSecond uint64             `json:"bytes_per_second"`
	Limit          *uint64            `json:"limit_bytes_per_second"`
	LimitUntil     *time.Time         `json:"limit_until"`
	Recordings     uint64             `json:"recordings_waiting"`
	Forecast       forecastShape      `json:"forecast"`
	Docks          []dockUplinkShape  `json:"docks"`
}

type planShape struct {
	At       time.Time            `json:"at"`
	Stations []stationUplinkShape `json:"stations"`
}

func planOf(p *uplink.Plan) planShape {
	stations := []stationUplinkShape{}
	for _, s := range p.Stations {
		shape := stationUplinkShape{
			Station: s.Station, BytesPerSecond: s.Rate, Limit: rateOf(s.Limit), LimitUntil: moment(s.LimitUntil), Recordings: s.Recordings,
			Forecast: forecastOf(s.Forecast), Docks: []dockUplinkShape{},
		}
		for i := range s.Docks {
			shape.Docks = append(shape.Docks, dockUplinkOf(&s.Docks[i]))
		}
		stations = append(stations, shape)
	}
	return planShape{p.At, stations}
}

func dockUplinkOf(d *uplink.DockPlan) dockUplinkShape {
	shape := dockUplinkShape{
		Dock: d.Dock, Connected: d.Connected, LastSeen: moment(d.LastSeen), BytesPerSecond: d.Rate, Limit: rateOf(d.Limit), LimitWhy: d.LimitWhy,
		Recordings: d.Status.GetRecordingsWaiting(), Urgent: d.Urgent, Ordered: d.Ordered, Forecast: forecastOf(d.Forecast), Bays: []bayUplinkShape{},
		SpoolBytes: d.Status.GetSpoolBytes(), SpoolQuota: d.Status.GetSpoolQuota(), SpoolAlarm: d.SpoolLevel, SpoolFullAt: moment(d.SpoolFullAt), ToldToComeLater: d.Busy,
	}
	if t := d.Transport; t != nil {
		shape.Transport = &transportShape{t.GetOver(), t.GetConnections(), t.GetWhy(), t.GetRttUs(), t.GetLostPpm()}
	}
	for _, b := range d.Bays {
		shape.Bays = append(shape.Bays, bayUplinkShape{b.Port, b.Camera, forecastOf(b.Forecast)})
	}
	return shape
}

type waitingShape struct {
	ID        evidence.EvidenceID `json:"evidence_id"`
	Path      string              `json:"path"`
	Camera    string              `json:"camera"`
	Bay       string              `json:"bay"`
	Officer   string              `json:"officer"`
	Category  string              `json:"category"`
	Length    uint64              `json:"length"`
	Durable   uint64              `json:"durable"`
	SpooledAt *time.Time          `json:"spooled_at" jsonschema:"by the dock's clock"`
	Urgent    bool                `json:"urgent"`
	Why       string              `json:"urgent_why"`
	Marked    bool                `json:"urgent_by_people_here"`
	Ordered   bool                `json:"ordered"`

	place int // in the queue
}

type queueShape struct {
	Dock       evidence.DockID `json:"dock"`
	Known      bool            `json:"known" jsonschema:"the dock has told what waits"`
	Recordings uint64          `json:"recordings"`
	Bytes      uint64          `json:"bytes"`
	Waiting    []waitingShape  `json:"waiting"`
	Next       string          `json:"next" jsonschema:"cursor of the next page; empty on the last one"`
}

func queueOf(q *uplink.Queue) queueShape {
	waiting := []waitingShape{}
	for _, w := range q.Waiting {
		waiting = append(waiting, waitingShape{w.ID, w.Path, w.Camera, w.Bay, w.Officer, w.Category, w.Length, w.Durable, moment(w.SpooledAt), w.Urgent, w.Why, w.Marked, w.Ordered, 0})
	}
	return queueShape{Dock: q.Dock, Known: q.Known, Recordings: q.Recordings, Bytes: q.Bytes, Waiting: waiting}
}

// tableShape is a weekly table; no windows are no table.
type tableShape struct {
	Zone    string        `json:"zone"`
	Windows []windowShape `json:"windows"`
}

type windowShape struct {
	Days  string  `json:"days" jsonschema:"as in mon-fri, sat,sun or daily"`
	From  string  `json:"from" jsonschema:"00:00 to 24:00"`
	Until string  `json:"until" jsonschema:"where it is not after from: of the next day"`
	Rate  *uint64 `json:"bytes_per_second"`
}

func tableOf(t *schedule.Table) tableShape {
	shape := tableShape{Zone: t.Zone(), Windows: []windowShape{}}
	for _, w := range t.Windows() {
		shape.Windows = append(shape.Windows, windowShape{schedule.DaysText(w.Days), schedule.MinuteText(w.From), schedule.MinuteText(w.Until), rateOf(w.BytesPerSecond)})
	}
	return shape
}

// table reads the shape; nil for no windows.
func (s *tableShape) table() (*schedule.Table, error) {
	var windows []schedule.Window
	for i, w := range s.Windows {
		window, err := w.window()
		if err != nil {
			return nil, fmt.Errorf("%w: window %d: %w", uplink.ErrInput, i+1, err)
		}
		windows = append(windows, window)
	}
	if len(windows) == 0 {
		return nil, nil
	}
	table, err := schedule.Of(s.Zone, windows...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", uplink.ErrInput, err)
	}
	return table, nil
}

func (w *windowShape) window() (v schedule.Window, err error) {
	if v.Days, err = schedule.ParseDays(w.Days); err != nil {
		return v, err
	}
	if v.From, err = schedule.ParseMinute(w.From); err != nil {
		return v, err
	}
	if v.Until, err = schedule.ParseMinute(w.Until); err != nil {
		return v, err
	}
	if v.BytesPerSecond = schedule.NoLimit; w.Rate != nil {
		v.BytesPerSecond = *w.Rate
	}
	return v, nil
}

func sendingOf(s uplink.Sending) uplink.Sending {
	if s.UrgentOfficers == nil {
		s.UrgentOfficers = []string{}
	}
	if s.Categories == nil {
		s.Categories = []uplink.Category{}
	}
	return s
}
