package audit

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Why is who restarts a log, and why.
type Why struct {
	Agency evidence.AgencyID
	By     evidence.Actor
	Reason string
	Known  int64 // the most entries that the log is known to have had, as far as the caller knows
}

// Restart lets a log whose catalog comes from a backup go on under its next name,
// tlog.Continued: what was signed after the backup can be neither had again nor
// contradicted. It is one transaction, with the event that tells of it. The server
// must not run; the next Open takes the new name.
func Restart(ctx context.Context, config Config, why Why) (*catalog.LogRestore, error) {
	l := &Log{Config: config}
	r, err := l.restart(ctx, why)
	if err != nil {
		return nil, fmt.Errorf("restarting the custody log: %w", err)
	}
	return r, nil
}

func (l *Log) restart(ctx context.Context, why Why) (*catalog.LogRestore, error) {
	state, err := l.Catalog.LogState(ctx)
	if err != nil {
		return nil, err
	}
	if state.Checkpoint == nil {
		return nil, fmt.Errorf("the catalog has no checkpoint: there is nothing to go on from")
	}
	if err := l.checkSaved(state); err != nil {
		return nil, err
	}
	first, n := tlog.Restores(l.Origin)
	if n >= tlog.MaxRestores {
		return nil, fmt.Errorf("it was restored %d times already, which is all that its name has room for", n)
	}
	note, err := l.readNote(ctx)
	if err != nil {
		return nil, err
	}
	newest := max(state.Size, note.size, why.Known)
	if text, err := l.get(ctx, checkpointPath); err != nil {
		return nil, err
	} else if c, err := tlog.OpenEarlier(text, l.Origin, l.public()); err == nil && c.Origin == l.Origin {
		newest = max(newest, c.Size)
	}
	r := &catalog.LogRestore{
		Number: n + 1, Size: state.Size, Checkpoint: state.Checkpoint, Newest: newest, Reason: why.Reason, By: why.By.ID, At: l.Now().UTC().Truncate(time.Microsecond),
	}
	return r, l.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.InsertLogRestore(ctx, r); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, evidence.Event{
			Version: 1, Agency: why.Agency, Type: evidence.EventLogRestored, At: r.At, Actor: why.By, Source: "local",
			Object: evidence.LogObject(tlog.Continued(first, n+1)), Outcome: evidence.OutcomeDone, Reason: why.Reason, Details: map[string]string{
				"continues": l.Origin, "entries": strconv.FormatInt(r.Size, 10), "root": evidence.Digest(state.Root).String(), "known_entries": strconv.FormatInt(newest, 10),
			},
		})
		return err
	})
}
