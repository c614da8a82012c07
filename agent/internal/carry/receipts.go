package carry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/drive"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// inbox is the folder, in the agent's data folder, where receipts lie until the
// agent has verified them.
func inbox(data string) string { return filepath.Join(data, "receipts") }

// inboxEvery is how often the agent looks there.
const inboxEvery = 2 * time.Second

// judge verifies a receipt for a recording as the journal has it.
func judge(trust proof.Trust, rec *spool.Recording, raw []byte) (r spool.Receipt, err error) {
	manifest, err := evidence.ParseEnvelope(rec.Manifest)
	if err != nil {
		return r, fmt.Errorf("reading our own manifest of %s: %w", rec.Source.Path, err)
	}
	var m evidence.Manifest
	if err := evidence.Decode(manifest.Payload, &m); err != nil {
		return r, fmt.Errorf("reading our own manifest of %s: %w", rec.Source.Path, err)
	}
	envelope, err := evidence.ParseEnvelope(raw)
	if err != nil {
		return r, err
	}
	receipt, err := proof.CheckReceipt(envelope, trust, proof.Want(&m, manifest.Payload))
	if err != nil {
		return r, err
	}
	head, err := tlog.OpenEarlier([]byte(receipt.Proof.Checkpoint), trust.LogOrigin, trust.LogPublicKey)
	if err != nil {
		return r, err
	}
	return spool.Receipt{Envelope: raw, Digest: evidence.SHA256(envelope.Payload), Item: receipt.Evidence, LogSize: head.Size, Checkpoint: []byte(receipt.Proof.Checkpoint)}, nil
}

// Collected is what was found on a drive.
type Collected struct {
	Receipts uint64   // of recordings that wait here, verified, and given to the agent
	Missing  uint64   // recordings that wait here and have none on the drive
	Bad      []string // receipts that do not hold, and why
}

// Collect takes from a drive the receipts of recordings that wait in the spool,
// verifies them, and gives them to the agent, which runs or will run on the data
// folder. The agent verifies them again.
func Collect(ctx context.Context, s *spool.Reader, trust proof.Trust, agency evidence.AgencyID, dock evidence.DockID, dir, data string) (c Collected, err error) {
	folders, err := drive.Open(dir)
	if err != nil {
		return c, err
	}
	var folder *drive.Folder
	for _, f := range folders {
		defer f.Close()
		if filepath.Base(f.Path()) == drive.Name(agency, dock) {
			folder = f
		}
	}
	if folder == nil {
		return c, fmt.Errorf("%s holds nothing of this dock, %s of agency %s", dir, dock, agency)
	}
	waiting, err := s.Waiting(ctx)
	if err != nil {
		return c, err
	}
	if err := durable.MkdirAll(inbox(data), 0o700); err != nil {
		return c, err
	}
	for _, row := range waiting { // what counts is what waits here, not what lies there
		raw, err := folder.Read(drive.Receipt(row.Evidence, row.Attempt), protocol.MaxStatement)
		if errors.Is(err, fs.ErrNotExist) {
			c.Missing++
			continue
		}
		rec := row
		if err == nil {
			if rec, err = s.Get(ctx, row.Evidence); err != nil {
				return c, err
			}
			_, err = judge(trust, &rec, raw)
		}
		if err != nil {
			c.Bad = append(c.Bad, fmt.Sprintf("the receipt of %s of camera %s: %v", row.Source.Path, row.Source.Serial, err))
			continue
		}
		if err := durable.WriteFile(filepath.Join(inbox(data), filepath.Base(drive.Receipt(row.Evidence, row.Attempt))), raw, 0o600); err != nil {
			return c, err
		}
		c.Receipts++
	}
	return c, nil
}

// Desk takes in the receipts that were given to the agent.
type Desk struct {
	Spool *spool.Spool
	Trust proof.Trust // pinned at enrolment
	Data  string      // the agent's data folder
	Log   *slog.Logger
}

// Run looks for receipts until ctx ends; its error is ctx's.
func (d *Desk) Run(ctx context.Context) error {
	tick := time.NewTicker(inboxEvery)
	defer tick.Stop()
	for {
		if err := d.look(ctx); err != nil && ctx.Err() == nil {
			d.Log.Error("taking in receipts that came by drive; it is tried again", "folder", inbox(d.Data), "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look takes in all that lie there.
func (d *Desk) look(ctx context.Context) error {
	entries, err := os.ReadDir(inbox(d.Data))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, attempt, ok := drive.ParseName(e.Name())
		if !ok {
			continue // of a program that writes at this moment
		}
		path := filepath.Join(inbox(d.Data), e.Name())
		if err := d.take(ctx, path, id, attempt); err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
		if err := durable.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// take verifies one receipt and journals it. One that does not hold, or whose
// recording has moved on, changes nothing.
func (d *Desk) take(ctx context.Context, path string, id evidence.EvidenceID, attempt uint32) error {
	log := d.Log.With("item", id)
	rec, err := d.Spool.Get(ctx, id)
	if errors.Is(err, sql.ErrNoRows) || err == nil && rec.Attempt != attempt {
		log.Warn("a receipt that came by drive is of no recording that waits here")
		return nil
	}
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > protocol.MaxStatement {
		log.Error("what lies among the receipts that came by drive is none")
		return nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	receipt, err := judge(d.Trust.Continued(d.Spool.Restored()), &rec, raw)
	if err != nil {
		log.Error("a receipt that came by drive does not hold; nothing is erased for it", "path", rec.Source.Path, "error", err)
		return nil
	}
	err = d.Spool.Received(ctx, id, attempt, receipt)
	if errors.Is(err, spool.ErrState) {
		return nil // it came over the network meanwhile
	}
	if err == nil {
		log.Info("receipt that came by drive verified: the recording is safe at the server", "path", rec.Source.Path, "receipt_of", receipt.Item)
	}
	return err
}

// Untaken is how many receipts the agent has not looked at yet.
func Untaken(data string) (n int, err error) {
	entries, err := os.ReadDir(inbox(data))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	for _, e := range entries {
		if _, _, ok := drive.ParseName(e.Name()); ok {
			n++
		}
	}
	return n, err
}
