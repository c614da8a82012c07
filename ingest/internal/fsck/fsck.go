package fsck

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Config says what is checked and by which keys. All fields but DerivativePublicKey,
// Restored, Workers, SkipContent and Pace are required.
type Config struct {
	Catalog          *sqldb.DB
	Vault            vault.Store
	Tiles            tlog.Tiles
	LogOrigin        string
	LogPublicKey     ed25519.PublicKey
	ReceiptPublicKey ed25519.PublicKey
	// DerivativePublicKey judges derivatives; nil: none holds.
	DerivativePublicKey ed25519.PublicKey
	Restored            []int64 // as in proof.Trust
	// Unwrap opens an item's key, as keys.Ring does.
	Unwrap func(agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, wrapped []byte) (seal.Key, error)

	Workers     int  // items that are read at once; 0: as many as there are processors, at most 4
	SkipContent bool // leave the segments of blobs unread: quick, and proves less
	// Pace is asked before so many bytes of a blob are read; nil: as fast as it goes.
	Pace func(ctx context.Context, bytes int) error
}

func (c *check) pace(ctx context.Context, bytes int) error {
	if c.Pace == nil {
		return nil
	}
	return c.Pace(ctx, bytes)
}

// Severity says whether a finding is something to act on.
type Severity string

// The severities of a finding.
const (
	Problem Severity = "problem" // something is lost, changed or unproven
	Note    Severity = "note"    // worth knowing; nothing is wrong
)

// Kind says what is wrong with a blob; "" where it is something else.
type Kind string

// The kinds of problems of blobs.
const (
	Damaged    Kind = "damaged" // its bytes are not those that were stored
	Missing    Kind = "missing"
	Unreadable Kind = "unreadable" // the medium gives an error
)

// Finding is one thing that was found.
type Finding struct {
	Severity Severity
	Object   string // "item:…", "blob:…", "event:…" or "log"
	Path     string // the recording's path on its camera, or the file in the store; may be empty
	What     string // what is wrong
	Do       string // what to do
	Kind     Kind
}

func (f Finding) String() string {
	where := f.Object
	if f.Path != "" {
		where += " (" + f.Path + ")"
	}
	if f.Do == "" {
		return fmt.Sprintf("%s: %s: %s", f.Severity, where, f.What)
	}
	return fmt.Sprintf("%s: %s: %s. %s", f.Severity, where, f.What, f.Do)
}

// Summary counts what was looked at.
type Summary struct {
	Items       int64 // rows
	Stored      int64 // of them, stored: checked in full
	Bytes       int64 // of recordings, opened and hashed
	Receiving   int64
	Quarantined int64
	Destroyed   int64 // by people, on record: what is left is checked, their contents do not open
	Blobs       int64 // files in the store
	Events      int64 // in the signed log
	Pending     int64 // not in it yet
	Receipts    int64 // checked
	Problems    int64
	Notes       int64
}

// Item checks one item as Run does: its row, statements and receipt, and its blob from
// the medium. It returns what was found, and how many bytes of the recording were
// opened and hashed. catalog.ErrNotFound.
func Item(ctx context.Context, config Config, agency evidence.AgencyID, id evidence.EvidenceID) ([]Finding, int64, error) {
	var found []Finding
	c, err := newCheck(config, func(f Finding) { found = append(found, f) })
	if err != nil {
		return nil, 0, err
	}
	row, err := config.Catalog.ItemRow(ctx, agency, id)
	if err == nil {
		err = c.item(ctx, row, &buffers{})
	}
	if err != nil {
		return nil, 0, fmt.Errorf("checking item %s: %w", id, err)
	}
	return found, c.summary.Bytes, nil
}

// Blob checks the bytes that config.Vault has of one item, whatever the state of its
// row, and what is needed to judge them: the row and the manifest. It returns the
// problems, and how many bytes of the recording were opened and hashed.
func Blob(ctx context.Context, config Config, row *catalog.Item) (problems []Finding, bytes int64, err error) {
	c, err := newCheck(config, func(f Finding) {
		if f.Severity == Problem {
			problems = append(problems, f)
		}
	})
	if err != nil {
		return nil, 0, err
	}
	s := &subject{check: c, row: row}
	if err = s.checkManifest(ctx); err == nil && s.payload != nil {
		s.checkRow()
		s.checkLeaves()
		if s.leaves != nil {
			err = s.checkBlob(ctx, &buffers{})
		}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("checking the blob of item %s: %w", row.ID, err)
	}
	return problems, c.summary.Bytes, nil
}

func newCheck(config Config, report func(Finding)) (*check, error) {
	if _, err := tlog.NewVerifier(config.LogOrigin, config.LogPublicKey); err != nil {
		return nil, fmt.Errorf("checking the store: %w", err)
	}
	return &check{Config: config, report: report, dockKeys: map[dockName][]catalog.DockKey{},
		destroyed: map[string]bool{}, facts: map[itemName]rowFacts{}, heads: map[int64]tlog.Hash{}}, nil
}

// Run checks everything and reports each finding as it comes, one at a time.
// The error is not nil only when checking itself could not go on; problems are
// findings, and counted in the Summary.
func Run(ctx context.Context, config Config, report func(Finding)) (Summary, error) {
	c, err := newCheck(config, report)
	if err != nil {
		return Summary{}, err
	}
	// The log's head is taken first: what is in it must be in all that is read later.
	state, err := config.Catalog.LogState(ctx)
	if err == nil {
		err = c.destructions(ctx)
	}
	if err == nil {
		err = c.items(ctx)
	}
	if err == nil {
		err = c.files(ctx)
	}
	if err == nil {
		err = c.log(ctx, state)
	}
	if err != nil {
		return c.summary, fmt.Errorf("checking the store: %w", err)
	}
	return c.summary, nil
}

type dockName struct {
	agency evidence.AgencyID
	dock   evidence.DockID
}

type itemName struct {
	agency evidence.AgencyID
	id     evidence.EvidenceID
}

// rowFacts are what the check of the log wants to know of an item.
type rowFacts struct {
	attempt uint32
	event   int64 // row of its evidence.stored event
}

// check is one run.
type check struct {
	Config
	report func(Finding)

	mu        sync.Mutex // guards what follows, and calls of report
	summary   Summary
	dockKeys  map[dockName][]catalog.DockKey
	destroyed map[string]bool // "AGENCY OBJECT": on record as destroyed; filled before items are checked
	facts     map[itemName]rowFacts
	heads     map[int64]tlog.Hash // checkpoints inside receipts: size to root
}

// tell reports a finding.
func (c *check) tell(f Finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Severity == Problem {
		c.summary.Problems++
	} else {
		c.summary.Notes++
	}
	c.report(f)
}

// count changes the summary.
func (c *check) count(change func(*Summary)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.summary)
}

// items checks every row, several at once.
func (c *check) items(ctx context.Context) error {
	workers := c.Workers
	if workers <= 0 {
		workers = min(runtime.GOMAXPROCS(0), 4)
	}
	group, ctx := errgroup.WithContext(ctx)
	rows := make(chan *catalog.Item)
	group.Go(func() error {
		defer close(rows)
		return c.Catalog.EachItem(ctx, func(row *catalog.Item) error {
			select {
			case rows <- row:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	for range workers {
		group.Go(func() error {
			var b buffers
			for row := range rows {
				if err := c.item(ctx, row, &b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// keys returns all statement keys of a dock, present and past.
func (c *check) keys(ctx context.Context, agency evidence.AgencyID, dock evidence.DockID) ([]catalog.DockKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := dockName{agency, dock}
	if known, ok := c.dockKeys[name]; ok {
		return known, nil
	}
	found, err := c.Catalog.DockKeys(ctx, agency, dock)
	if err == nil {
		c.dockKeys[name] = found
	}
	return found, err
}
