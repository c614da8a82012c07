// Package oracle is the simulator's private book of what its cameras really hold
// and what happened to it: the truth that a test compares a store with.
//
// It is one JSON file ([State]), replaced by rename at each change, so a reader
// sees a whole state. A book of more than 100 recordings takes long to write, so its
// changes are gathered for a moment; deletions and what a camera keeps, though, are
// first appended to a second file (the book's name with ".deletes"), before the host
// is told. So a simulator that was killed and started again on its book brings back no
// recording that it had deleted, and no camera forgets whose it is.
// That file carries the lock by which a book has one simulator at a time.
// Against a power cut the book is not protected: it is a tool for tests.
//
// Callers: the simulator's wiring and tests.
package oracle
