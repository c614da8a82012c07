package sqldb

import (
	"context"
	"crypto/fips140"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealdock/sealdock/internal/durable"
)

const (
	sqliteReaders = 6                // connections that read beside the one that writes
	sqliteCache   = 32 << 10         // KiB of pages per connection, opened; with 16 MiB searches take a third more of the processor
	sqliteCached  = 128              // prepared statements kept per connection: more than there are queries; pgx keeps as many by itself
	postgresConns = 24               // per server process
	busyTimeout   = 30 * time.Second // how long SQLite waits for another process, such as fsck
)

// DB is an open catalog.
type DB struct {
	Reader
	engine dialect
	now    func() time.Time
	reads  *sql.DB
	writes *sql.DB // SQLite: one connection; PostgreSQL: the same pool as reads
	place  string  // PostgreSQL only: where it is, for people
	file   string  // SQLite only: where it is
	seal   *seal   // SQLite only: what it is sealed by; nil: it is in clear
	queue  *queue  // SQLite only: joins waiting updates into one commit
}

// Open opens the catalog at url and brings its tables up to date:
// "sqlite:PATH", which is made when missing, or "postgres://…" as libpq writes
// it. now is the clock that lists and leases go by. A file is in clear, unless it is [Sealed].
func Open(ctx context.Context, url string, now func() time.Time, options ...Option) (*DB, error) {
	var how opening
	for _, option := range options {
		option(&how)
	}
	var db *DB
	var err error
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		db, err = openSQLite(strings.TrimPrefix(url, "sqlite:"), how)
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		db, err = openPostgres(url)
	default:
		return nil, errors.New("opening the catalog: its address must begin with sqlite: or postgres://")
	}
	if err != nil {
		return nil, fmt.Errorf("opening the catalog: %w", err)
	}
	db.now = now
	db.Reader = Reader{q: db.reads, engine: db.engine, now: now}
	if err := db.reach(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the catalog: %w", err), db.Close())
	}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the catalog: bringing its tables up to date: %w", err), db.Close())
	}
	if err := db.addWords(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the catalog: %w", err), db.Close())
	}
	return db, nil
}

// openSQLite opens two pools on one file: a single writer whose transactions
// begin as writers (a reader that turns writer is refused at once), and readers.
func openSQLite(path string, how opening) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := durable.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// Made here, so that no one else can read it: the catalog names people.
	switch f, err := durable.CreateFile(path, 0o600); {
	case err == nil:
		if err := f.Close(); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}
	var by *seal
	if how.key != nil {
		if by, err = newSeal(how.key); err != nil {
			return nil, err
		}
	}
	db, err := openPools(path, by)
	if err != nil {
		return nil, errors.Join(err, by.end())
	}
	return db, nil
}

func openPools(path string, by *seal) (*DB, error) {
	// mattn/go-sqlite3 builds WAL with synchronous=NORMAL as default, where a
	// power cut takes back commits: FULL is not optional.
	source := func(extra string) string {
		return fmt.Sprintf("%s&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_cache_size=-%d&_stmt_cache_size=%d%s",
			address(path, by), sqliteCache, sqliteCached, extra)
	}
	writes, err := sql.Open(driver(), source("&_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	writes.SetMaxOpenConns(1)
	writes.SetMaxIdleConns(1)
	reads, err := sql.Open(driver(), source("&_query_only=1"))
	if err != nil {
		return nil, errors.Join(err, writes.Close())
	}
	reads.SetMaxOpenConns(sqliteReaders)
	reads.SetMaxIdleConns(sqliteReaders)
	return &DB{engine: sqlite{}, reads: reads, writes: writes, queue: newQueue(writes), file: path, seal: by}, nil
}

func openPostgres(url string) (*DB, error) {
	conf, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the postgres:// address cannot be read: check it (it is not shown, it may hold a password)")
	}
	if conf.RequireAuth == "" && fips140.Enabled() {
		conf.RequireAuth = "!md5" // not approved: refused with words, where the module would panic in its enforced mode
	}
	pool := stdlib.OpenDB(*conf)
	pool.SetMaxOpenConns(postgresConns)
	pool.SetMaxIdleConns(postgresConns)
	place := fmt.Sprintf("PostgreSQL at %s, database %s", net.JoinHostPort(conf.Host, strconv.Itoa(int(conf.Port))), conf.Database)
	return &DB{engine: postgres{}, reads: pool, writes: pool, place: place}, nil
}

// reach makes sure that PostgreSQL answers, and that a file opens as it was said to.
func (db *DB) reach(ctx context.Context) error {
	if db.place == "" {
		if err := db.writes.PingContext(ctx); err != nil {
			return fmt.Errorf("%s: %w", db.file, db.seal.explain(err))
		}
		return nil
	}
	if err := db.reads.PingContext(ctx); err != nil {
		return fmt.Errorf("reaching %s: %w", db.place, oneLine{err})
	}
	return nil
}

// oneLine is an error of pgx, which lists several tries, in one line and each of
// them once. pgx leaves the password out of it.
type oneLine struct{ error }

func (e oneLine) Error() string {
	var told []string
	for line := range strings.Lines(e.error.Error()) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(told, line) {
			told = append(told, line)
		}
	}
	return strings.ReplaceAll(strings.Join(told, "; "), ":; ", ": ")
}

func (e oneLine) Unwrap() error { return e.error }

// Close waits for running transactions and closes the catalog.
func (db *DB) Close() error {
	err := db.reads.Close()
	if db.writes != db.reads {
		err = errors.Join(err, db.writes.Close())
	}
	err = errors.Join(err, db.seal.end())
	if err != nil {
		return fmt.Errorf("closing the catalog: %w", err)
	}
	return nil
}

// Ping reports whether the catalog answers.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	if err := db.reads.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("asking the catalog for a sign of life: %w", err)
	}
	return nil
}
