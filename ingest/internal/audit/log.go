package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/tlog"
)

const (
	leaseTime = 15 * time.Second // another node may take over after it
	batchSize = 10_000           // events that one checkpoint integrates
	interval  = 500 * time.Millisecond

	checkpointPath = "checkpoint" // C2SP tlog-tiles
)

var (
	// ErrRolledBack: the catalog or the log was set back to an earlier state, or
	// they belong to different servers. Going on would fork the log.
	ErrRolledBack = errors.New("catalog and custody log do not fit together")
	// ErrPending: the event is not in the log yet.
	ErrPending = errors.New("the event is not in the custody log yet")
)

// Step is a step of Sequence, see the package comment.
type Step string

// The steps after the first.
const (
	StepAssign  Step = "assign"
	StepTiles   Step = "tiles"
	StepNote    Step = "note"
	StepSign    Step = "sign"
	StepSave    Step = "save"
	StepPublish Step = "publish"
)

// Config is what a Log works with. All fields but Fail are required.
type Config struct {
	Catalog *sqldb.DB
	Tiles   tlog.Tiles // checkpoint and note are kept in it too
	Key     ed25519.PrivateKey
	Origin  string // the log's name, first line of its checkpoints; tlog.Continued after restores
	Node    string // this server's name: it may take its own lease over at once after a crash
	Now     func() time.Time
	Logger  *slog.Logger

	// Fail, in tests, is asked before and after each step; its error ends the
	// call as a crash would.
	Fail func(step Step, after bool) error
}

// Log is the custody log. Safe for concurrent use.
type Log struct {
	Config
	signer note.Signer
	holder string
	proofs keptTiles
	turn   sync.Mutex // one sequencing at a time

	mu      sync.Mutex // guards what follows
	next    *run       // sequencing that has not begun: callers join it
	last    *run       // the newest one that was begun or is to begin; it ends last
	head    Head
	setBack error // why nothing is signed any more
}

func (l *Log) public() ed25519.PublicKey { return l.Key.Public().(ed25519.PublicKey) }

// Head is the newest signed state of the log.
type Head struct {
	Checkpoint tlog.Checkpoint
	Text       []byte    // the signed checkpoint
	At         time.Time // when this process saw it become durable
}

// Open opens the log, makes good what a crash left undone, and signs the first
// checkpoint of a new one. The tiles are made anew from the catalog when they
// do not give the signed root. ErrRolledBack when catalog and log contradict
// each other; catalog.ErrLease when another node writes the log.
func Open(ctx context.Context, config Config) (*Log, error) {
	signer, err := tlog.NewSigner(config.Origin, config.Key)
	if err != nil {
		return nil, fmt.Errorf("opening the custody log: %w", err)
	}
	l := &Log{Config: config, signer: signer, holder: config.Node + "#" + rand.Text(), proofs: keptTiles{Tiles: config.Tiles}}
	if err := l.recover(ctx); err != nil {
		return nil, fmt.Errorf("opening the custody log: %w", err)
	}
	if _, _, err := l.Sequence(ctx); err != nil {
		return nil, fmt.Errorf("opening the custody log: %w", err)
	}
	return l, nil
}

// Head returns the newest signed state.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

func (l *Log) setHead(h Head) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head = h
}

// Prove shows that an event, given by its row id, is in the log: its index, and
// the proof (RFC 6962 section 2.1.1) under the newest checkpoint, of size
// entries. ErrPending before the event was sequenced.
func (l *Log) Prove(ctx context.Context, event int64) (index, size int64, proof []tlog.Hash, checkpoint []byte, err error) {
	place, err := l.Catalog.LogIndex(ctx, event)
	if err != nil {
		return 0, 0, nil, nil, fmt.Errorf("proving event %d: %w", event, err)
	}
	head := l.Head()
	if place == nil || *place >= head.Checkpoint.Size {
		return 0, 0, nil, nil, fmt.Errorf("proving event %d: %w", event, ErrPending)
	}
	proof, err = tlog.ProveInclusion(ctx, &l.proofs, head.Checkpoint.Size, *place)
	if err != nil {
		l.proofs.forget() // what was read may have been damaged
		return 0, 0, nil, nil, fmt.Errorf("proving event %d: %w", event, err)
	}
	return *place, head.Checkpoint.Size, proof, head.Text, nil
}

// Run sequences every half second while events are pending, until ctx ends, and
// once more then. Failures are logged when they begin and when they end; the
// error is that of the last time, whose events the next start brings in.
func (l *Log) Run(ctx context.Context) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return l.leave(context.WithoutCancel(ctx))
		case <-tick.C:
		}
		err := l.catchUp(ctx)
		switch {
		case err != nil && !failing && ctx.Err() == nil:
			l.Logger.Error("the custody log cannot be written: no receipt is made until it can", "error", err)
		case err == nil && failing:
			l.Logger.Info("the custody log is written again")
		}
		failing = err != nil
	}
}

func (l *Log) catchUp(ctx context.Context) error {
	pending, err := l.Catalog.PendingEvents(ctx)
	if err == nil && pending > 0 {
		_, _, err = l.Sequence(ctx)
	}
	return err
}

// leave sequences what is pending and gives the lease back.
func (l *Log) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTime)
	defer cancel()
	err := l.catchUp(ctx)
	l.Close() // nothing is written once the lease is another's
	if err == nil {
		var state *catalog.LogState
		if state, err = l.Catalog.LogState(ctx); err == nil && state.Holder == l.holder {
			err = l.Catalog.ReleaseLease(ctx, state.Fence)
		}
	}
	if err != nil {
		return fmt.Errorf("writing the custody log up at the end: %w", err)
	}
	return nil
}

// Close waits until no sequencing is under way any more: who asked for one may have
// gone. Afterwards nobody may call Sequence, and the catalog may be closed.
func (l *Log) Close() {
	for done := (*run)(nil); ; {
		l.mu.Lock()
		last := l.last
		l.mu.Unlock()
		if last == done {
			return
		}
		<-last.done
		done = last
	}
}

// step runs one step between the two questions of Fail.
func (l *Log) step(s Step, do func() error) error {
	if l.Fail != nil {
		if err := l.Fail(s, false); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	if l.Fail != nil {
		return l.Fail(s, true)
	}
	return nil
}

// get reads a resource beside the tiles; nil when it is not there.
func (l *Log) get(ctx context.Context, path string) ([]byte, error) {
	data, err := l.Tiles.Get(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
