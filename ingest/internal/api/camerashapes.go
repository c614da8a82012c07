package api

import (
	"time"

	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

type cameraShape struct {
	Serial     string           `json:"serial"`
	Vendor     string           `json:"vendor,omitempty"`
	Model      string           `json:"model,omitempty"`
	Firmware   string           `json:"firmware,omitempty"`
	Standing   catalog.Standing `json:"standing" jsonschema:"'': not known yet"`
	Access     evidence.Access  `json:"access,omitempty"`
	Claimed    string           `json:"claimed_agency,omitempty"`
	FirstSeen  *time.Time       `json:"first_seen"`
	LastSeen   *time.Time       `json:"last_seen"`
	Dock       evidence.DockID  `json:"last_dock"`
	Bay        string           `json:"last_bay"`
	Officer    string           `json:"officer,omitempty" jsonschema:"to whom it is assigned now"`
	OfficerID  string           `json:"officer_id,omitempty"`
	HeldAt     *time.Time       `json:"held_at" jsonschema:"null: not held"`
	HeldBy     string           `json:"held_by,omitempty"`
	HoldReason string           `json:"hold_reason,omitempty"`
	Items      int64            `json:"items"`
	OpenAlerts int64            `json:"open_alerts"`
}

type keyShape struct {
	Key       evidence.Digest  `json:"key_sha256"`
	Standing  catalog.Standing `json:"standing" jsonschema:"pending, approved, blocked"`
	FirstSeen *time.Time       `json:"first_seen"`
	LastSeen  *time.Time       `json:"last_seen"`
	DecidedBy string           `json:"decided_by,omitempty" jsonschema:"user id, 'local', or 'certificate'"`
	DecidedAt *time.Time       `json:"decided_at"`
	Reason    string           `json:"reason,omitempty"`
	Certified bool             `json:"certified" jsonschema:"a certificate is kept for it"`
}

type offsetShape struct {
	At          time.Time `json:"at"`
	Ahead       int64     `json:"ahead_us"`
	Uncertainty int64     `json:"uncertainty_us"`
	Exchanges   int       `json:"exchanges"`
}

type dockingShape struct {
	ID             evidence.DockingID `json:"id"`
	Dock           evidence.DockID    `json:"dock"`
	Station        evidence.StationID `json:"station"`
	Bay            string             `json:"bay"`
	At             *time.Time         `json:"at" jsonschema:"by the server's clock, as far as it was compared with the dock's"`
	TakenAt        *time.Time         `json:"taken_at" jsonschema:"by the dock's clock"`
	LastAt         *time.Time         `json:"last_at" jsonschema:"last thing known of this stay"`
	Standing       catalog.Standing   `json:"standing"`
	Access         evidence.Access    `json:"access,omitempty"`
	BatteryPercent *int               `json:"battery_percent" jsonschema:"null: unknown"`
	Recordings     int                `json:"recordings"`
	Complete       bool               `json:"complete" jsonschema:"all parts of its inventory are here"`
	Next           uint64             `json:"next,omitempty"`
	CameraClock    string             `json:"camera_clock,omitempty" jsonschema:"as it read"`
	Clock          *offsetShape       `json:"camera_ahead_of_dock" jsonschema:"before it was set"`
	ClockSet       *offsetShape       `json:"camera_ahead_of_dock_set" jsonschema:"after"`
	DockClock      *offsetShape       `json:"dock_ahead_of_server"` //
	Findings       []evidence.Finding `json:"findings"`
}

type assignmentShape struct {
	Officer   string              `json:"officer"`
	OfficerID string              `json:"officer_id,omitempty"`
	From      *time.Time          `json:"from"`
	Until     *time.Time          `json:"until" jsonschema:"null: still"`
	By        string              `json:"by"`
	TakenFrom *evidence.DockingID `json:"taken_from" jsonschema:"docking before"`
	BroughtTo *evidence.DockingID `json:"brought_to" jsonschema:"last docking of that time"`
}

type alertShape struct {
	ID             string            `json:"id"`
	Code           catalog.AlertCode `json:"code"`
	Severity       catalog.Severity  `json:"severity"`
	Object         string            `json:"object"`
	Station        string            `json:"station,omitempty" jsonschema:"of the dock, camera or recording; none of what is the server's"`
	About          string            `json:"about,omitempty"`
	Message        string            `json:"message"`
	RaisedAt       *time.Time        `json:"raised_at"`
	LastAt         *time.Time        `json:"last_at"`
	Count          int64             `json:"count"`
	AcknowledgedBy string            `json:"acknowledged_by,omitempty"`
	AcknowledgedAt *time.Time        `json:"acknowledged_at"`
	ClearedAt      *time.Time        `json:"cleared_at"`
}

type shownShape struct {
	Path           string                  `json:"path"`
	Sequence       uint64                  `json:"sequence,omitempty"`
	SequenceSource evidence.SequenceSource `json:"sequence_source,omitempty"`
	CapturedRaw    string                  `json:"captured_raw,omitempty"`
	Signed         *evidence.Digest        `json:"signed_sha256"`
	Size           uint64                  `json:"size"`
	LargestSize    uint64                  `json:"largest_size"`
	FirstDocking   evidence.DockingID      `json:"first_docking"`
	FirstAt        *time.Time              `json:"first_at"`
	LastDocking    evidence.DockingID      `json:"last_docking"`
	LastAt         *time.Time              `json:"last_at"`
	VanishedAt     *time.Time              `json:"vanished_at" jsonschema:"found to be gone"`
}

type findingShape struct {
	Reason  ledger.Reason        `json:"reason"`
	Certain bool                 `json:"certain"`
	Path    string               `json:"path,omitempty"`
	First   uint64               `json:"first_number,omitempty"`
	Last    uint64               `json:"last_number,omitempty"`
	Item    *evidence.EvidenceID `json:"item"`
	Dock    evidence.DockID      `json:"dock,omitempty" jsonschema:"where it was seen last"`
	Bay     string               `json:"bay,omitempty"`
	SeenAt  *time.Time           `json:"seen_at"`
	Text    string               `json:"text"`
}

type reportShape struct {
	Camera   string         `json:"camera" jsonschema:"'': of items whose camera is not known any more"`
	Complete bool           `json:"complete"`
	Shown    int            `json:"shown"`
	Stored   int            `json:"stored"`
	OnWay    int            `json:"on_their_way"`
	Next     uint64         `json:"next,omitempty"`
	LastSeen *time.Time     `json:"last_seen"`
	Missing  []findingShape `json:"missing"`
	Hints    []findingShape `json:"hints"`

	Settled   []settledShape  `json:"settled" jsonschema:"missing, and settled by somebody's decision"`
	Uncounted *uncountedShape `json:"not_counted" jsonschema:"null: every number is looked for"`
}

type settledShape struct {
	findingShape
	By  string     `json:"settled_by" jsonschema:"user id, or 'local'"`
	At  *time.Time `json:"settled_at"`
	Why string     `json:"settled_because"`
}

type uncountedShape struct {
	Below  uint64     `json:"below"`
	By     string     `json:"by" jsonschema:"user id, or 'local'"`
	At     *time.Time `json:"at"`
	Reason string     `json:"reason"`
	Text   string     `json:"text"`
}

type cameraPageShape struct {
	cameraShape
	Keys         []keyShape        `json:"keys"`
	Dockings     []dockingShape    `json:"dockings"`
	Assignments  []assignmentShape `json:"assignments"`
	Alerts       []alertShape      `json:"alerts"`
	Completeness reportShape       `json:"completeness"`
	ShownTotal   int64             `json:"shown_total"`
	Shown        []shownShape      `json:"shown" jsonschema:"the last 200"`
	LatestItems  []itemShape       `json:"latest_items"`
}

func cameraOf(c *catalog.Camera) cameraShape {
	return cameraShape{
		Serial: c.Serial, Vendor: c.Vendor, Model: c.Model, Firmware: c.Firmware, Standing: c.Standing, Access: c.Access, Claimed: c.Claimed,
		FirstSeen: moment(c.FirstSeenAt), LastSeen: moment(c.LastSeenAt), Dock: c.LastDock, Bay: c.LastBay, Officer: c.Wearer, OfficerID: c.WearerID,
		HeldAt: moment(c.HeldAt), HeldBy: c.HeldBy, HoldReason: c.HoldReason, Items: c.Items, OpenAlerts: c.OpenAlerts,
	}
}

func cameraPageOf(p *cameras.Page) cameraPageShape {
	v := cameraPageShape{cameraShape: cameraOf(p.Camera), Keys: []keyShape{}, Dockings: []dockingShape{}, Assignments: []assignmentShape{}, Shown: []shownShape{},
		Alerts: alertsOf(p.Alerts), Completeness: reportOf(&p.Report), ShownTotal: p.ShownTotal, LatestItems: itemList(p.Items)}
	for _, k := range p.Keys {
		v.Keys = append(v.Keys, keyShape{evidence.KeyID(k.Key), k.Standing, moment(k.FirstSeenAt), moment(k.LastSeenAt), k.DecidedBy, moment(k.DecidedAt), k.Reason, len(k.Certificate) > 0})
	}
	for i := range p.Dockings {
		v.Dockings = append(v.Dockings, dockingOf(&p.Dockings[i]))
	}
	for _, w := range p.Assignments {
		s := assignmentShape{Officer: w.Officer, OfficerID: w.OfficerID, From: moment(w.From), Until: moment(w.Until), By: w.By}
		if w.Out != nil {
			s.TakenFrom = &w.Out.ID
		}
		if w.Back != nil {
			s.BroughtTo = &w.Back.ID
		}
		v.Assignments = append(v.Assignments, s)
	}
	for _, s := range p.Shown {
		v.Shown = append(v.Shown, shownShape{s.Path, s.Sequence, s.SequenceSource, s.CapturedRaw, s.Signed, s.LastSize, s.LargestSize,
			s.FirstDocking, moment(s.FirstAt), s.LastDocking, moment(s.LastAt), moment(s.VanishedAt)})
	}
	return v
}

func dockingOf(d *catalog.Docking) dockingShape {
	s := dockingShape{ID: d.ID, Dock: d.Dock, Station: d.Station, Bay: d.Bay, At: moment(d.At), TakenAt: moment(d.TakenAt), LastAt: moment(d.LastAt),
		Standing: d.Standing, Access: d.Access, Recordings: d.Recordings, Complete: d.Complete(), Next: d.Next, CameraClock: d.CameraRaw,
		Clock: offsetOf(d.Clock), ClockSet: offsetOf(d.ClockSet), DockClock: offsetOf(d.DockClock), Findings: d.Findings}
	if d.Battery >= 0 {
		s.BatteryPercent = &d.Battery
	}
	return s
}

func offsetOf(o *evidence.Offset) *offsetShape {
	if o == nil {
		return nil
	}
	return &offsetShape{o.At, o.Ahead, o.Uncertainty, o.Exchanges}
}

func alertsOf(alerts []catalog.Alert) []alertShape {
	all := []alertShape{}
	for _, a := range alerts {
		all = append(all, alertShape{a.ID, a.Code, a.Severity, a.Object, string(a.Station), a.About, a.Message, moment(a.RaisedAt), moment(a.LastAt), a.Count,
			a.AcknowledgedBy, moment(a.AcknowledgedAt), moment(a.ClearedAt)})
	}
	return all
}

func reportOf(r *ledger.Report) reportShape {
	shape := reportShape{Camera: r.Camera, Complete: r.Complete(), Shown: r.Shown, Stored: r.Stored, OnWay: r.OnWay, Next: r.Next, LastSeen: moment(r.SeenAt),
		Missing: findingsOf(r.Missing), Hints: findingsOf(r.Hints), Settled: []settledShape{}}
	for i := range r.Settled {
		s := &r.Settled[i]
		shape.Settled = append(shape.Settled, settledShape{findingOf(&s.Finding), s.Decision.By, moment(s.Decision.At), s.Decision.Reason})
	}
	if u := r.Uncounted; u != nil {
		shape.Uncounted = &uncountedShape{u.Below, u.Decision.By, moment(u.Decision.At), u.Decision.Reason, u.Text}
	}
	return shape
}

func findingsOf(findings []ledger.Finding) []findingShape {
	all := []findingShape{}
	for i := range findings {
		all = append(all, findingOf(&findings[i]))
	}
	return all
}

func findingOf(f *ledger.Finding) findingShape {
	s := findingShape{Reason: f.Reason, Certain: f.Certain, Path: f.Path, First: f.Numbers.First, Last: f.Numbers.Last, Dock: f.Dock, Bay: f.Bay, SeenAt: moment(f.SeenAt), Text: f.Text}
	if !f.Item.IsZero() {
		s.Item = &f.Item
	}
	return s
}
