package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/upload"
)

// scrapeTime is how long one scrape waits for the agent.
const scrapeTime = 5 * time.Second

// bayStates and recordingStates are all values of the labels "state". A bay or a
// recording in a state that is not among them counts as "other".
func bayStates() []string {
	return []string{upload.BayEmpty, upload.BayReading, upload.BayCopying, upload.BayUploading, upload.BayReleasing, upload.BayDone, upload.BayAttention}
}

func recordingStates() []string {
	all := []spool.State{spool.StateReading, spool.StateSpooled, spool.StateUploading, spool.StateReceived, spool.StateErasing,
		spool.StateErased, spool.StateKept, spool.StateFailed, spool.StateQuarantined}
	names := make([]string, len(all))
	for i, state := range all {
		names[i] = string(state)
	}
	return names
}

const other = "other"

// collector asks the agent once per scrape.
type collector struct {
	view daemon.View

	up, bays, recordings, receipts, erased, copying, rate, spoolBytes, spoolQuota, spoolLimit, spoolAlarm, spoolRate, spoolFull, connected, transfers, certificate, turned *prometheus.Desc
}

// New makes the collector of an agent, to be registered once.
func New(view daemon.View) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sealdock_agent_"+name, help, labels, nil)
	}
	return &collector{
		view:        view,
		up:          desc("up", "1 when every part of the agent answered this scrape."),
		bays:        desc("bays", "Bays by state.", "state"),
		recordings:  desc("recordings", "Recordings in the journal by state.", "state"),
		receipts:    desc("receipts_total", "Recordings with a verified receipt of the server, by the journal."),
		erased:      desc("erased_total", "Recordings that their camera erased against a receipt, by the journal."),
		copying:     desc("docked_copied_bytes", "Bytes of the cameras that are docked now that are copied and confirmed."),
		rate:        desc("copy_bytes_per_second", "Bytes that are read from cameras each second, of all bays."),
		spoolBytes:  desc("spool_bytes", "Bytes of sealed recordings that are held or being written."),
		spoolQuota:  desc("spool_quota_bytes", "Most bytes that copies may take; 0 for no limit but the disk."),
		spoolLimit:  desc("spool_limit_bytes", "Most bytes that copies may take, by quota and disk; 0 where that is not known."),
		spoolAlarm:  desc("spool_alarm_percent", "The alarm of the spool's filling that stands: 0, 70, 85 or 95."),
		spoolRate:   desc("spool_fill_bytes_per_second", "How fast the spool fills, in minus out, over the last hours."),
		spoolFull:   desc("spool_full_timestamp_seconds", "When the spool is full at this rate, as Unix time; 0 when that is not foreseen."),
		connected:   desc("upload_connected", "1 while there is a session with the server."),
		transfers:   desc("upload_transfers", "Recordings on their way to the server at this moment."),
		certificate: desc("certificate_expiry_timestamp_seconds", "When the dock's certificate ends, as Unix time."),
		turned:      desc("search_turned_timestamp_seconds", "When the slowest search for cameras began its newest round, as Unix time."),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	gauge(c.certificate, float64(c.view.Certificate.Unix()))
	gauge(c.turned, float64(c.view.Turned().Unix()))
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	s, err := c.view.Status(ctx)
	if err != nil {
		gauge(c.up, 0)
		return
	}
	gauge(c.up, 1)
	byState := map[string]float64{}
	var copied, rate float64
	for _, b := range s.Bays {
		byState[b.State]++
		copied += float64(b.BytesDone)
		rate += float64(b.BytesPerSecond)
	}
	each(byState, bayStates(), func(state string, n float64) { gauge(c.bays, n, state) })
	byState = map[string]float64{}
	var receipts float64
	for state, n := range s.Spool.Recordings {
		byState[string(state)] += float64(n)
		if state.HasReceipt() {
			receipts += float64(n)
		}
	}
	each(byState, recordingStates(), func(state string, n float64) { gauge(c.recordings, n, state) })
	out <- prometheus.MustNewConstMetric(c.receipts, prometheus.CounterValue, receipts)
	out <- prometheus.MustNewConstMetric(c.erased, prometheus.CounterValue, byState[string(spool.StateErased)])
	gauge(c.copying, copied)
	gauge(c.rate, rate)
	gauge(c.spoolBytes, float64(s.Spool.Bytes))
	gauge(c.spoolQuota, float64(s.Spool.Quota))
	gauge(c.spoolLimit, float64(s.Spool.Limit))
	gauge(c.spoolAlarm, float64(s.Spool.Alarm))
	gauge(c.spoolRate, float64(s.Spool.Rate))
	full := 0.0
	if !s.Spool.FullAt.IsZero() {
		full = float64(s.Spool.FullAt.Unix())
	}
	gauge(c.spoolFull, full)
	gauge(c.connected, truth(s.Server.Connected))
	gauge(c.transfers, float64(len(s.Server.Transfers)))
}

// each gives every known state with its number, and all others together.
func each(counts map[string]float64, states []string, give func(state string, n float64)) {
	var rest float64
	for _, n := range counts {
		rest += n
	}
	for _, state := range states {
		give(state, counts[state])
		rest -= counts[state]
	}
	give(other, rest)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
