package main

import (
	"context"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

type beginCommand struct {
	configured
	Camera string `arg:"" help:"Serial number."`
	At     uint64 `required:"" placeholder:"NUMBER" help:"The first number that counts; 1 takes an earlier decision back. Not above the lowest that the camera ever showed."`
	Reason string `required:"" placeholder:"TEXT" help:"Why, for the record: where the camera was used before."`
}

// Run decides where a camera's numbers begin.
func (b *beginCommand) Run(ctx context.Context, to streams) error {
	if err := b.desk(ctx, to, 0, func(d *cameras.Desk) error { return d.Begin(ctx, b.Camera, b.At, b.Reason) }); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "The numbers of camera %s count from %d on. %s\n", b.Camera, b.At, recorded)
	return nil
}

type settleCommand struct {
	configured
	Camera  string `arg:"" help:"Serial number."`
	Number  uint64 `placeholder:"NUMBER" help:"The entry that is about this number."`
	Path    string `placeholder:"PATH" help:"The entry that is about this path on the camera."`
	Item    string `placeholder:"ID" help:"The entry that is about this item."`
	Finding string `placeholder:"WORD" help:"The entry's first word, such as never_shown, where several fit."`
	Reason  string `required:"" placeholder:"TEXT" help:"Why it cannot be mended, and what was found out, for the record."`
}

// Run settles an entry of the report.
func (s *settleCommand) Run(ctx context.Context, to streams) error {
	entry := cameras.Entry{Number: s.Number, Path: s.Path, Reason: ledger.Reason(s.Finding)}
	if s.Item != "" {
		var err error
		if entry.Item, err = evidence.ParseEvidenceID(s.Item); err != nil {
			return fmt.Errorf("flag --item: %w", err)
		}
	}
	var settled *ledger.Finding
	err := s.desk(ctx, to, 0, func(d *cameras.Desk) (err error) {
		settled, err = d.Settle(ctx, s.Camera, entry, s.Reason)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Settled: %s: %s. The completeness of camera %s lists it as settled from now on. %s\n", settled.Reason, settled.Text, s.Camera, recorded)
	return nil
}
