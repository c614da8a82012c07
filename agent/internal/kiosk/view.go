package kiosk

import (
	"fmt"
	"time"

	"github.com/sealdock/sealdock/proto/upload"
)

// maxBays is how many tiles the page shows; more than 32 make it scroll.
const maxBays = 128

// maxAlerts is how many of a bay's newest alerts are looked at.
const maxAlerts = 16

// wall is the page as templates see it: words and signs, no decisions left.
type wall struct {
	Dock, Station string
	Clock         string
	Server        status
	ServerSays    string
	Notices       []string
	Spool         spool
	Counts        []count
	Columns       int
	Tiles         []tile
}

// status says itself three times: by colour, by sign and by word.
type status struct{ Tone, Sign, Word string }

// count is how many bays have one verdict.
type count struct {
	status
	N int
}

type spool struct {
	Waiting string
	Used    string
	Nearly  bool // nearly full
}

// tile is one bay.
type tile struct {
	Port, Label string
	Path        bool   // the label is a port path, longer than a number
	Tone        string // of the whole tile: take, leave, help, free
	Verdict     status
	Work        status
	Big, After  string // the figure to be read from afar, and what it counts
	Bar         bool
	Permille    int
	Percent     string
	Safe        string // recordings
	Rate        string
	Says        string
	Alert       string // the newest that Says does not say
	More        string // how many besides it
	Other       string // how many in all, where there is no room for it
	Roomy       bool   // there is little to say: the verdict may be large
	Empty       bool
	Officer     string
	Stranger    bool // nobody's camera: the words stand for a name
	Serial      string
	Battery     battery
	Urgent      bool
	Press       bool // there is a button for it
}

type battery struct {
	Known, Charging, Low bool
	Percent              int
	Width                int // of the level in the sign, 0 to 10
}

// The four verdicts. "Safe to take" has the only disc with a tick.
func (t *tile) judge(safe bool, state string) {
	switch {
	case t.Empty:
		t.Tone, t.Verdict = "free", status{"free", "ring", "Free"}
	case safe:
		t.Tone, t.Verdict = "take", status{"take", "tick", "Safe to take"}
	case state == upload.BayAttention:
		t.Tone, t.Verdict = "help", status{"help", "stop", "Leave in dock"}
	default:
		t.Tone, t.Verdict = "leave", status{"leave", "lock", "Leave in dock"}
	}
}

// maySafe reports whether a bay may be called safe at all: nothing is being
// read, erased or written on the camera, and the state is one we know.
func maySafe(b Bay) bool {
	switch b.State {
	case upload.BayUploading, upload.BayDone, upload.BayAttention:
		return b.Firmware < 0
	}
	return false
}

// newWall puts the dock in words. press: the bays have an urgent button.
func newWall(d Dock, now time.Time, press bool) wall {
	w := wall{
		Dock: line(d.Name, maxName), Station: line(d.Station, maxName), Clock: now.Format("15:04 MST"),
		Server: status{"good", "tick", "Server connected"}, ServerSays: discreet(d.Server, maxSentence),
		Spool: newSpool(d, now),
	}
	if !d.Connected {
		w.Server = status{"bad", "off", "Server not connected"}
		if w.ServerSays == "" {
			w.ServerSays = "Recordings are copied all the same and wait in this dock."
		}
		w.Notices = append(w.Notices, w.ServerSays)
	}
	if w.Spool.Nearly {
		w.Notices = append(w.Notices, "The disk of this dock is nearly full: "+w.Spool.Used+".")
	}
	for _, a := range d.Alerts[:min(len(d.Alerts), 3)] {
		w.Notices = append(w.Notices, discreet(a, maxSentence))
	}
	counted := []count{
		{status{"take", "tick", "safe to take"}, 0}, {status{"leave", "lock", "at work"}, 0},
		{status{"help", "alarm", "needs help"}, 0}, {status{"free", "ring", "free"}, 0},
	}
	for _, b := range d.Bays[:min(len(d.Bays), maxBays)] {
		t := newTile(b, now)
		t.Press = press && !t.Empty && (b.State != upload.BayDone || b.Urgent)
		w.Tiles = append(w.Tiles, t)
		switch t.Tone {
		case "take":
			counted[0].N++
		case "leave":
			counted[1].N++
		case "free":
			counted[3].N++
		}
		if t.Work.Tone == "help" { // safe to take or not
			counted[2].N++
		}
	}
	if counted[2].N > 1 {
		counted[2].Word = "need help"
	}
	for _, c := range counted {
		if c.N > 0 {
			w.Counts = append(w.Counts, c)
		}
	}
	w.Columns = columns(len(w.Tiles))
	return w
}

// clearText is a moment to come as people say it at the dock, whose clock is on
// the page with its zone; empty for none.
func clearText(at, now time.Time) string {
	at = at.In(now.Location()).Round(time.Minute)
	switch {
	case at.Before(now.Add(-time.Hour)): // zero, or nonsense
		return ""
	case at.YearDay() == now.YearDay() && at.Year() == now.Year():
		return at.Format("15:04")
	case at.Before(now.AddDate(0, 0, 6)):
		return at.Format("Mon 15:04")
	}
	return at.Format("2 Jan")
}

// columns keeps tiles on a wide screen between square and 3:4.
func columns(n int) int {
	switch {
	case n <= 3:
		return max(n, 1)
	case n == 4:
		return 2
	case n <= 6:
		return 3
	case n <= 8:
		return 4
	case n <= 10:
		return 5
	case n <= 12:
		return 4
	case n <= 15:
		return 5
	case n <= 18:
		return 6
	case n <= 21:
		return 7
	case n <= 24:
		return 6
	case n <= 28:
		return 7
	}
	return 8
}

func newSpool(d Dock, now time.Time) spool {
	s := spool{Waiting: "nothing waits", Used: sizeText(d.SpoolUsed)}
	if d.Waiting > 0 {
		s.Waiting = fmt.Sprintf("%d waiting", d.Waiting)
		if at := clearText(d.ClearAt, now); at != "" {
			s.Waiting += ", at the server by " + at
		}
	}
	if d.SpoolQuota > 0 {
		s.Used += " of " + sizeText(d.SpoolQuota)
		s.Nearly = permille(d.SpoolUsed, d.SpoolQuota) >= 900
	}
	return s
}

func newTile(b Bay, now time.Time) tile {
	t := tile{Port: b.Port, Label: line(b.Label, maxLabel), Path: len(b.Label) > 2, Empty: b.State == upload.BayEmpty, Urgent: b.Urgent}
	t.judge(b.Safe && maySafe(b), b.State)
	if t.Empty {
		t.Says = "Put a camera in."
		t.Work = status{"free", "ring", "Empty"}
		t.Urgent, t.Roomy = false, true
		t.warn(b.Alerts)
		return t
	}
	t.Serial = line(b.Serial, maxSerial)
	t.Officer = shorten(line(b.Officer, 2*maxName), maxName)
	if t.Officer == "" {
		t.Stranger, t.Officer = true, "Unknown camera"
		if b.Registered {
			t.Officer = "Camera not assigned"
		}
	}
	t.Battery = newBattery(b)
	t.work(b, now)
	t.warn(b.Alerts)
	return t
}

// work fills what the bay is doing, how far it is, and its sentence.
func (t *tile) work(b Bay, now time.Time) {
	t.Permille = permille(b.BytesDone, b.BytesTotal)
	t.Bar = b.BytesTotal > 0
	if b.RecordingsTotal > 0 {
		t.Safe = fmt.Sprintf("%d of %d safe", min(b.RecordingsSafe, b.RecordingsTotal), b.RecordingsTotal)
	}
	moving := false
	switch b.State {
	case upload.BayReading:
		t.Work, t.Says = status{"leave", "eye", "Reading"}, "The camera is asked what it holds."
		if said := discreet(b.Sentence, maxSentence); said != "" {
			t.Says = said
		}
		t.Bar, t.Roomy = false, true
	case upload.BayCopying:
		t.Work, t.Says, moving = status{"leave", "moving", "Copying"}, "The camera is being read.", true
	case upload.BayUploading:
		t.Work, t.Says, moving = status{"leave", "up", "Uploading"}, "All is copied. The rest goes on by itself.", true
		if at := clearText(b.ClearAt, now); at != "" {
			t.Says = "All is copied. At the server by " + at + "."
		}
	case upload.BayReleasing:
		t.Work, t.Says = status{"leave", "broom", "Clearing"}, "The camera erases what is safe. A moment."
	case upload.BayDone:
		t.Work, t.Says = status{"take", "tick", "Done"}, "Everything is safe at the server."
		if b.RecordingsTotal == 0 {
			t.Says = "The camera holds no recordings."
		} else if b.RecordingsSafe < b.RecordingsTotal {
			t.Says = "The camera may be taken out."
		}
		t.Bar, t.Roomy = false, true
	case upload.BayAttention:
		t.Work, t.Says = status{"help", "alarm", "Needs help"}, "Ask the person who looks after this dock."
		if said := discreet(b.Sentence, maxSentence); said != "" {
			t.Says = said
		}
		t.Bar = false
	default:
		t.Work, t.Says = status{"leave", "ring", line(b.State, 24)}, discreet(b.Sentence, maxSentence)
	}
	t.Percent = fmt.Sprintf("%d %%", t.Permille/10)
	if moving && b.Rate > 0 {
		t.Rate = sizeText(b.Rate) + "/s"
	}
	if moving && b.TimeToGo >= 0 {
		t.Big, t.After = spanText(b.TimeToGo), "to go"
	} else if moving && t.Bar {
		t.Big = t.Percent
	}
	if b.Firmware >= 0 {
		t.update(min(b.Firmware, 100))
	}
}

// update shows new software on its way into the camera, before all else.
func (t *tile) update(percent int) {
	t.Work = status{"leave", "update", "Updating"}
	t.Says = "The camera gets new software. Do not take it out."
	t.Roomy, t.Bar, t.Permille, t.Percent = false, true, percent*10, fmt.Sprintf("%d %%", percent)
	t.Big, t.After, t.Rate = t.Percent, "", ""
	if t.Tone != "help" {
		t.Tone, t.Verdict = "leave", status{"leave", "lock", "Leave in dock"}
	}
}

// warn keeps the newest alert that the sentence does not say already, and
// counts the others.
func (t *tile) warn(alerts []string) {
	alerts = alerts[max(0, len(alerts)-maxAlerts):]
	count := 0
	for i := len(alerts) - 1; i >= 0; i-- {
		said := discreet(alerts[i], maxSentence)
		if said == "" || said == t.Says {
			continue
		}
		if count++; count == 1 {
			t.Alert = said
		}
	}
	if count > 1 {
		t.More = fmt.Sprintf("(and %d more)", count-1)
	}
	if count == 0 {
		return
	}
	t.Roomy = false
	if t.Work.Tone == "help" {
		t.Other = "and " + plural(uint64(count), "more warning")
	} else {
		t.Says = "" // its place is taken
	}
}

func newBattery(b Bay) battery {
	if b.Battery < 0 {
		return battery{}
	}
	percent := min(b.Battery, 100)
	return battery{Known: true, Charging: b.Charging, Percent: percent, Width: percent / 10, Low: percent < 20}
}

// Spoken is the verdict for people who hear the page.
func (t tile) Spoken() string {
	said := fmt.Sprintf("Bay %s: %s.", t.Label, t.Verdict.Word)
	if t.Work.Tone == "help" {
		said += " Needs help."
	}
	return said
}
