package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/sealdock/sealdock/firmware-sim/internal/control"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
)

type ctlCommand struct {
	Control string `default:"${socket}" placeholder:"SOCKET" help:"The simulator's control socket. [${default}]"`

	List   listCommand   `cmd:"" help:"Show bays, cameras, recordings and faults."`
	Plug   plugCommand   `cmd:"" help:"Put a camera into its bay."`
	Unplug unplugCommand `cmd:"" help:"Pull a camera out of its bay, in the middle of whatever it does."`
	Record recordCommand `cmd:"" help:"Make a new recording on a camera."`
	Remove removeCommand `cmd:"" help:"Let a camera lose a recording by itself."`

	Urgent  urgentCommand  `cmd:"" help:"Mark a recording as urgent, as its wearer would."`
	Agency  agencyCommand  `cmd:"" help:"Make a camera another agency's, or nobody's."`
	Restart restartCommand `cmd:"" help:"Switch a camera off and on again."`
	Behave  behaveCommand  `cmd:"" help:"Say how a camera behaves from now on."`

	Fault faultCommand `cmd:"" help:"Script a fault on a camera, or clear them."`
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
		if b.Camera != nil {
			fmt.Fprintf(w, "\t%s\n", standing(b.Camera))
		}
		for _, r := range b.Recordings {
			fmt.Fprintf(w, "\t%s\t%d bytes\tsha256 %.16s…\t%s\n", short(r.Path), r.Size, r.SHA256, number(r))
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

func (c *ctlCommand) client() *control.Client { return control.NewClient(c.Control) }
