// Package vault says what a store of sealed blobs promises. fs is the embedded
// one; vaulttest is the suite that each backend passes.
//
// # What a store promises
//
// A blob is a seal header followed by sealed segments. Its name comes from ids
// only, never from text of a camera. Once Commit has returned nil the blob is
// durable, with its name, and no method changes or removes it: a committed
// blob can only be moved into quarantine, where it stays readable; Heal may put
// good bytes in its place. A partial
// blob survives a crash with at least the segments that a Sync covered; what
// is beyond them is unverified and the caller's to check.
//
// # What it does not promise
//
// It knows no keys and looks into no segment: that what it holds is right is
// for custody to verify at intake and for fsck to prove again. It keeps no
// rows: which blob belongs to which item is the catalog's to know.
//
// custody writes, custody, the read side and fsck read.
package vault
