package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/sealdock/sealdock/ingest/internal/fleet"
)

type settingsCommands struct {
	Publish   publishSettingsCommand `cmd:"" help:"Give the cameras of a model new settings. They replace the former ones of that model as a whole."`
	List      listSettingsCommand    `cmd:"" help:"List the settings that are in force."`
	Bandwidth bandwidthCommands      `cmd:"" help:"How fast docks may send, week by week."`
	Sending   sendingCommands        `cmd:"" help:"What docks send first: urgent officers, weights of categories."`
	Agency    agencyCommand          `cmd:"" help:"List what the agency has decided about passwords, sign-ins, sessions, networks and contact."`
	Set       setCommand             `cmd:"" help:"Change one of these, also when nobody can sign in any more."`
	Unset     unsetCommand           `cmd:"" help:"Set one of these back to its default."`
	KeepDays  keepDaysCommand        `cmd:"" help:"How many days recordings stay on their cameras after they are stored and proven."`
}

type publishSettingsCommand struct {
	configured
	Model  string   `placeholder:"NAME" help:"Model of the cameras, as they tell it themselves."`
	Every  bool     `name:"every-model" help:"For cameras of every model that has no settings of its own."`
	Values []string `arg:"" name:"settings" help:"One TOML file, or name=value pairs."`
}

// Run publishes settings.
func (p *publishSettingsCommand) Run(ctx context.Context, to streams) error {
	if (p.Model == "") != p.Every {
		return errors.New("name the cameras: either --model NAME or --every-model")
	}
	values, err := readSettings(p.Values)
	if err != nil {
		return err
	}
	var number uint64
	err = p.fleet(ctx, to, func(s *fleet.Service) (err error) {
		number, err = s.PublishSettings(ctx, fleet.CommandLine(), p.Model, values)
		return err
	})
	if err != nil {
		return err
	}
	of := "cameras of model " + p.Model
	if p.Every {
		of = "cameras of every model that has none of its own"
	}
	fmt.Fprintf(to.out, "%d settings are given to %s, as number %d. A camera takes them when it is docked next and idle.\n", len(values), of, number)
	return nil
}

// readSettings reads one TOML file, or name=value pairs.
func readSettings(args []string) (map[string]string, error) {
	if len(args) == 1 && !strings.Contains(args[0], "=") {
		return settingsFile(args[0])
	}
	values := map[string]string{}
	for _, pair := range args {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not name=value: give one TOML file, or pairs only", pair)
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		values[name] = value
	}
	return values, nil
}

func settingsFile(path string) (map[string]string, error) {
	var file map[string]any
	if _, err := toml.DecodeFile(path, &file); err != nil {
		return nil, fmt.Errorf("reading settings from %s: %w", path, err)
	}
	values := map[string]string{}
	for name, value := range file {
		switch v := value.(type) {
		case string:
			values[name] = v
		case bool:
			values[name] = strconv.FormatBool(v)
		case int64:
			values[name] = strconv.FormatInt(v, 10)
		case float64:
			values[name] = strconv.FormatFloat(v, 'f', -1, 64)
		default:
			return nil, fmt.Errorf("reading settings from %s: %s is a %T; a setting is a text, a number or true or false", path, name, value)
		}
	}
	return values, nil
}

type listSettingsCommand struct{ configured }

// Run lists the settings in force.
func (l *listSettingsCommand) Run(ctx context.Context, to streams) error {
	var days int
	var profiles []fleet.Profile
	err := l.fleet(ctx, to, func(s *fleet.Service) (err error) {
		if days, err = s.KeepDays(ctx); err != nil {
			return err
		}
		profiles, err = s.Settings(ctx)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(to.out, keepText(days))
	if len(profiles) == 0 {
		fmt.Fprintln(to.log, "No settings are published: cameras keep their own.")
		return nil
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MODEL\tNUMBER\tPUBLISHED (UTC)\tSETTING\tVALUE")
	for _, p := range profiles {
		model := p.Model
		if model == "" {
			model = "(every other)"
		}
		if len(p.Values) == 0 {
			fmt.Fprintf(table, "%s\t%d\t%s\t-\t-\n", model, p.Number, p.PublishedAt.UTC().Format(time.DateTime))
		}
		for _, name := range slices.Sorted(maps.Keys(p.Values)) {
			fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\n", model, p.Number, p.PublishedAt.UTC().Format(time.DateTime), name, p.Values[name])
		}
	}
	return table.Flush()
}

type keepDaysCommand struct {
	configured
	Days int `arg:"" help:"0 to 3650. 0: they are erased as soon as their receipt has been verified."`
}

// Run sets how long recordings stay on cameras.
func (k *keepDaysCommand) Run(ctx context.Context, to streams) error {
	if err := k.fleet(ctx, to, func(s *fleet.Service) error { return s.SetKeepDays(ctx, fleet.CommandLine(), k.Days) }); err != nil {
		return err
	}
	fmt.Fprintln(to.out, keepText(k.Days)+" It is on record in the custody log, and docks hear of it within a minute.")
	return nil
}

func keepText(days int) string {
	switch days {
	case 0:
		return "Recordings are erased from their cameras as soon as their receipt has been verified."
	case 1:
		return "Recordings stay on their cameras for 1 day after their receipt."
	}
	return fmt.Sprintf("Recordings stay on their cameras for %d days after their receipt.", days)
}
