package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// docking is a workload for the product: what is docked at once.
type docking struct {
	Name      string
	Cameras   int
	Files     int // on each camera
	FileBytes int64
}

func (d docking) bytes() int64 { return int64(d.Cameras*d.Files) * d.FileBytes }
func (d docking) count() int   { return d.Cameras * d.Files }

// spent is what a docking took.
type spent struct {
	Wall          float64 // seconds from plugging in to the last erasure against a receipt
	Agent, Ingest float64 // processor seconds
	AgentPeak     int64   // bytes resident at most
	IngestPeak    int64
}

// into adds the figures of one docking to a row.
func (s spent) into(r *Row, d docking) {
	gb := float64(d.bytes()) / 1e9
	r.add("MB/s", gb*1e3/s.Wall)
	r.add("files/s", float64(d.count())/s.Wall)
	r.add("agent s/GB", s.Agent/gb)
	r.add("ingest s/GB", s.Ingest/gb)
	r.add("both s/GB", (s.Agent+s.Ingest)/gb)
	r.add("ms/file", (s.Agent+s.Ingest)*1e3/float64(d.count()))
	r.add("agent MiB", float64(s.AgentPeak)/(1<<20))
	r.add("ingest MiB", float64(s.IngestPeak)/(1<<20))
}

// dock docks the cameras of a fresh station and waits until all are empty.
// Footage is made while the simulator reads: its processor time is not counted.
func (b *bench) dock(ctx context.Context, d docking) (spent, error) {
	dir := filepath.Join(b.work, "station")
	s, err := b.open(ctx, dir, d, station.Options{})
	if err != nil {
		return spent{}, fmt.Errorf("%s: %w", d.Name, err)
	}
	defer b.closeStation(s)
	result, err := b.drain(ctx, s, d)
	if err != nil {
		return spent{}, fmt.Errorf("%s: %w", d.Name, err)
	}
	return result, nil
}

// open starts a fresh station with the docking's cameras out of their bays.
func (b *bench) open(ctx context.Context, dir string, d docking, options station.Options) (*station.Station, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := station.New(ctx, dir, b.programs, options)
	if err != nil {
		return nil, err
	}
	for _, start := range []func(context.Context) error{
		s.StartIngest,
		func(ctx context.Context) error {
			return s.StartSimulator(ctx, "--unplugged", "--cameras", strconv.Itoa(d.Cameras), "--files", strconv.Itoa(d.Files), "--file-size", strconv.FormatInt(d.FileBytes, 10))
		},
		s.Enrol,
		s.StartAgent,
	} {
		if err := start(ctx); err != nil {
			b.closeStation(s)
			return nil, err
		}
	}
	return s, nil
}

// closeStation stops a station and removes its folder.
func (b *bench) closeStation(s *station.Station) {
	grace, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.Stop(grace)
	os.RemoveAll(s.Dir)
}

// drain plugs the cameras in, waits until all are empty, and checks the
// promises: a fast wrong answer is no answer.
func (b *bench) drain(ctx context.Context, s *station.Station, d docking) (spent, error) {
	before, err := used(s)
	if err != nil {
		return spent{}, err
	}
	stop, err := b.profile(s, d.Name)
	if err != nil {
		return spent{}, err
	}
	began := time.Now()
	if err := plug(ctx, s, d.Cameras); err != nil {
		return spent{}, err
	}
	if err := station.Wait(ctx, s.Drained); err != nil {
		return spent{}, err
	}
	wall := time.Since(began)
	after, err := used(s)
	stop()
	if err != nil {
		return spent{}, err
	}
	broken, err := s.Violations(ctx)
	if err == nil && len(broken) > 0 {
		err = fmt.Errorf("promises were broken: %v", broken)
	}
	return spent{
		Wall: wall.Seconds(), Agent: after[0].CPU - before[0].CPU, Ingest: after[1].CPU - before[1].CPU,
		AgentPeak: after[0].PeakRSS, IngestPeak: after[1].PeakRSS,
	}, err
}

func plug(ctx context.Context, s *station.Station, cameras int) error {
	for bay := range cameras {
		if _, err := s.Control(ctx, "plug", fmt.Sprintf("1-%d", bay+1)); err != nil {
			return err
		}
	}
	return nil
}

// used returns what agent and ingest have used.
func used(s *station.Station) (u [2]station.Usage, err error) {
	for i, p := range []*station.Process{s.Agent, s.Ingest} {
		if u[i], err = p.Usage(); err != nil {
			return u, err
		}
	}
	return u, nil
}

// profile has perf record agent and server until stop, where that is wanted.
// Its own cost falls on the figures: they are not for telling.
func (b *bench) profile(s *station.Station, name string) (stop func(), err error) {
	if !b.Profile {
		return func() {}, nil
	}
	var running []*exec.Cmd
	stop = func() {
		for _, cmd := range running {
			cmd.Process.Signal(os.Interrupt)
			cmd.Wait()
		}
	}
	for role, p := range map[string]*station.Process{"agent": s.Agent, "ingest": s.Ingest} {
		out := filepath.Join(b.Dir, fmt.Sprintf("%s %s.perf", name, role))
		cmd := exec.Command("perf", "record", "-q", "-g", "-F", "499", "-o", out, "-p", strconv.Itoa(p.ID()))
		if err := cmd.Start(); err != nil {
			stop()
			return nil, fmt.Errorf("starting perf: %w", err)
		}
		running = append(running, cmd)
		say("profile: perf report --no-children -g none -i %q", out)
	}
	time.Sleep(200 * time.Millisecond) // until it has attached
	return stop, nil
}
