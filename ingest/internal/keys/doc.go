// Package keys holds the agencies' private keys and opens recordings' keys
// with them.
//
// The chain is: the root key encrypts the private keys of each agency, to which
// every recording's own key was wrapped at the dock, and the key of the catalog.
// On disk there are, in one folder:
//
//	root.key            32 random bytes, mode 0600; or magic line, how its
//	                    passphrase is stretched as one line of JSON, and the
//	                    32 bytes under AES-256-GCM, bound to both lines; or magic
//	                    line, the name of a key in an HSM or a transit service as
//	                    one line of JSON, and the 32 bytes as that encrypted them,
//	                    bound to both lines
//	agency-ID.key       the agency's first key pair: magic line, then the
//	                    private key under AES-256-GCM with a random nonce,
//	                    bound to agency and purpose by the associated data
//	agency-ID.N-KEY.key the pair of generation N: magic line, what it is as one
//	                    line of JSON, and the private key, bound to both lines
//	catalog.key         the key that the catalog is sealed under: magic line, then the
//	                    32 bytes under the root, bound to the purpose
//
// What docks and catalog hold is wrapped to one of the pairs; the newest one is
// what everything is wrapped to from now on.
//
// It promises that nothing but the root key leaves in clear, that a key file
// moved to another agency does not open, and that a key file is never
// overwritten, the root's by [Protect] apart. A passphrase is stretched by Argon2id
// (RFC 9106) or, in FIPS 140-3 mode, by PBKDF2 (SP 800-132); what a file asks for is
// bounded before any work is done. It does not write the custody event of an unwrap:
// who opens a recording for a person records that first. Custody, rotation, drill,
// fsck and the player call it. A Ring may be used from several goroutines at once.
package keys
