package main

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/netlab"
)

func TestParse(t *testing.T) {
	o, err := parse(strings.Fields("-preset lte-poor -rate 8mbit -rtt 60ms -loss 1% -outages 5s+3s,20s+10s -drop-udp 10s+60s -rebind 5s,10s -readdress 7s -loss-dir up -client true"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s := time.Second
	want := netlab.Conditions{
		Rate: 8e6, RTT: 60 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.01, BurstLoss: 0.03, BurstLen: 5, Lossy: netlab.Up, Seed: 1,
		Outages: []netlab.Span{{From: 5 * s, To: 8 * s}, {From: 20 * s, To: 30 * s}}, UDPDrops: []netlab.Span{{From: 10 * s, To: 70 * s}},
		Rebinds: []time.Duration{5 * s, 10 * s}, Readdress: []time.Duration{7 * s},
	}
	if !reflect.DeepEqual(o.link, want) {
		t.Errorf("got  %+v\nwant %+v", o.link, want)
	}
	for _, wrong := range []string{
		"", "-client x extra", "-client x -rate fast", "-client x -rate -1mbit", "-client x -rate NaN", "-client x -loss 100%", "-client x -loss NaN", "-client x -outages 5s",
		"-client x -outages 5s+0s", "-client x -rebind soon", "-client x -loss-dir left", "-preset moon -client x", "-client x -preset lan",
	} {
		if _, err := parse(strings.Fields(wrong), io.Discard); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	for in, want := range map[string]float64{"50mbit": 5e7, "1gbit": 1e9, "64Kbit": 64e3, "1000": 1000} {
		if got, err := parseRate(in); err != nil || got != want {
			t.Errorf("parseRate(%q) = %v, %v", in, got, err)
		}
	}
}

func TestTwoCommandsMeetAndTheStatusIsPassedOn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: NETLAB WAS NOT RUN: network namespaces need root")
	}
	dir := t.TempDir()
	heard, stats := filepath.Join(dir, "heard"), filepath.Join(dir, "stats")
	code, err := run([]string{
		"-rtt", "10ms", "-settle", "500ms", "-stats", stats,
		"-server", `exec bash -c 'while :; do sleep 0.1; grep -q nl-server /proc/net/dev && echo there > "` + heard + `"; done'`,
		"-client", `grep -q nl-client /proc/net/dev && [ "$NETLAB_SERVER_IP" = 198.18.0.2 ] && sleep 0.3 && exit 7`,
	})
	if err != nil || code != 7 {
		t.Fatalf("status %d, %v; want 7", code, err)
	}
	for _, path := range []string{heard, stats} {
		if text, err := os.ReadFile(path); err != nil || len(text) == 0 {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
}
