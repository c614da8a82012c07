package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sealdock/sealdock/agent/internal/carry"
	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/buildinfo"
)

type exportCommand struct {
	place
	Folder string `arg:"" type:"path" help:"Where the drive is mounted. A folder for this dock is made on it."`
	After  int64  `placeholder:"N" help:"Leave out the first recordings, up to number N: they are on another drive. That drive's export says the number."`
}

// Run writes what waits to a drive.
func (c *exportCommand) Run(ctx context.Context) (err error) {
	config, err := c.load()
	if err != nil {
		return err
	}
	identity, reader, err := c.look(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	var told time.Time
	result, err := carry.Export(ctx, carry.Options{
		Spool: reader, Dir: c.Folder, After: c.After, Agency: identity.Agency, Station: identity.Station, Dock: identity.Dock,
		Signer: identity.StatementKey, Version: buildinfo.Version(version), Now: time.Now,
		Tell: func(p carry.Progress) {
			if time.Since(told) < time.Second {
				return
			}
			told = time.Now()
			fmt.Fprintf(os.Stderr, "%d of %d recordings, %s of %s\n", p.Recordings, p.OfRecordings, size(p.Bytes), size(p.OfBytes))
		},
	})
	for _, damaged := range result.Damaged {
		fmt.Fprintf(os.Stderr, "Not on the drive, since the copy in the spool is damaged (the agent reads the camera again): %s\n", damaged)
	}
	switch {
	case errors.Is(err, carry.ErrFull):
		fmt.Printf("%d recordings are on the drive, whole and indexed; %d more wait and did not fit.\nTake a further drive for them:\n  sealdock-agent export-spool FOLDER --after %d\n", result.Recordings, result.Left, result.Last)
		return err
	case err != nil && ctx.Err() != nil:
		return errors.New("broken off: the drive's index is as it was before. The same command goes on where it was")
	case err != nil:
		return err
	}
	fmt.Printf("%d recordings (%s) and %d statements are on the drive, %d of them written now. Index %s.\n", result.Recordings, size(result.OfBytes), result.Statements, result.Written, result.Index)
	fmt.Println("They stay in the spool until the server's receipts are here. Unmount the drive before it is pulled; at the server:\n  sealdock-ingest import-spool FOLDER")
	return nil
}

// look opens the identity of the dock, and its spool for looking.
func (place) look(ctx context.Context, config daemon.Config) (*enrol.Enrolment, *spool.Reader, error) {
	identity, err := enrol.Load(config.Data)
	if err != nil {
		return nil, nil, err
	}
	reader, err := spool.ReadOnly(ctx, config.Data)
	return identity, reader, err
}

type receiptsCommand struct {
	place
	Folder string        `arg:"" type:"path" help:"Where the drive is mounted, after the server took it in."`
	Wait   time.Duration `default:"30s" help:"How long to wait for a running agent to take the receipts (${default})."`
}

// Run gives the agent the receipts that a drive brought back.
func (c *receiptsCommand) Run(ctx context.Context) (err error) {
	config, err := c.load()
	if err != nil {
		return err
	}
	identity, reader, err := c.look(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	restored, err := reader.Restored(ctx)
	if err != nil {
		return err
	}
	collected, err := carry.Collect(ctx, reader, identity.Trust.Continued(restored), identity.Agency, identity.Dock, c.Folder, config.Data)
	if err != nil {
		return err
	}
	fmt.Printf("%d receipts are verified and given to the agent; %d recordings that wait here have none on the drive.\n", collected.Receipts, collected.Missing)
	for _, bad := range collected.Bad {
		fmt.Fprintln(os.Stderr, bad)
	}
	if len(collected.Bad) > 0 {
		return fmt.Errorf("%d receipts do not hold: nothing is erased for them. Tell the administrator of the server", len(collected.Bad))
	}
	return c.await(ctx, config, collected.Receipts)
}

// await tells when a running agent has taken the receipts.
func (c *receiptsCommand) await(ctx context.Context, config daemon.Config, given uint64) error {
	if _, err := daemon.FetchStatus(ctx, config.Data); errors.Is(err, daemon.ErrNotRunning) || given == 0 {
		if given > 0 {
			fmt.Println("The agent is not running; it takes them in when it starts.")
		}
		return nil
	}
	const pause = 200 * time.Millisecond
	for end := time.Now().Add(c.Wait); ; {
		left, err := carry.Untaken(config.Data)
		if err != nil {
			return err
		}
		if left == 0 {
			fmt.Println("The agent has taken them in: their room in the spool is free.")
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the agent has not taken %d receipts from %s yet: its log says why", left, filepath.Join(config.Data, "receipts"))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
