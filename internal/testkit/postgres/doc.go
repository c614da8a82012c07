// Package postgres starts a private PostgreSQL server for tests: in a temporary
// directory, on a unix socket, with durability switched off, gone when the test
// is. As root it runs as another user, since the server refuses root.
//
// It is for tests only. Where the server's programs are missing the test fails
// and names the command that installs them; it is never skipped.
package postgres
