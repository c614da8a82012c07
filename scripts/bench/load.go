package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

type loadCommand struct {
	common
	Docks  []int         `default:"100,1000,3000,10000" help:"How many docks are connected and idle."`
	Idle   time.Duration `default:"30s" help:"How long the server's processor time is taken while they are idle."`
	Pace   float64       `default:"100" help:"How many docks a second connect."`
	Status time.Duration `default:"3m" help:"How often an idle dock repeats its status; the default is what real ones do."`
	Burst  int64         `default:"512" help:"MiB in all of a burst; 0: none."`
}

const (
	burstFew, burstMany = 4, 64 // docks that upload at once
	burstMiB            = 1     // length of a recording
)

func idleRow(docks int) string  { return fmt.Sprintf("%d idle docks", docks) }
func burstRow(docks int) string { return fmt.Sprintf("%d docks upload at once", docks) }

// Run measures one server with more and more docks, and what a burst of many
// carries against one of few.
func (c *loadCommand) Run(ctx context.Context) error {
	b, err := c.prepare("load")
	if err != nil {
		return err
	}
	l := &load{bench: b, command: c}
	if err := l.open(ctx); err != nil {
		return err
	}
	defer b.closeStation(l.station)
	for round := range c.Rounds {
		say("round %d of %d", round+1, c.Rounds)
		for _, docks := range c.Docks {
			if err := l.idle(ctx, docks); err != nil {
				return fmt.Errorf("%s: %w", idleRow(docks), err)
			}
		}
		for _, docks := range []int{burstFew, burstMany} {
			if c.Burst == 0 {
				break
			}
			if err := l.burst(ctx, docks); err != nil {
				return fmt.Errorf("%s: %w", burstRow(docks), err)
			}
		}
	}
	c.judge(b.result)
	return b.finish()
}

// judge compares with the bars, of which some hold for one number of docks only.
func (c *loadCommand) judge(r *Result) {
	for _, docks := range c.Docks {
		row := r.look(idleRow(docks))
		r.atMost(row.Name+": seconds until all are back after a restart", 60, row.Figures["back s"])
		r.atMost(row.Name+": connections tried after it, for each dock", 2, row.Figures["dials/dock"])
		switch docks {
		case 1000:
			r.atMost(row.Name+": server, % of a core", 1.5, row.Figures["% of a core"])
		case 10_000:
			r.atMost(row.Name+": server MiB", 1024, row.Figures["server MiB"])
		}
	}
	if c.Burst > 0 {
		few, many := r.look(burstRow(burstFew)), r.look(burstRow(burstMany))
		r.atLeast(fmt.Sprintf("rate of %d docks against that of %d", burstMany, burstFew), 0.9, ratios(many.Figures["MB/s"], few.Figures["MB/s"]))
	}
}

// load is one server, and the docks that are enrolled at it.
type load struct {
	*bench
	command *loadCommand
	station *station.Station
}

// open makes a server that takes many docks, and tokens for them. They are
// enrolled when they are first needed.
func (l *load) open(ctx context.Context) (err error) {
	if l.station, err = station.New(ctx, filepath.Join(l.work, "station"), l.programs, station.Options{}); err != nil {
		return err
	}
	most := max(slices.Max(l.command.Docks), burstMany)
	config := l.config()
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		for key, value := range map[string]int{"max_connections": 2*most + 100, "enrolments_per_second": 500} {
			if strings.HasPrefix(line, key+" ") {
				lines[i] = fmt.Sprintf("%s = %d", key, value)
			}
		}
	}
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		return err
	}
	_, err = l.station.Operate(ctx, "dock-tokens", "--station", "load", "--count", strconv.Itoa(most), "--out", l.tokens())
	return err
}

func (l *load) config() string { return filepath.Join(l.station.Options.IngestDir, "ingest.toml") }
func (l *load) tokens() string { return filepath.Join(l.work, "tokens") }

// fresh starts the server anew, so that its memory is that of this scene.
func (l *load) fresh(ctx context.Context) error {
	if p := l.station.Ingest; p != nil && p.Running() {
		if err := p.Stop(ctx); err != nil {
			return err
		}
	}
	return l.station.StartIngest(ctx)
}

// idle measures the server with docks that do nothing, and their return after it
// was killed.
func (l *load) idle(ctx context.Context, docks int) error {
	if err := l.fresh(ctx); err != nil {
		return err
	}
	s, err := l.simulate(docks, "--idle", "24h", "--patience", "10m")
	if err != nil {
		return err
	}
	defer s.kill()
	if err := s.connected(ctx, 20*time.Minute); err != nil {
		return err
	}
	if err := pause(ctx, 5*time.Second); err != nil { // what connecting left to be done
		return err
	}
	before, err := l.station.Ingest.Usage()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := pause(ctx, l.command.Idle); err != nil {
		return err
	}
	after, err := l.station.Ingest.Usage()
	if err != nil {
		return err
	}
	cores := (after.CPU - before.CPU) / time.Since(began).Seconds()
	resident, err := residentMiB(l.station.Ingest.ID())
	if err != nil {
		return err
	}
	killed, _ := readLine(s.last())
	l.station.Ingest.Kill()
	if err := l.station.StartIngest(ctx); err != nil {
		return err
	}
	began = time.Now()
	if err := s.returned(ctx, killed.welcomed, 5*time.Minute); err != nil {
		return err
	}
	back := time.Since(began).Seconds()
	there, _ := readLine(s.last())
	dials := there.tried - killed.tried
	report, err := s.end(ctx)
	if err != nil {
		return err
	}
	row := l.result.row(idleRow(docks))
	row.add("server MiB", resident)
	row.add("% of a core", 100*cores)
	row.add("connects/s", report.ConnectRate)
	row.add("back s", back)
	row.add("dials/dock", float64(dials)/float64(docks))
	row.add("most dials in 1 s", float64(report.MostDials))
	say("%s: %.0f MiB, %.1f %% of a core, back after %.1f s with %d dials", row.Name, resident, 100*cores, back, dials)
	return nil
}

// burst lets docks upload the same amount in all, however many there are.
func (l *load) burst(ctx context.Context, docks int) error {
	if err := l.fresh(ctx); err != nil {
		return err
	}
	count := int(max(l.command.Burst/burstMiB/int64(docks), 1))
	before, err := l.station.Ingest.Usage()
	if err != nil {
		return err
	}
	s, err := l.simulate(docks, "--burst", strconv.Itoa(count), "--size-kib", strconv.Itoa(burstMiB<<10))
	if err != nil {
		return err
	}
	defer s.kill()
	report, err := s.wait(ctx)
	if err != nil {
		return err
	}
	after, err := l.station.Ingest.Usage()
	if err != nil {
		return err
	}
	row := l.result.row(burstRow(docks))
	row.add("MB/s", report.BytesPerSecond/1e6)
	row.add("receipts/s", report.ReceiptsPerSecond)
	row.add("p50 ms", report.Latency.P50)
	row.add("p99 ms", report.Latency.P99)
	row.add("ingest s/GB", (after.CPU-before.CPU)/(float64(docks*count*burstMiB<<20)/1e9))
	row.add("server MiB", float64(after.PeakRSS)/(1<<20))
	say("%s: %.1f MB/s, p99 %.0f ms", row.Name, report.BytesPerSecond/1e6, report.Latency.P99)
	return nil
}

// loadReport is what is used here of a report of sealdock-agent simulate.
type loadReport struct {
	ConnectRate       float64 `json:"connects_per_second"`
	BytesPerSecond    float64 `json:"bytes_per_second"`
	ReceiptsPerSecond float64 `json:"receipts_per_second"`
	MostDials         int     `json:"most_dials_a_second"`
	Latency           struct {
		P50 float64 `json:"p50_ms"`
		P99 float64 `json:"p99_ms"`
	} `json:"latency"`
}

// simulated is a running sealdock-agent simulate.
type simulated struct {
	docks int
	cmd   *exec.Cmd
	log   string
	json  string
	ended chan struct{}
	err   error // valid after ended
}

func (l *load) simulate(docks int, scene ...string) (*simulated, error) {
	s := &simulated{docks: docks, log: filepath.Join(l.work, "simulate.log"), json: filepath.Join(l.work, "simulate.json"), ended: make(chan struct{})}
	out, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	args := []string{"simulate", "--docks", strconv.Itoa(docks), "--folder", filepath.Join(l.work, "docks"), "--server", l.station.Web, "--tokens", l.tokens(),
		"--pace", fmt.Sprint(l.command.Pace), "--status", l.command.Status.String(), "--json", s.json}
	s.cmd = exec.Command(l.programs.Agent, append(args, scene...)...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	return s, nil
}

// connected waits until all docks are connected.
func (s *simulated) connected(ctx context.Context, within time.Duration) error {
	return s.until(ctx, within, func(l shown) bool { return l.connected == s.docks })
}

// returned waits until all docks were welcomed once more than welcomed times in
// all. Some have a new connection before they give the old one up for lost.
func (s *simulated) returned(ctx context.Context, welcomed int, within time.Duration) error {
	return s.until(ctx, within, func(l shown) bool { return l.connected == s.docks && l.welcomed >= welcomed+s.docks })
}

// until waits until the last line tells what is wanted.
func (s *simulated) until(ctx context.Context, within time.Duration, there func(shown) bool) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return station.Wait(ctx, func() (bool, string) {
		select {
		case <-s.ended:
			cancel()
		default:
		}
		last := s.last()
		l, ok := readLine(last)
		return ok && there(l), last
	})
}

// shown is what sealdock-agent simulate prints every second.
type shown struct{ connected, docks, tried, welcomed int }

func readLine(text string) (l shown, ok bool) {
	var at string
	n, _ := fmt.Sscanf(text, "%s %d of %d docks connected, %d connections tried, %d welcomed", &at, &l.connected, &l.docks, &l.tried, &l.welcomed)
	return l, n == 5
}

// last is the last whole line of the log.
func (s *simulated) last() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(lines[len(lines)-1])
}

// end interrupts it, and gives its report.
func (s *simulated) end(ctx context.Context) (*loadReport, error) {
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, err
	}
	return s.wait(ctx)
}

// wait waits for its end, and gives its report.
func (s *simulated) wait(ctx context.Context) (*loadReport, error) {
	select {
	case <-s.ended:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.err != nil {
		text, _ := os.ReadFile(s.log)
		return nil, fmt.Errorf("sealdock-agent simulate: %w: %s", s.err, text[max(0, len(text)-2000):])
	}
	text, err := os.ReadFile(s.json)
	if err != nil {
		return nil, err
	}
	var r loadReport
	return &r, json.Unmarshal(text, &r)
}

func (s *simulated) kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

// residentMiB is what a process has in memory now.
func residentMiB(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d tells no VmRSS", pid)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
