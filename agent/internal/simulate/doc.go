// Package simulate is many docks in one process, for load tests: each has its
// own keys, certificate and connections (package lanes), speaks proto/upload as
// a dock does, and uploads recordings that it makes up. There is no camera, no
// spool and no journal.
//
//	Folder    the docks' identities, so that they are enrolled once
//	Fleet     runs them, and counts: Connect, Idle, Burst, then Report
//
// # What it promises
//
//   - What the server meets is the real protocol with the real back-off, race of
//     transports and drain: the same code as in a dock, but for what is sent.
//   - Every recording is another one. A receipt counts after proof.CheckReceipt has
//     found it to be for this very reading; a second one for the same is noticed.
//   - Docks share sockets, buffers and the policy that they were told: a dock that
//     has nothing to do costs some tens of kilobytes.
//
// # What it does not promise
//
// What it uploads stays in the server's store and custody log for ever: it is for
// servers made for tests. The folder holds private keys and is not made to survive
// a power cut.
//
// The command line is the only caller.
package simulate
