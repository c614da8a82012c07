// Package proof judges receipts: whether a server's signed statement really
// says that one recording is stored, and whether the custody log proves it.
//
// It promises that a receipt which passes [CheckReceipt] was signed by the
// pinned receipt key, speaks of the very recording that the caller holds (its
// agency, camera, path, length, SHA-256 and Merkle root), and carries a
// logged evidence.stored event that says the same, included in a checkpoint
// of the pinned custody log. Nothing of the server needs to be asked or
// believed beyond the two keys in [Trust].
//
// It does not promise that the server still holds the recording today, that
// the log was never forked (that takes witnesses), or that the manifest's
// signature holds (the caller made it, or verifies it itself).
//
// The dock agent calls it before a camera may erase, the server's fsck and
// the offline verifier call it on what they find. It does no I/O, keeps no
// state, and may be called from several goroutines at once.
package proof
