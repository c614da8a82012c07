package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/rawcatalog"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

type boundedCommand struct {
	common
	Sizes  []int64 `default:"256,1024,2048,4096,16384" help:"MiB of one recording, from small to large."`
	Counts []int   `default:"1000,10000,100000" help:"How many recordings of 64 KiB, from few to many."`
	Rows   int     `default:"1000000" help:"How many items the full catalog has."`
	Only   string  `help:"Measure only what has this in its name."`
}

const (
	smallBays = 4 // that bring the small recordings

	inFlight  = "eight bays, 64 recordings at once"
	emptyRow  = "1000 small recordings, empty catalog"
	fullRow   = "1000 small recordings, full catalog"
	countsRow = "system calls for each small recording"
)

func sizeRow(mib int64) string { return fmt.Sprintf("one recording of %d MiB", mib) }
func countRow(n int) string    { return fmt.Sprintf("%d recordings of 64 KiB", n) }

// Run measures each in turn, round by round.
func (c *boundedCommand) Run(ctx context.Context) error {
	b, err := c.prepare("bounded")
	if err != nil {
		return err
	}
	var failed []error
	for round := range c.Rounds {
		say("round %d of %d", round+1, c.Rounds)
		for _, m := range c.measurements() {
			if !strings.Contains(m.name, c.Only) {
				continue
			}
			result, err := m.take(ctx, b)
			if err != nil && ctx.Err() == nil { // the others are worth knowing all the same
				say("%s: %v", m.name, err)
				b.result.note("%s: FAILED in round %d: %v", m.name, round+1, err)
				failed = append(failed, fmt.Errorf("%s: %w", m.name, err))
				continue
			} else if err != nil {
				return err
			}
			result.into(b.result.row(m.name), m.docking)
			say("%s: agent %.2f, ingest %.2f s, at most %d and %d MiB", m.name, result.Agent, result.Ingest, result.AgentPeak>>20, result.IngestPeak>>20)
		}
	}
	if strings.Contains(countsRow, c.Only) {
		if err := b.countCalls(ctx); err != nil {
			return fmt.Errorf("%s: %w", countsRow, err)
		}
	}
	c.judge(b.result)
	return errors.Join(append(failed, b.finish())...)
}

// measurement is one docking, and how it is taken.
type measurement struct {
	docking
	name string
	take func(context.Context, *bench) (spent, error)
}

func (c *boundedCommand) measurements() (all []measurement) {
	add := func(name string, d docking, take func(context.Context, *bench, docking) (spent, error)) {
		d.Name = name
		all = append(all, measurement{d, name, func(ctx context.Context, b *bench) (spent, error) { return take(ctx, b, d) }})
	}
	plain := func(ctx context.Context, b *bench, d docking) (spent, error) { return b.dock(ctx, d) }
	for _, mib := range c.Sizes {
		add(sizeRow(mib), docking{Cameras: 1, Files: 1, FileBytes: mib << 20}, plain)
	}
	add(inFlight, docking{Cameras: 8, Files: 8, FileBytes: 16 << 20}, func(ctx context.Context, b *bench, d docking) (spent, error) { return b.flight(ctx, d) })
	for _, n := range c.Counts {
		add(countRow(n), docking{Cameras: smallBays, Files: n / smallBays, FileBytes: 64 << 10}, plain)
	}
	thousand := docking{Cameras: smallBays, Files: 1000 / smallBays, FileBytes: 64 << 10}
	add(emptyRow, thousand, func(ctx context.Context, b *bench, d docking) (spent, error) { return b.ontoCatalog(ctx, d, 0) })
	add(fullRow, thousand, func(ctx context.Context, b *bench, d docking) (spent, error) { return b.ontoCatalog(ctx, d, c.Rows) })
	return all
}

func (c *boundedCommand) judge(r *Result) {
	for _, row := range r.Rows {
		most := 96.0
		if row.Name == inFlight {
			most = 256
		} else if !strings.HasPrefix(row.Name, "one recording of") {
			continue
		}
		for _, who := range []string{"agent MiB", "ingest MiB"} {
			r.atMost(row.Name+": "+who+" at most", most, row.Figures[who])
		}
	}
	spread := func(what, figure string, limit float64, names []string) {
		var rows [][]float64
		for _, name := range names {
			if values := r.look(name).Figures[figure]; len(values) > 0 {
				rows = append(rows, values)
			}
		}
		var each []float64
		for round := range c.Rounds {
			var at []float64
			for _, values := range rows {
				if round < len(values) {
					at = append(at, values[round])
				}
			}
			if len(at) == len(rows) && len(at) > 1 {
				each = append(each, slices.Max(at)/slices.Min(at))
			}
		}
		r.atMost(what, limit, each)
	}
	var sizes, counts []string
	for _, mib := range c.Sizes {
		sizes = append(sizes, sizeRow(mib))
	}
	for _, n := range c.Counts {
		counts = append(counts, countRow(n))
	}
	spread("CPU per GB over the sizes, the dearest against the cheapest", "both s/GB", 1.10, sizes)
	spread("CPU per small recording over the counts, the dearest against the cheapest", "ms/file", 1.20, counts)
	r.atMost("CPU per small recording, full catalog against empty", 1.20, ratios(r.look(fullRow).Figures["ms/file"], r.look(emptyRow).Figures["ms/file"]))
}

// flight has eight bays copied while the server is away, so that all recordings
// wait, and then as many sent at once as the agent may.
func (b *bench) flight(ctx context.Context, d docking) (spent, error) {
	s, err := b.open(ctx, filepath.Join(b.work, "station"), d, station.Options{})
	if err != nil {
		return spent{}, err
	}
	defer b.closeStation(s)
	for _, p := range []*station.Process{s.Agent, s.Ingest} {
		if err := p.Stop(ctx); err != nil {
			return spent{}, err
		}
	}
	if err := errors.Join(setting(s, "in_flight", "32"), setting(s, "longest_pause", `"1s"`)); err != nil { // 32 is the most
		return spent{}, err
	}
	if err := s.StartAgent(ctx); err != nil {
		return spent{}, err
	}
	before, err := s.Agent.Usage()
	if err != nil {
		return spent{}, err
	}
	began := time.Now()
	if err := plug(ctx, s, d.Cameras); err != nil {
		return spent{}, err
	}
	if err := station.Wait(ctx, spooled(s, d.count())); err != nil {
		return spent{}, err
	}
	if err := s.StartIngest(ctx); err != nil {
		return spent{}, err
	}
	limited, cancel := context.WithTimeout(ctx, 5*time.Minute) // as long as a transfer may stand still
	defer cancel()
	if err := station.Wait(limited, received(s)); err != nil {
		return spent{}, err
	}
	wall := time.Since(began)
	after, err := used(s)
	if err != nil {
		return spent{}, err
	}
	broken, err := s.Violations(ctx)
	if err == nil && len(broken) > 0 {
		err = fmt.Errorf("promises were broken: %v", broken)
	}
	return spent{wall.Seconds(), after[0].CPU - before.CPU, after[1].CPU, after[0].PeakRSS, after[1].PeakRSS}, err
}

// setting changes one value of the agent's configuration, in which enrolment has
// written all of them.
func setting(s *station.Station, name, value string) error {
	path := filepath.Join(s.AgentDir(), "agent.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` = .*$`)
	if n := len(line.FindAll(text, -1)); n != 1 {
		return fmt.Errorf("%s names %s %d times, want once", path, name, n)
	}
	return os.WriteFile(path, line.ReplaceAll(text, []byte(name+" = "+value)), 0o600)
}

// ontoCatalog docks small recordings at a server whose catalog has so many items.
func (b *bench) ontoCatalog(ctx context.Context, d docking, rows int) (spent, error) {
	s, err := b.open(ctx, filepath.Join(b.work, "station"), d, station.Options{})
	if err != nil {
		return spent{}, err
	}
	defer b.closeStation(s)
	if rows > 0 {
		if err := b.fillCatalog(ctx, s, rows); err != nil {
			return spent{}, fmt.Errorf("filling the catalog: %w", err)
		}
	} else if err := warm(ctx, s); err != nil {
		return spent{}, err
	}
	before, err := used(s)
	if err != nil {
		return spent{}, err
	}
	began := time.Now()
	for bay := 1; bay < d.Cameras; bay++ { // the first is in its bay already
		if _, err := s.Control(ctx, "plug", fmt.Sprintf("1-%d", bay+1)); err != nil {
			return spent{}, err
		}
	}
	if err := station.Wait(ctx, s.Drained); err != nil {
		return spent{}, err
	}
	wall := time.Since(began)
	after, err := used(s)
	// The first camera was not counted: its share is put back.
	whole := float64(d.Cameras) / float64(d.Cameras-1)
	return spent{wall.Seconds() * whole, (after[0].CPU - before[0].CPU) * whole, (after[1].CPU - before[1].CPU) * whole, after[0].PeakRSS, after[1].PeakRSS}, err
}

// warm docks the first camera until it is empty: the model for the rows of a full
// catalog, and the same start for an empty one.
func warm(ctx context.Context, s *station.Station) error {
	if _, err := s.Control(ctx, "plug", "1-1"); err != nil {
		return err
	}
	return station.Wait(ctx, func() (bool, string) {
		o, err := s.Oracle()
		if err != nil {
			return false, err.Error()
		}
		left := 0
		for _, c := range o.Cameras {
			for _, r := range c.Recordings {
				if c.Plugged && !r.Deleted {
					left++
				}
			}
		}
		return left == 0, fmt.Sprintf("%d recordings are still on the first camera", left)
	})
}

// fillCatalog copies the rows of one real item, with ids of their own, while the
// server is stopped. The custody log stays as it is.
func (b *bench) fillCatalog(ctx context.Context, s *station.Station, rows int) error {
	if err := warm(ctx, s); err != nil {
		return err
	}
	if err := s.Ingest.Stop(ctx); err != nil {
		return err
	}
	db, end, err := rawcatalog.Open(s.Options.IngestDir)
	if err != nil {
		return err
	}
	defer func() { end() }() // twice does no harm
	// What must differ between two items. Ids are 32 hex digits, keys 64.
	distinct := map[string]string{
		"id": "printf('%032x', n)", "recording_key": "printf('%064x', n)", "stem_key": "printf('%064x', n)",
		"manifest_digest": "printf('%064x', n)", "path": "printf('seed/%d.mp4', n)", "search": "printf('seed/%d.mp4', n)",
		"offered_at": "offered_at - n", "recorded_at": "recorded_at - n", "stored_at": "stored_at - n",
	}
	for _, table := range []string{"items", "offers", "receipts"} {
		if err := copyRows(ctx, db, table, distinct, rows); err != nil {
			return err
		}
	}
	if _, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return err
	}
	return errors.Join(end(), s.StartIngest(ctx))
}

func copyRows(ctx context.Context, db *sql.DB, table string, distinct map[string]string, rows int) error {
	found, err := db.QueryContext(ctx, "SELECT name FROM pragma_table_info(?)", table)
	if err != nil {
		return err
	}
	defer found.Close()
	var names, values []string
	for found.Next() {
		var name string
		if err := found.Scan(&name); err != nil {
			return err
		}
		value := name
		if v, ok := distinct[name]; ok {
			value = v
		}
		names, values = append(names, name), append(values, value)
	}
	if err := errors.Join(found.Err(), found.Close()); err != nil {
		return err
	}
	statement := fmt.Sprintf("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) INSERT INTO %s (%s) SELECT %s FROM (SELECT * FROM %s LIMIT 1), c",
		rows, table, strings.Join(names, ", "), strings.Join(values, ", "), table)
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	return nil
}

// countCalls counts system calls with strace while small recordings pass: no
// neighbour disturbs a count. It is slow, and no time of it is told.
func (b *bench) countCalls(ctx context.Context) error {
	strace, err := exec.LookPath("strace")
	if err != nil {
		b.result.note("%s: strace is missing, nothing was counted", countsRow)
		return nil
	}
	d := docking{"counted", smallBays, 100, 64 << 10}
	s, err := b.open(ctx, filepath.Join(b.work, "station"), d, station.Options{})
	if err != nil {
		return err
	}
	defer b.closeStation(s)
	counters := map[string]*exec.Cmd{}
	for role, p := range map[string]*station.Process{"agent": s.Agent, "ingest": s.Ingest} {
		cmd := exec.CommandContext(ctx, strace, "-c", "-f", "-q", "-o", filepath.Join(b.work, role+".counts"), "-p", strconv.Itoa(p.ID()))
		if err := cmd.Start(); err != nil {
			return err
		}
		counters[role] = cmd
	}
	time.Sleep(time.Second) // until both are attached
	if err := plug(ctx, s, d.Cameras); err != nil {
		return err
	}
	if err := station.Wait(ctx, s.Drained); err != nil {
		return err
	}
	for role, cmd := range counters {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait() // its status is the signal's
		text, err := os.ReadFile(filepath.Join(b.work, role+".counts"))
		if err != nil {
			return err
		}
		row := b.result.row(countsRow + ", " + role)
		for call, n := range parseCounts(string(text)) {
			row.add(call, float64(n)/float64(d.count()))
		}
	}
	return nil
}

// parseCounts reads strace's table for the calls that cost: flushes, and packets
// in and out.
func parseCounts(text string) map[string]int {
	groups := map[string]string{
		"fsync": "flushes", "fdatasync": "flushes", "syncfs": "flushes", "sync_file_range": "flushes",
		"recvmmsg": "receive calls", "recvmsg": "receive calls", "recvfrom": "receive calls", "sendmsg": "send calls", "sendmmsg": "send calls", "sendto": "send calls",
		"openat": "opened files", "futex": "futex calls", "renameat": "renames", "rename": "renames", "renameat2": "renames",
	}
	counts := map[string]int{}
	for _, name := range groups {
		counts[name] = 0
	}
	for line := range strings.Lines(text) {
		// % time, seconds, usecs/call, calls, [errors], syscall
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		group, ok := groups[fields[len(fields)-1]]
		if n, err := strconv.Atoi(fields[3]); ok && err == nil {
			counts[group] += n
		}
	}
	return counts
}
