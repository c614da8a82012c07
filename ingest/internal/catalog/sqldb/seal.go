package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb/sealedfile"
	"github.com/sealdock/sealdock/internal/durable"
)

// KeySize is how long the key of a sealed catalog is, in bytes.
const KeySize = sealedfile.KeySize

// Reasons for which a catalog in a file does not open.
var (
	ErrClear = sealedfile.ErrClear // it is in clear, and was to be sealed: see [Seal]
	ErrKey   = sealedfile.ErrKey   // it is sealed under another key, or damaged
)

// Option says how Open opens a catalog.
type Option func(*opening)

type opening struct{ key []byte }

// Sealed opens a file, or makes it, that is encrypted under a key of [KeySize] bytes: all
// of its content, beside it the WAL's, and what [DB.Snapshot] writes. To a catalog on
// PostgreSQL it means nothing.
func Sealed(key []byte) Option { return func(o *opening) { o.key = key } }

// seal is the key of one open catalog. nil: it is in clear.
type seal struct {
	key *sealedfile.Key
	id  uint32
}

func newSeal(secret []byte) (*seal, error) {
	key, err := sealedfile.NewKey(secret)
	if err != nil {
		return nil, err
	}
	id, err := key.Use()
	return &seal{key, id}, err
}

// end is called when nothing is open under the seal any more.
func (s *seal) end() error {
	if s != nil {
		sealedfile.Forget(s.id)
	}
	return nil
}

// explain puts why a file was refused to what SQLite says of it.
func (s *seal) explain(err error) error {
	if s == nil {
		var e sqlite3.Error
		if errors.As(err, &e) && e.Code == sqlite3.ErrNotADB {
			return errors.Join(errors.New("it is sealed, or no catalog"), err)
		}
		return err
	}
	return errors.Join(s.key.Fault(), err)
}

// driver is SQLite with everything that it keeps aside in memory: sorted rows in a file
// would lie on the disk in clear.
var driver = sync.OnceValue(func() string {
	const name = "sealdock-catalog"
	sql.Register(name, &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		_, err := c.Exec("PRAGMA temp_store = MEMORY", nil)
		return err
	}})
	return name
})

// address is where SQLite finds a file. It begins the parameters.
func address(path string, by *seal) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: fmt.Sprintf("_busy_timeout=%d", busyTimeout.Milliseconds())}
	if by != nil {
		u.RawQuery += fmt.Sprintf("&vfs=sealed&sealed=%d", by.id)
	}
	return u.String()
}

// Raw opens the database in a file without any of the catalog's care: for tools and tests
// that fill or tamper. Without a key it is in clear. end closes it.
func Raw(path string, key []byte) (db *sql.DB, end func() error, err error) {
	var by *seal
	if key != nil {
		if by, err = newSeal(key); err != nil {
			return nil, nil, err
		}
	}
	db, err = sql.Open(driver(), address(path, by))
	return db, func() error { return errors.Join(db.Close(), by.end()) }, err
}

// Plain reads a file of a sealed catalog, its database or its WAL, with all that the pages
// still hold: for tests that look for what should be gone.
func Plain(path string, key []byte) ([]byte, error) {
	k, err := sealedfile.NewKey(key)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err == nil && !strings.HasSuffix(path, "-shm") {
		k.Plain(text, strings.HasSuffix(path, "-wal"))
	}
	return text, err
}

// sealing ends the name of the sealed catalog while it is made beside the one in clear.
const sealing = ".sealing"

// Seal encrypts the catalog at path, which is in clear and which nobody else has open, and
// may be killed at any moment: what was is there until what is to be is whole, on the
// medium, and has taken the record. record writes it, as the new catalog's first change.
// The bytes in clear are overwritten then, as far as the disk overwrites.
func Seal(ctx context.Context, path string, key []byte, now func() time.Time, record func(*Tx) error) error {
	if err := sealUp(ctx, path, key, now, record, func(string) {}); err != nil {
		return fmt.Errorf("sealing the catalog %s, which stays as it is: %w", path, err)
	}
	return nil
}

// sealUp tells step what it has done: tests end there.
func sealUp(ctx context.Context, path string, key []byte, now func() time.Time, record func(*Tx) error, step func(string)) error {
	fresh := path + sealing
	for _, left := range []string{fresh, fresh + "-wal", fresh + "-shm", fresh + "-journal"} { // of a run that was killed
		if err := durable.Remove(left); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := copyAlone(ctx, path, fresh, key); err != nil {
		return err
	}
	step("copied")
	db, err := Open(ctx, "sqlite:"+fresh, now, Sealed(key))
	if err != nil {
		return err
	}
	if err = db.intact(ctx); err == nil {
		err = db.Update(ctx, record)
	}
	if err := errors.Join(err, db.Close()); err != nil { // the last to close empties the WAL and removes it
		return err
	}
	step("recorded")
	for _, name := range []string{fresh + "-wal", path + "-wal"} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is still there: another program has the catalog open, or it may not be removed", name)
		}
	}
	whole, err := durable.OpenFile(fresh)
	if err != nil {
		return err
	}
	if err := errors.Join(whole.Sync(), whole.Close()); err != nil {
		return err
	}
	former, err := durable.OpenFile(path)
	if err != nil {
		return err
	}
	step("synced")
	if err := durable.Rename(fresh, path); err != nil {
		return errors.Join(err, former.Close())
	}
	step("renamed")
	if err := errors.Join(overwrite(former), former.Close()); err != nil {
		return fmt.Errorf("it was sealed, but the one in clear may still be read from the disk: %w", err)
	}
	return nil
}

// copyAlone writes a sealed copy while nobody else has the catalog open, and leaves no WAL
// beside either.
func copyAlone(ctx context.Context, path, to string, key []byte) (err error) {
	by, err := newSeal(key)
	if err != nil {
		return err
	}
	defer by.end()
	file, err := durable.CreateFile(to, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	pool, err := sql.Open(driver(), address(path, nil))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1)
	// Exclusive: it ends with an error while another connection stands, and holds until the end.
	for _, statement := range []string{"PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE", "COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := pool.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("having it for this program alone: %w", err)
		}
	}
	if _, err := pool.ExecContext(ctx, "VACUUM INTO ?", address(to, by)); err != nil {
		return err
	}
	return by.key.ToWAL(to)
}

// intact reads the whole catalog.
func (db *DB) intact(ctx context.Context) error {
	var found string
	if err := db.reads.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("it is damaged: %s", found)
	}
	return nil
}

// overwrite puts zero bytes in the place of a file's.
func overwrite(f *durable.File) error {
	size, err := f.Size()
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size && err == nil; at += int64(len(zeros)) {
		_, err = f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at)
	}
	return errors.Join(err, f.Sync())
}
