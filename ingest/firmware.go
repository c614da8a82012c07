package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/proto/evidence"
)

type firmwareCommands struct {
	TrustMaker trustMakerCommand      `cmd:"" help:"Take firmware of a maker, known by its public key."`
	Publish    publishFirmwareCommand `cmd:"" help:"Check a firmware bundle and offer it to the cameras of its model."`
	List       listFirmwareCommand    `cmd:"" help:"List makers and firmware."`
	Withdraw   withdrawCommand        `cmd:"" help:"Take firmware back: docks apply it no more. Cameras that have it keep it."`
}

// fleet runs a step on what docks and cameras have to follow.
func (c *configured) fleet(ctx context.Context, to streams, step func(*fleet.Service) error) error {
	config, err := c.existing()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "warn")
	if err != nil {
		return err
	}
	return server.WithFleet(ctx, config, log, time.Now, step)
}

type trustMakerCommand struct {
	configured
	Name string `arg:"" help:"Name for the maker: a-z, 0-9 and '-'."`
	Key  string `arg:"" type:"existingfile" help:"File with the maker's Ed25519 public key: PEM, or 64 hex digits."`
}

// Run trusts a maker.
func (t *trustMakerCommand) Run(ctx context.Context, to streams) error {
	f, err := os.Open(t.Key)
	if err != nil {
		return fmt.Errorf("opening the maker's key: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return fmt.Errorf("reading the maker's key: %w", err)
	}
	key, err := fleet.ParseMakerKey(data)
	if err != nil {
		return fmt.Errorf("%s: %w", t.Key, err)
	}
	err = t.fleet(ctx, to, func(s *fleet.Service) error { return s.TrustMaker(ctx, fleet.CommandLine(), t.Name, key) })
	if errors.Is(err, catalog.ErrExists) {
		return fmt.Errorf("a maker with this name or this key is trusted already: firmware list shows them: %w", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Firmware of maker %s is taken from now on. Compare the SHA-256 of its key with what the maker tells you on another way:\n  %s\n", t.Name, evidence.KeyID(key))
	return nil
}

type publishFirmwareCommand struct {
	configured
	Bundle []string `arg:"" type:"path" help:"Folder with firmware.json and firmware.bin, or those two files."`
	Window string   `placeholder:"HH:MM-HH:MM" help:"Time of day, in UTC, between which docks apply it. Without it, any time."`
}

// Run publishes firmware.
func (p *publishFirmwareCommand) Run(ctx context.Context, to streams) (err error) {
	from, until, err := fleet.ParseWindow(p.Window)
	if err != nil {
		return fmt.Errorf("flag --window: %w", err)
	}
	bundle, err := fleet.OpenBundle(p.Bundle...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bundle.Image.Close()) }()
	var row *catalog.Firmware
	err = p.fleet(ctx, to, func(s *fleet.Service) error {
		row, err = s.Publish(ctx, fleet.CommandLine(), bundle.Statement, bundle.Image, from, until)
		return err
	})
	if err != nil {
		return err
	}
	when := "at any time"
	if window := fleet.Window(from, until); window != "" {
		when = "between " + window + " UTC"
	}
	fmt.Fprintf(to.out, "Firmware %s (counter %d) of maker %s is offered to cameras of model %s, %s. Docks hear of it within a minute.\n", row.Release, row.Counter, row.Maker, row.Model, when)
	return nil
}

type listFirmwareCommand struct{ configured }

// Run lists makers and firmware.
func (l *listFirmwareCommand) Run(ctx context.Context, to streams) error {
	var listing *fleet.Listing
	err := l.fleet(ctx, to, func(s *fleet.Service) (err error) {
		listing, err = s.List(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if len(listing.Makers) == 0 {
		fmt.Fprintln(to.log, "No maker is trusted yet: sealdock-ingest firmware trust-maker takes one.")
		return nil
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MAKER\tSINCE (UTC)\tSHA-256 OF ITS KEY")
	for _, m := range listing.Makers {
		fmt.Fprintf(table, "%s\t%s\t%s\n", m.Name, m.TrustedAt.UTC().Format(time.DateTime), evidence.KeyID(m.PublicKey))
	}
	fmt.Fprintln(table, "\nMODEL\tRELEASE\tCOUNTER\tSTATE\tWINDOW (UTC)\tPUBLISHED (UTC)\tMAKER\tBYTES\tSHA-256")
	for i := range listing.Firmware {
		f := &listing.Firmware[i]
		window := fleet.Window(f.WindowFrom, f.WindowTo)
		if window == "" {
			window = "any time"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%d\t%s\n", f.Model, f.Release, f.Counter, f.State(), window, f.PublishedAt.UTC().Format(time.DateTime), f.Maker, f.Length, f.SHA256)
	}
	return table.Flush()
}

type withdrawCommand struct {
	configured
	Model   string `arg:"" help:"Model, as firmware list shows it."`
	Counter uint64 `arg:"" help:"Counter, as firmware list shows it."`
}

// Run withdraws firmware.
func (w *withdrawCommand) Run(ctx context.Context, to streams) error {
	err := w.fleet(ctx, to, func(s *fleet.Service) error { return s.Withdraw(ctx, fleet.CommandLine(), w.Model, w.Counter) })
	if errors.Is(err, catalog.ErrNotFound) {
		return fmt.Errorf("no firmware with counter %d is published for model %s: firmware list shows what is", w.Counter, w.Model)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Firmware with counter %d for model %s is withdrawn. Docks hear of it within a minute; cameras that have it keep it.\n", w.Counter, w.Model)
	return nil
}
