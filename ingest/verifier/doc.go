// Package verifier judges custody packages offline: what in one is proven, what is
// not, and by whose keys. The command sealdock-verify and the page verify.html that
// lies in each package are the same package, this one.
//
// # What it promises
//
// A report without a failed finding means: the archive is byte for byte one that a
// server wrote; every file in it is the one whose hash was entered into the custody
// log when the package was made; each recording is the one that its dock signed and
// the server acknowledged; each custody event in it is in the log; the log's
// checkpoint is signed by the log's key, and is a continuation of the log that each
// receipt was given on. One changed byte anywhere is a failed finding that names
// the file.
//
// What it read may come from anybody. It is bounded: memory does not grow with the
// recordings, and at most pack.MaxSmall of any other file is read.
//
// # What it does not promise
//
// Whose keys they are, it knows only of those that the caller pinned in [Pins]. Of
// others the report says that they were taken from the package. That the list of
// events is complete, and what keeps a server from showing two logs, see the
// findings that are not proven.
//
// It asks no network and knows no server code. It keeps no state; calls may run at
// the same time.
package verifier
