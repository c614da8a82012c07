package spool

import (
	"context"
	"fmt"
	"time"
)

// The filling of the spool is looked at this often, and judged by this long.
const (
	levelEvery  = time.Minute
	levelWindow = 6 * time.Hour
	levelLeast  = 15 * time.Minute // before that nothing is foretold
	levelSlack  = 3                // per cent that it must fall below an alarm to end it
	levelFar    = 400 * 24 * time.Hour
)

// Level is how full the spool is, and how it goes on.
type Level struct {
	Used    uint64        // bytes of copies held or being written
	Limit   uint64        // most bytes that copies may take: by the quota or by the disk, whichever is less; 0: unknown
	Percent int           // of Limit
	Alarm   int           // 0, or 70, 85 or 95: the highest that was reached and not left since
	Rate    int64         // bytes a second, in minus out, over Over; 0 while too little is known
	Over    time.Duration // for how long it was looked at
	FullAt  time.Time     // when it is full at this rate; zero: not foreseen
}

// Words say it in a sentence or two for people; empty while there is no alarm.
// Times are shown in the zone of where.
func (l Level) Words(where *time.Location) string {
	if l.Alarm == 0 {
		return ""
	}
	said := fmt.Sprintf("The room for copies that wait for the server is %d %% full.", l.Percent)
	if l.Percent >= 100 {
		return said + " Copying pauses and goes on by itself as recordings are handed over; cameras keep theirs, nothing is dropped."
	}
	if l.FullAt.IsZero() {
		return said + " It is not filling at the moment."
	}
	return said + " At the rate of the last hours it is full on " + l.FullAt.In(where).Format("Mon 2 Jan at 15:04 MST") + "; then copying pauses, and nothing is dropped. Bring the server back, or carry recordings there with sealdock-agent export-spool."
}

// reading is the filling at one moment.
type reading struct {
	at   time.Time
	used uint64
}

// gauge judges readings. It belongs to one goroutine.
type gauge struct {
	readings []reading // oldest first, levelWindow long
	level    Level
}

// note takes a reading and returns whether the alarm changed.
func (g *gauge) note(at time.Time, used, limit uint64) (changed bool) {
	if n := len(g.readings); n > 0 && at.Before(g.readings[n-1].at) {
		g.readings = nil // the clock was set back: begin anew
	}
	g.readings = append(g.readings, reading{at, used})
	for len(g.readings) > 2 && at.Sub(g.readings[1].at) >= levelWindow {
		g.readings = g.readings[1:]
	}
	before := g.level.Alarm
	g.level = Level{Used: used, Limit: limit, Alarm: before}
	if limit > 0 {
		g.level.Percent = int(min(100, float64(used)/float64(limit)*100))
		g.level.Alarm = alarm(before, g.level.Percent)
	} else {
		g.level.Alarm = 0
	}
	g.foretell(at)
	return g.level.Alarm != before
}

// foretell goes by all that came in and went out over the window: shifts come in
// bursts, and what counts is what they leave behind.
func (g *gauge) foretell(at time.Time) {
	first, l := g.readings[0], &g.level
	l.Over = at.Sub(first.at)
	if l.Over < levelLeast {
		return
	}
	l.Rate = int64((float64(l.Used) - float64(first.used)) / l.Over.Seconds())
	if l.Rate <= 0 || l.Used >= l.Limit {
		return
	}
	if left := float64(l.Limit-l.Used) / float64(l.Rate); left < levelFar.Seconds() {
		l.FullAt = at.Add(time.Duration(left * float64(time.Second)))
	}
}

// alarm is the alarm at a filling of percent, after the one before.
func alarm(before, percent int) int {
	now := 0
	for _, a := range []int{70, 85, 95} {
		if percent >= a || a <= before && percent >= a-levelSlack {
			now = a
		}
	}
	return now
}

// room is how many bytes copies may take in all; 0 when that is not known.
func (s *Spool) room() (used, limit uint64) {
	free, known := diskFree(s.records)
	s.mu.Lock()
	defer s.mu.Unlock()
	used, limit = s.stored+s.writing, s.opt.Quota
	if !known {
		return used, limit
	}
	disk := used - s.pending + free
	disk -= min(disk, s.opt.Reserve)
	if limit == 0 || disk < limit {
		limit = disk
	}
	return used, max(limit, 1)
}

// Level returns how full the spool is now, with the alarm and the forecast of the
// last look. Safe for concurrent use.
func (s *Spool) Level() Level {
	used, limit := s.room()
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.level
	l.Used, l.Limit = used, limit
	if limit > 0 {
		l.Percent = int(min(100, float64(used)/float64(limit)*100))
	}
	return l
}

// Watch looks at the filling until ctx ends, and says in the log when an alarm
// begins or ends. Its error is ctx's.
func (s *Spool) Watch(ctx context.Context) error {
	var g gauge
	tick := time.NewTicker(levelEvery)
	defer tick.Stop()
	for {
		s.look(&g)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Spool) look(g *gauge) {
	before := g.level.Alarm
	used, limit := s.room()
	changed := g.note(s.opt.Now(), used, limit)
	l := g.level
	s.mu.Lock()
	s.level = l
	s.mu.Unlock()
	switch {
	case !changed:
	case l.Alarm > before:
		s.opt.Log.Warn(l.Words(time.UTC), "alarm_percent", l.Alarm, "bytes", l.Used, "of", l.Limit, "bytes_per_second", l.Rate)
	default:
		s.opt.Log.Info("the room for copies that wait for the server is less full again", "alarm_percent", l.Alarm, "percent", l.Percent, "bytes", l.Used, "of", l.Limit)
	}
}
