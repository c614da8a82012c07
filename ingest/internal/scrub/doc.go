// Package scrub re-reads all that is stored, again and again, so that damage is found
// while there is still another copy.
//
// Each stored item is read from the medium and checked by fsck, which shares no step
// with the write path: row, statements, receipt, every segment opened with its key and
// compared with the signed leaf, the SHA-256 of the whole. When it holds, the catalog
// says so ("last proven intact"); the item that was proven the longest ago is next.
// There is no other state: a restart goes on where the catalog stands.
//
// # What it promises
//
// An item is due when its last proof is half a cycle old, and what is due is read at
// twice the rate that the cycle takes, at least 4 MiB/s, at most as fast as the
// operator allows. So within a cycle every stored byte was read, unless that ceiling
// is too low: Status tells. Reading yields to nobody by itself; the ceiling is how much
// of the disk it may take.
//
// Bytes that differ are read a second time; then the item is put into quarantine, with
// an event and an alert, and is given to nobody any more. What is missing, unreadable,
// or whose records do not hold, is alerted and tried again. With a mirror that has good
// bytes, what is damaged, missing or unreadable is healed: set aside, copied back, read
// from the medium and proven by fsck, and only then stored again, with an event. Blobs that no item names
// are alerted once a day. The end of each pass over everything is an event; a proof of
// one item is none.
//
// # What it does not promise
//
// It does not make the copies: mirror does. It does not check the custody log as a whole:
// fsck and everybody outside can.
//
// server runs it; the command line asks for Status and for one item.
package scrub
