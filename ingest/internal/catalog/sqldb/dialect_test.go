package sqldb

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	server "github.com/sealdock/sealdock/internal/testkit/postgres"
)

func openTest(t *testing.T, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), url, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func sqliteURL(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "catalog.db") }

// Both engines bind by number, also where $2 is written before $1.
func TestArgumentsAreBoundByNumber(t *testing.T) {
	for name, url := range map[string]string{"sqlite": sqliteURL(t), "postgres": server.Start(t).Database(t)} {
		t.Run(name, func(t *testing.T) {
			db := openTest(t, url)
			var got string
			err := db.one(t.Context(), "words", func(s scanner) error { return s.Scan(&got) },
				"SELECT CAST($2 AS TEXT) || ' ' || CAST($1 AS TEXT) || ' ' || CAST($2 AS TEXT)", "one", "two")
			if err != nil || got != "two one two" {
				t.Fatalf("got %q, %v", got, err)
			}
		})
	}
}

func TestSQLiteCommitsAreFlushed(t *testing.T) {
	db := openTest(t, sqliteURL(t))
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1"} {
		var got string
		if err := db.writes.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s of the writer is %q, %v; want %q", pragma, got, err, want)
		}
	}
	if _, err := db.reads.Exec("DELETE FROM items"); err == nil {
		t.Error("a reader can write")
	}
}

func TestANewerCatalogIsRefused(t *testing.T) {
	url := sqliteURL(t)
	db := openTest(t, url)
	if _, err := db.writes.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), url, time.Now); err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Fatalf("got %v", err)
	}
}

func TestBadAddressesAreRefused(t *testing.T) {
	for _, url := range []string{"", "mysql://x", "postgres://user:secret@host:port:port/x", "sqlite:/dev/null/x.db"} {
		if db, err := Open(t.Context(), url, time.Now); err == nil {
			db.Close()
			t.Errorf("%q was opened", url)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestWaitingUpdatesShareACommit(t *testing.T) {
	db := openTest(t, sqliteURL(t))
	const updates = 20
	hold, started := make(chan struct{}), make(chan struct{})
	done := make(chan error, updates+1)
	go func() {
		done <- db.queue.update(t.Context(), func(querier) error {
			close(started)
			<-hold
			return nil
		})
	}()
	<-started
	batches := make(chan *sql.Tx, updates)
	for n := range updates {
		go func() {
			done <- db.queue.update(t.Context(), func(q querier) error {
				batches <- q.(detached).tx
				_, err := q.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO settings VALUES ('a', 'n%d', '', 0, '')", n))
				return err
			})
		}()
	}
	for until := time.Now().Add(10 * time.Second); db.queue.waiting.Load() < updates; runtime.Gosched() {
		if time.Now().After(until) {
			t.Fatal("the updates do not arrive")
		}
	}
	close(hold)
	transactions := map[*sql.Tx]bool{}
	for range updates {
		transactions[<-batches] = true
	}
	for range updates + 1 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if len(transactions) != 1 {
		t.Errorf("%d updates took %d transactions, want 1", updates, len(transactions))
	}
	var n int
	if err := db.reads.QueryRow("SELECT count(*) FROM settings").Scan(&n); err != nil || n != updates {
		t.Errorf("%d rows, %v; want %d", n, err, updates)
	}
}
