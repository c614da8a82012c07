//go:build !cgo

package spool

import (
	"errors"
	"fmt"

	_ "github.com/mattn/go-sqlite3" // registers a driver that refuses every connection
)

// errWithout is why this program cannot keep a journal.
var errWithout = errors.New("this program was built without SQLite and cannot copy recordings: build it with cgo (CGO_ENABLED=1 and a C compiler for the system it runs on)")

func damaged(error) bool { return false }

// explain names the one reason why everything fails here.
func explain(err error) error { return fmt.Errorf("%w (%w)", errWithout, err) }
