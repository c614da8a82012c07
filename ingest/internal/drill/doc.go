// Package drill plays the loss of the key folder: an escrow file is opened with
// its two passphrases, and recordings drawn by chance are opened with what is in
// it, step by step, each timed.
//
// It promises that an item that is told as opened was read from the store, its key
// unwrapped with the escrow's key pairs alone, and that its first, its last and
// some segments between have the leaf hashes that give the Merkle root of the
// item's row; and that it writes nothing: the keys stay in memory. Who calls it
// records the act first. It does not read every byte (fsck does), and does not
// prove that the passphrases' holders can be reached. The server's wiring calls it.
package drill
