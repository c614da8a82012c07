package main

import (
	"context"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/cameras"
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
