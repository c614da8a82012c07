package main

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"
)

// Report is the JSON that is written.
type Report struct {
	At         time.Time          `json:"at"`
	Go         string             `json:"go"`
	Processors int                `json:"processors"`
	Yardsticks map[string]Rate    `json:"yardsticks"`
	Workloads  []Workload         `json:"workloads"`
	Ratios     map[string]float64 `json:"ratios"`
}

// compare adds the ratios that hold on any machine.
func (r *Report) compare() {
	hash, gcm, quic := r.Yardsticks["sha256"], r.Yardsticks["aes-256-gcm"], r.Yardsticks["raw quic-go"]
	for _, w := range r.Workloads {
		r.Ratios[w.Name+": MB/s against raw quic-go"] = w.Rate.MBPerS / quic.MBPerS
		r.Ratios[w.Name+": CPU per GB against raw quic-go"] = w.Rate.CPUPerGB / quic.CPUPerGB
		// What the design asks of both programs together: each byte is hashed
		// three times at the dock (whole and leaf in the first read, leaf in
		// the second) and twice at the server (leaf on arrival, whole from
		// the medium), sealed once, opened twice, sent once.
		floor := 5*hash.CPUPerGB + 3*gcm.CPUPerGB + quic.CPUPerGB
		r.Ratios[w.Name+": CPU per GB against the sum of its steps"] = w.Rate.CPUPerGB / floor
	}
}

func (r *Report) print() {
	fmt.Printf("%s, %s, %d processors\n\n", r.At.Format("2006-01-02 15:04 UTC"), r.Go, r.Processors)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "this machine\tMB/s\tCPU s/GB\t")
	for _, name := range []string{"sha256", "aes-256-gcm", "raw quic-go"} {
		y := r.Yardsticks[name]
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t\n", name, y.MBPerS, y.CPUPerGB)
	}
	fmt.Fprintln(t, "\ncamera to erased\tMB/s\tfiles/s\tagent s/GB\tingest s/GB\tagent MiB\tingest MiB\t")
	for _, w := range r.Workloads {
		fmt.Fprintf(t, "%s, %d x %d KiB\t%.0f\t%.1f\t%.2f\t%.2f\t%.0f\t%.0f\t\n", w.Name, w.Cameras*w.Files, w.FileBytes>>10, w.Rate.MBPerS, w.FilesPerS,
			w.Agent.CPUPerGB, w.Ingest.CPUPerGB, w.Agent.PeakMiB, w.Ingest.PeakMiB)
	}
	fmt.Fprintln(t, "\nratio\t\t")
	for _, w := range r.Workloads {
		for _, what := range []string{": MB/s against raw quic-go", ": CPU per GB against raw quic-go", ": CPU per GB against the sum of its steps"} {
			fmt.Fprintf(t, "%s\t%.2f\t\n", w.Name+what, r.Ratios[w.Name+what])
		}
	}
	t.Flush()
}
