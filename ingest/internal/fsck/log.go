package fsck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	doEvents = "Restore the catalog from a backup taken after that event; until then every receipt of it stands by itself"
	doTiles  = "Stop the server, restore the log's folder from a backup, or move its tile folder away: the server writes the tiles anew at its start"
	doFork   = "Keep everything as it is, stop the server, and restore catalog and log from their newest backups"

	saltSize = 32
)

func (c *check) logProblem(do, format string, args ...any) {
	c.tell(Finding{Problem, "log", "", fmt.Sprintf(format, args...), do, ""})
}

// log checks the custody log up to the head that was signed when the run began.
func (c *check) log(ctx context.Context, state *catalog.LogState) error {
	if err := c.logHead(ctx, state); err != nil {
		return err
	}
	pending, err := c.Catalog.PendingEvents(ctx)
	if err != nil {
		return err
	}
	c.count(func(t *Summary) { t.Events, t.Pending = state.Size, pending })
	root, err := tlog.Check(ctx, c.Tiles, state.Size)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		c.logProblem(doTiles, "%v", err)
	case root != state.Root:
		c.logProblem(doFork, "the tiles hold another history than the one that was signed over %d events", state.Size)
	}
	return c.events(ctx, state)
}

// logHead verifies the checkpoints in the catalog and beside the tiles.
func (c *check) logHead(ctx context.Context, state *catalog.LogState) error {
	if state.Checkpoint == nil {
		if state.Size != 0 {
			c.logProblem(doFork, "the catalog says that %d events are signed, but has no checkpoint", state.Size)
		}
		return nil
	}
	saved, err := tlog.OpenEarlier(state.Checkpoint, c.LogOrigin, c.LogPublicKey)
	switch {
	case err != nil:
		c.logProblem(doFork, "the catalog's checkpoint does not hold: %v", err)
	case saved.Size != state.Size || saved.Root != state.Root:
		c.logProblem(doFork, "the catalog says %d events, its signed checkpoint says %d, or another root", state.Size, saved.Size)
	}
	text, err := c.Tiles.Get(ctx, "checkpoint")
	if errors.Is(err, fs.ErrNotExist) {
		c.tell(Finding{Note, "log", "checkpoint", "no checkpoint is published", "The server's next start publishes it", ""})
		return nil
	}
	if err != nil {
		return err
	}
	published, err := tlog.OpenEarlier(text, c.LogOrigin, c.LogPublicKey)
	if err != nil {
		c.logProblem(doFork, "the published checkpoint does not hold: %v", err)
		return nil
	}
	// A working server may have signed and published more since the state was read.
	now, err := c.Catalog.LogState(ctx)
	if err != nil {
		return err
	}
	if published.Size > now.Size {
		c.logProblem(doFork, "a checkpoint of %d events was published, but the catalog knows only %d signed ones: it was set back", published.Size, now.Size)
	} else if !c.addHead(published) {
		c.logProblem(doFork, "the published checkpoint of %d events contradicts that of a receipt: the log was forked", published.Size)
	}
	return nil
}

// addHead keeps a checkpoint to be compared with the tree; false when another
// one of the same size was seen.
func (c *check) addHead(checkpoint tlog.Checkpoint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	other, ok := c.heads[checkpoint.Size]
	if !ok {
		c.heads[checkpoint.Size] = checkpoint.Root
	}
	return !ok || other == checkpoint.Root
}

// events walks over all rows and, beside them, over the entries in the bundles.
// The root over the rows is taken by itself: it tells whether rows or tiles are
// the ones that changed.
func (c *check) events(ctx context.Context, state *catalog.LogState) error {
	w := &eventWalk{check: c, ctx: ctx, size: state.Size}
	done := int64(0)
	// Bundles that cannot be read are told of by tlog.Check; the rows after them
	// are still checked.
	_ = tlog.Entries(ctx, c.Tiles, state.Size, func(index int64, entry []byte) error {
		done = index + 1
		return w.index(index, entry)
	})
	for ; w.err == nil && done < state.Size; done++ {
		w.index(done, nil)
	}
	if w.err != nil {
		return w.err
	}
	if w.gaps > namedSegments {
		c.logProblem(doEvents, "%d more events are missing", w.gaps-namedSegments)
	}
	if w.gaps == 0 && w.tree.root() != state.Root {
		c.logProblem(doEvents, "the event rows do not give the root that was signed over %d events", state.Size)
	}
	return c.laterHeads(ctx, state)
}

// laterHeads judges checkpoints beyond the head that was read at the beginning:
// a working server may have signed more meanwhile.
func (c *check) laterHeads(ctx context.Context, state *catalog.LogState) error {
	largest := int64(0)
	for size := range c.heads {
		largest = max(largest, size)
	}
	if largest <= state.Size {
		return nil
	}
	now, err := c.Catalog.LogState(ctx)
	if err == nil && largest > now.Size {
		c.logProblem(doFork, "a checkpoint of %d events was given out, but the catalog knows only %d signed ones: it was set back", largest, now.Size)
	}
	return err
}

// eventWalk is the state of one walk over the event rows.
type eventWalk struct {
	*check
	ctx  context.Context
	size int64
	tree tree
	gaps int
	rows []catalog.EventRow // read ahead
	read int64              // rows of indices below it were read
	err  error              // of the catalog: ends the walk
}

// index checks the event at a log index against its entry, nil if unknown.
func (w *eventWalk) index(index int64, entry []byte) error {
	if w.err = w.ctx.Err(); w.err == nil && len(w.rows) == 0 && w.read < w.size {
		w.err = w.readAhead()
	}
	switch {
	case w.err != nil:
	case len(w.rows) == 0 || *w.rows[0].LogIndex > index:
		if w.gaps++; w.gaps <= namedSegments {
			w.logProblem(doEvents, "the event with log index %d is missing from the catalog", index)
		}
	default:
		w.row(&w.rows[0], entry)
		w.rows = w.rows[1:]
	}
	return w.err
}

// readAhead reads pages until one has rows or all are read.
func (w *eventWalk) readAhead() error {
	const page = 1000
	for len(w.rows) == 0 && w.read < w.size {
		upto := min(w.read+page, w.size)
		w.rows = nil
		err := w.Catalog.EventsByIndex(w.ctx, w.read, upto, func(row *catalog.EventRow) error {
			w.rows = append(w.rows, *row)
			return nil
		})
		if err != nil {
			return err
		}
		w.read = upto
	}
	return nil
}

// row checks one event row.
func (w *eventWalk) row(row *catalog.EventRow, logged []byte) {
	problem := func(format string, args ...any) {
		w.tell(Finding{Problem, fmt.Sprintf("event:%d", row.ID), row.Object, fmt.Sprintf(format, args...), doEvents, ""})
	}
	entry := tlog.Entry(row.Salt, row.JSON)
	if logged != nil && !bytes.Equal(logged, entry) || len(row.Salt) != saltSize {
		problem("the event was changed: it is not the one at log index %d", *row.LogIndex)
	}
	var event evidence.Event
	if err := evidence.Decode(row.JSON, &event); err != nil {
		problem("the event cannot be read: %v", err)
	} else {
		w.columns(row, &event, problem)
	}
	w.tree.add(tlog.LeafHash(entry))
	if head, ok := w.heads[w.tree.size]; ok && w.gaps == 0 && head != w.tree.root() {
		w.logProblem(doFork, "a checkpoint that was given out over %d events is of another history", w.tree.size)
	}
}

// columns compares the columns that serve searching with the event.
func (w *eventWalk) columns(row *catalog.EventRow, event *evidence.Event, problem func(string, ...any)) {
	if row.Agency != event.Agency || row.Type != event.Type || !row.At.Equal(kept(event.At)) || row.ActorID != event.Actor.ID || row.Object != event.Object ||
		row.ActorKind != event.Actor.Kind || row.Outcome != event.Outcome || row.Source != catalog.KeptSource(event.Source) {
		problem("the columns beside the event do not say what the event says")
	}
	id, ok := strings.CutPrefix(event.Object, "item:")
	if event.Type != evidence.EventEvidenceStored || event.Outcome != evidence.OutcomeDone || !ok {
		return
	}
	item, err := evidence.ParseEvidenceID(id)
	facts, known := w.facts[itemName{event.Agency, item}]
	attempt, _ := strconv.ParseUint(event.Details["attempt"], 10, 32) // 0 is below every attempt
	if err != nil || !known || uint64(facts.attempt) <= attempt && facts.event != row.ID {
		w.tell(Finding{Problem, event.Object, event.Details["path"], "the custody log says it was stored, but the catalog has no such item", doCatalog, ""})
	}
}
