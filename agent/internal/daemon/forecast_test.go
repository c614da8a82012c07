package daemon

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/upload"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

var monday = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// measured is a pace that has seen a minute of sending at a rate, limited or not.
func measured(rate uint64, limit uint64) *pace {
	p := new(pace)
	state := upload.State{Sending: true, Transport: upload.Transport{BytesPerSecond: rate, Limited: limit > 0, Limit: limit}}
	for second := range 61 {
		state.Carried = uint64(second) * rate
		p.note(monday.Add(time.Duration(second-60)*time.Second), &state)
	}
	return p
}

func TestTheForecastIsBytesByTheMeasuredRate(t *testing.T) {
	all, bays := measured(1000, 0).forecast(monday, nil, map[string]backlog{"1": {bytes: 30_000}, "2": {bytes: 90_000}, "3": {bytes: 10_000, urgent: true}})
	for name, c := range map[string]struct {
		got   Forecast
		bytes uint64
		after time.Duration
	}{
		"all": {all, 130_000, 130 * time.Second}, "urgent first": {bays["3"], 10_000, 10 * time.Second},
		"fair share": {bays["1"], 30_000, 70 * time.Second}, "the rest": {bays["2"], 90_000, 130 * time.Second},
	} {
		if c.got.Bytes != c.bytes || !c.got.At.Equal(monday.Add(c.after)) {
			t.Errorf("%s: %d bytes at %v, want %d at %v", name, c.got.Bytes, c.got.At, c.bytes, monday.Add(c.after))
		}
	}
}

// Of a recording under way, only what the server lacks takes time; it counts as a
// whole until its receipt.
func TestWhatTheServerHoldsTakesNoTime(t *testing.T) {
	bays := map[string]backlog{"1": {bytes: 4 << 20}, "2": {bytes: 1 << 20}}
	noteHeld(bays, []upload.Transfer{{Bay: "1", Durable: 2}, {Bay: "1", Durable: 1}, {Bay: "2", Durable: 3}, {Bay: "gone", Durable: 1}})
	all, byBay := measured(1<<20, 0).forecast(monday, nil, bays)
	if all.Bytes != 5<<20 || !all.At.Equal(monday.Add(time.Second)) || byBay["1"].Bytes != 4<<20 || !byBay["1"].At.Equal(monday.Add(time.Second)) || !byBay["2"].At.Equal(monday) {
		t.Error(all, byBay)
	}
}

func TestNothingIsForecastBeforeAnythingWasMeasured(t *testing.T) {
	if all, _ := new(pace).forecast(monday, nil, map[string]backlog{"1": {bytes: 5}}); !all.At.IsZero() || all.Bytes != 5 {
		t.Error(all)
	}
}

func TestNoBayIsClearBeforeItIsCopied(t *testing.T) {
	copied := monday.Add(time.Hour)
	all, bays := measured(1000, 0).forecast(monday, nil, map[string]backlog{"1": {bytes: 1000, copied: copied}})
	if !all.At.Equal(copied) || !bays["1"].At.Equal(copied) {
		t.Error(all, bays)
	}
}

// At 8:00 the table allows 105 bytes a second until 9:00, then the line's 1000:
// what does not fit into the hour takes the rest at full speed.
func TestTheForecastGoesThroughTheTable(t *testing.T) {
	d := &protocol.Direction{DockBandwidth: &protocol.Bandwidth{Zone: "UTC", Windows: []*protocol.Window{{Days: 127, From: 0, Until: 540, BytesPerSecond: 105}}}}
	all, _ := measured(1000, 0).forecast(monday, d, map[string]backlog{"1": {bytes: 360_000 + 60_000}})
	if want := monday.Add(time.Hour + time.Minute); !all.At.Equal(want) {
		t.Errorf("%v, want %v", all.At, want)
	}
}

// What was measured while a limit was in the way says nothing of the line, once
// the line is known.
func TestALimitIsNotTakenForTheLine(t *testing.T) {
	p := measured(1000, 0)
	state := upload.State{Sending: true, Transport: upload.Transport{BytesPerSecond: 100, Limited: true, Limit: 100}, Carried: 60_000}
	for second := range 600 {
		state.Carried += 100
		p.note(monday.Add(time.Duration(second)*time.Second), &state)
	}
	if p.line != 1000 {
		t.Errorf("the line is taken to carry %d bytes a second", p.line)
	}
	if q := measured(100, 100); q.line != 100 {
		t.Errorf("a line that was never seen free is taken to carry %d", q.line)
	}
}

// A pause without anything to send does not count as slow sending.
func TestPausesAreLeftOut(t *testing.T) {
	p := measured(1000, 0)
	idle := upload.State{Carried: 60_000}
	for second := range 30 {
		p.note(monday.Add(time.Duration(second+1)*time.Second), &idle)
	}
	if p.line != 1000 {
		t.Errorf("the line is taken to carry %d bytes a second", p.line)
	}
}
