// Package carry takes what waits in the spool to the server by hand, where no
// network does: it writes it to a drive, and brings the server's receipts back
// from one.
//
// # What it promises
//
//   - Export changes nothing in the spool. What is on a drive still waits at the
//     dock, and is offered over the network as before, until a receipt was
//     verified.
//   - What the index on the drive names is on the drive whole and flushed. The
//     index is signed, and written last: pulled in the middle, a drive has its
//     former index, or none. The next run reads what is there, keeps what is
//     right, and goes on.
//   - A receipt counts only after proof.CheckReceipt, as one over the network
//     does, in the agent itself, whoever put it there.
//
// # What it does not promise
//
// It chooses no drive and mounts none. A drive is not encrypted further: what
// lies on it is sealed as in the spool, and whoever finds it can open nothing;
// names of files tell nothing, manifests and inventories can be read.
//
// The command line calls Export and Collect, the daemon runs a Desk.
package carry
