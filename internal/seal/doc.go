// Package seal turns a recording into ciphertext that can be stored, moved and
// read in parts without ever being believed: FLOE (C2SP FLOE.md) with AES-256-GCM
// and HKDF-Expand-SHA-384, in segments of 1 MiB of plaintext. FORMAT.md holds
// every byte. It also wraps the recording's key to an agency's public key.
//
// # What it promises
//
// A segment opens only with the key, the associated data, the index and the
// last-flag that it was sealed with, and only when no bit of it has changed. A
// header fits one key only (key commitment). Nonces come from the cryptographic
// module itself, so sealing runs under GODEBUG=fips140=only. Nothing is allocated
// per segment when the caller's buffer is large enough.
//
// # What it does not promise
//
// It holds no length: whoever opens must know, from the signed manifest, how many
// segments there are and ask for exactly these ([SegmentCount], [SegmentLen]),
// the last one as the last. It does not prevent that an index is sealed twice; two
// sealings of one index under one header are both valid. It does no I/O.
//
// The agent's spool seals; the server's custody, fsck and export open; keys on
// both sides are wrapped and unwrapped here.
package seal
