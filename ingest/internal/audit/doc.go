// Package audit keeps the custody log: it gives every committed custody event
// its place in a Merkle tree (RFC 6962), keeps the tree as C2SP tlog-tiles, and
// signs its head.
//
// # The life of an event
//
//  1. An act appends its event row, salted, in its own transaction.
//  2. assign: pending rows get the next indices, in row order, in a
//     transaction that holds the writer's lease. The order is final from here.
//  3. tiles: the salted hashes of the events become entries; bundles and tiles
//     are written and flushed.
//  4. note: the new size and root are noted durably as about to be signed.
//  5. sign: the checkpoint is signed.
//  6. save: size, root and checkpoint go into the catalog, if the fence of the
//     lease still holds. Only now does Sequence return the checkpoint.
//  7. publish: the checkpoint is put beside the tiles.
//
// Steps 2 to 7 can be done again: they derive from rows that never change. A
// crash between any two is made good by Open.
//
// # What it promises
//
// When Sequence returns nil, every event that was committed before the call is
// in the tree of the returned checkpoint, and all of it is durable. Every
// checkpoint that this package ever signed is consistent with every other: it
// never signs a size below one that the catalog, the published checkpoint or
// the note of step 4 tells of, nor another root for that size. When catalog
// and log do not fit together, as after one of them was restored from a
// backup, Open refuses with ErrRolledBack and changes nothing.
//
// # What it does not promise
//
// It cannot see that catalog and log were both set back to one earlier moment:
// that takes witnesses outside. It does not read the whole tree at Open: that
// is fsck's work.
//
// custody calls Sequence and Prove, server Open and Run, the read side Head.
package audit
