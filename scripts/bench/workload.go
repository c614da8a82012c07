package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// Workload is what is docked, and what it took.
type Workload struct {
	Name      string  `json:"name"`
	Cameras   int     `json:"cameras"`
	Files     int     `json:"files"` // on each camera
	FileBytes int64   `json:"file_bytes"`
	Rate      Rate    `json:"rate"`
	FilesPerS float64 `json:"files_per_s"`
	Agent     Program `json:"agent"`
	Ingest    Program `json:"ingest"`
}

// Program is what one of the two programs used.
type Program struct {
	CPUPerGB   float64 `json:"cpu_s_per_gb"`
	CPUSeconds float64 `json:"cpu_seconds"`
	PeakMiB    float64 `json:"peak_mib"`
}

// measure docks the cameras of a fresh station and waits until all are empty.
// Footage is made while the simulator reads: its CPU time is not counted.
func (w *Workload) measure(ctx context.Context, programs station.Programs, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	s, err := station.New(ctx, dir, programs, station.Options{})
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer func() {
		grace, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		s.Stop(grace)
	}()
	if err := s.StartIngest(ctx); err != nil {
		return err
	}
	if err := s.StartSimulator(ctx, "--unplugged", "--cameras", strconv.Itoa(w.Cameras), "--files", strconv.Itoa(w.Files), "--file-size", strconv.FormatInt(w.FileBytes, 10)); err != nil {
		return err
	}
	if err := s.Enrol(ctx); err != nil {
		return err
	}
	if err := s.StartAgent(ctx); err != nil {
		return err
	}
	before, err := used(s)
	if err != nil {
		return err
	}
	began := time.Now()
	for bay := range w.Cameras {
		if _, err := s.Control(ctx, "plug", fmt.Sprintf("1-%d", bay+1)); err != nil {
			return err
		}
	}
	if err := station.Wait(ctx, s.Drained); err != nil {
		return err
	}
	wall := time.Since(began)
	after, err := used(s)
	if err != nil {
		return err
	}
	total := int64(w.Cameras*w.Files) * w.FileBytes
	agent, ingest := after[0].CPU-before[0].CPU, after[1].CPU-before[1].CPU
	w.Rate = rate(total, wall, agent+ingest)
	w.FilesPerS = float64(w.Cameras*w.Files) / wall.Seconds()
	w.Agent = Program{CPUSeconds: agent, CPUPerGB: agent / (float64(total) / 1e9), PeakMiB: float64(after[0].PeakRSS) / (1 << 20)}
	w.Ingest = Program{CPUSeconds: ingest, CPUPerGB: ingest / (float64(total) / 1e9), PeakMiB: float64(after[1].PeakRSS) / (1 << 20)}
	broken, err := s.Violations(ctx)
	if err == nil && len(broken) > 0 {
		err = fmt.Errorf("a fast wrong answer is no answer: %v", broken)
	}
	return err
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
