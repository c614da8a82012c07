package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/proto/evidence"
)

// uplink runs a step of a command on how docks send.
func (c *configured) uplink(ctx context.Context, to streams, step func(server.Config, *uplink.Desk) error) error {
	config, err := c.existing()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "warn")
	if err != nil {
		return err
	}
	return server.WithUplink(ctx, config, log, time.Now, func(d *uplink.Desk) error { return step(config, d) })
}

type bandwidthCommands struct {
	Set    setBandwidthCommand    `cmd:"" help:"Give a station or a dock a weekly table. It replaces the former one as a whole."`
	Show   showBandwidthCommand   `cmd:"" help:"Show the weekly tables, and what they allow now."`
	Remove removeBandwidthCommand `cmd:"" help:"Take the weekly table of a station or dock away: no limit from then on."`
}

// whose names one station or one dock.
type whose struct {
	Station string `placeholder:"NAME" help:"The docks of this station together."`
	Dock    string `placeholder:"NAME" help:"This dock alone, within its station's table."`
}

func (w *whose) String() string {
	if w.Station != "" {
		return "station " + w.Station
	}
	return "dock " + w.Dock
}

func (w *whose) check() error {
	if (w.Station == "") == (w.Dock == "") {
		return errors.New("say whose table it is: either --station NAME or --dock NAME")
	}
	return nil
}

func (w *whose) set(ctx context.Context, d *uplink.Desk, table *schedule.Table) error {
	err := d.SetDockBandwidth(ctx, evidence.DockID(w.Dock), table)
	if w.Station != "" {
		err = d.SetStationBandwidth(ctx, evidence.StationID(w.Station), table)
	}
	if errors.Is(err, catalog.ErrNotFound) {
		return fmt.Errorf("there is no %s: settings bandwidth show lists what has a table, and the dashboard all stations and docks", w)
	}
	return err
}

type setBandwidthCommand struct {
	configured
	whose
	Zone    string   `placeholder:"ZONE" help:"Time zone of the table, as in America/New_York. Without it, time_zone of the configuration."`
	Windows []string `arg:"" name:"windows" help:"Windows, each in quotes: \"mon-fri 08:00-18:00 20 Mbit/s\"; instead of a rate, stop or none. The first that holds a moment counts. Or one TOML file with zone and windows."`
}

// Run sets a table.
func (s *setBandwidthCommand) Run(ctx context.Context, to streams) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.uplink(ctx, to, func(config server.Config, d *uplink.Desk) error {
		table, err := s.table(config.TimeZone)
		if err != nil {
			return err
		}
		if err := s.set(ctx, d, table); err != nil {
			return err
		}
		fmt.Fprintf(to.out, "The weekly table of %s:\n", &s.whose)
		printTable(to.out, table)
		fmt.Fprintln(to.out, "It is on record in the custody log, and a running server follows it within 10 seconds.")
		return nil
	})
}

// table reads windows from the arguments or a file.
func (s *setBandwidthCommand) table(zone string) (*schedule.Table, error) {
	file := struct {
		Zone    string   `toml:"zone"`
		Windows []string `toml:"windows"`
	}{zone, s.Windows}
	if len(s.Windows) == 1 && strings.HasSuffix(s.Windows[0], ".toml") {
		path := s.Windows[0]
		file.Windows = nil
		meta, err := toml.DecodeFile(path, &file)
		if err != nil {
			return nil, fmt.Errorf("reading a weekly table from %s: %w", path, err)
		}
		if unknown := meta.Undecoded(); len(unknown) > 0 {
			return nil, fmt.Errorf("reading a weekly table from %s: %s is not known; there are zone and windows", path, unknown[0])
		}
	}
	if s.Zone != "" {
		file.Zone = s.Zone
	}
	return schedule.ParseTable(file.Zone, file.Windows)
}

func printTable(out io.Writer, table *schedule.Table) {
	now := time.Now()
	for _, w := range table.Windows() {
		fmt.Fprintf(out, "  %s\n", w)
	}
	rate, until := table.At(now)
	text := schedule.RateText(rate)
	switch rate {
	case schedule.NoLimit:
		text = "no limit"
	case 0:
		text = "nothing is sent"
	}
	if !until.IsZero() {
		text += " until " + table.Local(until).Format("Mon 2 Jan 15:04 MST")
	}
	fmt.Fprintf(out, "  Times are of %s. Now: %s.\n", table.Zone(), text)
}

type showBandwidthCommand struct{ configured }

// Run shows all tables.
func (s *showBandwidthCommand) Run(ctx context.Context, to streams) error {
	return s.uplink(ctx, to, func(_ server.Config, d *uplink.Desk) error {
		stations, docks, err := d.Tables()
		if err != nil {
			return err
		}
		if len(stations)+len(docks) == 0 {
			fmt.Fprintln(to.log, "There are no weekly tables: docks send as fast as their lines carry.")
		}
		for _, id := range slices.Sorted(maps.Keys(stations)) {
			fmt.Fprintf(to.out, "station %s:\n", id)
			printTable(to.out, stations[id])
		}
		for _, id := range slices.Sorted(maps.Keys(docks)) {
			fmt.Fprintf(to.out, "dock %s:\n", id)
			printTable(to.out, docks[id])
		}
		return nil
	})
}

type removeBandwidthCommand struct {
	configured
	whose
}

// Run removes a table.
func (r *removeBandwidthCommand) Run(ctx context.Context, to streams) error {
	if err := r.check(); err != nil {
		return err
	}
	return r.uplink(ctx, to, func(_ server.Config, d *uplink.Desk) error {
		if err := r.set(ctx, d, nil); err != nil {
			return err
		}
		fmt.Fprintf(to.out, "There is no weekly table of %s any more. It is on record in the custody log, and a running server follows it within 10 seconds.\n", &r.whose)
		return nil
	})
}

type sendingCommands struct {
	Set  setSendingCommand  `cmd:"" help:"Say what goes first. It replaces what was said before as a whole; without flags, nothing goes before its age."`
	Show showSendingCommand `cmd:"" help:"Show what goes first."`
}

type setSendingCommand struct {
	configured
	UrgentOfficer  []string `placeholder:"NUMBER" sep:"none" help:"Officer whose recordings are urgent, as cameras tell the number; may be given several times."`
	Category       []string `placeholder:"NAME=WEIGHT" sep:"none" help:"Weight of a category, 1 to 100; others have 10, and each doubling counts as much as an hour of waiting. May be given several times."`
	UrgentCategory []string `placeholder:"NAME" sep:"none" help:"Category whose recordings are urgent; may be given several times."`
}

// Run sets what goes first.
func (s *setSendingCommand) Run(ctx context.Context, to streams) error {
	policy, err := s.policy()
	if err != nil {
		return err
	}
	return s.uplink(ctx, to, func(_ server.Config, d *uplink.Desk) error {
		if err := d.SetSending(ctx, policy); err != nil {
			return err
		}
		if err := printSending(to.out, policy); err != nil {
			return err
		}
		fmt.Fprintln(to.out, "It is on record in the custody log, and a running server follows it within 10 seconds.")
		return nil
	})
}

func (s *setSendingCommand) policy() (uplink.Sending, error) {
	policy := uplink.Sending{UrgentOfficers: s.UrgentOfficer}
	for _, pair := range s.Category {
		at := strings.LastIndex(pair, "=")
		if at < 0 {
			return policy, fmt.Errorf("--category %q is not NAME=WEIGHT, for example \"use of force=40\"", pair)
		}
		weight, err := strconv.ParseUint(pair[at+1:], 10, 8)
		if err != nil {
			return policy, fmt.Errorf("--category %q: the weight must be a number from 1 to 100", pair)
		}
		policy.Categories = append(policy.Categories, uplink.Category{Category: pair[:at], Weight: uint32(weight), Urgent: slices.Contains(s.UrgentCategory, pair[:at])})
	}
	for _, name := range s.UrgentCategory {
		if !slices.ContainsFunc(policy.Categories, func(c uplink.Category) bool { return c.Category == name }) {
			policy.Categories = append(policy.Categories, uplink.Category{Category: name, Weight: 10, Urgent: true})
		}
	}
	return policy, nil
}

type showSendingCommand struct{ configured }

// Run shows what goes first.
func (s *showSendingCommand) Run(ctx context.Context, to streams) error {
	return s.uplink(ctx, to, func(_ server.Config, d *uplink.Desk) error {
		policy, err := d.Sending()
		if err != nil {
			return err
		}
		return printSending(to.out, policy)
	})
}

func printSending(out io.Writer, policy uplink.Sending) error {
	if len(policy.UrgentOfficers)+len(policy.Categories) == 0 {
		fmt.Fprintln(out, "The oldest recordings go first; no officer and no category goes before others.")
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, officer := range policy.UrgentOfficers {
		fmt.Fprintf(table, "officer\t%s\turgent\n", officer)
	}
	for _, c := range policy.Categories {
		how := "weight " + strconv.FormatUint(uint64(c.Weight), 10)
		if c.Urgent {
			how = "urgent, " + how
		}
		fmt.Fprintf(table, "category\t%s\t%s\n", c.Category, how)
	}
	return table.Flush()
}
