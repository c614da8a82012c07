package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/netlab"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

type rulesCommand struct {
	common
	Only string `help:"Run only the scenes whose names hold this."`
}

const (
	changed  = "a limit that changes from 20 to 5 Mbit/s"
	urgently = "urgent beside eight bays, 20 Mbit/s, 40 ms"
	foreseen = "forecasts over a shift, 20 Mbit/s, 40 ms"
	blocked  = "a firewall drops UDP for 20 s, 20 Mbit/s, 40 ms"

	inForce = 15 * time.Second // a server follows its operator within ten; then the rate comes down
)

// Run plays every scene in every round.
func (c *rulesCommand) Run(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root: run it with sudo")
	}
	b, err := c.prepare("rules")
	if err != nil {
		return err
	}
	var scenes []scene
	for _, limit := range limits {
		scenes = append(scenes, scene{capped(limit), func(ctx context.Context, b *bench, seed uint64) error { return b.held(ctx, seed, limit) }})
	}
	scenes = append(scenes, scene{changed, limitChanges}, scene{urgently, urgentFirst}, scene{foreseen, foresee}, scene{blocked, blockUDP})
	for round := range c.Rounds {
		say("round %d of %d", round+1, c.Rounds)
		for _, s := range scenes {
			if !strings.Contains(s.name, c.Only) {
				continue
			}
			func(ctx context.Context, b *bench, seed uint64) { // one that fails does not hide the others
				limited, cancel := context.WithTimeout(ctx, 10*time.Minute)
				defer cancel()
				if err := s.play(limited, b, seed); err != nil {
					say("%s: %v", s.name, err)
					b.result.note("%s failed: %v", s.name, err)
				}
			}(ctx, b, uint64(round+1))
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	failed := len(b.result.Notes)
	c.judge(b.result)
	if err := b.finish(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d scenes failed", failed)
	}
	return b.result.unmet()
}

func (c *rulesCommand) judge(r *Result) {
	bar := func(scene, what, figure string, limit float64) {
		if strings.Contains(scene, c.Only) {
			r.atMost(scene+": "+what, limit, r.look(scene).Figures[figure])
		}
	}
	for _, limit := range limits {
		bar(capped(limit), "how far off over a minute", "off by", 0.03)
	}
	bar(changed, "how far off over the minute around it", "off by", 0.03)
	bar(urgently, "seconds from the press to the first segment held", "until held s", 2)
	bar(foreseen, "how far off, worst of the moments looked at", "worst", 0.15)
	bar(blocked, "seconds until it moves again", "standstill s", 5)
	bar(blocked, "seconds from the end of it until QUIC carries again", "until QUIC s", 60)
}

// table gives the dock of a running server a weekly table.
func (r *rig) table(ctx context.Context, windows ...string) error {
	_, err := r.station.Operate(ctx, append([]string{"settings", "bandwidth", "set", "--dock", station.DockName, "--zone", "UTC"}, windows...)...)
	return err
}

// over counts what the link carries to the server in a time, in IP bytes.
func (r *rig) over(ctx context.Context, from time.Time, long time.Duration) (bytes int64, took time.Duration, err error) {
	if err := sleep(ctx, time.Until(from)); err != nil {
		return 0, 0, err
	}
	began, before := time.Now(), r.lab.Stats().Up.Bytes
	if err := sleep(ctx, long); err != nil {
		return 0, 0, err
	}
	took, bytes = time.Since(began), r.lab.Stats().Up.Bytes-before
	s, err := askAgent(r.station)
	if err == nil && s.waiting() == 0 {
		err = errors.New("all was sent before the time was over: the limit did not hold")
	}
	return bytes, took, err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// held sets a limit at the running server and takes what the link itself counted
// over a minute, of whole IP packets.
func (b *bench) held(ctx context.Context, seed uint64, limit int) error {
	link := netlab.Conditions{Rate: float64(limit) * 2 * mbit, RTT: 10 * time.Millisecond}
	// At twice the limit until it is in force, then a minute at the limit, and some to spare.
	r, err := b.loaded(ctx, link, seed, inForce+(time.Minute+30*time.Second)/2, false)
	if err != nil {
		return err
	}
	defer r.close()
	r.lab.Begin()
	if err := r.station.StartAgent(ctx); err != nil {
		return err
	}
	if err := r.table(ctx, fmt.Sprintf("daily 00:00-24:00 %d Mbit/s", limit)); err != nil {
		return err
	}
	bytes, took, err := r.over(ctx, time.Now().Add(inForce), time.Minute)
	if err != nil {
		return err
	}
	b.off(capped(limit), bytes, float64(limit)*mbit/8*took.Seconds())
	return nil
}

// off notes how far what was carried is from what it should have been.
func (b *bench) off(name string, bytes int64, want float64) {
	got := float64(bytes) / want
	row := b.result.row(name)
	row.add("of the limit", got)
	row.add("off by", math.Abs(got-1))
	say("%s: %.3f of it", name, got)
}

// changes has a table change its limit, and takes the minute around that.
func limitChanges(ctx context.Context, b *bench, seed uint64) error {
	const before, behind, half = 20, 5, 30 * time.Second
	r, err := b.loaded(ctx, netlab.Conditions{Rate: 40 * mbit, RTT: 10 * time.Millisecond}, seed, 75*time.Second, false)
	if err != nil {
		return err
	}
	defer r.close()
	// Windows begin at whole minutes.
	change := time.Now().UTC().Add(inForce + half + 5*time.Second).Truncate(time.Minute).Add(time.Minute)
	at := change.Format("15:04")
	if at == "00:00" {
		return errors.New("the table cannot be made at midnight: run it again")
	}
	r.lab.Begin()
	if err := r.table(ctx, fmt.Sprintf("daily 00:00-%s %d Mbit/s", at, before), fmt.Sprintf("daily %s-24:00 %d Mbit/s", at, behind)); err != nil {
		return err
	}
	if err := sleep(ctx, time.Until(change.Add(-half-inForce))); err != nil {
		return err
	}
	if err := r.station.StartAgent(ctx); err != nil {
		return err
	}
	first, _, err := r.over(ctx, change.Add(-half), half)
	if err != nil {
		return err
	}
	second, _, err := r.over(ctx, change, half)
	if err != nil {
		return err
	}
	bytes, took := first+second, time.Since(change.Add(-half))
	row := b.result.row(changed)
	row.add("of the limit before", float64(first)*8/(before*mbit*half.Seconds()))
	row.add("of the limit behind", float64(second)*8/(behind*mbit*half.Seconds()))
	b.off(changed, bytes, (before*half.Seconds()+behind*(took-half).Seconds())*mbit/8)
	return nil
}

// shift opens a station on a link of 20 Mbit/s whose agent runs, with so many
// cameras out of their bays.
func (b *bench) shift(ctx context.Context, seed uint64, d docking) (*rig, error) {
	lab, err := netlab.Open(netlab.Conditions{Rate: 20 * mbit, RTT: 40 * time.Millisecond, Seed: seed})
	if err != nil {
		return nil, err
	}
	s, err := b.open(ctx, filepath.Join(b.work, "station"), d, station.Options{Link: lab})
	if err != nil {
		return nil, errors.Join(err, lab.Close())
	}
	lab.Begin()
	return &rig{lab: lab, station: s, docking: d, close: func() { b.closeStation(s); lab.Close() }}, nil
}

// dockStatus is what is used here of what an agent tells, beyond agentStatus.
type dockStatus struct {
	Server struct {
		Transfers []struct {
			Durable uint64 `json:"durable"`
			Urgent  bool   `json:"urgent"`
		} `json:"transfers"`
	} `json:"server"`
	Backlog struct {
		Bytes   uint64    `json:"bytes"`
		ClearAt time.Time `json:"clear_at"`
	} `json:"backlog"`
	Spool struct {
		Recordings map[string]int `json:"recordings"`
	} `json:"spool"`
	Bays []struct {
		Port  string `json:"port"`
		State string `json:"state"`
	} `json:"bays"`
}

func (r *rig) ask(ctx context.Context) (s dockStatus, err error) {
	text, err := r.station.Status(ctx)
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	return s, err
}

// urgent fills the link from eight bays, presses the button of a ninth, and takes
// the time until the server holds a first segment of what it has.
func urgentFirst(ctx context.Context, b *bench, seed uint64) error {
	d := docking{"urgent", 9, 8, 4 << 20}
	r, err := b.shift(ctx, seed, d)
	if err != nil {
		return err
	}
	defer r.close()
	if err := plug(ctx, r.station, 8); err != nil {
		return err
	}
	inSpool := func(want int) func() (bool, string) {
		return func() (bool, string) {
			s, err := askAgent(r.station)
			if err != nil {
				return false, err.Error()
			}
			have := 0
			for _, n := range s.Spool.Recordings {
				have += n
			}
			return have >= want, fmt.Sprintf("%d of %d recordings are copied", have, want)
		}
	}
	if err := station.Wait(ctx, inSpool(8*d.Files)); err != nil {
		return err
	}
	if _, err := r.station.Control(ctx, "plug", "1-9"); err != nil {
		return err
	}
	if err := station.Wait(ctx, inSpool(9*d.Files)); err != nil {
		return err
	}
	s, err := r.ask(ctx)
	if err != nil {
		return err
	}
	port := ""
	for _, bay := range s.Bays {
		if bay.Port == "1-9" || strings.HasSuffix(bay.Port, "/1-9") {
			port = bay.Port
		}
	}
	if port == "" {
		return fmt.Errorf("the agent names no bay 1-9: %+v", s.Bays)
	}
	pressed := time.Now()
	if err := r.press(ctx, port); err != nil {
		return err
	}
	row := b.result.row(urgently)
	chosen := time.Duration(0)
	err = station.Wait(ctx, func() (bool, string) {
		s, err := r.ask(ctx)
		if err != nil {
			return false, err.Error()
		}
		for _, t := range s.Server.Transfers {
			if t.Urgent && chosen == 0 {
				chosen = time.Since(pressed)
			}
			if t.Urgent && t.Durable > 0 {
				return true, ""
			}
		}
		return false, fmt.Sprintf("nothing urgent is held after %v", time.Since(pressed))
	})
	if err != nil {
		return err
	}
	took := time.Since(pressed)
	row.add("until offered s", chosen.Seconds())
	row.add("until held s", took.Seconds())
	say("%s: offered after %.2f s, a first segment held after %.2f s", urgently, chosen.Seconds(), took.Seconds())
	return nil
}

// press presses the button "urgent" of a bay on the dock's own page.
func (r *rig) press(ctx context.Context, port string) error {
	const page = "http://127.0.0.1:7081"
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (c net.Conn, err error) {
		r.lab.Client.Do(func() { c, err = net.DialTimeout(network, address, 5*time.Second) })
		return c, err
	}}}
	defer client.CloseIdleConnections()
	form := url.Values{"port": {port}, "on": {"yes"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, page+"/urgent", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", page)
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		return fmt.Errorf("pressing urgent for bay %s: %s", port, answer.Status)
	}
	return nil
}

// foresee docks eight cameras, notes each second when the agent thinks that all
// will be at the server, and compares that with when it was.
func foresee(ctx context.Context, b *bench, seed uint64) error {
	d := docking{"shift", 8, 7, 4 << 20}
	r, err := b.shift(ctx, seed, d)
	if err != nil {
		return err
	}
	defer r.close()
	if err := plug(ctx, r.station, d.Cameras); err != nil {
		return err
	}
	type guess struct{ at, clear time.Time }
	var guesses []guess
	var end time.Time // since when nothing waits
	began := time.Now()
	for {
		s, err := r.ask(ctx)
		if err != nil {
			return err
		}
		now := time.Now()
		if s.Backlog.Bytes > 0 {
			end = time.Time{}
			if !s.Backlog.ClearAt.IsZero() {
				guesses = append(guesses, guess{now, s.Backlog.ClearAt})
			}
		} else if end.IsZero() {
			end = now
		}
		if all, _ := r.station.Drained(); all && !end.IsZero() {
			break
		}
		if err := sleep(ctx, time.Second/2); err != nil {
			return fmt.Errorf("%w with %d bytes waiting", err, s.Backlog.Bytes)
		}
	}
	whole := end.Sub(began)
	row := b.result.row(foreseen)
	worst := 0.0
	for tenth := 2; tenth <= 8; tenth++ {
		moment := began.Add(whole * time.Duration(tenth) / 10)
		var g guess
		for _, one := range guesses {
			if !one.at.After(moment) {
				g = one
			}
		}
		if g.at.IsZero() || moment.Sub(g.at) > 3*time.Second {
			return fmt.Errorf("the dock told no time at which all is sent, %v after the start of %v", moment.Sub(began), whole)
		}
		off := float64(g.clear.Sub(end)) / float64(end.Sub(g.at))
		row.add(fmt.Sprintf("off at %d0 %%", tenth), off)
		worst = max(worst, math.Abs(off))
	}
	row.add("worst", worst)
	row.add("took s", whole.Seconds())
	say("%s: at worst %.2f off, over %v", foreseen, worst, whole)
	return nil
}

// blockUDP has a firewall drop UDP in the middle of a transfer, takes how long
// nothing becomes durable, and how long after its end QUIC carries again.
func blockUDP(ctx context.Context, b *bench, seed uint64) error {
	const at, long, patience = 10 * time.Second, 20 * time.Second, 2 * time.Minute
	r, err := b.loaded(ctx, netlab.Conditions{Rate: 20 * mbit, RTT: 40 * time.Millisecond}, seed, at+long+patience, false)
	if err != nil {
		return err
	}
	defer r.close()
	r.lab.Begin()
	if err := r.station.StartAgent(ctx); err != nil {
		return err
	}
	var last progress
	var longest, back time.Duration
	dropped, again := false, false
	udp := int64(0)
	err = r.follow(ctx, func(p progress) bool {
		switch {
		case !dropped && p.at > at:
			dropped, last = true, p
			r.lab.DropUDP(true)
		case dropped && !again && p.at > at+long:
			again, udp = true, r.carried().udp
			r.lab.DropUDP(false)
		}
		if dropped && !again {
			longest = max(longest, p.at-last.at)
		}
		if p.bytes > last.bytes {
			last = p
		}
		if again && r.carried().udp > udp+1<<20 {
			back = p.at - at - long
		}
		return back > 0 || p.at > at+long+patience
	})
	if err != nil {
		return err
	}
	row := b.result.row(blocked)
	row.add("standstill s", longest.Seconds())
	if back == 0 {
		back = patience
	}
	row.add("until QUIC s", back.Seconds())
	say("%s: %.1f s of standstill, QUIC carries again %.1f s after its end", blocked, longest.Seconds(), back.Seconds())
	return nil
}
