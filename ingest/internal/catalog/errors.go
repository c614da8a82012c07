package catalog

import "errors"

// The errors that callers tell apart with errors.Is. Each is wrapped in a text
// that says what was looked for or tried.
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrExists: the row, or another one for the same thing, is there already.
	ErrExists = errors.New("exists already")
	// ErrConflict: the row is not in the state that the change starts from.
	ErrConflict = errors.New("is not in a state that allows this")
	// ErrFrozen: a freeze stops all deletion of it.
	ErrFrozen = errors.New("nothing of it may be deleted while it is frozen")
	// ErrRetired: the agency's key pair was destroyed, or is about to be.
	ErrRetired = errors.New("the key is retired: nothing is kept under it any more")
	// ErrTokenUsed: a one-time token was used before.
	ErrTokenUsed = errors.New("the token was used already: make a new one")
	// ErrTokenExpired: a one-time token is past its time.
	ErrTokenExpired = errors.New("the token has expired: make a new one")
	// ErrTokenWithdrawn: people took a one-time token back.
	ErrTokenWithdrawn = errors.New("the token was withdrawn: make a new one")
	// ErrCursor: the cursor of a list is not one that this list gave out.
	ErrCursor = errors.New("the page is not one of this list: start at the first")
	// ErrFull: the disk that the catalog is on has no room for a change.
	ErrFull = errors.New("nothing was changed, as there is no room for a change: somebody must make room on the disk of the catalog")
	// ErrLease: another process writes the custody log at the moment, or took
	// the log over from this one.
	ErrLease = errors.New("another process holds the custody log")
)
