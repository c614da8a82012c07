package api

import (
	"encoding/json"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The shapes of the answers. They are the interface: a field's name and meaning
// stay.

type countShape struct {
	Items int64 `json:"items"`
	Bytes int64 `json:"bytes"`
}

type overviewShape struct {
	At          time.Time       `json:"at"`
	Stored      countShape      `json:"stored"`
	LastDay     countShape      `json:"stored_last_24h"`
	Receiving   countShape      `json:"receiving"`
	Quarantined countShape      `json:"quarantined"`
	FreeBytes   *uint64         `json:"free_bytes" jsonschema:"null: unknown"`
	Docks       []dockShape     `json:"docks"`
	Transfers   []transferShape `json:"transfers"`
	Arrivals    []itemShape     `json:"arrivals"`
}

type dockShape struct {
	Dock              string     `json:"dock"`
	Station           string     `json:"station"`
	Connected         bool       `json:"connected"`
	LastSeen          *time.Time `json:"last_seen"`
	Address           string     `json:"address,omitempty"`
	AgentVersion      string     `json:"agent_version,omitempty"`
	SpoolBytes        uint64     `json:"spool_bytes"`
	SpoolQuota        uint64     `json:"spool_quota"`
	RecordingsWaiting uint64     `json:"recordings_waiting"`
	Bays              []bayShape `json:"bays"`
}

type bayShape struct {
	Port            string `json:"port"`
	State           string `json:"state"`
	Message         string `json:"message,omitempty"`
	Camera          string `json:"camera,omitempty"`
	CameraModel     string `json:"camera_model,omitempty"`
	BatteryPercent  *int   `json:"battery_percent" jsonschema:"null: unknown"`
	RecordingsTotal uint64 `json:"recordings_total"`
	RecordingsDone  uint64 `json:"recordings_done"`
	BytesTotal      uint64 `json:"bytes_total"`
	BytesDone       uint64 `json:"bytes_done"`
	BytesPerSecond  uint64 `json:"bytes_per_second"`
}

type transferShape struct {
	Evidence       string    `json:"evidence"`
	Dock           string    `json:"dock"`
	Camera         string    `json:"camera"`
	Path           string    `json:"path"`
	Length         uint64    `json:"length"`
	Durable        uint64    `json:"durable"`
	BytesPerSecond uint64    `json:"bytes_per_second"`
	Stage          string    `json:"stage"`
	StartedAt      time.Time `json:"started_at"`
}

type itemShape struct {
	ID             evidence.EvidenceID     `json:"id"`
	Attempt        uint32                  `json:"attempt"`
	State          catalog.ItemState       `json:"state"`
	Reason         string                  `json:"reason,omitempty"`
	Path           string                  `json:"path"`
	Kind           evidence.Kind           `json:"kind"`
	Original       *evidence.EvidenceID    `json:"original,omitempty" jsonschema:"of which item a derivative was made"`
	Length         uint64                  `json:"length"`
	SHA256         evidence.Digest         `json:"sha256"`
	MerkleRoot     evidence.Digest         `json:"merkle_root"`
	Camera         string                  `json:"camera"`
	CameraModel    string                  `json:"camera_model,omitempty"`
	Dock           evidence.DockID         `json:"dock"`
	Station        evidence.StationID      `json:"station"`
	Bay            string                  `json:"bay"`
	ClaimedOfficer string                  `json:"claimed_officer,omitempty"`
	Category       string                  `json:"category,omitempty" jsonschema:"that counts: people's, else the camera's"`
	Annotation     annotationShape         `json:"annotation"`
	StartedAt      *time.Time              `json:"started_at" jsonschema:"camera's clock"`
	EndedAt        *time.Time              `json:"ended_at" jsonschema:"camera's clock"`
	CorrectedAt    *time.Time              `json:"corrected_at" jsonschema:"server's clock; null: the camera's clock was not measured"`
	Uncertainty    *int64                  `json:"uncertainty_us" jsonschema:"of corrected_at, either way"`
	Wearer         string                  `json:"wearer,omitempty" jsonschema:"to whom the camera was assigned then"`
	WearerID       string                  `json:"wearer_id,omitempty"`
	Sequence       uint64                  `json:"sequence,omitempty" jsonschema:"the camera's number of the recording"`
	SequenceSource evidence.SequenceSource `json:"sequence_source,omitempty"`
	Confirmed      evidence.Confirmation   `json:"confirmed,omitempty"`
	Urgent         bool                    `json:"urgent,omitempty"`
	OfferedAt      *time.Time              `json:"offered_at"`
	StoredAt       *time.Time              `json:"stored_at"`
	ProvenAt       *time.Time              `json:"proven_at"`
	MirroredAt     *time.Time              `json:"mirrored_at" jsonschema:"its copy in the mirror was last proven; null: there is none"`
	ErasedAt       *time.Time              `json:"erased_at"`
	ReleaseResult  evidence.ReleaseResult  `json:"release_result,omitempty"`
	Marks          []string                `json:"marks,omitempty"`
}

type checkShape struct {
	Place      reading.Place     `json:"place"`
	Verdict    reading.Verdict   `json:"verdict"`
	SHA256     *evidence.Digest  `json:"sha256,omitempty"`
	MerkleRoot *evidence.Digest  `json:"merkle_root,omitempty"`
	Encoding   evidence.Encoding `json:"encoding,omitempty" jsonschema:"of what merkle_root is over"`
}

type detailShape struct {
	itemShape
	Checks          []checkShape       `json:"checks"`
	Times           timesShape         `json:"times"`
	Manifest        *evidence.Manifest `json:"manifest"`
	ManifestSigned  bool               `json:"manifest_signature_holds"`
	HasReceipt      bool               `json:"has_receipt"`
	ReceiptSigned   bool               `json:"receipt_signature_holds"`
	BlobMissing     bool               `json:"blob_missing"`
	Siblings        []itemShape        `json:"siblings"`
	DurableSegments uint64             `json:"durable_segments"`
}

// timesShape has what the camera's clock said beside what follows from the
// measurements of it.
type timesShape struct {
	Began timeShape `json:"began"`
	Ended timeShape `json:"ended"`
}

type timeShape struct {
	Raw         *time.Time `json:"raw" jsonschema:"camera's clock, as it was"`
	Corrected   *time.Time `json:"corrected" jsonschema:"server's clock; null: cannot be told"`
	Uncertainty *int64     `json:"uncertainty_us"`
	Basis       string     `json:"basis,omitempty" jsonschema:"what the correction rests on, for people"`
}

type eventShape struct {
	ID       int64           `json:"id"`
	LogIndex *int64          `json:"log_index" jsonschema:"null: not in the custody log yet"`
	Event    json.RawMessage `json:"event" jsonschema:"an event as it was recorded, see docs/custody-events.md; null: it cannot be read any more"`
}

func overviewOf(o *reading.Overview) overviewShape {
	count := func(c catalog.Count) countShape { return countShape(c) }
	v := overviewShape{
		At: o.At, Stored: count(o.Totals.ByState[catalog.StateStored]), LastDay: count(o.Totals.Last24h),
		Receiving: count(o.Totals.ByState[catalog.StateReceiving]), Quarantined: count(o.Totals.ByState[catalog.StateQuarantined]),
		Docks: docksOf(o.Docks), Transfers: []transferShape{}, Arrivals: itemList(o.Arrivals),
	}
	if o.FreeKnown {
		v.FreeBytes = &o.Free
	}
	for _, t := range o.Transfers {
		v.Transfers = append(v.Transfers, transferShape{t.Evidence, t.Dock, t.Camera, t.Path, t.Length, t.Durable, t.BytesPerSecond, t.Stage, t.StartedAt.UTC()})
	}
	return v
}

func docksOf(docks []reading.LiveDock) []dockShape {
	all := []dockShape{}
	for _, d := range docks {
		s := dockShape{
			Dock: d.Dock, Station: d.Station, Connected: d.Connected, LastSeen: moment(d.LastSeen), Address: d.Address, AgentVersion: d.AgentVersion,
			SpoolBytes: d.SpoolBytes, SpoolQuota: d.SpoolQuota, RecordingsWaiting: d.RecordingsWaiting, Bays: []bayShape{},
		}
		for _, b := range d.Bays {
			bay := bayShape{
				Port: b.Port, State: b.State, Message: b.Message, Camera: b.CameraSerial, CameraModel: b.CameraModel,
				RecordingsTotal: b.RecordingsTotal, RecordingsDone: b.RecordingsDone,
				BytesTotal: b.BytesTotal, BytesDone: b.BytesDone, BytesPerSecond: b.BytesPerSecond,
			}
			if b.Battery >= 0 {
				bay.BatteryPercent = &b.Battery
			}
			s.Bays = append(s.Bays, bay)
		}
		all = append(all, s)
	}
	return all
}

func itemList(items []catalog.Item) []itemShape {
	all := []itemShape{}
	for i := range items {
		all = append(all, itemOf(&items[i]))
	}
	return all
}

func itemOf(i *catalog.Item) itemShape {
	s := itemShape{
		ID: i.ID, Attempt: i.Attempt, State: i.State, Reason: i.Reason, Path: i.Path, Kind: i.Kind, Length: i.Length,
		SHA256: i.SHA256, MerkleRoot: i.MerkleRoot, Camera: i.Camera, CameraModel: i.CameraModel,
		Dock: i.Dock, Station: i.Station, Bay: i.Bay, ClaimedOfficer: i.Officer, Category: i.Category, Annotation: annotationOf(i),
		StartedAt: moment(i.StartedAt), EndedAt: moment(i.EndedAt), CorrectedAt: moment(i.CorrectedAt),
		Wearer: i.Wearer, WearerID: i.WearerID, Sequence: i.Sequence, SequenceSource: i.SequenceSource, Confirmed: i.Confirmed, Urgent: i.Urgent,
		OfferedAt: moment(i.OfferedAt), StoredAt: moment(i.StoredAt), ProvenAt: moment(i.ProvenAt), MirroredAt: moment(i.MirroredAt), ErasedAt: moment(i.ErasedAt), ReleaseResult: i.ReleaseResult, Marks: i.Marks,
	}
	if !i.Original.IsZero() {
		s.Original = &i.Original
	}
	if !i.CorrectedAt.IsZero() {
		microseconds := i.Uncertainty.Microseconds()
		s.Uncertainty = &microseconds
	}
	return s
}

func itemDetailOf(v *reading.ItemView) detailShape {
	d := detailShape{
		itemShape: itemOf(v.Item), Manifest: v.Manifest, ManifestSigned: v.ManifestSigned,
		HasReceipt: v.Item.Receipt != nil, ReceiptSigned: v.ReceiptSigned, BlobMissing: v.BlobMissing,
		Siblings: itemList(v.Siblings), DurableSegments: v.Item.DurableSegments,
	}
	d.Times = timesShape{timeOf(v.Item.StartedAt, v.Times.Began), timeOf(v.Item.EndedAt, v.Times.Ended)}
	for _, c := range v.Checks {
		d.Checks = append(d.Checks, checkShape{c.Place, c.Verdict, c.SHA256, c.MerkleRoot, c.Encoding})
	}
	return d
}

func timeOf(raw time.Time, corrected *evidence.Corrected) timeShape {
	t := timeShape{Raw: moment(raw)}
	if corrected != nil {
		microseconds := corrected.Uncertainty.Microseconds()
		t.Corrected, t.Uncertainty, t.Basis = moment(corrected.At), &microseconds, corrected.Basis
	}
	return t
}

func eventsOf(rows []catalog.EventRow) []eventShape {
	all := []eventShape{}
	for _, r := range rows {
		all = append(all, eventShape{r.ID, r.LogIndex, json.RawMessage(r.JSON)})
	}
	return all
}

// moment is a time as it is sent: null for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
