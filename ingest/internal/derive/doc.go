// Package derive makes derivatives of recordings: clips, for now.
//
// A clip holds the pictures and the sound of a span of time as they are in the original,
// copied and not encoded anew, from the key frame at or before its begin. It is an item of
// its own: with a manifest, signed by the server's derivative key, that names its original, the span, the
// tool, its version and every argument; sealed, read back, logged and receipted like a
// recording. Whoever has the original and the tool runs the recipe and gets the same
// bytes.
//
// # What it promises
//
// The original is only read, and each part of it is proven before it is used. ffmpeg reads
// what a camera made, so it is taken for hostile: it runs closed in, gets the bytes that
// it needs in memory, and nothing in clear comes to lie on a disk. Memory, time and what
// comes out are bounded; one clip is made at a time. Each making, refusal and failure is
// an event at the original. Every picture of a clip is compared with the original's
// before it is stored; the span in the recipe comes from that.
//
// # What it does not promise
//
// It looks into no picture, and does not compare sounds. Times are those of the recording's own tables, as timeline
// reads them.
//
// server wires it; the command line and the API call it.
package derive
