package sqldb

import (
	"database/sql"
	"errors"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
)

// dialect is all in which the engines differ. The SQL is written for
// PostgreSQL, in words that SQLite has too.
type dialect interface {
	name() string
	goose() goose.Dialect
	rebind(query string) string
	overwriting() string     // makes a connection overwrite what it replaces, "" where there is no such thing
	forUpdate() string       // ends a SELECT that locks its rows
	reading() *sql.TxOptions // of a transaction that reads one state
	byID() string            // after items in a FROM: they are found by their ids, whatever else is asked
	unique(err error) bool   // a unique index refused the row
	collided(err error) bool // the transaction is to be done again
	full(err error) bool     // there is no room for it
}

type sqlite struct{}

func (sqlite) name() string         { return "sqlite" }
func (sqlite) overwriting() string  { return "PRAGMA secure_delete = ON" }
func (sqlite) goose() goose.Dialect { return goose.DialectSQLite3 }

// rebind turns $N into ?N: SQLite takes $N for a name, and numbers names by
// where they first appear, not by N. No query here has a $ of another meaning.
func (sqlite) rebind(query string) string { return strings.ReplaceAll(query, "$", "?") }

func (sqlite) forUpdate() string { return "" } // the one writer has the whole database

func (sqlite) reading() *sql.TxOptions { return nil } // as any of its transactions does

// Without statistics it takes an index of two columns for better than one of a list of ids.
func (sqlite) byID() string { return " INDEXED BY sqlite_autoindex_items_1" }

func (sqlite) unique(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

func (sqlite) collided(error) bool { return false }

func (sqlite) full(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrFull || e.Code == sqlite3.ErrIoErr && e.SystemErrno == syscall.ENOSPC)
}

type postgres struct{}

func (postgres) name() string               { return "postgres" }
func (postgres) overwriting() string        { return "" }
func (postgres) goose() goose.Dialect       { return goose.DialectPostgres }
func (postgres) rebind(query string) string { return query }
func (postgres) forUpdate() string          { return " FOR UPDATE" }

// SQLSTATE codes, PostgreSQL manual, appendix A.
func (postgres) reading() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}
func (postgres) byID() string          { return "" }
func (postgres) unique(err error) bool { return hasState(err, "23505") }
func (postgres) collided(err error) bool {
	return hasState(err, "40001") || hasState(err, "40P01")
}

func (postgres) full(err error) bool { return hasState(err, "53100") }

func hasState(err error, state string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == state
}
