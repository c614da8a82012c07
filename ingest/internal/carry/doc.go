// Package carry takes in what docks have written to a drive: recordings and
// statements that did not come over the network.
//
// # What it promises
//
//   - A recording from a drive goes the way of every other one: offer, segments,
//     read-back, log, receipt, by the same Taker and with the same checks. What
//     the server has already is not taken twice, whichever way it came; broken
//     off, the next run goes on at the last durable segment.
//   - Nothing of a drive is believed before its index carries the signature of a
//     dock that is enrolled here and not disabled. All of it is bounded: no more
//     is read than the index names, and no link is followed out of the folder.
//   - Events of what is taken in name the drive as their source. A drive that is
//     refused is an event too.
//   - Receipts are written to the drive, for the dock.
//
// # What it does not promise
//
// A drive that cannot be written to gets no receipts; docks get them over the
// network all the same.
//
// The server's wiring is the only caller, one import at a time.
package carry
