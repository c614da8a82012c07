package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/scrub"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/telemetry"
)

type mirrorCommand struct {
	configured
	Begin bool `help:"Make the empty folder mirror_dir the mirror, instead of the one before: everything is copied anew."`
}

// Run tells how far the mirror has come, or begins another one.
func (m *mirrorCommand) Run(ctx context.Context, to streams) error {
	config, err := m.existing()
	if err != nil {
		return err
	}
	if m.Begin {
		if err := server.BeginMirror(ctx, config, time.Now); err != nil {
			return err
		}
		fmt.Fprintf(to.out, "%s is the mirror. The server copies everything into it.\n", config.MirrorDir)
		return nil
	}
	is, err := server.MirrorStatus(ctx, config, time.Now)
	if is.Items > 0 {
		fmt.Fprintf(to.out, "%d of %d items are in the mirror, %d bytes. The least proven copy was last read and found right at %s.\n", is.Items, is.Stored, is.Bytes, is.Oldest.UTC().Format("2006-01-02 15:04:05 UTC"))
	} else if err == nil {
		fmt.Fprintf(to.out, "Nothing is in the mirror yet; %d items are stored.\n", is.Stored)
	}
	return err
}

type healCommand struct {
	configured
	Items []string `arg:"" name:"item" help:"Evidence ids of items that are damaged, in quarantine because of that, or gone from the store."`
	From  string   `placeholder:"FOLDER" help:"A backup or a mirror that has good bytes of them. Default: the mirror of the configuration."`
}

// Run heals items. What could not be healed makes the command fail.
func (h *healCommand) Run(ctx context.Context, to streams) error {
	ids, err := evidenceIDs(h.Items)
	if err != nil {
		return err
	}
	config, err := h.existing()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "error")
	if err != nil {
		return err
	}
	from := h.From
	if from == "" {
		from = config.MirrorDir
	}
	if from == "" {
		return errors.New("there is no mirror: name a backup with --from")
	}
	source, err := server.CopiesIn(from)
	if err != nil {
		return err
	}
	if h.From == "" {
		source.Name = "mirror"
	}
	return server.WithScrub(ctx, config, log, time.Now, func(service *scrub.Service) error {
		bad := 0
		for _, id := range ids {
			switch healed, err := service.Heal(ctx, id, source); {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				bad++
				fmt.Fprintf(to.out, "%s: NOT HEALED: %v\n", id, err)
			case healed:
				fmt.Fprintf(to.out, "%s: healed\n", id)
			default:
				fmt.Fprintf(to.out, "%s: intact, nothing was changed\n", id)
			}
		}
		if bad > 0 {
			return fmt.Errorf("%d of %d items could not be healed", bad, len(ids))
		}
		return nil
	})
}
