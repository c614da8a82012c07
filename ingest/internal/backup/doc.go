// Package backup copies the files of a data folder so that the copy survives a power
// cut and costs little where most of it was copied before.
//
// # What it promises
//
// When [Copier.Tree] or [Copier.File] returns nil, the copy has the bytes that were
// read, is flushed with its folder, and is readable by its owner alone. A file that the
// copy before has, of the same size and time of change, is linked to instead of written:
// for files that never change once they are there.
//
// # What it does not promise
//
// It knows nothing of what it copies: which files never change, and in which order parts
// are to be copied so that they fit together, is its caller's, server.
package backup
