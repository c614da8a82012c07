// Package fsck reads everything that the server keeps and proves it right, or
// says what is wrong: every blob from the medium, every row, every event, every
// tile.
//
// # What is checked
//
//  1. Each stored item: its manifest's signature by a key of its dock, each
//     field of its row against the manifest, the leaf list against the Merkle
//     root; its blob, read from the medium: length, header, every segment
//     opened and its leaf hash compared, the SHA-256 of the whole; its receipt:
//     signature, facts, logged event, log proof, checkpoint signature; its
//     releases: signature and that they name this receipt. Of an item that
//     people have destroyed: that an event says so, and that no attempt at it has
//     a key; its segments open no more.
//  2. Each file of the store: that it belongs to an item. What is being received
//     or in quarantine is listed.
//  3. The custody log: every tile against the entries, every entry against its
//     event row, the row's columns against the event, that none is missing, the
//     signed checkpoint, and that every checkpoint inside a receipt is an
//     earlier state of the same log. For every evidence.stored event there is an
//     item.
//
// # What it promises
//
// A finding of severity Problem is told for anything of the above that does not
// hold; one flipped bit is enough. It changes nothing. Memory is two
// segments per worker, one page of rows and some hundred bytes per item. It may
// run beside a working server: what is under way is no problem.
//
// # What it does not promise
//
// It cannot see that catalog, store and log were all set back to one earlier
// moment, or that the server's own signing keys were used by others.
//
// It shares no step with the write path: it imports neither custody, receive
// nor audit, so it cannot share their mistakes. The command line, tests and
// auditors call it.
package fsck
