package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
)

type (
	urgentCommand struct {
		bayArgument
		Path string `arg:"" help:"The recording's path, as list shows it."`
		Off  bool   `help:"Take the mark away."`
	}
	agencyCommand struct {
		bayArgument
		Name string `arg:"" optional:"" help:"The agency. Its keys are nobody's, so no dock can unlock the camera. Without a name the camera is nobody's, as it came from its maker."`
	}
	restartCommand struct{ bayArgument }
	behaveCommand  struct {
		bayArgument
		Recording     bool `help:"It records at the moment, so it takes no new firmware."`
		RefuseConfirm bool `help:"It refuses to keep new firmware that is on trial."`
	}
)

func (u *urgentCommand) Run(ctx context.Context, c *ctlCommand) error {
	return c.client().Urgent(ctx, u.Bay, u.Path, !u.Off)
}

func (a *agencyCommand) Run(ctx context.Context, c *ctlCommand) error {
	return c.client().Agency(ctx, a.Bay, a.Name)
}

func (r *restartCommand) Run(ctx context.Context, c *ctlCommand) error {
	return c.client().Restart(ctx, r.Bay)
}

func (b *behaveCommand) Run(ctx context.Context, c *ctlCommand) error {
	return c.client().Behave(ctx, b.Bay, simulator.Behaviour{Recording: b.Recording, RefuseConfirm: b.RefuseConfirm})
}

// standing is a camera's line in a list.
func standing(s *simulator.Standing) string {
	lock := "open"
	if s.Locked {
		lock = "locked"
	}
	text := fmt.Sprintf("light %s, %s, agency %s, firmware %s, battery %d %%", s.Light, lock, cmp.Or(s.Agency, "none"), s.Firmware, s.Battery)
	if s.Update.State != "idle" {
		text += fmt.Sprintf(", update %s (%s)", s.Update.State, s.Update.Release)
	}
	if s.Wearer != nil {
		text += fmt.Sprintf(", worn by %s", cmp.Or(s.Wearer.Officer, s.Wearer.OfficerID, "nobody"))
	}
	return text
}

func number(r simulator.Recording) string {
	if r.Urgent {
		return fmt.Sprintf("number %d, urgent", r.Number)
	}
	return fmt.Sprintf("number %d", r.Number)
}
