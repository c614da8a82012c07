package offload

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Status is how a bay is doing, for people.
type Status struct {
	Port            string   `json:"port"`
	CameraSerial    string   `json:"camera_serial"`
	CameraModel     string   `json:"camera_model"`
	State           string   `json:"state"`   // one of the Bay words of proto/upload
	Message         string   `json:"message"` // one sentence
	RecordingsTotal uint64   `json:"recordings_total"`
	RecordingsDone  uint64   `json:"recordings_done"` // with a receipt
	BytesTotal      uint64   `json:"bytes_total"`     // to copy in this docking
	BytesDone       uint64   `json:"bytes_done"`      // copied and confirmed, or half-way there
	BytesPerSecond  uint64   `json:"bytes_per_second"`
	BatteryPercent  int      `json:"battery_percent"` // -1 unknown
	Charging        bool     `json:"charging,omitempty"`
	Officer         string   `json:"officer,omitempty"` // whose camera it is, as the server says
	Safe            bool     `json:"safe"`              // the camera may be taken out: nothing is done on it, and all of it is copied
	Urgent          bool     `json:"urgent,omitempty"`  // what it holds goes before all else
	UpdatePercent   int      `json:"update_percent"`    // firmware that is brought to the camera; -1 none
	SecondsLeft     int      `json:"seconds_left"`      // until all is copied; -1 unknown
	Known           bool     `json:"known"`             // the server knows this camera
	Alerts          []string `json:"alerts,omitempty"`
	Notices         []string `json:"notices,omitempty"` // alerts as anybody may read them: no names of recordings
}

const maxAlerts = 20

// status is the part of a docking that other goroutines may ask for.
type status struct {
	now func() time.Time

	mu       sync.Mutex // guards all below
	shown    Status     // but for its alerts
	alerts   []alert
	copied   uint64    // listed bytes of finished copies
	passed   uint64    // bytes that passes of the present copy have read
	size     uint64    // listed size of the present copy
	measured time.Time // start of the present measurement of the rate
	moved    uint64    // bytes since then
}

func (s *status) begin(port string, now func() time.Time) {
	s.now, s.measured = now, now()
	s.shown = Status{Port: port, State: upload.BayReading, BatteryPercent: -1, UpdatePercent: -1, SecondsLeft: -1, Message: "A camera was plugged in."}
}

// Status returns how the bay is doing. Safe for concurrent use.
func (s *status) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measure()
	out := s.shown
	for _, a := range s.alerts {
		out.Alerts = append(out.Alerts, a.sentence)
		if notice := a.notice(); !slices.Contains(out.Notices, notice) {
			out.Notices = append(out.Notices, notice)
		}
	}
	out.BytesDone = min(s.copied+min(s.passed/2, s.size), out.BytesTotal)
	out.Safe = (out.State == upload.BayDone || out.State == upload.BayUploading) && out.UpdatePercent < 0
	switch left := out.BytesTotal - out.BytesDone; {
	case out.State != upload.BayCopying:
	case left == 0:
		out.SecondsLeft = 0
	case out.BytesPerSecond > 0: // each byte is read twice
		out.SecondsLeft = int(min(2*left/out.BytesPerSecond, 7*24*3600))
	}
	return out
}

// wears notes whose camera it is, and whether the server knows it.
func (s *status) wears(officer string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown.Officer, s.shown.Known = officer, known
}

// charges notes the camera's charge, in percent or -1.
func (s *status) charges(battery int, charging bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown.BatteryPercent, s.shown.Charging = battery, charging
}

// updating notes how much of a firmware image is on the camera; -1: none is
// under way.
func (s *status) updating(percent int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown.UpdatePercent = percent
}

// hasten marks what the camera holds as urgent, or takes that back.
func (s *status) hasten(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown.Urgent = on
}

func (s *status) isUrgent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.Urgent
}

// measure renews the rate about once a second.
func (s *status) measure() {
	if elapsed := s.now().Sub(s.measured); elapsed >= time.Second {
		s.shown.BytesPerSecond = uint64(float64(s.moved) / elapsed.Seconds())
		s.measured, s.moved = s.now(), 0
	}
}

func (s *status) identify(info evidence.CameraInfo, battery int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown.CameraSerial, s.shown.CameraModel, s.shown.BatteryPercent = info.Serial, info.Model, battery
}

func (s *status) say(state, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown.State, s.shown.Message = state, message
}

// alert is a sentence that a person must read, and what it is about.
type alert struct{ about, sentence string }

// DiscreetNotice stands for alerts that name recordings.
const DiscreetNotice = "Something on this camera needs a person to look. It stays on the camera."

// notice is the alert without what only some may read: recordings' names can be
// people's.
func (a alert) notice() string {
	if strings.HasPrefix(a.about, aboutCopy) || a.about == aboutSizes || a.about == aboutListing {
		return DiscreetNotice
	}
	return a.sentence
}

// What alerts are about, besides recordings: the docking as a whole, what the
// camera's listing lacks, and what it does not take.
const (
	aboutDocking  = "docking"
	aboutSizes    = "sizes"
	aboutListing  = "listing"
	aboutLock     = "lock"
	aboutSettings = "settings"
	aboutFirmware = "firmware"

	aboutSignature = "signature"
)

// about names what an alert on a recording's copy is about, so that it can be
// taken back when that has come right.
func (it *item) about() string { return aboutCopy + it.source.Path }

const aboutCopy = "copy of "

// alert keeps a sentence that a person must read. On a listing or a copy only the
// newest is kept.
func (s *status) alert(about, sentence string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alerts = slices.DeleteFunc(s.alerts, func(a alert) bool {
		return a.sentence == sentence || a.about == about && about != aboutDocking && about != aboutSizes
	})
	if len(s.alerts) < maxAlerts {
		s.alerts = append(s.alerts, alert{about, sentence})
	}
}

// withdraw takes back what is no longer so.
func (s *status) withdraw(about string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alerts = slices.DeleteFunc(s.alerts, func(a alert) bool { return a.about == about })
}

func (s *status) waitingForRoom(message string) { s.say(upload.BayAttention, message) }

func (s *status) progress(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed += uint64(n)
	s.moved += uint64(n)
	s.measure()
}

func (s *status) starting(it *item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed, s.size = 0, it.object.Size
	s.shown.State, s.shown.Message = upload.BayCopying, fmt.Sprintf("Copying %s. Leave the camera in the dock.", it.source.Path)
}

func (s *status) stopped(it *item, well bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if well {
		s.copied += it.object.Size // until the next count
	}
	s.passed, s.size = 0, 0
}

// tally is how many recordings of a docking stand where.
type tally struct{ total, safe, waiting, open, kept uint64 }

// count renews the totals that are shown.
func (d *Docking) count(queue []*item) tally {
	var t tally
	var bytes, copied uint64
	for _, it := range queue {
		size := min(it.object.Size, evidence.MaxLength)
		bytes += size
		t.total++
		switch {
		case it.standing.State.HasReceipt():
			t.safe++
			copied += size
			if it.listed && it.standing.State == spool.StateReceived {
				t.kept++
			}
		case it.standing.State == spool.StateSpooled, it.standing.State == spool.StateUploading:
			t.waiting++
			copied += size
		default:
			t.open++
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown.RecordingsTotal, d.shown.RecordingsDone, d.shown.BytesTotal, d.copied = t.total, t.safe, bytes, copied
	return t
}

// summarise says where the docking stands when there is nothing to do on the
// camera at this moment.
func (d *Docking) summarise(queue []*item) {
	t := d.count(queue)
	d.mu.Lock()
	defer d.mu.Unlock()
	newest := ""
	if n := len(d.alerts); n > 0 {
		newest = d.alerts[n-1].sentence
	}
	kept := ""
	if t.kept > 0 && d.reason != "" {
		kept = " They stay on the camera: " + d.reason + "."
	} else if t.kept > 0 {
		kept = " They stay on the camera for the days that the agency wants."
	}
	set := func(state, message string) { d.shown.State, d.shown.Message = state, message }
	switch {
	case t.open > 0 && d.shown.State == upload.BayAttention: // it says already what is wrong
	case t.open > 0 && newest != "":
		set(upload.BayAttention, newest)
	case t.open > 0:
		set(upload.BayAttention, fmt.Sprintf("%s not copied yet.", part(t.open, t.total)))
	case t.waiting > 0:
		set(upload.BayUploading, fmt.Sprintf("All copied. %s not at the server yet. The camera may be taken out; it is cleared at its next docking.", part(t.waiting, t.total)))
	case newest != "":
		set(upload.BayAttention, newest)
	case t.total == 0:
		set(upload.BayDone, "The camera holds no recordings. It may be taken out.")
	case t.total == 1:
		set(upload.BayDone, "The recording is safe at the server."+kept+" The camera may be taken out.")
	default:
		set(upload.BayDone, fmt.Sprintf("All %d recordings are safe at the server.%s The camera may be taken out.", t.total, kept))
	}
}

// part is the subject of a sentence on n of all recordings, with its verb.
func part(n, all uint64) string {
	switch {
	case all == 1:
		return "The recording is"
	case n == 1:
		return fmt.Sprintf("1 of %d recordings is", all)
	}
	return fmt.Sprintf("%d of %d recordings are", n, all)
}
