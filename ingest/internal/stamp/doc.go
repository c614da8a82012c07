// Package stamp has an outside authority sign, by the Time-Stamp Protocol (RFC
// 3161), when the custody log had come how far.
//
// A token is over the SHA-256 of a checkpoint's text, so it dates every event below
// that checkpoint: nobody, the server's owner included, can make the log later and
// say that it is older. One token a day is enough for a whole agency.
//
// It promises that what it keeps was verified first: signature, nonce, the text, and
// the way to an authority that the operator has named. An authority that fails is
// asked again, later and later; after a missed turn people are alerted. Receipts wait
// for nothing here.
//
// It sends the authority nothing but a hash. server runs it; export puts the tokens
// into custody packages.
package stamp
