package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// kind is one way to break a transfer.
type kind struct {
	name  string
	do    func(context.Context, *trial) error // returns when the break is over
	after func(context.Context, *trial) error // nil: nothing is to be undone once it moves again
}

const noUDP = "UDP is dropped"

var kinds = []kind{
	{name: "agent killed", do: func(ctx context.Context, t *trial) error {
		t.rig.station.Agent.Kill()
		return nil
	}},
	{name: "server killed", do: func(ctx context.Context, t *trial) error {
		t.rig.station.Ingest.Kill()
		return nil
	}},
	{name: "server restarted", do: func(ctx context.Context, t *trial) error {
		limited, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return t.rig.station.Ingest.Stop(limited)
	}},
	{name: "link cut for 1 to 15 s", do: func(ctx context.Context, t *trial) error {
		t.rig.lab.Cut(true)
		err := t.pause(ctx, time.Second, 15*time.Second)
		t.rig.lab.Cut(false)
		return err
	}},
	{name: noUDP, do: func(_ context.Context, t *trial) error {
		t.rig.lab.DropUDP(true)
		return nil
	}, after: func(ctx context.Context, t *trial) error {
		err := t.pause(ctx, 0, 2*time.Second)
		t.rig.lab.DropUDP(false)
		return err
	}},
	{name: "source port changed", do: func(_ context.Context, t *trial) error {
		t.rig.lab.Rebind()
		return nil
	}},
	{name: "source address changed", do: func(_ context.Context, t *trial) error {
		t.rig.lab.Readdress()
		return nil
	}},
	{name: "dock's own address changed", do: func(_ context.Context, t *trial) error { return t.rig.lab.Move() }},
}

// deck is so many breaks in a random order, of each kind as many.
func (t *trial) deck(breaks int, only string) (deck []kind, err error) {
	wanted := slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return !strings.Contains(k.name, only) })
	if len(wanted) == 0 {
		return nil, fmt.Errorf("no kind of break has %q in its name", only)
	}
	for i := range breaks {
		deck = append(deck, wanted[i%len(wanted)])
	}
	t.random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return deck, nil
}

func (t *trial) pause(ctx context.Context, from, to time.Duration) error {
	select {
	case <-time.After(from + time.Duration(t.random.Int64N(int64(to-from)))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
