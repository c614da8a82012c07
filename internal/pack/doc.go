// Package pack is the format of the custody package: which files are in it, under
// which names and in which order, and the archive that they lie in. FORMAT.md holds
// the bytes.
//
// # What it promises
//
// The archive is ZIP, but exactly one sequence of bytes is the archive of given
// files: [Write] writes that one and [Open] takes no other. So there is nothing in
// a package that one program sees and another does not: no second directory, no
// name twice, no gap, no comment, no compressed or encrypted entry, no path that
// leads out. What Open reads may come from anybody: it is bounded and costs an
// error and no more. Memory does not grow with the length of what is packed.
//
// # What it does not promise
//
// It judges no signature, no hash and no proof: that is the verifier's.
//
// The server's export writes packages, the verifier reads them. Nothing in it
// keeps state; an Archive may be used from several goroutines at once.
package pack
