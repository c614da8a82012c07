// Package spool keeps what the dock has copied from cameras and not yet handed
// over: sealed recordings as files, and a journal (SQLite) that says where each
// recording stands. It is where the two stages of the agent meet: offload fills
// it, upload empties it, and nothing else passes between them.
//
// # What it promises
//
//   - A recording in state spooled is on the medium: file flushed, folder
//     flushed, then the journal committed. A flush that fails drops the copy.
//   - The spool alone cannot be opened by whoever steals the dock: files hold
//     sealed segments, the journal holds the item key only wrapped to the agency.
//   - A segment that is handed out is what was written, by CRC-32C (Castagnoli).
//     Rot is reported as ErrRot; the caller drops the copy and the recording is
//     read from its camera again, under the next attempt number.
//   - An evidence id and an attempt number are durable before the first byte of
//     a recording is read, and are never used twice for different bytes.
//   - Changes of several callers that wait at the same time share one commit; a
//     call returns when its own is on the medium.
//   - After a crash every half-written file is removed and every row stands in
//     a state from which the work goes on by itself.
//
// # What it does not promise
//
// It judges no receipt and erases nothing: the caller of Received has checked
// the receipt, the caller of Erased has seen the camera obey. It does not
// survive the loss of its own disk; the camera still holds whatever has no
// receipt.
//
// # Files, below the folder given to Open
//
//	journal.db            rows, leaf lists, checksums, statements not yet sent
//	recordings/ID-N.floe  attempt N of item ID: FLOE header and sealed segments,
//	                      exactly the bytes that the server will store
//	checkpoints           every checkpoint of the custody log that came with a
//	                      receipt, appended, for whoever must compare later
//
// Callers are offload, upload and daemon. A Spool may be used by several
// goroutines at once, and the segments of a Copy read by several; a Writer is
// for one. One process per folder: the
// caller holds durable.LockDir. A Reader looks on from any other process.
package spool
