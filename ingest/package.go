package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/buildinfo"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/proto/evidence"
)

type packageCommand struct {
	configured
	Items []string `arg:"" name:"item" help:"Evidence ids, as the list of items shows them."`
	From  uint64   `placeholder:"BYTE" help:"Only a part of one item: from this byte on, widened to whole parts of 1 MiB."`
	To    uint64   `placeholder:"BYTE" help:"Only a part of one item: up to and without this byte."`

	FromTime playTime `placeholder:"HH:MM:SS" help:"Only a part of one MP4 recording: what holds its pictures from this time on, counted from its beginning."`
	ToTime   playTime `placeholder:"HH:MM:SS" help:"Only a part of one MP4 recording: up to this time."`

	Out string `short:"o" required:"" type:"path" placeholder:"FILE" help:"File to write; it must not exist."`
}

// Run makes a package and writes it.
func (p *packageCommand) Run(ctx context.Context, to streams) (err error) {
	ids, err := evidenceIDs(p.Items)
	if err != nil {
		return err
	}
	items := export.Whole(ids...)
	if p.From > 0 || p.To > 0 {
		if len(items) != 1 {
			return errors.New("--from and --to name a part of one item: give one")
		}
		items[0].From, items[0].To = p.From, p.To
	}
	if p.FromTime > 0 || p.ToTime > 0 {
		if len(items) != 1 || p.From > 0 || p.To > 0 {
			return errors.New("--from-time and --to-time name a part of one item, in place of --from and --to: give one")
		}
		items[0].Times = &export.Times{From: time.Duration(p.FromTime), To: time.Duration(p.ToTime)}
	}
	config, err := p.existing()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(p.Out); err == nil {
		return fmt.Errorf("%s exists: name another file with -o", p.Out)
	}
	log, err := telemetry.New(to.log, config.LogFormat, "warn")
	if err != nil {
		return err
	}
	return server.WithPackages(ctx, config, buildinfo.Version(version), log, time.Now, func(s *export.Service) error {
		made, err := s.Make(ctx, export.CommandLine(), items)
		if err != nil {
			return err
		}
		defer made.Close()
		if err := writePackage(ctx, p.Out, made); err != nil {
			return err
		}
		_, err = fmt.Fprintf(to.out, "%s: %d recordings, %d bytes. That it was made is in the custody log. Check it with: sealdock-verify %[1]s\n", p.Out, len(ids), made.Size)
		return err
	})
}

// writePackage writes it to a new file, which is there whole or not at all.
func writePackage(ctx context.Context, name string, made *export.Package) (err error) {
	f, err := durable.CreateFile(name, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, durable.Remove(name))
		}
	}()
	out := bufio.NewWriterSize(io.NewOffsetWriter(f, 0), 1<<20)
	if err := made.WriteTo(ctx, out); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

type logKeyCommand struct{ configured }

// Run prints the key, alone on standard output.
func (l *logKeyCommand) Run(ctx context.Context, to streams) error {
	config, err := l.existing()
	if err != nil {
		return err
	}
	key, err := server.LogKey(ctx, config, time.Now)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(to.out, key)
	return err
}

type logStampCommand struct{ configured }

// Run asks for one time stamp and says what it is worth.
func (l *logStampCommand) Run(ctx context.Context, to streams) error {
	config, err := l.existing()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "warn")
	if err != nil {
		return err
	}
	v, err := server.StampLog(ctx, config, log, time.Now)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to.out, "The first %d entries of the custody log are stamped: %s, by %s.\n", v.Size, v.At.Format("2006-01-02 15:04:05 UTC"), v.Authority)
	return err
}

type logWitnessCommand struct{ configured }

// Run asks all witnesses once.
func (l *logWitnessCommand) Run(ctx context.Context, to streams) error {
	config, err := l.existing()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "warn")
	if err != nil {
		return err
	}
	round, err := server.WitnessLog(ctx, config, log, time.Now)
	if round != nil {
		fmt.Fprintf(to.out, "The first %d entries of the custody log are cosigned by %d of %d witnesses (%d are wanted).\n", round.Size, round.Cosigned, len(config.Witnesses), config.WitnessQuorum)
	}
	return err
}

type logProofCommand struct {
	configured
	Item string `arg:"" help:"Evidence id."`
	Out  string `short:"o" required:"" type:"path" placeholder:"FILE" help:"File to write, for example ID.tlog-proof; it must not exist."`
}

// Run writes the proof.
func (l *logProofCommand) Run(ctx context.Context, to streams) error {
	id, err := evidence.ParseEvidenceID(l.Item)
	if err != nil {
		return err
	}
	config, err := l.existing()
	if err != nil {
		return err
	}
	text, err := server.LogProof(ctx, config, id, time.Now)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(l.Out))
	}
	fmt.Fprintf(to.out, "%s: %d bytes. Whoever has the log's key checks it: sealdock-verify %s --log-key KEY\n", l.Out, len(text), l.Out)
	return nil
}
