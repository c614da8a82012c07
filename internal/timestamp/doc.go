// Package timestamp speaks the Time-Stamp Protocol (RFC 3161, RFC 5816): it asks
// an authority to sign that a SHA-256 existed at a time, and checks such tokens.
//
// # What it promises
//
// Verify accepts a token only if one signer signed exactly that hash, with a
// certificate that may be used for time stamps and nothing else, that the token
// itself names by its hash, and with algorithms that are not broken. Whether the
// certificate leads to an authority that the caller trusts is said apart: without
// one the token still shows that nobody changed it. Tokens and responses may come
// from anybody: they are bounded and strictly DER.
//
// # What it does not promise
//
// It does not ask whether the certificate was revoked: that takes the network, and
// years later there is nobody to ask. It knows no authority by itself.
//
// The signature (CMS, RFC 5652) is that of github.com/smallstep/pkcs7. ingest's
// stamp asks for tokens, the verifier checks them in custody packages. It holds no
// state and may be used from several goroutines at once.
package timestamp
