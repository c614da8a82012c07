package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/control"
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
)

type ctlCommand struct {
	Control string `default:"${socket}" placeholder:"SOCKET" help:"The simulator's control socket. [${default}]"`

	List   listCommand   `cmd:"" help:"Show bays, cameras, recordings and faults."`
	Plug   plugCommand   `cmd:"" help:"Put a camera into its bay."`
	Unplug unplugCommand `cmd:"" help:"Pull a camera out of its bay, in the middle of whatever it does."`
	Record recordCommand `cmd:"" help:"Make a new recording on a camera."`
	Remove removeCommand `cmd:"" help:"Let a camera lose a recording by itself."`
	Fault  faultCommand  `cmd:"" help:"Script a fault on a camera, or clear them."`
}

type listCommand struct {
	JSON bool `name:"json" help:"As JSON."`
}

type bayArgument struct {
	Bay string `arg:"" help:"The bay, such as 1-1."`
}

type (
	plugCommand   struct{ bayArgument }
	unplugCommand struct{ bayArgument }
	recordCommand struct{ bayArgument }
	removeCommand struct {
		bayArgument
		Path string `arg:"" help:"The recording's path, as list shows it."`
	}
)

type faultCommand struct {
	bayArgument
	Kind  string        `arg:"" help:"unplug-at BYTE, stall BYTE, halt BYTE, flip-bit BYTE, lie-size larger:SIZE|smaller:SIZE, bad-dates garbage|impossible|empty|future, lie-handles many|double|loop, hostile-names all|parent|nul|long|surrogate|twins, busy COUNT, slow BYTES-PER-SECOND; or clear."`
	Value string        `arg:"" optional:"" help:"What the kind asks for. Bytes may end in KiB, MiB or GiB; unplug-at, stall and halt count object bytes from now on, flip-bit counts from the recording's start."`
	Path  string        `placeholder:"PATH" help:"Only this recording (flip-bit needs it)."`
	For   time.Duration `placeholder:"DURATION" help:"stall: how long; without it until the host cancels."`
	Bit   uint8         `help:"flip-bit: which bit, 0 to 7."`
	Read  int           `placeholder:"K" help:"flip-bit: on the K-th reading of the byte only; without it on each."`
	Count int           `placeholder:"N" help:"lie-handles many: how many handles too many."`
}

func (l *listCommand) Run(ctx context.Context, c *ctlCommand) error {
	bays, err := c.client().List(ctx)
	if err != nil {
		return err
	}
	if l.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(bays)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	for _, b := range bays {
		fmt.Fprintf(w, "%s\t%s\t%s\n", b.BusID, b.Serial, situation(b))
		for _, r := range b.Recordings {
			fmt.Fprintf(w, "\t%s\t%d bytes\tsha256 %.16s…\n", short(r.Path), r.Size, r.SHA256)
		}
		for _, f := range b.Faults {
			text, err := json.Marshal(f)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "\tfault\t%s\n", text)
		}
	}
	return w.Flush()
}

// short keeps the two ends of a long path.
func short(path string) string {
	const most = 64
	r := []rune(path)
	if len(r) <= most {
		return path
	}
	return string(r[:most/2]) + "…" + string(r[len(r)-most/2:])
}

func situation(b simulator.Bay) string {
	switch {
	case b.Imported:
		return "plugged in, a host holds it"
	case b.Plugged:
		return "plugged in"
	}
	return "out of its bay"
}

func (p *plugCommand) Run(ctx context.Context, c *ctlCommand) error {
	return c.client().Plug(ctx, p.Bay)
}

func (u *unplugCommand) Run(ctx context.Context, c *ctlCommand) error {
	return c.client().Unplug(ctx, u.Bay)
}

func (r *recordCommand) Run(ctx context.Context, c *ctlCommand) error {
	made, err := c.client().Record(ctx, r.Bay)
	for _, m := range made {
		fmt.Printf("%s  %d bytes  sha256 %s\n", m.Path, m.Size, m.SHA256)
	}
	return err
}

func (r *removeCommand) Run(ctx context.Context, c *ctlCommand) error {
	return c.client().Remove(ctx, r.Bay, r.Path)
}

func (f *faultCommand) Run(ctx context.Context, c *ctlCommand) error {
	if f.Kind == "clear" {
		return c.client().Clear(ctx, f.Bay)
	}
	script, err := f.script()
	if err != nil {
		return err
	}
	return c.client().Break(ctx, f.Bay, script)
}

// script turns arguments into a fault.
func (f *faultCommand) script() (fault.Fault, error) {
	s := fault.Fault{Kind: fault.Kind(f.Kind), Path: f.Path, For: f.For, Bit: f.Bit, Read: f.Read, Count: f.Count}
	var err error
	switch s.Kind {
	case fault.Unplug, fault.Stall, fault.Halt, fault.Flip:
		s.At, err = bytesOf(f.Value)
	case fault.Slow:
		s.Rate, err = bytesOf(f.Value)
	case fault.Size:
		s.Delta, err = difference(f.Value)
	case fault.Busy:
		s.Count, err = strconv.Atoi(f.Value)
	case fault.Dates, fault.Handles, fault.Names:
		s.Variant = f.Value
	}
	switch {
	case err != nil && f.Value == "":
		return s, fmt.Errorf("fault %s needs a value, see firmware-sim ctl fault --help: %w", f.Kind, err)
	case err != nil:
		return s, fmt.Errorf("fault %s, value %q: %w", f.Kind, f.Value, err)
	}
	return s, s.Check()
}

// difference reads larger:SIZE or smaller:SIZE.
func difference(text string) (int64, error) {
	if size, ok := strings.CutPrefix(text, "larger:"); ok {
		return bytesOf(size)
	}
	if size, ok := strings.CutPrefix(text, "smaller:"); ok {
		n, err := bytesOf(size)
		return -n, err
	}
	return 0, errors.New("write larger:SIZE or smaller:SIZE")
}

func (c *ctlCommand) client() *control.Client { return control.NewClient(c.Control) }
