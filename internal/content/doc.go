// Package content encodes recordings before they are sealed and decodes what was
// sealed, bounded. The only encoding is zstd, as this format of it:
//
//   - one frame of RFC 8878 and nothing before, between or behind;
//   - the frame tells its content size, and it is the length of the recording;
//   - no dictionary; a window of at most 8 MiB (MaxWindow).
//
// Anything else is refused, also where a general zstd decoder would take it.
//
// # What it promises
//
// Decoding gives at most the bytes that the manifest says, and holds at most a few
// windows in memory, whatever it is fed. [Prove] says that what is sealed is the
// recording only when SHA-256 and Merkle root of the original are those of the
// manifest.
//
// # What it does not promise
//
// Bytes that [Decode] has written are proven only when it has returned nil. It
// does no I/O of its own and knows no keys.
//
// The dock's offload encodes; the server's custody, fsck and reading decode.
package content
