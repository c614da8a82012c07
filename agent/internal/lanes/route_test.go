package lanes

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

func TestWhichKindIsDialledNext(t *testing.T) {
	const ms = time.Millisecond
	type ask struct {
		after    time.Duration
		dialling int
		kind     wire.Kind
		failed   bool
	}
	for name, c := range map[string]struct {
		noQUIC, noTCP, blocked, refused bool
		tcpFirst                        bool
		asks                            []ask
	}{
		"QUIC, and TCP beside it after a while": {asks: []ask{{0, 0, wire.QUIC, false}, {1000 * ms, 1, "", false}, {1500 * ms, 1, wire.TCP, false}, {2000 * ms, 2, "", false}, {9000 * ms, 0, "", true}}},
		"TCP at once when QUIC has failed":      {asks: []ask{{0, 0, wire.QUIC, false}, {100 * ms, 0, wire.TCP, false}, {200 * ms, 0, "", true}}},
		"nothing else after a refusal":          {refused: true, asks: []ask{{0, 0, wire.QUIC, false}, {100 * ms, 0, "", true}}},
		"TCP first where UDP is blocked":        {blocked: true, asks: []ask{{0, 0, wire.TCP, false}, {1500 * ms, 1, wire.QUIC, false}}},
		"TCP first beside a lane of QUIC":       {tcpFirst: true, asks: []ask{{0, 0, wire.TCP, false}}},
		"QUIC alone by the settings":            {noTCP: true, asks: []ask{{0, 0, wire.QUIC, false}, {9000 * ms, 1, "", false}, {9000 * ms, 0, "", true}}},
		"TCP alone by the settings":             {noQUIC: true, asks: []ask{{0, 0, wire.TCP, false}, {9000 * ms, 0, "", true}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoute(c.noQUIC, c.noTCP, 1500*ms, half)
			r.blocked = c.blocked
			for i, a := range c.asks {
				kind, failed := r.next(noon.Add(a.after), c.tcpFirst, a.dialling, false)
				if kind != a.kind || failed != a.failed {
					t.Errorf("ask %d: %q, failed %v", i, kind, failed)
				}
				r.round.refused = c.refused
			}
		})
	}
}

func TestProbesOfQUICComeEverMoreSeldom(t *testing.T) {
	r := newRoute(false, false, time.Second, half)
	now := noon
	r.next(now, false, 0, false)
	r.next(now.Add(time.Second), false, 1, false)
	r.reached(now, wire.TCP, false)
	if !r.blocked {
		t.Fatal("UDP is not taken for blocked")
	}
	var pauses []time.Duration
	for range 6 {
		pauses = append(pauses, r.probeAt.Sub(now).Round(time.Second))
		now = r.probeAt
		r.failedProbe(now)
	}
	want := []time.Duration{30, 60, 120, 225, 225, 225}
	for i, p := range pauses {
		if p != want[i]*time.Second {
			t.Errorf("pauses %v", pauses)
			break
		}
	}
	r.next(now, false, 0, false)
	r.reached(now, wire.QUIC, false)
	if r.blocked {
		t.Error("after QUIC was welcomed UDP still counts as blocked")
	}
}

func TestUDPIsNotBlamedForTheSettings(t *testing.T) {
	r := newRoute(true, false, time.Second, half)
	r.next(noon, false, 0, false)
	r.reached(noon, wire.TCP, true)
	if r.blocked {
		t.Error("UDP is taken for blocked where QUIC is not to be used")
	}
}

// A server that has the keys and owes its welcome alone is given more time.
func TestABusyServerIsNotDialledTwiceAtOnce(t *testing.T) {
	r := newRoute(false, false, time.Second, func() float64 { return 0 })
	if kind, _ := r.next(noon, false, 0, false); kind != wire.QUIC {
		t.Fatal(kind)
	}
	for after, want := range map[time.Duration]wire.Kind{1500 * time.Millisecond: "", 2900 * time.Millisecond: ""} {
		if kind, done := r.next(noon.Add(after), false, 1, true); kind != want || done {
			t.Errorf("after %v: %q, %v", after, kind, done)
		}
	}
	if kind, _ := r.next(noon.Add(3*time.Second), false, 1, true); kind != wire.TCP {
		t.Errorf("after three seconds: %q", kind)
	}
}
