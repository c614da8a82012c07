package carry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/internal/drive"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// workers is how many recordings are taken in at once: short ones share commits.
const workers = 4

// Taker is what takes recordings and statements in: custody, which refuses with
// *upload.Error.
type Taker interface {
	Offer(ctx context.Context, dock receive.Peer, offer *upload.Offer) (*receive.Admission, error)
	Inventory(ctx context.Context, dock receive.Peer, envelope []byte) error
	Release(ctx context.Context, dock receive.Peer, envelope []byte) (evidence.EvidenceID, error)
}

// Options are what an import works with. Tell may be nil.
type Options struct {
	Taker   Taker
	Catalog *sqldb.DB
	Agency  evidence.AgencyID
	Session uint64 // unlike that of every connection and every other import
	Now     func() time.Time
	Log     *slog.Logger
	Tell    func(Progress) // called as it goes on, by one goroutine at a time
	Pause   time.Duration  // before what is on its way over the network is looked at again: 5 s
}

// Progress is how far an import is with one dock's folder.
type Progress struct {
	Dock                     evidence.DockID `json:"dock"`
	Recordings, OfRecordings uint64
	Bytes, OfBytes           uint64 // plain; what is here already counts as a whole
}

// Report is what became of one dock's folder.
type Report struct {
	Progress
	MadeAt     time.Time `json:"made_at"`
	Stored     uint64    `json:"stored"`                // now stored, and was not before
	Known      uint64    `json:"known"`                 // was stored already
	Statements uint64    `json:"statements"`            // taken, or known
	Receipts   uint64    `json:"receipts"`              // on the drive now
	Left       uint64    `json:"left"`                  // waited at the dock and is not on this drive
	NoReceipts string    `json:"no_receipts,omitempty"` // why not all receipts could be written to the drive
	Troubles   []string  `json:"troubles,omitempty"`
}

// Whole reports whether everything on the drive is here.
func (r *Report) Whole() bool { return r.Stored+r.Known == r.OfRecordings && len(r.Troubles) == 0 }

// maxTroubles is how many troubles of one folder are told.
const maxTroubles = 1000

// Import takes in the folders of all docks on a drive. An error stands for a
// drive that was refused, or for trouble that ends the import: the same call goes
// on. Reports say what became of the folders up to there.
func Import(ctx context.Context, dir string, opt Options) (reports []Report, err error) {
	if opt.Tell == nil {
		opt.Tell = func(Progress) {}
	}
	if opt.Pause == 0 {
		opt.Pause = 5 * time.Second
	}
	folders, err := drive.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, f := range folders {
			err = errors.Join(err, f.Close())
		}
	}()
	for _, f := range folders {
		i := &importer{Options: opt, folder: f}
		err := i.run(ctx)
		if i.peer.Dock != "" {
			reports = append(reports, i.report)
		}
		if err != nil {
			return reports, err
		}
	}
	return reports, nil
}

// importer takes in one dock's folder.
type importer struct {
	Options
	folder   *drive.Folder
	peer     receive.Peer
	carriage evidence.Carriage
	pages    []*evidence.CarriagePage

	mu     sync.Mutex // guards report
	report Report
}

func (i *importer) run(ctx context.Context) error {
	if err := i.open(ctx); err != nil {
		return err
	}
	err := i.takeAll(ctx)
	return errors.Join(err, i.noteEnd(ctx, err))
}

// refusedError is why nothing of a drive is taken.
type refusedError struct {
	dock evidence.DockID
	why  string
}

func (e *refusedError) Error() string { return "this drive is refused: " + e.why }

// open reads the index and judges whose it is. A refusal is recorded.
func (i *importer) open(ctx context.Context) error {
	err := i.judge(ctx)
	var refused *refusedError
	if !errors.As(err, &refused) {
		return err
	}
	object := ""
	if refused.dock != "" {
		object = evidence.DockObject(refused.dock)
	}
	i.Log.WarnContext(ctx, "a drive was refused", "folder", i.folder.Path(), "why", refused.why)
	return errors.Join(err, i.record(ctx, evidence.EventDriveRefused, object, evidence.OutcomeRefused, upload.CleanText(refused.why, 1024), "local", map[string]string{"folder": upload.CleanText(i.folder.Path(), 1024)}))
}

func (i *importer) judge(ctx context.Context) error {
	envelope, err := i.folder.Carriage()
	if errors.Is(err, drive.ErrUnfinished) {
		return err
	}
	if err != nil {
		return &refusedError{why: "its index cannot be read: " + err.Error()}
	}
	c := &i.carriage
	if envelope.PayloadType != evidence.TypeCarriage {
		return &refusedError{why: "its index is a statement of another kind"}
	}
	if err := evidence.Decode(envelope.Payload, c); err != nil {
		return &refusedError{why: "its index cannot be read: " + err.Error()}
	}
	if c.Agency != i.Agency {
		return &refusedError{why: fmt.Sprintf("it is of agency %s, and this server of agency %s: agencies never mix", c.Agency, i.Agency)}
	}
	dock, err := i.Catalog.Dock(ctx, c.Agency, c.Dock)
	if errors.Is(err, catalog.ErrNotFound) {
		return &refusedError{c.Dock, fmt.Sprintf("its dock %s is not enrolled here", c.Dock)}
	}
	if err != nil {
		return err
	}
	if !dock.Enabled {
		return &refusedError{c.Dock, fmt.Sprintf("its dock %s is disabled: enable it first with sealdock-ingest enable-dock, if the drive may be believed", c.Dock)}
	}
	keys, err := i.Catalog.DockKeys(ctx, c.Agency, c.Dock)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(keys, func(k catalog.DockKey) bool {
		_, err := envelope.Verify(evidence.TypeCarriage, k.PublicKey)
		return err == nil
	}) {
		return &refusedError{c.Dock, fmt.Sprintf("its index carries no valid signature of dock %s", c.Dock)}
	}
	i.peer = receive.Peer{
		Agency: c.Agency, Station: dock.Station, Dock: c.Dock, Certificate: dock.Fingerprint, Session: i.Session, AgentVersion: c.Agent,
		Drive: "drive with index " + evidence.SHA256(envelope.Payload).String()[:16],
	}
	if err := i.readPages(); err != nil {
		return &refusedError{c.Dock, err.Error()}
	}
	return nil
}

// readPages reads the pages that the index names: bounded by what the dock has
// signed.
func (i *importer) readPages() error {
	var recordings, statements uint64
	for _, part := range i.carriage.Pages {
		page, err := i.folder.Page(part)
		if err != nil {
			return fmt.Errorf("its index is not whole: %w", err)
		}
		recordings += uint64(len(page.Recordings))
		statements += uint64(len(page.Statements))
		for _, r := range page.Recordings {
			i.report.OfBytes += r.Length
		}
		i.pages = append(i.pages, page)
	}
	if recordings != i.carriage.Recordings || statements != i.carriage.Statements {
		return fmt.Errorf("its index names %d recordings and %d statements, its pages %d and %d", i.carriage.Recordings, i.carriage.Statements, recordings, statements)
	}
	i.report.Dock, i.report.OfRecordings, i.report.Left, i.report.MadeAt = i.peer.Dock, recordings, i.carriage.Left, i.carriage.MadeAt
	return nil
}

// takeAll takes inventories, then recordings, then releases, which rest on
// receipts.
func (i *importer) takeAll(ctx context.Context) error {
	release, err := i.folder.Lock()
	if err != nil {
		i.withoutReceipts(err)
	} else {
		defer func() {
			if err := release(); err != nil {
				i.Log.WarnContext(ctx, "giving a drive free", "error", err)
			}
		}()
	}
	if err := i.statements(ctx, "inventory"); err != nil {
		return err
	}
	if err := i.recordings(ctx); err != nil {
		return err
	}
	return i.statements(ctx, "release")
}

func (i *importer) statements(ctx context.Context, kind string) error {
	for _, page := range i.pages {
		for _, s := range page.Statements {
			if s.Kind != kind {
				continue
			}
			raw, err := i.read(drive.Statement(s.SHA256), upload.MaxInventory, s.SHA256)
			if err != nil {
				i.trouble("a signed %s: %v", kind, err)
				continue
			}
			if kind == "inventory" {
				err = i.Taker.Inventory(ctx, i.peer, raw)
			} else {
				_, err = i.Taker.Release(ctx, i.peer, raw)
			}
			var refused *upload.Error
			if errors.As(err, &refused) {
				i.trouble("a signed %s: %s", kind, refused.Message)
				continue
			}
			if err != nil {
				return err
			}
			i.report.Statements++
		}
	}
	return nil
}

// read reads a file whole and compares its hash with the index.
func (i *importer) read(name string, limit int64, want evidence.Digest) ([]byte, error) {
	raw, err := i.folder.Read(name, limit)
	if err == nil && evidence.SHA256(raw) != want {
		err = fmt.Errorf("%s is damaged on the drive", name)
	}
	return raw, err
}

// recordings takes them in, in the order of the index. Those that come over the
// network at this moment are looked at once more at the end.
func (i *importer) recordings(ctx context.Context) error {
	var all []*evidence.CarriedRecording
	for _, page := range i.pages {
		for n := range page.Recordings {
			all = append(all, &page.Recordings[n])
		}
	}
	for tries := 1; len(all) > 0; tries++ {
		busy, err := i.round(ctx, all, tries == maxTries)
		if err != nil || len(busy) == 0 {
			return err
		}
		all = busy
		select {
		case <-time.After(i.Pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// maxTries is how often a recording that is on its way over the network is
// looked at.
const maxTries = 3

func (i *importer) round(ctx context.Context, all []*evidence.CarriedRecording, last bool) (busy []*evidence.CarriedRecording, err error) {
	var mu sync.Mutex // guards busy
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, r := range all {
		if within.Err() != nil {
			break
		}
		group.Go(func() error {
			err := (&intake{importer: i, rec: r}).take(within)
			var refused *upload.Error
			switch {
			case err == nil || within.Err() != nil:
				return within.Err()
			case errors.As(err, &refused) && refused.Code == upload.CodeFull:
				return fmt.Errorf("the evidence store is full: make room, then run the same command again: %w", err)
			case errors.As(err, &refused) && refused.Code == upload.CodeRetryLater && !last:
				mu.Lock()
				defer mu.Unlock()
				busy = append(busy, r)
				return nil
			case errors.As(err, &refused) && refused.Code != upload.CodeInternal:
				i.trouble("recording %v: %s", r.Evidence, refused.Message)
				return nil
			case errors.Is(err, errDrive):
				i.trouble("recording %v: %v", r.Evidence, err)
				return nil
			}
			return fmt.Errorf("recording %v: %w", r.Evidence, err)
		})
	}
	return busy, errors.Join(group.Wait(), ctx.Err())
}

// withoutReceipts notes that the drive takes no receipts. Docks get them over the
// network all the same.
func (i *importer) withoutReceipts(why error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.report.NoReceipts == "" {
		i.report.NoReceipts = upload.CleanText(why.Error(), 1024)
		i.Log.Warn("a drive takes no receipts", "dock", i.peer.Dock, "error", why)
	}
}

func (i *importer) trouble(format string, args ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	said := fmt.Sprintf(format, args...)
	i.Log.Warn("taking in a drive", "dock", i.peer.Dock, "trouble", said)
	if len(i.report.Troubles) < maxTroubles {
		i.report.Troubles = append(i.report.Troubles, upload.CleanText(said, 1024))
	}
}

// noteEnd records that the drive was taken in, as far as it was.
func (i *importer) noteEnd(ctx context.Context, failed error) error {
	r := &i.report
	outcome, reason := evidence.OutcomeDone, ""
	switch {
	case failed != nil:
		outcome, reason = evidence.OutcomeFailed, upload.CleanText(failed.Error(), 1024)
	case !r.Whole():
		outcome, reason = evidence.OutcomeFailed, fmt.Sprintf("%d of %d recordings are here, %d troubles", r.Stored+r.Known, r.OfRecordings, len(r.Troubles))
	}
	details := map[string]string{"made_at": i.carriage.MadeAt.UTC().Format(time.RFC3339Nano)}
	for name, n := range map[string]uint64{"recordings": r.OfRecordings, "stored": r.Stored, "known": r.Known, "statements": r.Statements, "receipts": r.Receipts, "left_at_dock": r.Left, "troubles": uint64(len(r.Troubles))} {
		details[name] = strconv.FormatUint(n, 10)
	}
	return i.record(ctx, evidence.EventDriveTaken, evidence.DockObject(i.peer.Dock), outcome, reason, i.peer.Drive, details)
}

func (i *importer) record(ctx context.Context, kind evidence.EventType, object string, outcome evidence.Outcome, reason, source string, details map[string]string) error {
	ctx = context.WithoutCancel(ctx)
	err := i.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, evidence.Event{
			Version: 1, Agency: i.Agency, Type: kind, At: i.Now().UTC().Truncate(time.Microsecond), Actor: evidence.Actor{Kind: "server", ID: "local"},
			Source: source, Object: object, Outcome: outcome, Reason: reason, Details: maps.Clone(details),
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("recording what became of a drive: %w", err)
	}
	return nil
}
