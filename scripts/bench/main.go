// Command bench measures the product and prints tables: how near it is to what
// its parts cost (limit), to other tools that promise as much (peers), to the
// link that it is given (net), how what it takes grows (bounded),
// and how many docks one server holds (load). Each runs
// all variants in turn within one run, and judges by ratios only; each writes
// JSON, from which report draws the figures of docs/performance.md.
//
// Processor time is what the kernel accounts to the processes named, user and
// system. The simulated cameras are in no figure.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

type commands struct {
	Limit   limitCommand   `cmd:"" help:"Camera to receipt over loopback, against the sum of its parts."`
	Peers   peersCommand   `cmd:"" help:"The product and other tools on the same data."`
	Net     netCommand     `cmd:"" help:"Dock and server at the two ends of a limited link; as root."`
	Bounded boundedCommand `cmd:"" help:"Memory and cost from small to large."`
	Load    loadCommand    `cmd:"" help:"One server with many docks: idle, after a restart, all at once."`
	Breaks  breaksCommand  `cmd:"" help:"One transfer that is broken in every way, again and again; as root."`
	Rules   rulesCommand   `cmd:"" help:"What operators rule: limits, urgency, forecasts, a firewall; as root."`
	Report  reportCommand  `cmd:"" help:"Draw what was measured into docs/performance."`

	Part partCommand `cmd:"" hidden:"" help:"One part, in a process of its own."`
	End  endCommand  `cmd:"" hidden:"" help:"One end of a bare transport, in a process of its own."`
}

// common are the flags of all that measure.
type common struct {
	Bin     string `default:"bin" help:"Folder of the built programs."`
	Dir     string `default:".run/bench" help:"Folder for the results, and below it for the work."`
	Rounds  int    `default:"5" help:"How often each variant is measured; medians are told."`
	Profile bool   `help:"Record where agent and server spend their time, with perf."`
}

func main() {
	// Pipes and files of children must not hold up one another.
	runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parser := kong.Parse(&c, kong.Name("bench"), kong.Description("Measures the product; see docs/performance.md."))
	parser.BindTo(ctx, (*context.Context)(nil))
	if err := parser.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// bench is one run of measurements.
type bench struct {
	common
	programs station.Programs
	work     string // folder for the work, emptied first
	result   *Result
}

// prepare makes the folders and finds the programs.
func (c common) prepare(name string) (*bench, error) {
	var wrong []error
	for _, path := range []*string{&c.Bin, &c.Dir} {
		absolute, err := filepath.Abs(*path)
		*path = absolute
		wrong = append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	if c.Rounds < 1 {
		return nil, errors.New("at least one round is needed")
	}
	programs, err := station.In(c.Bin)
	if err != nil {
		return nil, err
	}
	b := &bench{common: c, programs: programs, work: filepath.Join(c.Dir, "work", name), result: newResult(name, c.Rounds)}
	if err := os.RemoveAll(b.work); err != nil {
		return nil, err
	}
	return b, os.MkdirAll(b.work, 0o700)
}

// finish prints and writes the result, and takes the work away.
func (b *bench) finish() error {
	b.result.print(os.Stdout)
	path := filepath.Join(b.Dir, b.result.Name+".json")
	if err := b.result.write(path); err != nil {
		return err
	}
	fmt.Println("\nThe same as JSON:", path)
	return os.RemoveAll(b.work)
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
