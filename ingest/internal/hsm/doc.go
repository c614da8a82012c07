// Package hsm keeps the root key under a key of an HSM, through PKCS#11.
//
// It promises that the HSM's key is AES-256, is made in it, marked as sensitive and
// not extractable, and encrypts there (AES-GCM, nonce of 12 random bytes before the
// ciphertext, PKCS #11 v2.40 CKM_AES_GCM); that what is wrapped opens only with the
// associated data that it was wrapped with; and that no session is left open. The
// root key itself is in the server's memory once it was opened: an HSM guards the
// folder and its copies, not a machine that runs.
//
// The only importer of crypto11, which needs cgo: a program that was built without
// it says so. The server's wiring hands a Module to keys. Safe for concurrent use.
package hsm

// Module is a PKCS#11 module and a token in it.
type Module struct {
	Path  string // of the shared library
	Token string // label
}
