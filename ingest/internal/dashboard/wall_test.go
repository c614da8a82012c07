package dashboard_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
)

var wallTime = flag.Duration("wall", 0, "how long a wall of 500 docks is watched and measured; 0: not")

// A wall of wallDocks with wallBays each, of which every wallBusy-th uploads.
const wallDocks, wallBays, wallBusy = 500, 8, 10

func manyDocks(at time.Time) reading.Live {
	var live reading.Live
	for i := range wallDocks {
		d := reading.LiveDock{Agency: string(readingtest.Agency), Station: fmt.Sprintf("station-%02d", i/25), Dock: fmt.Sprintf("dock-%03d", i), Connected: true, LastSeen: at, AgentVersion: "0.1.0", SpoolQuota: 64 << 30}
		for bay := range wallBays {
			b := reading.Bay{Port: fmt.Sprintf("1-%d", bay+1), State: "empty", Battery: -1}
			if i%wallBusy == 0 {
				b = reading.Bay{Port: b.Port, State: "copying", CameraSerial: fmt.Sprintf("SD-%05d", 8*i+bay), CameraModel: "Sealdock Sim 2", RecordingsTotal: 9, BytesTotal: 1 << 32, BytesPerSecond: 30 << 20, Battery: 71}
			}
			d.Bays = append(d.Bays, b)
		}
		live.Docks = append(live.Docks, d)
	}
	return live
}

// report returns what the docks report that upload, a while later.
func report(live reading.Live, step int) reading.Live {
	live.Docks = slices.Clone(live.Docks)
	for i := 0; i < len(live.Docks); i += wallBusy {
		bays := slices.Clone(live.Docks[i].Bays)
		for bay := range bays {
			bays[bay].BytesDone = uint64(step) << 20
			bays[bay].BytesPerSecond = uint64(30<<20 + step)
		}
		live.Docks[i].Bays = bays
		live.Docks[i].AgentVersion = fmt.Sprintf("0.1.0+%d", step)
	}
	return live
}

func wallOf(t *testing.T, e event) string {
	t.Helper()
	var v struct{ HTML string }
	if err := json.Unmarshal([]byte(e.data), &v); err != nil {
		t.Fatal(err)
	}
	return v.HTML
}

func TestAWallSendsTheCardsThatChanged(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	live := manyDocks(s.Clock.Now())
	s.Live.Set(live)
	_, events := s.listen(t, t.Context(), client)
	count := func(html string) (drawn, same int) {
		return strings.Count(html, "aria-label=\"Dock "), strings.Count(html, " data-same>")
	}
	first := <-events
	if drawn, same := count(wallOf(t, first)); drawn != wallDocks || same != 0 {
		t.Fatalf("the first drawing has %d cards and %d signs", drawn, same)
	}
	live = report(live, 1)
	live.Docks[0].LastSeen = live.Docks[0].LastSeen.Add(time.Hour) // shown of absent docks only
	live.Docks[1].LastSeen = live.Docks[1].LastSeen.Add(time.Hour)
	s.Live.Set(live)
	await(t, events, func(e event) bool {
		drawn, same := count(wallOf(t, e))
		if drawn > wallDocks/wallBusy || drawn+same != wallDocks || len(e.data) > len(first.data)/2 {
			t.Errorf("a drawing has %d cards and %d signs, %d bytes after the first one's %d", drawn, same, len(e.data), len(first.data))
		}
		return drawn == wallDocks/wallBusy
	})
	live.Docks = slices.Clone(live.Docks)
	live.Docks[7].Connected = false
	s.Live.Set(live)
	await(t, events, func(e event) bool {
		html := wallOf(t, e)
		drawn, _ := count(html)
		return drawn == 1 && strings.Contains(html, "Dock dock-007") && strings.Contains(html, "last heard")
	})
	_, other := s.listen(t, t.Context(), client)
	if drawn, same := count(wallOf(t, <-other)); drawn != wallDocks || same != 0 {
		t.Errorf("another viewer's first drawing has %d cards and %d signs", drawn, same)
	}
}

// TestWallCost measures what one viewer of a large wall costs, and how late the wall
// is, while a tenth of the docks report each second. The viewer is in this process,
// so that its reading counts too.
func TestWallCost(t *testing.T) {
	if *wallTime == 0 {
		t.Skip("a measurement: make bench-wall")
	}
	s := newSite(t)
	client := s.signedIn(t)
	live := manyDocks(s.Clock.Now())
	s.Live.Set(live)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, events := s.listen(t, ctx, client)
	<-events
	var late []time.Duration
	bytes := 0
	second := time.NewTicker(time.Second)
	defer second.Stop()
	before, began := processorTime(t), time.Now()
	for step := 1; time.Since(began) < *wallTime; step++ {
		at := time.Now()
		s.Live.Set(report(live, step))
		word := fmt.Sprintf("0.1.0&#43;%d ", step)
		await(t, events, func(e event) bool {
			bytes += len(e.data)
			return strings.Contains(e.data, word)
		})
		late = append(late, time.Since(at))
		<-second.C
	}
	cost := 100 * (processorTime(t) - before).Seconds() / time.Since(began).Seconds()
	slices.Sort(late)
	t.Logf("%d docks of %d bays, every %d. reports each second: %.1f %% of a core for the server and one viewer's reading, %d kB a second, the wall is %v late at the median and %v at most",
		wallDocks, wallBays, wallBusy, cost, bytes/1000/len(late), late[len(late)/2].Round(time.Millisecond), late[len(late)-1].Round(time.Millisecond))
	if late[len(late)-1] >= time.Second || cost > 5 {
		t.Errorf("wanted: at most 5 %% of a core, within 1 s")
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
