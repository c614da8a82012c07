package simulate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is what a run has shown. All times are seconds, but for Latency.
type Report struct {
	At      time.Time `json:"at"`
	Version string    `json:"version"`

	Docks          int     `json:"docks"`
	Connected      int     `json:"connected"`             // at the end
	OverTCP        int     `json:"over_tcp"`              // of these
	ConnectSeconds float64 `json:"connect_seconds"`       // from the first dial until all were connected; 0: never
	ConnectRate    float64 `json:"connects_per_second"`   // docks over that time
	ConnectDials   int     `json:"connect_dials"`         // connections tried until then
	ConnectMost    int     `json:"connect_most_a_second"` // most welcomes in a second until then

	Dials        int `json:"dials"` // connections tried in all
	DialsTCP     int `json:"dials_tcp"`
	Welcomes     int `json:"welcomes"`
	MostDials    int `json:"most_dials_a_second"`
	MostWelcomes int `json:"most_welcomes_a_second"`
	Lost         int `json:"lost"` // times that a dock lost its last connection

	Outages      []Outage `json:"outages,omitempty"` // the first 100
	OutagesInAll int      `json:"outages_in_all"`

	IdleSeconds float64 `json:"idle_seconds"`

	Offered           int     `json:"offered"`
	Receipts          int     `json:"receipts"`
	BadReceipts       int     `json:"bad_receipts"`
	Failed            int     `json:"failed"`     // recordings that got no receipt and never will
	BrokenOff         int     `json:"broken_off"` // transfers that were begun again
	BurstSeconds      float64 `json:"burst_seconds"`
	BurstBytes        uint64  `json:"burst_bytes"` // of recordings offered
	BytesSent         uint64  `json:"bytes_sent"`  // in Data frames, what was sent again too
	BytesPerSecond    float64 `json:"bytes_per_second"`
	ReceiptsPerSecond float64 `json:"receipts_per_second"`
	Latency           Latency `json:"latency"`

	Refusals     map[string]int `json:"refusals"` // by code
	LastRefusal  string         `json:"last_refusal,omitempty"`
	FirstFailure string         `json:"first_failure,omitempty"`

	CPUSeconds float64 `json:"cpu_seconds"` // of this process
	PeakMiB    float64 `json:"peak_mib"`
}

// Outage is a time in which not all docks were connected, after they had been.
type Outage struct {
	Lost         int     `json:"lost"` // docks without a connection, at most
	Back         bool    `json:"back"` // all are back
	Seconds      float64 `json:"seconds"`
	Dials        int     `json:"dials"`
	MostDials    int     `json:"most_dials_a_second"`
	MostWelcomes int     `json:"most_welcomes_a_second"`
}

// Latency is from the first offer of a recording to its receipt, verified, in
// milliseconds.
type Latency struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

func latencyOf(all []time.Duration) Latency {
	if len(all) == 0 {
		return Latency{}
	}
	sorted := slices.Sorted(slices.Values(all))
	at := func(share float64) float64 {
		i := min(int(share*float64(len(sorted))), len(sorted)-1)
		return float64(sorted[i]) / float64(time.Millisecond)
	}
	return Latency{P50: at(0.50), P95: at(0.95), P99: at(0.99), Max: at(1)}
}

// Print writes the report as a table.
func (r *Report) Print(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(what, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }
	row("docks", "%d of %d connected, %d of them over TCP", r.Connected, r.Docks, r.OverTCP)
	if r.ConnectSeconds > 0 {
		row("all connected", "after %.1f s, %.0f a second, %d connections tried, at most %d welcomes in a second", r.ConnectSeconds, r.ConnectRate, r.ConnectDials, r.ConnectMost)
	}
	row("connections", "%d tried (%d over TCP), %d welcomed, at most %d tried and %d welcomed in a second", r.Dials, r.DialsTCP, r.Welcomes, r.MostDials, r.MostWelcomes)
	row("lost", "%d times", r.Lost)
	for _, o := range r.Outages {
		end := "all back after"
		if !o.Back {
			end = "not all back after"
		}
		row("outage", "%d docks lost, %s %.1f s; %d connections tried, at most %d tried and %d welcomed in a second", o.Lost, end, o.Seconds, o.Dials, o.MostDials, o.MostWelcomes)
	}
	if left := r.OutagesInAll - len(r.Outages); left > 0 {
		row("outages", "%d more", left)
	}
	if r.IdleSeconds > 0 {
		row("idle", "%.0f s", r.IdleSeconds)
	}
	if r.Offered > 0 {
		row("receipts", "%d of %d, %d do not hold; %d transfers begun again, %d given up", r.Receipts, r.Offered, r.BadReceipts, r.BrokenOff, r.Failed)
		row("rate", "%.1f MB/s, %.1f receipts a second, in %.1f s", r.BytesPerSecond/1e6, r.ReceiptsPerSecond, r.BurstSeconds)
		row("offer to receipt", "p50 %.0f, p95 %.0f, p99 %.0f, at most %.0f ms", r.Latency.P50, r.Latency.P95, r.Latency.P99, r.Latency.Max)
	}
	for _, code := range slices.Sorted(maps.Keys(r.Refusals)) {
		row("refused", "%d times %s", r.Refusals[code], code)
	}
	if r.LastRefusal != "" {
		row("last refusal", "%s", r.LastRefusal)
	}
	if r.FirstFailure != "" {
		row("first failure", "%s", r.FirstFailure)
	}
	row("this process", "%.1f s of processor time, at most %.0f MiB", r.CPUSeconds, r.PeakMiB)
	return t.Flush()
}
