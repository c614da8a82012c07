package sealedfile_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb/sealedfile"
)

var secret = bytes.Repeat([]byte("k"), sealedfile.KeySize)

// opener opens sealed databases with one key.
type opener struct {
	testing.TB
	key *sealedfile.Key
	id  uint32
}

func newOpener(t testing.TB, secret []byte) *opener {
	t.Helper()
	key, err := sealedfile.NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	id, err := key.Use()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sealedfile.Forget(id) })
	return &opener{t, key, id}
}

// open is one connection, so that what it keeps in its cache is known.
func (o *opener) open(path string) *sql.DB {
	o.Helper()
	db, err := sql.Open("sqlite3", fmt.Sprintf("file:%s?vfs=sealed&sealed=%d&_busy_timeout=20000&_journal_mode=WAL&_synchronous=FULL", path, o.id))
	if err != nil {
		o.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	o.Cleanup(func() { db.Close() })
	db.Exec("PRAGMA temp_store = MEMORY") // where it does not open, the test says so
	return db
}

func (o *opener) exec(db *sql.DB, query string, args ...any) {
	o.Helper()
	if _, err := db.ExecContext(o.Context(), query, args...); err != nil {
		o.Fatalf("%s: %v", query, err)
	}
}

func (o *opener) text(db *sql.DB, query string, args ...any) (text string) {
	o.Helper()
	if err := db.QueryRowContext(o.Context(), query, args...).Scan(&text); err != nil {
		o.Fatalf("%s: %v", query, err)
	}
	return text
}

const name = "Wilhelmina Quartermaine" // stands in every row

// holding returns the files of dir that hold a text.
func holding(t testing.TB, dir, text string) (found []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(have, []byte(text)) {
			found = append(found, filepath.Base(path))
		}
	}
	return found
}

// Whatever SQLite does, on a sealed file and on one in clear, has the same outcome, and
// the sealed one holds no word of it at any moment.
func TestASealedDatabaseIsTheSameAndHoldsNothingReadable(t *testing.T) {
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 7))
		o, dir, clear := newOpener(t, secret), t.TempDir(), t.TempDir()
		path := filepath.Join(dir, "a.db")
		sealed := o.open(path)
		plain, err := sql.Open("sqlite3", "file:"+filepath.Join(clear, "b.db")+"?_journal_mode=WAL")
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		plain.SetMaxOpenConns(1)
		both := func(query string, args ...any) {
			t.Helper()
			o.exec(sealed, query, args...)
			o.exec(plain, query, args...)
		}
		both("PRAGMA cache_size = 20") // pages go to the WAL in the middle of a transaction, and come back
		both("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, body BLOB)")
		both("CREATE INDEX i ON t (name)")
		for step := range 100 {
			switch n := random.IntN(20); {
			case n < 8:
				both("BEGIN")
				for range random.IntN(40) {
					both("INSERT INTO t (name, body) VALUES (?, ?)", fmt.Sprint(name, random.IntN(99)), bytes.Repeat([]byte(name), random.IntN(400)))
				}
				if random.IntN(3) == 0 {
					both("SAVEPOINT s")
					both("UPDATE t SET name = name || 'x', body = zeroblob(9000) WHERE id % 7 = ?", random.IntN(7))
					both("ROLLBACK TO s")
				}
				both([]string{"COMMIT", "COMMIT", "ROLLBACK"}[random.IntN(3)])
			case n < 12:
				both("UPDATE t SET body = ? WHERE id % 5 = ?", []byte(strings.Repeat(name, random.IntN(600))), random.IntN(5))
			case n < 15:
				both("DELETE FROM t WHERE id % 11 = ?", random.IntN(11))
			case n == 15:
				both("PRAGMA wal_checkpoint(" + []string{"PASSIVE", "TRUNCATE", "RESTART"}[random.IntN(3)] + ")")
			case n == 16:
				both("VACUUM")
			case n == 17:
				copied := filepath.Join(dir, fmt.Sprintf("copy%d.db", step))
				o.exec(sealed, "VACUUM INTO ?", fmt.Sprintf("file:%s?vfs=sealed&sealed=%d", copied, o.id))
				if err := o.key.ToWAL(copied); err != nil {
					t.Fatal(err)
				}
				if other := o.open(copied); o.text(other, digest) != o.text(sealed, digest) || o.text(other, "PRAGMA journal_mode") != "wal" {
					t.Fatalf("seed %d, step %d: the copy is another one", seed, step)
				}
			case n == 18:
				if err := sealed.Close(); err != nil {
					t.Fatal(err)
				}
				sealed = o.open(path)
			default:
				o.text(sealed, "SELECT count(*) FROM (SELECT * FROM t a, (SELECT 1 FROM t LIMIT 20) ORDER BY a.body)")
			}
			if found := holding(t, dir, name); found != nil {
				t.Fatalf("seed %d, step %d: %v can be read", seed, step, found)
			}
		}
		if got, want := o.text(sealed, digest), o.text(plain, digest); got != want {
			t.Errorf("seed %d: %s, want %s", seed, got, want)
		}
		if found := o.text(sealed, "PRAGMA integrity_check"); found != "ok" {
			t.Errorf("seed %d: %s", seed, found)
		}
		if holding(t, clear, name) == nil {
			t.Fatal("the search does not find what it looks for")
		}
	}
}

const digest = "SELECT count(*) || ' ' || coalesce(sum(id * length(body)), 0) || ' ' || coalesce(group_concat(name), '') FROM (SELECT * FROM t ORDER BY id)"

// filled makes a database with rows in it, closed.
func filled(o *opener) string {
	o.Helper()
	path := filepath.Join(o.TempDir(), "a.db")
	db := o.open(path)
	o.exec(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, body BLOB)")
	for range 300 {
		o.exec(db, "INSERT INTO t (name, body) VALUES (?, ?)", name, bytes.Repeat([]byte(name), 40))
	}
	if err := db.Close(); err != nil {
		o.Fatal(err)
	}
	return path
}

func TestAnotherKeyAndAFileInClearAreRefused(t *testing.T) {
	o := newOpener(t, secret)
	path := filled(o)
	other := newOpener(t, bytes.Repeat([]byte("x"), sealedfile.KeySize))
	if err := other.open(path).Ping(); err == nil || !errors.Is(other.key.Fault(), sealedfile.ErrKey) {
		t.Errorf("another key: %v, %v", err, other.key.Fault())
	}
	if found := o.text(o.open(path), "PRAGMA integrity_check"); found != "ok" {
		t.Errorf("after the other key: %s", found)
	}
	clear := filepath.Join(t.TempDir(), "clear.db")
	db, err := sql.Open("sqlite3", "file:"+clear)
	if err != nil {
		t.Fatal(err)
	}
	o.exec(db, "CREATE TABLE t (id)")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := o.open(clear).Ping(); err == nil || !errors.Is(o.key.Fault(), sealedfile.ErrClear) {
		t.Errorf("in clear: %v, %v", err, o.key.Fault())
	}
	if _, err := sealedfile.NewKey(secret[1:]); err == nil {
		t.Error("a short key was taken")
	}
}

// A file by no key, temporary files, and attached ones of other keys: refused, not written.
func TestWhatIsNotKnownIsRefused(t *testing.T) {
	o, dir := newOpener(t, secret), t.TempDir()
	nobody, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "a.db")+"?vfs=sealed&sealed=4000000")
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	if nobody.Ping() == nil {
		t.Error("a key that nobody has")
	}
	db := o.open(filepath.Join(dir, "b.db"))
	if _, err := db.Exec("ATTACH ? AS other", filepath.Join(dir, "c.db")); err == nil {
		t.Error("a database in clear was attached")
	}
	o.exec(db, "PRAGMA temp_store = FILE")
	o.exec(db, "PRAGMA temp.cache_size = 2")
	if _, err := db.Exec("CREATE TEMP TABLE x AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT i, zeroblob(900) FROM n"); err == nil {
		t.Error("a temporary file was made")
	}
	o.exec(db, "PRAGMA temp_store = MEMORY")
	o.exec(db, "CREATE TABLE t (name)")
	o.exec(db, "INSERT INTO t VALUES (?)", name)
	// By way of a rollback journal a page would be copied into it.
	if _, err := db.Exec("PRAGMA journal_mode = DELETE"); err == nil {
		if _, err := db.Exec("UPDATE t SET name = 'x'"); err == nil {
			t.Error("a page went into a rollback journal")
		}
	}
	if found := holding(t, dir, name); found != nil {
		t.Errorf("%v can be read", found)
	}
}

// What somebody does to the file is found by SQLite itself, apart from an older page put
// back in its own place: that is the custody log's to find.
func TestDamageIsFound(t *testing.T) {
	o := newOpener(t, secret)
	for what, harm := range map[string]func(text []byte) []byte{
		"cut":               func(text []byte) []byte { return text[:len(text)/2/4096*4096] },
		"cut within a page": func(text []byte) []byte { return text[:len(text)-2000] },
		"two pages swapped": func(text []byte) []byte {
			a, b := text[5*4096:6*4096], text[9*4096:10*4096]
			swapped := bytes.Clone(a)
			copy(a, b)
			copy(b, swapped)
			return text
		},
		"a page of zeros": func(text []byte) []byte { clear(text[5*4096 : 6*4096]); return text },
		"one bit in the head of a page": func(text []byte) []byte {
			text[5*4096] ^= 1
			return text
		},
	} {
		path := filled(o)
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, harm(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		var found string
		err = o.open(path).QueryRow("PRAGMA integrity_check").Scan(&found)
		if err == nil && found == "ok" {
			t.Errorf("%s: not found", what)
		}
		t.Logf("%s: %.80q %v", what, found, err)
	}
}

// toBeKilled names, in the environment of a writer that is to be killed, the database.
const toBeKilled = "SEALDOCK_TEST_SEALED"

// TestWriterToBeKilled is the process that TestAKilledWriterLosesNothing kills.
func TestWriterToBeKilled(t *testing.T) {
	path := os.Getenv(toBeKilled)
	if path == "" {
		t.Skip("this is a process of another test")
	}
	o := newOpener(t, secret)
	db := o.open(path)
	o.exec(db, "PRAGMA wal_autocheckpoint = 20")
	o.exec(db, "PRAGMA cache_size = 10")
	for {
		o.exec(db, "BEGIN IMMEDIATE")
		o.exec(db, "INSERT INTO t (name, body) SELECT name, randomblob(3000) FROM t ORDER BY id LIMIT 20")
		o.exec(db, "DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY random() LIMIT 20)")
		o.exec(db, "UPDATE c SET n = n + 1")
		o.exec(db, "COMMIT")
		fmt.Println(o.text(db, "SELECT n FROM c"))
	}
}

// A writer is killed again and again, while this process reads: what it was told is
// committed is there, and the database is whole.
func TestAKilledWriterLosesNothing(t *testing.T) {
	o := newOpener(t, secret)
	path := filled(o)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	reader := o.open(path)
	o.exec(reader, "CREATE TABLE c (n INTEGER)")
	o.exec(reader, "INSERT INTO c VALUES (0)")
	random := rand.New(rand.NewPCG(1, 1))
	for round := range 8 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		writer := exec.CommandContext(ctx, program, "-test.run=TestWriterToBeKilled$")
		writer.Env = append(os.Environ(), toBeKilled+"="+path)
		out, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		told := "0"
		text, after := make([]byte, 4096), 40+random.IntN(400)
		for n := 0; n < after; {
			got, err := out.Read(text)
			if err != nil {
				t.Fatalf("the writer ended by itself: %v: %s", err, text)
			}
			n += got
			lines := strings.Split(string(text[:got]), "\n")
			if len(lines) > 1 {
				told = lines[len(lines)-2]
			}
			o.text(reader, "SELECT count(*) FROM t WHERE length(body) > 0")
		}
		if err := writer.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		writer.Wait() // it was killed
		cancel()
		if found := o.text(reader, "PRAGMA integrity_check"); found != "ok" {
			t.Fatalf("round %d: %s", round, found)
		}
		if round%2 == 0 { // alone: it reads the WAL as after a restart
			if err := reader.Close(); err != nil {
				t.Fatal(err)
			}
			reader = o.open(path)
		}
		if o.text(reader, "SELECT n >= CAST(? AS INTEGER) FROM c", told) != "1" || o.text(reader, "SELECT count(*) FROM t") != "300" {
			t.Fatalf("round %d: the writer said %s, there is %s", round, told, o.text(reader, "SELECT n FROM c"))
		}
		if found := o.text(reader, "PRAGMA integrity_check"); found != "ok" {
			t.Fatalf("round %d, opened again: %s", round, found)
		}
	}
	if found := holding(t, filepath.Dir(path), name); found != nil {
		t.Errorf("%v can be read", found)
	}
}

// Pages of the same content have nothing in common on the disk.
func TestSamePagesDifferByTheirPlace(t *testing.T) {
	o := newOpener(t, secret)
	path := filled(o)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for at := 0; at+16 <= len(text); at += 16 {
		seen[string(text[at:at+16])]++
	}
	for block, n := range seen {
		if n > 1 {
			t.Fatalf("block %x is there %d times", block, n)
		}
	}
}

// Read and write, sealed and in clear.
func BenchmarkPages(b *testing.B) {
	for _, how := range []string{"clear", "sealed"} {
		path := filepath.Join(b.TempDir(), "a.db")
		address := "file:" + path + "?_journal_mode=WAL&_synchronous=FULL&_cache_size=-400"
		if how == "sealed" {
			address += fmt.Sprintf("&vfs=sealed&sealed=%d", newOpener(b, secret).id)
		}
		db, err := sql.Open("sqlite3", address)
		if err != nil {
			b.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		do := func(query string) {
			if _, err := db.Exec(query); err != nil {
				b.Fatal(query, err)
			}
		}
		do("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)")
		do("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) INSERT INTO t SELECT i, randomblob(3000) FROM n")
		do("PRAGMA wal_checkpoint(TRUNCATE)")
		b.Run("read/"+how, func(b *testing.B) { // 20,000 rows, none of them in SQLite's cache
			began := used(b)
			for b.Loop() {
				var sum int
				if err := db.QueryRow("SELECT sum(length(substr(body, 1, 1))) FROM t").Scan(&sum); err != nil || sum != 20000 {
					b.Fatal(sum, err)
				}
			}
			b.ReportMetric(float64((used(b)-began).Microseconds())/float64(b.N)/20000, "cpu-µs/page")
		})
		b.Run("commit/"+how, func(b *testing.B) {
			for b.Loop() {
				do("UPDATE t SET body = randomblob(3000) WHERE id = abs(random()) % 20000")
			}
		})
		db.Close()
	}
}

// used is the processor time of this process, which no other program's load changes.
func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
