// Package daemon is the agent as a whole: it joins buses, bays, spool and upload,
// and runs them until it is told to stop.
//
// # The life of one recording
//
//  1. A bus lists a camera in a bay; the bay's worker opens it, asks who it is and
//     what it has. Retry: every rescan.
//  2. The signed inventory is queued. Durable: journal.
//  3. The recording gets its evidence id and attempt number. Durable: journal,
//     before its first byte is read.
//  4. It is read, hashed, sealed and written; then read again and compared. Retry:
//     a third whole reading, then later; a crash drops the half-written file.
//  5. File, folder, journal. Durable: spooled. From here the camera may leave.
//  6. It is offered; the server says where to go on, and gets the rest. Retry: from
//     the server's last durable segment, on any session.
//  7. The receipt is verified and journaled, the copy removed. Durable: received.
//     Retry: an offer of what the server has is answered with its receipt.
//  8. The worker lets the camera erase it, sees that it is gone, and queues the
//     signed release. Durable: erased, at the server once it is acknowledged.
//     Retry: the next docking reads it again and erases it then.
//
// It promises that one bay's trouble stays in that bay, that a second agent on
// the same data folder is refused, and that a stop at any moment loses nothing.
// It tells how it does on a socket in the data folder and, once a second, to the
// server. The command line is its only caller.
package daemon
