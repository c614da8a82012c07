// Package mhl reads the hash lists that a card may carry beside its footage, and
// writes the one that goes into a custody package: an
// "ascmhl" folder as the ASC Media Hash List specification (namespaces
// urn:ASC:MHL:v2.0 and urn:ASC:MHL:DIRECTORY:v2.0) lays it out, with one list per
// generation and a chain file that names the lists.
//
// [Combine] says for each path which hashes came with it, and what about the lists
// is odd. [Check] takes a recording's bytes as they are copied and compares them.
// C4 (SMPTE ST 2114), SHA-1, MD5 and XXH64 are checked; XXH3 and XXH128 are carried
// on unchecked and say so. [Write] makes a first generation of C4 hashes.
//
// Every byte of a list is hostile. Size, nesting, entries and texts are bounded, no
// entity is expanded, nothing outside is fetched, and a path that leaves the card is
// left out. The hashes themselves prove nothing against a forger, who can write a
// list too: they show that a file is the one that the card's writer listed. What
// is signed here is SHA-256.
//
// The package does no I/O and holds no state; all but a Check may be used from
// several goroutines at once.
package mhl
