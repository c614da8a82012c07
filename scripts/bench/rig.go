package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/netlab"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

// rig is a station on a link, its spool full of recordings, its cameras gone and
// its agent stopped: what happens next is only transfer.
type rig struct {
	lab     *netlab.Lab
	station *station.Station
	docking docking
	close   func()
}

// loaded makes a rig whose recordings would keep the link full for so long.
func (b *bench) loaded(ctx context.Context, link netlab.Conditions, seed uint64, long time.Duration, single bool) (*rig, error) {
	link.Seed = seed
	lab, err := netlab.Open(link)
	if err != nil {
		return nil, err
	}
	const piece = 4 << 20
	pieces := max(1, int(link.Rate/8*long.Seconds())/piece)
	r := &rig{lab: lab, docking: docking{"link", 1, pieces, piece}, close: func() { lab.Close() }}
	if single {
		r.docking = docking{"link", 1, 1, int64(pieces) * piece}
	}
	r.station, err = b.open(ctx, filepath.Join(b.work, "station"), r.docking, station.Options{Link: lab})
	if err != nil {
		r.close()
		return nil, err
	}
	r.close = func() { b.closeStation(r.station); lab.Close() }
	if err := r.load(ctx); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *rig) load(ctx context.Context) error {
	r.lab.Cut(true)
	if err := plug(ctx, r.station, r.docking.Cameras); err != nil {
		return err
	}
	if err := station.Wait(ctx, spooled(r.station, r.docking.count())); err != nil {
		return err
	}
	if _, err := r.station.Control(ctx, "unplug", "1-1"); err != nil {
		return err
	}
	if err := r.station.Agent.Stop(ctx); err != nil {
		return err
	}
	r.lab.Cut(false)
	return nil
}

// progress is how much is through at a moment.
type progress struct {
	at    time.Duration // since the start of the agent
	bytes int64         // of recordings that the server holds for good
}

// follow calls see with each progress until all recordings have their receipts
// or see says so.
func (r *rig) follow(ctx context.Context, see func(progress) (done bool)) error {
	began := time.Now()
	for {
		s, err := askAgent(r.station)
		if err == nil {
			// What is no longer on its way has its receipt.
			waiting := s.waiting()
			bytes := int64(r.docking.count()-waiting) * r.docking.FileBytes
			for _, t := range s.Server.Transfers {
				bytes += min(int64(t.Durable)<<20, r.docking.FileBytes)
			}
			if see(progress{time.Since(began), min(bytes, r.docking.bytes())}) || waiting == 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.station.Agent.Ended():
			return fmt.Errorf("the agent ended: %s", r.station.Agent.Tail(5))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// send starts the agent and follows it to the last receipt.
func (r *rig) send(ctx context.Context, see func(progress)) (took time.Duration, err error) {
	r.lab.Begin()
	if err := r.station.StartAgent(ctx); err != nil {
		return 0, err
	}
	err = r.follow(ctx, func(p progress) bool {
		took = p.at
		if see != nil {
			see(p)
		}
		return false
	})
	return took, err
}

// connections counts the flows that carried a real part of what was sent.
func (r *rig) connections() (n int) {
	flows := r.lab.Flows()
	for _, f := range flows {
		if f.Bytes > flows[0].Bytes/20 {
			n++
		}
	}
	return n
}

// protocols names what carried, as "udp" or "udp+tcp".
func (r *rig) protocols() string {
	var names []string
	for _, f := range r.lab.Flows() {
		if f.Bytes > 1<<20 && !slices.Contains(names, f.Protocol) {
			names = append(names, f.Protocol)
		}
	}
	return strings.Join(names, "+")
}
