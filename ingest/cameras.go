package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/proto/evidence"
)

type cameraCommands struct {
	List     listCamerasCommand `cmd:"" default:"withargs" help:"List the cameras that were ever docked: how they stand, whose they are, what waits."`
	Keys     keysCommand        `cmd:"" help:"List a camera's keys."`
	Approve  approveCommand     `cmd:"" help:"Approve a camera's key: it is this agency's camera."`
	Block    blockCommand       `cmd:"" help:"Block a camera's key: what it holds is taken in, nothing is erased from it."`
	Hold     holdCommand        `cmd:"" help:"Keep all recordings on a camera until further notice."`
	Release  endHoldCommand     `cmd:"" help:"End a hold."`
	Assign   assignCommand      `cmd:"" help:"Say whose camera it is, from when and until when."`
	Unassign unassignCommand    `cmd:"" help:"End an assignment."`
	Begin    beginCommand       `cmd:"" help:"Say from which number on a camera's count is looked at, where it was used elsewhere before."`
	Settle   settleCommand      `cmd:"" help:"Settle one entry of the completeness report that cannot be mended."`
}

// desk runs one step on what is known of cameras.
func (c *configured) desk(ctx context.Context, to streams, grace time.Duration, step func(*cameras.Desk) error) error {
	config, err := c.existing()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "error")
	if err != nil {
		return err
	}
	return server.WithCameras(ctx, config, log, time.Now, grace, step)
}

const recorded = "It is on record in the custody log."

type listCamerasCommand struct{ configured }

// Run lists the cameras.
func (l *listCamerasCommand) Run(ctx context.Context, to streams) error {
	var all []catalog.Camera
	err := l.desk(ctx, to, 0, func(d *cameras.Desk) (err error) {
		all, err = d.Cameras(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(to.log, "No camera was docked yet.")
		return nil
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CAMERA\tMODEL\tSTANDING\tOFFICER\tHOLD\tALERTS\tITEMS\tLAST SEEN (UTC)\tWHERE")
	for _, c := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s, bay %s\n", c.Serial, dash(c.Model), dash(string(c.Standing)), dash(officer(c.Wearer, c.WearerID)), dash(c.HoldReason),
			c.OpenAlerts, c.Items, c.LastSeenAt.UTC().Format(time.DateTime), c.LastDock, c.LastBay)
	}
	return table.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func officer(name, id string) string {
	if id == "" {
		return name
	}
	return name + " (" + id + ")"
}

type keysCommand struct {
	configured
	Camera string `arg:"" help:"Serial number."`
}

// Run lists a camera's keys.
func (k *keysCommand) Run(ctx context.Context, to streams) error {
	var page *cameras.Page
	err := k.desk(ctx, to, 0, func(d *cameras.Desk) (err error) {
		page, err = d.Camera(ctx, k.Camera)
		return err
	})
	if err != nil {
		return err
	}
	if len(page.Keys) == 0 {
		fmt.Fprintf(to.log, "Camera %s has never proven a key.\n", k.Camera)
		return nil
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY (SHA-256)\tSTANDING\tFIRST SEEN (UTC)\tLAST SEEN (UTC)\tDECIDED BY\tREASON")
	for _, key := range page.Keys {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", evidence.KeyID(key.Key), key.Standing, key.FirstSeenAt.UTC().Format(time.DateTime), key.LastSeenAt.UTC().Format(time.DateTime), dash(key.DecidedBy), dash(key.Reason))
	}
	return table.Flush()
}

// decision is what approving and blocking have in common.
type decision struct {
	configured
	Camera string `arg:"" help:"Serial number."`
	Key    string `placeholder:"SHA256" help:"Which key, where more than one waits: its SHA-256, as cameras keys shows it."`
	Reason string `placeholder:"TEXT" help:"Why, for the record."`
}

func (d *decision) key() (id evidence.Digest, err error) {
	if d.Key == "" {
		return id, nil
	}
	if err := id.UnmarshalText([]byte(d.Key)); err != nil {
		return id, fmt.Errorf("flag --key: %w", err)
	}
	return id, nil
}

type approveCommand struct{ decision }

// Run approves a key.
func (a *approveCommand) Run(ctx context.Context, to streams) error {
	id, err := a.key()
	if err != nil {
		return err
	}
	if err := a.desk(ctx, to, 0, func(d *cameras.Desk) error { return d.Approve(ctx, a.Camera, id, a.Reason) }); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "The key of camera %s is approved; the camera gets its certificate when it is docked next. %s\n", a.Camera, recorded)
	return nil
}

type blockCommand struct{ decision }

// Run blocks a key.
func (b *blockCommand) Run(ctx context.Context, to streams) error {
	id, err := b.key()
	if err != nil {
		return err
	}
	if err := b.desk(ctx, to, 0, func(d *cameras.Desk) error { return d.Block(ctx, b.Camera, id, b.Reason) }); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "The key of camera %s is blocked: what it holds is taken in, nothing is erased from it. %s\n", b.Camera, recorded)
	return nil
}

type holdCommand struct {
	configured
	Camera string `arg:"" help:"Serial number."`
	Reason string `required:"" placeholder:"TEXT" help:"Why: a case number, for example. Shown at the dock."`
}

// Run holds a camera.
func (h *holdCommand) Run(ctx context.Context, to streams) error {
	if err := h.desk(ctx, to, 0, func(d *cameras.Desk) error { return d.Hold(ctx, h.Camera, h.Reason) }); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Nothing is erased from camera %s until the hold ends. Docks hear of it when the camera is docked next. %s\n", h.Camera, recorded)
	return nil
}

type endHoldCommand struct {
	configured
	Camera string `arg:"" help:"Serial number."`
	Reason string `required:"" placeholder:"TEXT" help:"Why, for the record."`
}

// Run ends a hold.
func (h *endHoldCommand) Run(ctx context.Context, to streams) error {
	if err := h.desk(ctx, to, 0, func(d *cameras.Desk) error { return d.EndHold(ctx, h.Camera, h.Reason) }); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "The hold of camera %s has ended. %s\n", h.Camera, recorded)
	return nil
}

type assignCommand struct {
	configured
	Camera    string    `arg:"" help:"Serial number."`
	Officer   string    `required:"" placeholder:"NAME" help:"Name of the officer."`
	OfficerID string    `name:"officer-id" placeholder:"ID" help:"Badge number or the like."`
	From      time.Time `placeholder:"TIME" help:"First moment, as in 2026-11-22T06:00:00Z (now)."`
	Until     time.Time `placeholder:"TIME" help:"First moment after (until further notice)."`
	Replace   bool      `help:"End the assignment that is in force at that moment."`
}

// Run assigns a camera.
func (a *assignCommand) Run(ctx context.Context, to streams) error {
	err := a.desk(ctx, to, 0, func(d *cameras.Desk) error {
		return d.Assign(ctx, a.Camera, a.Officer, a.OfficerID, a.From, a.Until, a.Replace)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Camera %s is assigned to %s. What it recorded in that time names the officer as its wearer. %s\n", a.Camera, officer(a.Officer, a.OfficerID), recorded)
	return nil
}

type unassignCommand struct {
	configured
	Camera string    `arg:"" help:"Serial number."`
	At     time.Time `placeholder:"TIME" help:"When it ended, as in 2026-11-22T18:00:00Z (now)."`
}

// Run ends an assignment.
func (u *unassignCommand) Run(ctx context.Context, to streams) error {
	if err := u.desk(ctx, to, 0, func(d *cameras.Desk) error { return d.Unassign(ctx, u.Camera, u.At) }); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Camera %s is nobody's from then on. %s\n", u.Camera, recorded)
	return nil
}
