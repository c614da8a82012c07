package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/buildinfo"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/proto/evidence"
)

type clipCommand struct {
	configured
	Item   string   `arg:"" name:"item" help:"Evidence id of an MP4 recording."`
	From   playTime `required:"" name:"from-time" placeholder:"HH:MM:SS" help:"Where the clip begins, counted from the recording's beginning. It begins at the key frame at or before that."`
	To     playTime `required:"" name:"to-time" placeholder:"HH:MM:SS" help:"Where it ends."`
	Reason string   `required:"" help:"What it is made for. It goes into the record."`
}

// Run makes a clip and prints its evidence id.
func (c *clipCommand) Run(ctx context.Context, to streams) error {
	id, err := evidence.ParseEvidenceID(c.Item)
	if err != nil {
		return err
	}
	config, err := c.existing()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "warn")
	if err != nil {
		return err
	}
	made, err := server.MakeClip(ctx, config, buildinfo.Version(version), derive.Clip{Original: id, From: time.Duration(c.From), To: time.Duration(c.To), Reason: c.Reason}, log, time.Now)
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "%s: a clip of %s. The original is as it was.\n", made, id)
	return nil
}
