package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/drill"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/server"
)

// holders says where the passphrases of an escrow come from.
type holders struct {
	Files map[string]string `name:"passphrase-file" placeholder:"LOGIN=FILE" help:"File with the passphrase of one of the two people; may be given for both. Without it, it is asked for."`
}

// former asks for a passphrase that exists.
func (h *holders) former(holder string) ([]byte, error) {
	if file, ok := h.Files[holder]; ok {
		return server.ReadPassphrase(file, true)
	}
	ask := terminalPrompt()
	if ask == nil {
		return nil, fmt.Errorf("the escrow is under the passphrase of %s: there is no terminal to ask at; give it with --passphrase-file %s=FILE", holder, holder)
	}
	return ask("Passphrase of " + holder + " for the escrow: ")
}

type escrowCommand struct {
	configured
	twoPeople
	holders
	Out string `short:"o" required:"" placeholder:"FILE" type:"path" help:"New file. Keep it away from this machine."`
}

// Run makes an escrow.
func (e *escrowCommand) Run(ctx context.Context, to streams) error {
	config, err := e.existing()
	if err != nil {
		return err
	}
	requester, approver, err := e.credentials()
	if err != nil {
		return err
	}
	held, err := server.MakeEscrow(ctx, config, e.Out, requester, approver, func(holder string) ([]byte, error) {
		return newSecret(e.Files[holder], "New passphrase of "+holder+" for the escrow")
	}, time.Now)
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "%d key pairs and the server's other keys are in %s. It is on record in the custody log.\nIt opens with both passphrases only; each person keeps their own, apart from the file. See that it works:\n  sealdock-ingest keys drill --config %s %s\n", len(held), e.Out, e.Config, e.Out)
	return nil
}

type drillCommand struct {
	configured
	holders
	Sample int    `default:"5" help:"How many recordings are opened (${default})."`
	File   string `arg:"" type:"existingfile" help:"Escrow file."`
}

// Run drills.
func (d *drillCommand) Run(ctx context.Context, to streams) error {
	if d.Sample < 1 || d.Sample > 10_000 {
		return fmt.Errorf("--sample %d: 1 to 10000 recordings are drawn", d.Sample)
	}
	config, err := d.load() // the key folder may be gone: that is what is played
	if err != nil {
		return err
	}
	file, err := server.ReadEscrow(d.File)
	if err != nil {
		return err
	}
	began := time.Now()
	report, err := server.DrillKeys(ctx, config, file, d.Sample, d.former, time.Now, func(s drill.Step) {
		how := "done  "
		if s.Err != nil {
			how = "FAILED"
		}
		fmt.Fprintf(to.out, "%s  %10s  %s\n", how, s.Took.Round(100*time.Microsecond), s.What)
	})
	if err != nil {
		return fmt.Errorf("the drill failed: %w", err)
	}
	fmt.Fprintf(to.out, "The escrow of %s, held by %s and %s, opens: %d key pairs; %d of %d recordings were drawn, all opened, %d segments compared. %v in all.\n",
		report.MadeAt.Format(time.RFC3339), report.Holders[0], report.Holders[1], report.Pairs, report.Drawn, report.Stored, report.Segments, time.Since(began).Round(time.Millisecond))
	return nil
}

type restoreCommand struct {
	configured
	holders
	File string `arg:"" type:"existingfile" help:"Escrow file."`
}

// Run restores.
func (r *restoreCommand) Run(ctx context.Context, to streams) error {
	config, err := r.load()
	if err != nil {
		return err
	}
	file, err := server.ReadEscrow(r.File)
	if err != nil {
		return err
	}
	if config.RootProtection == string(keys.Passphrase) {
		given, err := config.GivenPassphrase()
		if err == nil && given == nil {
			given, err = newSecret("", "New passphrase of the root key")
		}
		if err != nil {
			return err
		}
		config.Prompt = func(string) ([]byte, error) { return slices.Clone(given), nil }
	}
	states, err := server.RestoreKeys(ctx, config, file, r.former, time.Now)
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "The keys are back in %s, under a new root key. It is on record in the custody log.\n", config.DataDir)
	for _, s := range states {
		if s.Gone && s.Wrapped > 0 {
			return fmt.Errorf("%d recordings are wrapped to key %s, which this escrow does not hold: it was made before that key was. Look for a newer one", s.Wrapped, s.ID)
		}
	}
	fmt.Fprintln(to.out, "All recordings' keys are wrapped to keys that it holds. Run sealdock-ingest fsck, then start the server.")
	return nil
}
