// Package export makes custody packages: archives that prove themselves offline, for
// a defence, a court or an auditor who has neither our server nor our word.
//
// # The making of a package
//
//  1. may: the person may download the items; a refusal is an event.
//  2. prove: each recording is read from the store, opened, decoded, and its hashes
//     compared with what its dock signed; manifest, receipt and releases are
//     checked. What does not hold is refused, and that is an event.
//  3. gather: all custody events of each item that are in the log by now.
//  4. write: every other file, in memory, and SHA256SUMS over all of them.
//  5. enter: that the package was made, by whom, with the hash of SHA256SUMS, goes
//     into the custody log; waited for until a signed checkpoint covers it.
//  6. prove again: inclusion of each event, growth since each receipt, and the
//     offline verifier itself over all of it.
//  7. send: the archive, whose length is known by now; each recording is read,
//     opened and compared anew while it goes out.
//
// # What it promises
//
// Not a byte leaves before its event is in the log (law 6), and no package leaves
// that the verifier would not take. A [Package] gives the same bytes each time that
// it is written. Memory holds the files beside the recordings, and two segments,
// however long the recordings are.
//
// # What it does not promise
//
// It writes neither into the vault nor into the catalog, but for its events. An
// event says that a package was made, not that somebody received it whole.
//
// The API, the dashboard and the command line call it. A Service may be used from
// several goroutines at once, a Package by one at a time.
package export
