package main

import (
	"context"
)

type limitCommand struct {
	common
	MiB   int64  `name:"mib" default:"2048" help:"MiB of the one long recording, of eight bays together, and of each part."`
	Mid   int    `default:"200" help:"How many recordings of 10 MiB."`
	Small int    `default:"2000" help:"How many recordings of 64 KiB."`
	Only  string `help:"Measure only the docking of that name (and no parts)."`
}

// dockings are the shapes of a day: one long recording, a shift change, many of
// middle size, and many small ones.
func (c *limitCommand) dockings() []docking {
	return []docking{
		{"one recording", 1, 1, c.MiB << 20},
		{"eight bays", 8, 1, c.MiB << 20 / 8},
		{"10 MiB each", 1, c.Mid, 10 << 20},
		{"64 KiB each", 1, c.Small, 64 << 10},
	}
}

// Run measures all in turn, round by round.
func (c *limitCommand) Run(ctx context.Context) error {
	b, err := c.prepare("limit")
	if err != nil {
		return err
	}
	for round := range c.Rounds {
		say("round %d of %d", round+1, c.Rounds)
		if c.Only == "" {
			if err := b.parts(ctx, c.MiB<<20); err != nil {
				return err
			}
			if err := b.transports(ctx, c.MiB<<20); err != nil {
				return err
			}
		}
		for _, d := range c.dockings() {
			if c.Only != "" && c.Only != d.Name {
				continue
			}
			result, err := b.dock(ctx, d)
			if err != nil {
				return err
			}
			result.into(b.result.row(d.Name), d)
			say("%s: %.0f MB/s, agent %.2f, ingest %.2f s/GB", d.Name, float64(d.bytes())/1e6/result.Wall, result.Agent/float64(d.bytes())*1e9, result.Ingest/float64(d.bytes())*1e9)
		}
	}
	if c.Only == "" {
		b.limitBars(c.dockings())
	}
	return b.finish()
}

func (b *bench) limitBars(dockings []docking) {
	sum := b.sumOfParts()
	for _, d := range dockings {
		if d.FileBytes >= 1<<20 {
			b.result.atMost(d.Name+": CPU per GB against the sum of its parts", 1.15, ratios(b.result.look(d.Name).Figures["both s/GB"], sum))
		}
	}
	stock := b.result.look(stockQUIC).Figures["both s/GB"]
	b.result.atMost("the wire alone, one connection, against stock quic-go", 0.7, ratios(b.result.look(wireOne).Figures["both s/GB"], stock))
	b.result.atMost("the wire alone, two connections, against stock quic-go", 0.55, ratios(b.result.look(wireTwo).Figures["both s/GB"], stock))
}
