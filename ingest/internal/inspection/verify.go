package inspection

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Verdict is what the proof of an event shows.
type Verdict string

// The verdicts.
const (
	Proven  Verdict = "proven"  // row and salt give the entry that is under the signed checkpoint
	Pending Verdict = "pending" // written less than a second ago: no checkpoint is over it yet
	Broken  Verdict = "broken"
)

// Proof is what was found of one event.
type Proof struct {
	Verdict Verdict
	Why     string // where it is broken, a sentence
}

// Gap is an entry of the log whose event was deleted from the database.
type Gap struct {
	Index         int64
	After, Before time.Time // the events beside it; zero at the ends
}

// Report is what verifying a page found.
type Report struct {
	Proofs []Proof // of the entries, in their order
	Size   int64   // events under the checkpoint that they were proven against
	Root   tlog.Hash
	At     time.Time // when it was verified
	Gaps   []Gap     // the first of them
	Lost   int64     // how many there are
}

// Sound says whether nothing was found broken.
func (r *Report) Sound() bool {
	for i := range r.Proofs {
		if r.Proofs[i].Verdict == Broken {
			return false
		}
	}
	return r.Lost == 0
}

// maxGaps is how many deleted events are named.
const maxGaps = 20

// Verify proves the entries of a page against the log's present checkpoint, from
// their rows and salts, and looks whether any event at all was deleted. It trusts the
// log's public key and nothing else.
func (s *Service) Verify(ctx context.Context, entries []Entry) (*Report, error) {
	p, err := s.prover(ctx)
	if err != nil {
		return nil, err
	}
	r := &Report{Size: p.head.Size, Root: p.head.Root, At: s.Now().UTC(), Proofs: make([]Proof, len(entries))}
	for i := range entries {
		if r.Proofs[i], err = p.judge(ctx, &entries[i]); err != nil {
			return nil, err
		}
	}
	missing, lost, err := s.Catalog.MissingEntries(ctx, p.head.Size, maxGaps)
	if err != nil {
		return nil, err
	}
	r.Lost = lost
	for _, index := range missing {
		gap := Gap{Index: index}
		if gap.After, gap.Before, err = s.Catalog.BesideEntry(ctx, index); err != nil {
			return nil, err
		}
		r.Gaps = append(r.Gaps, gap)
	}
	return r, nil
}

// prover proves events against one checkpoint. For one goroutine.
type prover struct {
	tiles kept
	head  tlog.Checkpoint
	text  []byte // the signed checkpoint
}

func (s *Service) prover(ctx context.Context) (*prover, error) {
	state, err := s.Catalog.LogState(ctx)
	if err != nil {
		return nil, err
	}
	p := &prover{tiles: kept{Tiles: s.Tiles}, text: state.Checkpoint}
	if p.text == nil {
		return p, nil
	}
	if p.head, err = tlog.OpenEarlier(p.text, s.Origin, s.LogKey); err != nil {
		return nil, fmt.Errorf("verifying the custody log: its checkpoint in the catalog: %w: run fsck", err)
	}
	return p, nil
}

// proof is the path from an entry to the checkpoint; nil while no checkpoint is over it.
func (p *prover) proof(ctx context.Context, row *catalog.EventRow) ([]tlog.Hash, error) {
	if row.LogIndex == nil || *row.LogIndex < 0 || *row.LogIndex >= p.head.Size {
		return nil, nil
	}
	path, err := tlog.ProveInclusion(ctx, &p.tiles, p.head.Size, *row.LogIndex)
	if err == nil && path == nil {
		path = []tlog.Hash{} // of a log of one entry
	}
	return path, err
}

func (p *prover) judge(ctx context.Context, e *Entry) (Proof, error) {
	path, err := p.proof(ctx, &e.Row)
	switch {
	case errors.Is(err, tlog.ErrDamaged) || errors.Is(err, fs.ErrNotExist):
		return Proof{Broken, "The log’s files do not lead from this entry to the signed checkpoint: they are damaged, or were changed. Run fsck on the server."}, nil
	case err != nil:
		return Proof{}, err
	case path == nil && e.Row.LogIndex != nil && *e.Row.LogIndex < 0:
		return Proof{Broken, "Its place in the log is none that a log has: the row was changed by other hands."}, nil
	case path == nil:
		return Proof{Verdict: Pending}, nil
	}
	leaf := tlog.LeafHash(tlog.Entry(e.Row.Salt, e.Row.JSON))
	if err := tlog.CheckInclusion(path, p.head.Size, *e.Row.LogIndex, p.head.Root, leaf); err != nil {
		return Proof{Broken, fmt.Sprintf("This is not the event that was signed as entry %d of the custody log: its row was changed afterwards.", *e.Row.LogIndex)}, nil
	}
	if !columnsFit(&e.Row, &e.Event) {
		return Proof{Broken, "The event is the one that was signed, but the columns beside it, by which it is found, do not say what it says: the row was changed afterwards."}, nil
	}
	return Proof{Verdict: Proven}, nil
}

// columnsFit says whether the columns that serve searching say what the event says.
func columnsFit(row *catalog.EventRow, e *evidence.Event) bool {
	return row.Agency == e.Agency && row.Type == e.Type && row.At.Equal(e.At.UTC().Truncate(time.Microsecond)) && row.ActorKind == e.Actor.Kind &&
		row.ActorID == e.Actor.ID && row.Object == e.Object && row.Outcome == e.Outcome && row.Source == catalog.KeptSource(e.Source)
}

// kept keeps the tiles that proofs have read, at most 64 of them: those of the next
// entry are mostly the same.
type kept struct {
	tlog.Tiles
	tiles map[string][]byte
}

// Get implements tlog.Tiles.
func (k *kept) Get(ctx context.Context, path string) ([]byte, error) {
	if data, ok := k.tiles[path]; ok {
		return data, nil
	}
	data, err := k.Tiles.Get(ctx, path)
	if err != nil {
		return nil, err
	}
	if len(k.tiles) >= 64 || k.tiles == nil {
		k.tiles = make(map[string][]byte, 64)
	}
	k.tiles[path] = data
	return data, nil
}

// EventProof returns the proof of one event, by its row id, as a file (C2SP tlog-proof)
// that brings salt and event with it. It is a search of its own in the custody record.
// catalog.ErrNotFound; ErrPending.
func (s *Service) EventProof(ctx context.Context, actor *auth.Actor, id int64) ([]byte, error) {
	q := Query{Event: id}
	if err := s.allow(ctx, actor, auth.ReadAudit, evidence.EventAuditRead, q); err != nil {
		return nil, err
	}
	row, err := s.Catalog.Event(ctx, s.Agency, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.record(ctx, actor, evidence.EventAuditRead, evidence.OutcomeDone, "", map[string]string{"search": q.Text()}); err != nil {
		return nil, err
	}
	p, err := s.prover(ctx)
	if err != nil {
		return nil, err
	}
	path, err := p.proof(ctx, row)
	if err != nil {
		return nil, err
	} else if path == nil {
		return nil, ErrPending
	}
	return (&tlog.Proof{Extra: append(append([]byte(nil), row.Salt...), row.JSON...), Index: *row.LogIndex, Path: path, Checkpoint: p.text}).Text(), nil
}
