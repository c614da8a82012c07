// Package offload copies what a docked camera holds into the spool, and lets the
// camera erase what the server has proven to hold.
//
// One docking, step by step:
//
//  1. The camera says who it is. One with the Sealdock extension proves its key; the
//     server is asked how the camera stands, and one of ours is adopted and opened.
//  2. Its clock is measured against the dock's, and set.
//  3. It lists what it has, and what it signed of that is verified; small sidecars are
//     read for what they claim about the videos beside them.
//  4. The signed inventory is queued in the spool, with all that was found.
//  5. A recording that two listings show the same gets an evidence id, durable before
//     its first byte is read.
//  6. One pass reads the camera, takes SHA-256 and leaf hashes, seals and writes
//     the spool file. Stages run side by side over a fixed set of buffers. Text
//     is held in memory, and sealed compressed where that pays.
//  7. The hash that the camera signed, where its key counts, or else a second,
//     independent read must agree. When it does not, a third whole pass decides; without
//     two equal readings nothing is handed on.
//  8. The manifest is signed and the copy committed (durable point). Upload takes
//     it from there. For short recordings this happens aside, for several
//     together, while the next ones are read.
//  9. Once the journal holds a verified receipt and nothing withholds it (server.go),
//     the camera is listed again, told to erase, and listed once more: only what is gone
//     counts as erased. A camera of ours gets the receipt itself.
//  10. The signed release is queued in the spool (durable point).
//  11. With nothing left to do, a camera of ours gets its wearer, settings and firmware.
//
// # What it promises
//
// A camera is told to erase a recording only when this docking itself has read
// from that very object, whole, the bytes that the receipt speaks of: when they
// were copied, or, for receipts that came after an earlier docking, by reading
// again. So two cameras with one serial number, a clock that stands still or
// numbers that start again never cost a recording. Whatever a camera claims
// about sizes, times and people is carried as a claim; odd recordings are
// taken in, never left out. Nothing is erased while the server is not reached, on
// hold, from a camera that is not ours, or for what only an old journal remembers.
//
// # What it does not promise
//
// It talks to no server and judges no receipt: that is upload's part, before the
// journal says received. Memory per reading bay is buffersPerBay windows of
// 1 MiB, one sealed segment and maxHeld bytes of short copies; Options.Reading bounds the bays that read at once.
//
// The daemon is the only caller. A Desk may be used by several goroutines; each
// Docking runs in one.
package offload
