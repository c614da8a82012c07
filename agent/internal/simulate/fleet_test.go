package simulate

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

func connected(t *testing.T, f *Fleet) {
	t.Helper()
	if err := f.Connect(t.Context(), 20, time.Minute); err != nil {
		t.Fatal(err)
	}
}

func TestAllDocksConnectAtTheirPaceAndDoWhatDocksDo(t *testing.T) {
	const docks = 30
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, docks)
		f := c.fleet(nil)
		connected(t, f)
		if err := f.Idle(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		r := f.Report()
		if r.Connected != docks || r.Dials != docks || r.Lost != 0 || r.OutagesInAll != 0 || r.IdleSeconds < 60 {
			t.Errorf("report %+v", r)
		}
		if r.ConnectSeconds < 1.4 || r.ConnectSeconds > 2 || r.ConnectMost > 21 {
			t.Errorf("30 docks at 20 a second took %.2f s, at most %d in a second", r.ConnectSeconds, r.ConnectMost)
		}
		c.set(func() {
			if c.status < docks || c.status > docks*3 {
				t.Errorf("%d reports of status in a minute, want one or two of each of %d", c.status, docks)
			}
			if c.policies < docks*3 || c.policies > docks*5 || c.known < docks*2 {
				t.Errorf("%d questions for the policy, %d by docks that have it; want one each 20 s of each of %d", c.policies, c.known, docks)
			}
		})
	})
}

// All docks lose the server at one moment, and come back without a storm.
func TestARestartedServerGetsAllDocksBack(t *testing.T) {
	const docks = 100
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, docks)
		f := c.fleet(nil)
		connected(t, f)
		if err := f.Idle(t.Context(), 15*time.Second); err != nil {
			t.Fatal(err)
		}
		c.restart()
		if err := f.Idle(t.Context(), 5*time.Second); err != nil { // until they have noticed
			t.Fatal(err)
		}
		if err := f.All(t.Context(), 55*time.Second); err != nil {
			t.Fatal(err)
		}
		r := f.Report()
		if r.OutagesInAll != 1 || r.Lost != docks {
			t.Fatalf("%d outages, docks lost %d times: %+v", r.OutagesInAll, r.Lost, r.Outages)
		}
		o := r.Outages[0]
		if !o.Back || o.Seconds > 60 || o.Dials < docks || o.Dials > 2*docks {
			t.Errorf("outage %+v", o)
		}
		if o.MostDials > docks*6/10 || o.Seconds < 1 {
			t.Errorf("of %d docks %d dialled in one second, and all were back after %.1f s: they do not spread out", docks, o.MostDials, o.Seconds)
		}
	})
}

// A server that drains gets its docks back over the time that it asked for.
func TestADrainingServerIsLeftAndFoundAgain(t *testing.T) {
	const docks = 50
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, docks)
		f := c.fleet(nil)
		connected(t, f)
		c.direct(&protocol.Direction{Draining: true, BackWithinMs: 20_000})
		if err := f.Idle(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		if err := f.All(t.Context(), 30*time.Second); err != nil {
			t.Fatal(err)
		}
		r := f.Report()
		if r.Dials != 2*docks || len(r.Outages) == 0 {
			t.Fatalf("%d dials of %d docks: %+v", r.Dials, docks, r.Outages)
		}
		if o := r.Outages[0]; o.Seconds < 10 || o.MostDials > docks/4 {
			t.Errorf("they do not spread over 20 s: %+v", o)
		}
	})
}

func TestABurstGivesEachRecordingItsReceiptOnce(t *testing.T) {
	const docks, count = 6, 5
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, docks)
		c.onOffer = func(n int) error {
			switch n {
			case 3, 4:
				return &protocol.Error{Code: protocol.CodeRetryLater, Message: "busy", RetryAfter: 3 * time.Second}
			case 7, 11:
				return errors.New("broken off")
			}
			return nil
		}
		f := c.fleet(nil)
		connected(t, f)
		if err := f.Burst(t.Context(), count, 1<<20+77); err != nil {
			t.Fatal(err)
		}
		r := f.Report()
		if r.Receipts != docks*count || r.Offered != docks*count || r.BadReceipts != 0 || r.Failed != 0 {
			t.Errorf("report %+v", r)
		}
		if r.Refusals["retry_later"] != 2 || r.BrokenOff != 2 {
			t.Errorf("%v refusals and %d broken off, want 2 and 2", r.Refusals, r.BrokenOff)
		}
		if r.Latency.P50 <= 0 || r.Latency.P95 < r.Latency.P50 || r.Latency.Max < 3000 {
			t.Errorf("latencies %+v; one waited for 3 s", r.Latency)
		}
		c.set(func() {
			if len(c.stored) != docks*count {
				t.Errorf("%d recordings are stored", len(c.stored))
			}
			for id, n := range c.stored {
				if n != 1 {
					t.Errorf("%s was stored %d times", id, n)
				}
			}
		})
	})
}

func TestReceiptsThatDoNotHoldAreNoticed(t *testing.T) {
	stranger := []byte(strings.Repeat("x", 32))
	var sound *evidence.Envelope
	cases := map[string]func(c *city, r *evidence.Receipt, e *evidence.Envelope) *evidence.Envelope{
		"signed by another key": func(_ *city, _ *evidence.Receipt, e *evidence.Envelope) *evidence.Envelope {
			return evidence.Sign(evidence.TypeReceipt, e.Payload, "receipt", keyFrom(stranger))
		},
		"of another recording": func(*city, *evidence.Receipt, *evidence.Envelope) *evidence.Envelope { return sound },
		"of another place in the log": func(c *city, r *evidence.Receipt, _ *evidence.Envelope) *evidence.Envelope {
			other := *r
			other.Proof.Index++
			payload, err := evidence.Encode(&other)
			if err != nil {
				c.t.Error(err)
			}
			return evidence.Sign(evidence.TypeReceipt, payload, "receipt", c.receipts)
		},
	}
	for name, forge := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCity(t, 2)
				n := 0
				c.onStored = func(r *evidence.Receipt, e *evidence.Envelope) *evidence.Envelope {
					if n++; n == 3 {
						return forge(c, r, e)
					}
					sound = e
					return nil
				}
				f := c.fleet(nil)
				connected(t, f)
				err := f.Burst(t.Context(), 2, 5000)
				if r := f.Report(); err == nil || r.BadReceipts != 1 || r.Receipts != 3 || !strings.Contains(err.Error(), "does not hold") {
					t.Errorf("error %v, report %+v", err, r)
				}
			})
		})
	}
}

// Two sound receipts must not name one entry of the log.
func TestAnEntryOfTheLogCountsOnce(t *testing.T) {
	y := newTally(1)
	y.burst(2, 2)
	y.receipt(&evidence.Receipt{Evidence: evidence.NewEvidenceID(), Proof: evidence.LogProof{Index: 4}}, time.Second)
	y.receipt(&evidence.Receipt{Evidence: evidence.NewEvidenceID(), Proof: evidence.LogProof{Index: 4}}, time.Second)
	if err := y.complete(); err == nil || !strings.Contains(err.Error(), "another names too") {
		t.Errorf("got %v", err)
	}
	if r := y.report(); r.Receipts != 1 || r.BadReceipts != 1 {
		t.Errorf("report %+v", r)
	}
}

func TestARefusingServerIsSaidPlainly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, 3)
		c.welcome = func() error {
			return &protocol.Error{Code: protocol.CodeUnknownDevice, Message: "this dock was disabled"}
		}
		f := c.fleet(nil)
		err := f.Connect(t.Context(), 100, 30*time.Second)
		if err == nil || !strings.Contains(err.Error(), "only 0 of 3 are connected") || !strings.Contains(err.Error(), "this dock was disabled") {
			t.Errorf("got %v", err)
		}
		if r := f.Report(); r.Refusals["unknown_device"] < 3 || r.Dials > 3*5 {
			t.Errorf("%v refusals of %d dials in 30 s: want the slow pace of a dock that is not known", r.Refusals, r.Dials)
		}
	})
}
