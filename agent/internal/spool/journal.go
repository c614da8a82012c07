package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/sealdock/sealdock/internal/durable"
)

// journalVersion is kept in SQLite's user_version. A journal of a newer version
// is refused, so that a downgrade never misreads it.
const journalVersion = 1

// readers is how many reads of the journal run side by side, beside its writer.
const readers = 2

const schema = `
CREATE TABLE recording (
	seq            INTEGER PRIMARY KEY AUTOINCREMENT,
	evidence       BLOB NOT NULL UNIQUE,
	attempt        INTEGER NOT NULL,
	held           INTEGER NOT NULL DEFAULT 0,
	state          TEXT NOT NULL,
	reason         TEXT NOT NULL DEFAULT '',
	serial         TEXT NOT NULL,
	path           TEXT NOT NULL,
	size           INTEGER NOT NULL,
	captured       TEXT NOT NULL,
	bay            TEXT NOT NULL DEFAULT '',
	docking        BLOB NOT NULL,
	length         INTEGER NOT NULL DEFAULT 0,
	encoded        INTEGER NOT NULL DEFAULT 0,
	sha256         BLOB NOT NULL DEFAULT x'',
	merkle_root    BLOB NOT NULL DEFAULT x'',
	manifest       BLOB NOT NULL DEFAULT x'',
	header         BLOB NOT NULL DEFAULT x'',
	wrapped_key    BLOB NOT NULL DEFAULT x'',
	receipt        BLOB NOT NULL DEFAULT x'',
	receipt_digest BLOB NOT NULL DEFAULT x'',
	receipt_item   BLOB NOT NULL DEFAULT x'',
	sent_segments  INTEGER NOT NULL DEFAULT 0,
	created_us     INTEGER NOT NULL,
	changed_us     INTEGER NOT NULL
);
CREATE INDEX recording_source ON recording (serial, path, size, captured);
CREATE INDEX recording_state ON recording (state, seq);
CREATE TABLE proof (
	evidence  BLOB PRIMARY KEY REFERENCES recording (evidence),
	leaves    BLOB NOT NULL,
	checksums BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE statement (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	kind     TEXT NOT NULL,
	envelope BLOB NOT NULL
);
`

// standingIndex holds what Standings reads of most rows, so that it does not
// touch the rows themselves. It may be missing in an older journal.
const standingIndex = `CREATE INDEX IF NOT EXISTS recording_standing ON recording (serial, state, evidence, attempt, changed_us);
` + added

// added holds the tables that an older journal does not have.
const added = `CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS urgent (evidence BLOB PRIMARY KEY, why INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claim (
	evidence   BLOB PRIMARY KEY,
	officer_id TEXT NOT NULL,
	officer    TEXT NOT NULL,
	category   TEXT NOT NULL,
	spooled_us INTEGER NOT NULL
) WITHOUT ROWID;
`

// openJournal opens journal.db. A journal that SQLite finds damaged is set aside
// and a new one begun: every copy it spoke of is then read from its camera
// again, since no camera erases without a verified receipt.
func openJournal(ctx context.Context, opt Options) (*sql.DB, error) {
	path := filepath.Join(opt.Dir, "journal.db")
	db, err := openDatabase(ctx, path)
	if err == nil {
		return db, nil
	}
	if !damaged(err) {
		return nil, explain(err)
	}
	aside := fmt.Sprintf("%s.damaged-%d", path, opt.Now().Unix())
	opt.Log.Error("the spool's journal is damaged and was set aside; recordings still on their cameras are read again",
		"journal", path, "aside", aside, "error", err)
	for _, end := range []string{"", "-wal", "-shm"} {
		if _, statErr := os.Stat(path + end); statErr != nil {
			continue
		}
		if err := durable.Rename(path+end, aside+end); err != nil {
			return nil, fmt.Errorf("setting the damaged journal aside: %w", err)
		}
	}
	return openDatabase(ctx, path)
}

func openDatabase(ctx context.Context, path string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening journal %s: %w", path, err)
	}
	source := url.URL{Scheme: "file", Path: filepath.ToSlash(absolute),
		RawQuery: "_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_busy_timeout=10000&_foreign_keys=on"}
	db, err := sql.Open("sqlite3", source.String())
	if err != nil {
		return nil, fmt.Errorf("opening journal %s: %w", path, err)
	}
	db.SetMaxOpenConns(1 + readers) // reads see every commit, and do not wait for the one under way
	db.SetMaxIdleConns(1 + readers)
	if err := prepare(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("opening journal %s: %w", path, err), db.Close())
	}
	if err := os.Chmod(absolute, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("opening journal %s: %w", path, err), db.Close())
	}
	return db, durable.SyncDir(filepath.Dir(path))
}

var errDamaged = errors.New("SQLite's check found it damaged")

func prepare(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, verdict)
	}
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	switch {
	case version == journalVersion:
		return upgrade(ctx, db)
	case version != 0:
		return fmt.Errorf("it has version %d and this program knows version %d: run the newer agent, or use another data folder", version, journalVersion)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, schema+standingIndex); err != nil {
		return fmt.Errorf("making tables: %w", err)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", journalVersion)); err != nil {
		return err
	}
	return tx.Commit()
}

// upgrade adds what a journal of this version may lack. What an older program
// wrote of urgency has no reason: it counts as the camera's mark.
func upgrade(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, standingIndex); err != nil {
		return err
	}
	if err := addColumn(ctx, db, "urgent", "why", "INTEGER NOT NULL DEFAULT 1"); err != nil {
		return err
	}
	return addColumn(ctx, db, "recording", "encoded", "INTEGER NOT NULL DEFAULT 0")
}

func hasColumn(ctx context.Context, db *sql.DB, table, column string) (bool, error) {
	var there bool
	err := db.QueryRowContext(ctx, "SELECT count(*) > 0 FROM pragma_table_info(?) WHERE name = ?", table, column).Scan(&there)
	return there, err
}

func addColumn(ctx context.Context, db *sql.DB, table, column, definition string) error {
	there, err := hasColumn(ctx, db, table, column)
	if err != nil || there {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table, column, definition))
	return err
}
