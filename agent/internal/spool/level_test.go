package spool

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestAlarmsBeginAtTheirMarkAndEndBelowIt(t *testing.T) {
	var g gauge
	for i, step := range []struct {
		used  uint64
		alarm int
	}{{0, 0}, {699, 0}, {700, 70}, {690, 70}, {701, 70}, {672, 70}, {669, 0}, {690, 0}, {960, 95}, {949, 95}, {920, 95}, {919, 85}, {860, 85}, {821, 85}, {819, 70}, {0, 0}, {1000, 95}} {
		before := g.level.Alarm
		changed := g.note(start.Add(time.Duration(i)*time.Minute), step.used, 1000)
		if g.level.Alarm != step.alarm || changed != (before != step.alarm) {
			t.Errorf("%d: %d of 1000 gives alarm %d (changed %v), want %d", i, step.used, g.level.Alarm, changed, step.alarm)
		}
	}
}

func TestFullIsForeseenOverBurstsAndOnlyWhileItFills(t *testing.T) {
	const limit = 1_000_000
	var g gauge
	used, at := uint64(100_000), start
	run := func(hours int, perMinute func(minute int) int) {
		for range hours * 60 {
			at = at.Add(time.Minute)
			used = uint64(int(used) + perMinute(at.Minute()))
			g.note(at, used, limit)
		}
	}
	g.note(at, used, limit)
	if !g.level.FullAt.IsZero() {
		t.Error("foretold from one reading")
	}
	run(6, func(minute int) int { // 20 minutes of copying in the hour, uploads all the time
		if minute < 20 {
			return 2500 - 500
		}
		return -500
	})
	perHour := 20*2500 - 60*500
	want := time.Duration(float64(limit-used) / float64(perHour) * float64(time.Hour))
	if got := g.level.FullAt.Sub(at); got < want*85/100 || got > want*115/100 {
		t.Errorf("full in %v, want %v", got, want)
	}
	run(6, func(int) int { return -600 })
	if g.level.Rate >= 0 || !g.level.FullAt.IsZero() {
		t.Errorf("while it empties: %+v", g.level)
	}
	at = at.Add(-24 * time.Hour) // a clock set back
	if g.note(at, used, limit); g.level.Over != 0 || len(g.readings) != 1 {
		t.Errorf("after the clock was set back: %+v", g.level)
	}
}

func TestTheFillingIsSaidInTheLogAndInWords(t *testing.T) {
	var log bytes.Buffer
	opt := options(t.TempDir())
	opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	opt.Quota = 4 * seal.SealedSize(1<<20)
	s := open(t, opt)
	var g gauge
	for i := range 4 {
		source := numbered(i)
		source.Size = 1 << 20
		spooled(t, s, source)
		s.look(&g)
	}
	if l := s.Level(); l.Alarm != 95 || l.Percent != 100 || l.Limit != opt.Quota || !strings.Contains(l.Words(time.UTC), "nothing is dropped") {
		t.Errorf("%+v: %s", l, l.Words(time.UTC))
	}
	if said := log.String(); strings.Count(said, "level=WARN") != 2 || !strings.Contains(said, "alarm_percent=70") || !strings.Contains(said, "alarm_percent=95") {
		t.Errorf("the log says:\n%s", said)
	}
	rows := waitingOf(t, s, 4)
	for _, r := range rows {
		if err := s.Received(t.Context(), r.Evidence, 1, Receipt{Envelope: []byte("r"), LogSize: 1, Checkpoint: []byte("c\n")}); err != nil {
			t.Fatal(err)
		}
	}
	s.look(&g)
	if l := s.Level(); l.Alarm != 0 || l.Words(time.UTC) != "" || !strings.Contains(log.String(), "less full again") {
		t.Errorf("%+v", l)
	}
}

// Three weeks of dockings into a quota, without a server and with restarts, then
// the server is back: everything arrives, each once, and nothing was dropped.
func TestWeeksWithoutAServerLoseNothing(t *testing.T) {
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 7))
		now := start
		opt := options(t.TempDir())
		opt.Now = func() time.Time { return now }
		opt.Quota = 6 << 20
		s := open(t, opt)
		camera := map[string]Source{} // on cameras, not in the spool
		spool := map[string]bool{}    // copied, and still on the camera
		received := map[string]int{}  // by path
		alarms := map[int]bool{}      // that were seen
		made, paused, pausedOnce := 0, 0, false
		var g gauge
		copyAll := func() {
			for path, source := range camera {
				known, err := s.Matching(t.Context(), source)
				if err != nil {
					t.Fatal(err)
				}
				if len(known) == 0 {
					rec, err := s.Add(t.Context(), source, evidence.NewDockingID(), "1-1")
					if err != nil {
						t.Fatal(err)
					}
					known = []Recording{rec}
				}
				w, err := s.Begin(t.Context(), known[0].Evidence, known[0].Docking, "1-1", source.Size)
				if errors.Is(err, ErrFull) {
					paused++
					pausedOnce = true
					continue // the camera keeps it
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Commit(t.Context(), fill(t, w, source.Size)); err != nil {
					t.Fatal(err)
				}
				delete(camera, path)
				spool[path] = true
			}
		}
		whole := func() {
			t.Helper()
			rows := waitingOf(t, s, 10_000)
			for _, r := range rows {
				if !spool[r.Source.Path] {
					t.Fatalf("%s waits, and is not known to be copied", r.Source.Path)
				}
			}
			if len(rows)+len(camera)+len(received) != made || len(rows) != len(spool) {
				t.Fatalf("%d made, %d wait (%d copied), %d on cameras, %d received", made, len(rows), len(spool), len(camera), len(received))
			}
			if used, _ := s.Usage(); used > opt.Quota {
				t.Fatalf("%d bytes are used of %d", used, opt.Quota)
			}
		}
		hand := func() {
			for _, r := range waitingOf(t, s, 1+random.IntN(8)) {
				c, err := s.OpenCopy(t.Context(), r.Evidence)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(c.Verify(t.Context()), c.Close()); err != nil {
					t.Fatal(err)
				}
				if err := s.Received(t.Context(), r.Evidence, r.Attempt, Receipt{Envelope: []byte("r"), LogSize: 1, Checkpoint: []byte("c\n")}); err != nil {
					t.Fatal(err)
				}
				received[r.Source.Path]++
				delete(spool, r.Source.Path)
			}
		}
		for hour := range 21 * 24 {
			now = now.Add(time.Hour)
			if hour%8 == 0 { // shift change
				for range random.IntN(3) {
					source := numbered(made)
					source.Size = uint64(1 + random.IntN(400_000))
					camera[source.Path] = source
					made++
				}
				copyAll()
				whole()
			}
			if random.IntN(60) == 0 {
				s = reopen(t, s)
				whole()
			}
			s.look(&g)
			alarms[g.level.Alarm] = true
		}
		if !pausedOnce || !alarms[70] || !alarms[85] || !alarms[95] {
			t.Errorf("seed %d: paused %d times, alarms %v", seed, paused, alarms)
		}
		for turn := 0; len(received) < made; turn++ { // the server is back
			if turn > made+10 {
				t.Fatalf("it does not come to an end: %d of %d received", len(received), made)
			}
			now = now.Add(time.Minute)
			hand()
			copyAll() // goes on by itself
			whole()
		}
		for path, n := range received {
			if n != 1 {
				t.Errorf("%s was received %d times", path, n)
			}
		}
		if used, _ := s.Usage(); used != 0 || len(files(t, s)) != 0 {
			t.Errorf("%d bytes are left, %v", used, files(t, s))
		}
	}
}

func TestTheReaderSeesWhatTheAgentHasAndChangesNothing(t *testing.T) {
	s := open(t, options(t.TempDir()))
	if _, err := ReadOnly(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is no spool") {
		t.Errorf("no spool: %v", err)
	}
	for i := range 5 {
		spooled(t, s, numbered(i))
	}
	look := func() {
		t.Helper()
		r, err := ReadOnly(t.Context(), s.opt.Dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		rows, err := r.Waiting(t.Context())
		if err != nil || len(rows) != 5 || rows[0].Source.Path != numbered(0).Path {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for _, row := range rows {
			c, err := r.OpenCopy(t.Context(), row.Evidence)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.Verify(t.Context()), c.Close()); err != nil {
				t.Error(err)
			}
		}
		if _, err := r.s.db.Exec("DELETE FROM recording"); err == nil {
			t.Error("the reader can write")
		}
	}
	look() // beside the agent
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look() // without one
	s = open(t, s.opt)
	if n := len(waitingOf(t, s, 10)); n != 5 {
		t.Errorf("%d wait after the looking", n)
	}
}
