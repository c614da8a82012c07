package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

const (
	perStore = 25 // rounds until the stores are made anew
	perCalm  = 5  // rounds until all is let come to its end
	files    = 3  // recordings of a camera
	patience = time.Minute
)

// sizes of recordings: less than a segment, more, and several.
var sizes = []string{"40KiB", "1100KiB", "3MiB"}

// campaign is all rounds on all kinds of file system.
type campaign struct {
	rounds   int
	kinds    []string
	seed     uint64
	only     int // number of the one store that is wanted; negative: all
	bin, dir string
	keep     bool
	teeth    bool // show only that the campaign finds something

	careless string // the server that syncs nothing; "" for none
	programs station.Programs
	counts   map[string]int
}

// run goes through all kinds of file system at once, and goes on after a failure; what it
// returns says how many there were.
func (c *campaign) run(ctx context.Context) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("it mounts file systems: run it as root")
	}
	if c.programs, err = station.In(c.bin); err != nil {
		return err
	}
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "power-cuts"); err != nil {
			return err
		}
	}
	fmt.Printf("power-cuts: seed %d, in %s\n", c.seed, c.dir)
	if c.teeth {
		return c.selfTest(ctx)
	}
	var all sync.WaitGroup
	failures, broken := make([]int, len(c.kinds)), make([]error, len(c.kinds))
	for i, kind := range c.kinds {
		on := *c // with its own counts
		all.Go(func() {
			if broken[i] = bites(ctx, on.dir, kind); broken[i] == nil {
				failures[i], broken[i] = on.on(ctx, kind)
			}
		})
	}
	all.Wait()
	if err := errors.Join(broken...); err != nil {
		return err
	}
	for i, n := range failures {
		if n > 0 {
			err = errors.Join(err, fmt.Errorf("%d stores on %s failed; what they left is below %s", n, c.kinds[i], c.dir))
		}
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(c.dir)
}

// on is all rounds on one kind of file system; failures counts stores.
func (c *campaign) on(ctx context.Context, kind string) (failures int, err error) {
	c.counts = map[string]int{}
	began := time.Now()
	for number := 0; number*perStore < c.rounds; number++ {
		if c.only >= 0 && number != c.only {
			continue
		}
		err := c.store(ctx, kind, number)
		if ctx.Err() != nil {
			return failures, fmt.Errorf("interrupted: %w", err)
		}
		if err != nil {
			failures++
			fmt.Printf("power-cuts: FAILED: again with --fs %s --seed %d --rounds %d --store %d\n%v\n", kind, c.seed, c.rounds, number, err)
		}
		fmt.Printf("power-cuts: %s: %d failures; %s, in %s\n", kind, failures, c.told(), time.Since(began).Round(time.Second))
	}
	return failures, nil
}

// told are the counts, in words.
func (c *campaign) told() string {
	words := []string{fmt.Sprintf("%d cuts", c.counts["cuts"])}
	for key, n := range c.counts {
		if key != "cuts" {
			words = append(words, fmt.Sprintf("%d %s", n, key))
		}
	}
	slices.SortFunc(words[1:], func(a, b string) int { return strings.Compare(word(a), word(b)) })
	return strings.Join(words, ", ")
}

// word is what a count says of what it counts.
func word(s string) string {
	_, rest, _ := strings.Cut(s, " ")
	return rest
}

// store makes a server and a dock anew, goes through their rounds, and looks at the end
// whether all is there. What a failure leaves stays in its folder.
func (c *campaign) store(ctx context.Context, kind string, number int) (err error) {
	dir := filepath.Join(c.dir, fmt.Sprintf("%s-%d", kind, number))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	r := &rig{campaign: c, dir: dir, kind: kind, random: rand.New(rand.NewPCG(c.seed, uint64(number)<<8|uint64(len(kind))))}
	defer func() { err = r.end(err) }()
	n := min(perStore, c.rounds-number*perStore)
	if err := r.begin(ctx, n, number); err != nil {
		return fmt.Errorf("%w: %w", errMaking, err)
	}
	for round := range n {
		if err := r.round(ctx, round+2); err != nil {
			return fmt.Errorf("round %d: %w", round+1, err)
		}
		if round%perCalm == perCalm-1 || round == n-1 {
			if err := r.settled(ctx); err != nil {
				return fmt.Errorf("after round %d, everything up: %w", round+1, err)
			}
		}
	}
	return r.backups(ctx)
}
