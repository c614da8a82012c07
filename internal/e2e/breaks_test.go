package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/netlab"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

// One transfer is broken in every way that this machine allows: by programs that
// are killed or restarted, and, as root, by all that networks do. make breaks does
// the same two hundred times, and counts what it costs.
func TestATransferOutlivesEveryKindOfBreak(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var options station.Options
	var s *station.Station
	type act struct {
		name string
		do   func()
	}
	breaks := []act{
		{"the agent is killed", func() { s.Agent.Kill(); check(t, s.StartAgent(within(t))) }},
		{"the server is killed", func() { s.Ingest.Kill(); check(t, s.StartIngest(within(t))) }},
		{"the server is restarted", func() { check(t, s.Ingest.Stop(within(t))); check(t, s.StartIngest(within(t))) }},
	}
	if _, err := os.Stat("/dev/net/tun"); err == nil && os.Geteuid() == 0 {
		l, err := netlab.Open(netlab.Conditions{Rate: 60e6, RTT: 10 * time.Millisecond, Seed: seed})
		check(t, err)
		t.Cleanup(func() { check(t, l.Close()) })
		options.Link = l
		breaks = append(breaks, []act{
			{"the link is cut for a second", func() { l.Cut(true); pause(t, time.Second); l.Cut(false) }},
			{"the source port changes", l.Rebind},
			{"the source address changes", l.Readdress},
			{"the dock's own address changes", func() { check(t, l.Move()) }},
			{"UDP is dropped", func() { l.DropUDP(true) }},
			{"UDP passes again", func() { l.DropUDP(false) }},
		}...)
	} else {
		t.Log("SKIPPED IN PART: only programs are broken, no networks: that takes root and /dev/net/tun")
	}
	random.Shuffle(len(breaks), func(i, j int) { breaks[i], breaks[j] = breaks[j], breaks[i] })

	const cameras = 2
	s = open(t, options, "--unplugged", "--cameras", fmt.Sprint(cameras), "--files", "6", "--file-size", "9MiB")
	for bay := range cameras {
		control(t, s, "plug", fmt.Sprintf("1-%d", bay+1))
	}
	hit := 0
	for _, b := range breaks {
		if moves(t, s) {
			hit++
		}
		t.Log(b.name)
		b.do()
	}
	// On loopback, all may be through before the last break.
	if least := len(breaks); options.Link != nil && hit < least || hit == 0 {
		t.Errorf("only %d of %d breaks met a transfer", hit, least)
	}
	drained(t, s)
	settled(t, s)
}

// moves waits until the server holds a MiB more than now, and reports whether
// there is still something to send.
func moves(t *testing.T, s *station.Station) bool {
	t.Helper()
	var status struct {
		Server  struct{ Carried uint64 }
		Backlog struct{ Bytes uint64 }
	}
	ask := func() error {
		text, err := s.Status(t.Context())
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(text), &status)
	}
	check(t, ask())
	from := status.Server.Carried
	check(t, station.Wait(within(t), func() (bool, string) {
		if err := ask(); err != nil {
			return false, err.Error()
		}
		gone, _ := s.Drained()
		return gone || status.Server.Carried >= from+1<<20, fmt.Sprintf("the server holds %d bytes, %d before", status.Server.Carried, from)
	}))
	return status.Backlog.Bytes > 0
}
