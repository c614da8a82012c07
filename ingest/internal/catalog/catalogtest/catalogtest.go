package catalogtest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Agency is the agency of everything that the suite makes.
const Agency evidence.AgencyID = "metro-pd"

// Clock is a clock that stands until it is moved. Safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock at a time in 2026.
func NewClock() *Clock {
	return &Clock{now: time.Date(2026, 11, 22, 9, 30, 0, 123456000, time.UTC)}
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// suite is one open catalog under test.
type suite struct {
	*testing.T
	db    *sqldb.DB
	clock *Clock
	url   string
}

type promise struct {
	name  string
	check func(suite)
}

// RunLists checks what is promised of lists of items, as Run does.
func RunLists(t *testing.T, fresh func(t *testing.T) string) {
	run(t, fresh, []promise{
		{"lists filter", listsFilter},
		{"lists page without gaps or repeats", listsPage},
		{"searching takes text literally", searchLiteral},
		{"agencies are walls", agenciesAreWalls},
		{"what is in a case is found by it", caseItems},
		{"a later assignment names the wearer", laterAssignment},
		{"a destroyed item stays and opens no more", destroyedItems},
	})
}

// Run checks each promise on an empty catalog of its own; fresh returns the
// address of one.
func Run(t *testing.T, fresh func(t *testing.T) string) {
	run(t, fresh, []promise{
		{"items keep every field", itemsKeepEveryField},
		{"one item per recording", oneItemPerRecording},
		{"items move through their states only", itemStates},
		{"what was proven the longest ago comes first", leastProven},
		{"what was stored and is in quarantine can be healed", healed},
		{"copies are found by their last proof", mirrored},
		{"a later attempt keeps the earlier offer", laterAttempt},
		{"a receipt is set once", receiptOnce},
		{"releases are kept and an erasure stays", releases},
		{"siblings share camera and stem", siblings},
		{"lists filter", listsFilter},
		{"lists page without gaps or repeats", listsPage},
		{"searching takes text literally", searchLiteral},
		{"searches are kept by person", savedSearches},
		{"webhooks go on where they stood", webhooks},
		{"one process sends for a webhook", webhookLease},
		{"totals add up", totals},
		{"agencies are walls", agenciesAreWalls},
		{"what is in a case is found by it", caseItems},
		{"each item is visited once", eachItem},
		{"what of many is stored is found", storedAmong},
		{"docks enrol once per token", dockTokens},
		{"docks keep their old keys", dockKeys},
		{"only docks that did nothing are removed", unusedDocks},
		{"annotations change with their version, and are found", annotations},
		{"a later reading keeps what people added", annotatedAnew},
		{"keys are wrapped anew as they were read", wrappedKeys},
		{"a destroyed item stays and opens no more", destroyedItems},
		{"nothing frozen is deleted", freezes},
		{"cameras are remembered", cameras},
		{"cameras are held and let go", cameraHolds},
		{"a key's decision stays", cameraKeys},
		{"dockings keep every field", dockings},
		{"dockings at the same time are found", dockingsAtOnce},
		{"the ledger keeps what was ever shown", shownLedger},
		{"dockings may become known in any order", shownInAnyOrder},
		{"the newest beginning of a camera's numbers is in force", beginnings},
		{"what was settled stays settled", settlements},
		{"the lowest number of a camera is known", lowestNumber},
		{"assignments never overlap", assignments},
		{"a later assignment names the wearer", laterAssignment},
		{"one thing is one alert", alerts},
		{"alerts are of a station", alertStations},
		{"inventories are kept once", inventories},
		{"events are found again", eventsFound},
		{"events cannot be changed or deleted", eventsFinal},
		{"bad events are refused", eventsRefused},
		{"log indices are dense and in row order", indicesDense},
		{"one writer has the log", logLease},
		{"checkpoints never go back", checkpointsGrow},
		{"a time stamp covers what came before", stampsCover},
		{"users sign in by one login", users},
		{"sessions end", sessions},
		{"a setup token works once", setupTokens},
		{"refused sign-ins are counted", loginFailures},
		{"a passkey's count goes up", passkeys},
		{"a user is one person of the directory", directoryPeople},
		{"people of the directory are asked for again while they have sessions", directoryDue},
		{"provisioners are found by their token", provisioners},
		{"provisioned people are listed by who provisioned them", provisionedPeople},
		{"provisioned groups have members", provisionedGroups},
		{"users get other logins and links", usersRenamed},
		{"no code of an authenticator is taken twice", authenticators},
		{"a code by phone is taken once, and counted", phones},
		{"a recovery code works once", recoveryCodes},
		{"a token is found by its hash until it is revoked", apiTokens},
		{"an answer is kept under its key for a while", keptAnswers},
		{"places are remembered", knownPlaces},
		{"a ceremony ends once", ceremonies},
		{"roles, groups and grants are kept", powers},
		{"cases keep every field", casesKept},
		{"cases are listed, open ones first", casesListed},
		{"an invitation works once", invitations},
		{"settings are kept", settings},
		{"former passwords are kept, so many", passwordHistory},
		{"trust of cameras never goes back", cameraTrusts},
		{"settings profiles grow over all models", cameraSettings},
		{"firmware makers are told apart", firmwareMakers},
		{"firmware only goes forward", firmware},
		{"acts wait for a second person, and are decided once", actRequests},
		{"updates within a transaction share its fate", updatesWithin},
		{"marks of a context go into events", markedEvents},
		{"an update is all or nothing", allOrNothing},
		{"concurrent updates all count", concurrentUpdates},
		{"a failed update harms no other", failedUpdateAlone},
		{"an ended context changes nothing", endedContext},
		{"opening again finds all", openAgain},
	})
}

func run(t *testing.T, fresh func(t *testing.T) string, promises []promise) {
	for _, c := range promises {
		t.Run(c.name, func(t *testing.T) {
			url, clock := fresh(t), NewClock()
			db, err := sqldb.Open(t.Context(), url, clock.Now, sqldb.Sealed(Key))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			c.check(suite{T: t, db: db, clock: clock, url: url})
		})
	}
}

// Key is what the suite's catalogs in files are sealed under.
var Key = bytes.Repeat([]byte("catalog."), sqldb.KeySize/8)

// Raw opens the database behind a catalog's address beside it, as somebody with
// the database's password can: for tests that tamper. A file is in clear, unless there
// is a key. The drivers come with sqldb.
func Raw(t testing.TB, address string, key ...[]byte) *sql.DB {
	t.Helper()
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		db, end, err := sqldb.Raw(path, slices.Concat(key...))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { end() })
		return db
	}
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func (s suite) update(fn func(ctx context.Context, tx *sqldb.Tx) error) {
	s.Helper()
	if err := s.db.Update(s.Context(), func(tx *sqldb.Tx) error { return fn(s.Context(), tx) }); err != nil {
		s.Fatal(err)
	}
}

// refused runs an update that must fail with want.
func (s suite) refused(want error, fn func(ctx context.Context, tx *sqldb.Tx) error) {
	s.Helper()
	err := s.db.Update(s.Context(), func(tx *sqldb.Tx) error { return fn(s.Context(), tx) })
	if !errors.Is(err, want) {
		s.Fatalf("got %v, want %v", err, want)
	}
}

func (s suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// NewItem makes the n-th item, offered n seconds after at.
func NewItem(n int, at time.Time) *catalog.Item {
	var id evidence.EvidenceID
	copy(id[:], fmt.Sprintf("%016d", n))
	offered := at.Add(time.Duration(n) * time.Second)
	return &catalog.Item{
		Agency: Agency, ID: id, Attempt: 1, Dock: "front-desk", Station: "central", Bay: "1-2.3", Docking: evidence.DockingID{7},
		Camera: fmt.Sprintf("CAM-%04d", n%10), CameraModel: "Model 3", Path: fmt.Sprintf("DCIM/100/CLIP%06d.MP4", n), Kind: evidence.KindVideo,
		Length: uint64(1000 + n), Encoding: evidence.EncodedZstd, Encoded: uint64(500 + n), SHA256: evidence.SHA256(fmt.Append(nil, "sha", n)), MerkleRoot: evidence.SHA256(fmt.Append(nil, "root", n)),
		Officer: "Ünal Öztürk", OfficerID: fmt.Sprintf("B%03d", n%7), Category: "traffic",
		StartedAt: offered.Add(-8 * time.Hour), EndedAt: offered.Add(-7 * time.Hour),
		CorrectedAt: offered.Add(-8 * time.Hour), Uncertainty: 250 * time.Millisecond, Wearer: "Grace Müller", WearerID: "B777",
		Sequence: uint64(n), SequenceSource: evidence.SequenceFromCamera, Confirmed: evidence.ConfirmedByCamera, Urgent: true, Placed: evidence.SHA256(fmt.Append(nil, "place", n)),
		Marks: []string{"clock_unknown"},
		State: catalog.StateReceiving, OfferedAt: offered, EventIndex: -1, ManifestDigest: evidence.SHA256(fmt.Append(nil, "manifest", n)),
		Manifest: []byte(`{"payloadType":"x"}`), Leaves: make([]byte, 32), Header: []byte("header"), WrappedKey: []byte{0, 1, 2},
	}
}

// insert adds items and returns the last.
func (s suite) insert(items ...*catalog.Item) *catalog.Item {
	s.Helper()
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		for _, i := range items {
			if err := tx.InsertItem(ctx, i); err != nil {
				return err
			}
		}
		return nil
	})
	return items[len(items)-1]
}

// store makes an inserted item stored.
func (s suite) store(item *catalog.Item) {
	s.Helper()
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		event, err := tx.AppendEvent(ctx, newEvent(item))
		if err != nil {
			return err
		}
		return tx.StoreItem(ctx, item.Agency, item.ID, item.Attempt, event, s.clock.Now())
	})
}

func (s suite) item(id evidence.EvidenceID) *catalog.Item {
	s.Helper()
	item, err := s.db.Item(s.Context(), Agency, id)
	s.must(err)
	return item
}

func newEvent(item *catalog.Item) evidence.Event {
	return evidence.Event{
		Version: 1, Agency: item.Agency, Type: evidence.EventEvidenceStored, Actor: evidence.Actor{Kind: "dock", ID: string(item.Dock)},
		Object: evidence.ItemObject(item.ID), Outcome: evidence.OutcomeDone, Details: map[string]string{"sha256": item.SHA256.String()},
	}
}

// is fails when got is not want.
func is[T comparable](s suite, what string, got, want T) {
	s.Helper()
	if got != want {
		s.Errorf("%s: got %v, want %v", what, got, want)
	}
}
