package sqldb

import (
	"context"
	"errors"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

var errPending = errors.New("not written yet")

// DB is an open catalog.
type DB struct {
	Reader
}

// Tx is one write transaction; it reads what it wrote.
type Tx struct {
	Reader
}

// Reader holds the questions that can be asked of a DB and within a Tx.
type Reader struct{}

// Open opens the catalog at url and brings its tables up to date.
// "sqlite:PATH" or "postgres://…". now is the clock for row times.
func Open(ctx context.Context, url string, now func() time.Time) (*DB, error) {
	return nil, errPending
}

// Close waits for running transactions and closes the catalog.
func (db *DB) Close() error { return errPending }

// Ping reports whether the catalog answers.
func (db *DB) Ping(ctx context.Context) error { return errPending }

// Update runs fn in one serialisable write transaction.
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) error { return errPending }

// --- items, reading

// Item returns an item with all its statements. catalog.ErrNotFound.
func (r *Reader) Item(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID) (*catalog.Item, error) {
	return nil, errPending
}

// Offer returns what was offered in one attempt. catalog.ErrNotFound.
func (r *Reader) Offer(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32) (*catalog.Offer, error) {
	return nil, errPending
}

// FindRecording returns the receiving or stored item of one recording, without
// statements. catalog.ErrNotFound.
func (r *Reader) FindRecording(ctx context.Context, agency evidence.AgencyID, camera, path string, sha256 evidence.Digest) (*catalog.Item, error) {
	return nil, errPending
}

// Siblings returns the other receiving and stored items of the same camera whose path differs
// only in its extension: a video's sidecar, a sidecar's video.
func (r *Reader) Siblings(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID) ([]catalog.Item, error) {
	return nil, errPending
}

// Items returns one page of a list, without statements. cursor is "" or the
// Next of the page before, of the same filter and order.
func (r *Reader) Items(ctx context.Context, f catalog.ItemFilter, order catalog.Order, cursor string, limit int) (catalog.ItemPage, error) {
	return catalog.ItemPage{}, errPending
}

// CountItems counts what Items would list over all pages.
func (r *Reader) CountItems(ctx context.Context, f catalog.ItemFilter) (catalog.Count, error) {
	return catalog.Count{}, errPending
}

// ItemsAwaitingReceipt returns stored items that have no receipt yet, of all
// agencies, oldest first: a crash came between storing and signing.
func (r *Reader) ItemsAwaitingReceipt(ctx context.Context, limit int) ([]catalog.Item, error) {
	return nil, errPending
}

// EachItem calls each for every item of every agency, without statements, in
// the order of agency and id.
func (r *Reader) EachItem(ctx context.Context, each func(*catalog.Item) error) error {
	return errPending
}

// Totals returns an agency's figures.
func (r *Reader) Totals(ctx context.Context, agency evidence.AgencyID) (*catalog.Totals, error) {
	return nil, errPending
}

// Releases returns the releases of an item, oldest first.
func (r *Reader) Releases(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID) ([]catalog.Release, error) {
	return nil, errPending
}

// --- items, writing

// InsertItem adds an offered item in state receiving. catalog.ErrExists when
// the id, or a receiving or stored item of the same recording, is there.
func (tx *Tx) InsertItem(ctx context.Context, item *catalog.Item) error { return errPending }

// NewAttempt replaces a receiving, quarantined or superseded item by a later
// reading of its recording, in state receiving. catalog.ErrConflict when the
// item is stored or the attempt is not higher; catalog.ErrExists as InsertItem.
func (tx *Tx) NewAttempt(ctx context.Context, item *catalog.Item) error { return errPending }

// SetDurableSegments notes how many segments are durable.
func (tx *Tx) SetDurableSegments(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, segments uint64) error {
	return errPending
}

// StoreItem makes a receiving item stored. event is the row of its
// evidence.stored event, appended in the same transaction. catalog.ErrConflict
// when the item is in another state or attempt.
func (tx *Tx) StoreItem(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, event int64, at time.Time) error {
	return errPending
}

// SetReceipt keeps the receipt of a stored item. catalog.ErrConflict when it
// is not stored or has another receipt.
func (tx *Tx) SetReceipt(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, logIndex int64, receipt []byte) error {
	return errPending
}

// QuarantineItem puts an item into quarantine for a reason.
// catalog.ErrConflict when the attempt is another one.
func (tx *Tx) QuarantineItem(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, reason string) error {
	return errPending
}

// SupersedeItem gives up a receiving item because another one took its
// recording over. catalog.ErrConflict when it is not receiving.
func (tx *Tx) SupersedeItem(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, reason string) error {
	return errPending
}

// MarkProven notes that the stored bytes were re-read and found right.
func (tx *Tx) MarkProven(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, at time.Time) error {
	return errPending
}

// InsertRelease keeps a release and notes its result at the item. The same
// statement again changes nothing and returns false.
func (tx *Tx) InsertRelease(ctx context.Context, r *catalog.Release) (bool, error) {
	return false, errPending
}

// --- docks, stations, cameras, inventories

// Dock returns a dock, enabled or not. catalog.ErrNotFound.
func (r *Reader) Dock(ctx context.Context, agency evidence.AgencyID, id evidence.DockID) (*catalog.Dock, error) {
	return nil, errPending
}

// Docks returns an agency's docks by id.
func (r *Reader) Docks(ctx context.Context, agency evidence.AgencyID) ([]catalog.Dock, error) {
	return nil, errPending
}

// DockKeys returns all statement keys that a dock ever had, newest first.
func (r *Reader) DockKeys(ctx context.Context, agency evidence.AgencyID, id evidence.DockID) ([]catalog.DockKey, error) {
	return nil, errPending
}

// Stations returns an agency's stations by id.
func (r *Reader) Stations(ctx context.Context, agency evidence.AgencyID) ([]catalog.Station, error) {
	return nil, errPending
}

// DockTokens returns the tokens of an agency that are neither used nor expired.
func (r *Reader) DockTokens(ctx context.Context, agency evidence.AgencyID) ([]catalog.DockToken, error) {
	return nil, errPending
}

// Camera returns a camera. catalog.ErrNotFound.
func (r *Reader) Camera(ctx context.Context, agency evidence.AgencyID, serial string) (*catalog.Camera, error) {
	return nil, errPending
}

// Cameras returns an agency's cameras, last seen first.
func (r *Reader) Cameras(ctx context.Context, agency evidence.AgencyID) ([]catalog.Camera, error) {
	return nil, errPending
}

// Inventories returns the newest inventories, of one camera unless it is "",
// without envelopes.
func (r *Reader) Inventories(ctx context.Context, agency evidence.AgencyID, camera string, limit int) ([]catalog.Inventory, error) {
	return nil, errPending
}

// Inventory returns one inventory by its digest. catalog.ErrNotFound.
func (r *Reader) Inventory(ctx context.Context, agency evidence.AgencyID, digest evidence.Digest) (*catalog.Inventory, error) {
	return nil, errPending
}

// InsertDockToken keeps a new enrolment token.
func (tx *Tx) InsertDockToken(ctx context.Context, t *catalog.DockToken) error { return errPending }

// ConsumeDockToken marks a token used, once, and returns it.
// catalog.ErrNotFound, ErrTokenUsed, ErrTokenExpired.
func (tx *Tx) ConsumeDockToken(ctx context.Context, hash evidence.Digest, at time.Time) (*catalog.DockToken, error) {
	return nil, errPending
}

// RegisterDock adds a dock, or enrols it anew with another certificate and
// key, and its station where that is new. The statement key joins DockKeys.
func (tx *Tx) RegisterDock(ctx context.Context, d *catalog.Dock) error { return errPending }

// SetDockEnabled lets a dock in or keeps it out. catalog.ErrNotFound.
func (tx *Tx) SetDockEnabled(ctx context.Context, agency evidence.AgencyID, id evidence.DockID, enabled bool) error {
	return errPending
}

// DockSeen notes a dock's connection. catalog.ErrNotFound.
func (tx *Tx) DockSeen(ctx context.Context, agency evidence.AgencyID, id evidence.DockID, at time.Time, address, version string) error {
	return errPending
}

// CameraSeen adds a camera or notes where it was seen last. FirstSeenAt and Items are not looked at.
func (tx *Tx) CameraSeen(ctx context.Context, c *catalog.Camera) error { return errPending }

// InsertInventory keeps an inventory; false when it is there already.
func (tx *Tx) InsertInventory(ctx context.Context, v *catalog.Inventory) (bool, error) {
	return false, errPending
}

// --- custody events and log

// AppendEvent adds a custody event with a fresh salt and returns its row id.
func (tx *Tx) AppendEvent(ctx context.Context, e evidence.Event) (int64, error) {
	return 0, errPending
}

// Event returns an event by row id. catalog.ErrNotFound.
func (r *Reader) Event(ctx context.Context, agency evidence.AgencyID, id int64) (*catalog.EventRow, error) {
	return nil, errPending
}

// Events returns the newest events that fit, newest first.
func (r *Reader) Events(ctx context.Context, f catalog.EventFilter, limit int) ([]catalog.EventRow, error) {
	return nil, errPending
}

// CountEvents counts the events that fit; Before is not looked at.
func (r *Reader) CountEvents(ctx context.Context, f catalog.EventFilter) (int64, error) {
	return 0, errPending
}

// EventsByIndex calls each for the events with log indices from..to-1, of all
// agencies, by index.
func (r *Reader) EventsByIndex(ctx context.Context, from, to int64, each func(*catalog.EventRow) error) error {
	return errPending
}

// LogIndex returns the log index of an event, nil before it is sequenced.
func (r *Reader) LogIndex(ctx context.Context, event int64) (*int64, error) { return nil, errPending }

// PendingEvents counts the events that are not sequenced yet.
func (r *Reader) PendingEvents(ctx context.Context) (int64, error) { return 0, errPending }

// LogState returns the head of the custody log; the zero value of a new one.
func (r *Reader) LogState(ctx context.Context) (*catalog.LogState, error) { return nil, errPending }

// AssignIndices takes or renews the writer's lease for holder and gives the
// next log indices to up to limit pending events, in the order of their rows.
// It returns the state afterwards. catalog.ErrLease when another holder's
// lease has not run out.
func (db *DB) AssignIndices(ctx context.Context, holder string, lease time.Duration, limit int) (*catalog.LogState, error) {
	return nil, errPending
}

// SaveCheckpoint keeps a signed checkpoint. catalog.ErrLease when fence is not
// the newest, catalog.ErrConflict when size is below the kept one or above Assigned.
func (db *DB) SaveCheckpoint(ctx context.Context, fence, size int64, root [32]byte, checkpoint []byte) error {
	return errPending
}

// ReleaseLease gives the lease back early.
func (db *DB) ReleaseLease(ctx context.Context, fence int64) error { return errPending }

// --- people

// InsertUser adds a user. catalog.ErrExists when id or login is taken.
func (tx *Tx) InsertUser(ctx context.Context, u *catalog.User) error { return errPending }

// UpdateUser changes name, email, password, role, times of a user. catalog.ErrNotFound.
func (tx *Tx) UpdateUser(ctx context.Context, u *catalog.User) error { return errPending }

// User returns a user by id. catalog.ErrNotFound.
func (r *Reader) User(ctx context.Context, id string) (*catalog.User, error) { return nil, errPending }

// UserByLogin returns a user by login, whatever its case. catalog.ErrNotFound.
func (r *Reader) UserByLogin(ctx context.Context, login string) (*catalog.User, error) {
	return nil, errPending
}

// Users returns an agency's users by login.
func (r *Reader) Users(ctx context.Context, agency evidence.AgencyID) ([]catalog.User, error) {
	return nil, errPending
}

// CountUsers counts the users of all agencies.
func (r *Reader) CountUsers(ctx context.Context) (int64, error) { return 0, errPending }

// InsertSession keeps a new session.
func (tx *Tx) InsertSession(ctx context.Context, s *catalog.Session) error { return errPending }

// Session returns a session by its token's hash, expired or not. catalog.ErrNotFound.
func (r *Reader) Session(ctx context.Context, hash evidence.Digest) (*catalog.Session, error) {
	return nil, errPending
}

// Sessions returns a user's sessions, last used first.
func (r *Reader) Sessions(ctx context.Context, user string) ([]catalog.Session, error) {
	return nil, errPending
}

// TouchSession notes a use. catalog.ErrNotFound.
func (tx *Tx) TouchSession(ctx context.Context, hash evidence.Digest, at time.Time) error {
	return errPending
}

// DeleteSession ends a session; a missing one is no error.
func (tx *Tx) DeleteSession(ctx context.Context, hash evidence.Digest) error { return errPending }

// DeleteUserSessions ends all sessions of a user but the one given (zero: all) and returns how many.
func (tx *Tx) DeleteUserSessions(ctx context.Context, user string, but evidence.Digest) (int64, error) {
	return 0, errPending
}

// DeleteExpiredSessions ends sessions past their time or unused since idleSince.
func (tx *Tx) DeleteExpiredSessions(ctx context.Context, now, idleSince time.Time) (int64, error) {
	return 0, errPending
}

// InsertSetupToken keeps a new setup token; older unused ones are dropped.
func (tx *Tx) InsertSetupToken(ctx context.Context, t *catalog.SetupToken) error { return errPending }

// ConsumeSetupToken marks a token used, once. catalog.ErrNotFound, ErrTokenUsed, ErrTokenExpired.
func (tx *Tx) ConsumeSetupToken(ctx context.Context, hash evidence.Digest, at time.Time) error {
	return errPending
}

// SetupToken returns a setup token. catalog.ErrNotFound.
func (r *Reader) SetupToken(ctx context.Context, hash evidence.Digest) (*catalog.SetupToken, error) {
	return nil, errPending
}

// InsertLoginFailure notes a refused sign-in.
func (tx *Tx) InsertLoginFailure(ctx context.Context, f *catalog.LoginFailure) error {
	return errPending
}

// CountLoginFailures counts the failures since a time: of a login, from an address; "" means any.
func (r *Reader) CountLoginFailures(ctx context.Context, login, address string, since time.Time) (int64, error) {
	return 0, errPending
}

// ClearLoginFailures forgets the failures and the lock of a login.
func (tx *Tx) ClearLoginFailures(ctx context.Context, login string) error { return errPending }

// LockLogin refuses a login until a time.
func (tx *Tx) LockLogin(ctx context.Context, login string, until time.Time) error { return errPending }

// LoginLockedUntil returns until when a login is refused; zero when it is not locked.
func (r *Reader) LoginLockedUntil(ctx context.Context, login string) (time.Time, error) {
	return time.Time{}, errPending
}

// Setting returns a value. catalog.ErrNotFound.
func (r *Reader) Setting(ctx context.Context, agency evidence.AgencyID, name string) (*catalog.Setting, error) {
	return nil, errPending
}

// Settings returns an agency's settings by name.
func (r *Reader) Settings(ctx context.Context, agency evidence.AgencyID) ([]catalog.Setting, error) {
	return nil, errPending
}

// SetSetting keeps a value.
func (tx *Tx) SetSetting(ctx context.Context, s *catalog.Setting) error { return errPending }
