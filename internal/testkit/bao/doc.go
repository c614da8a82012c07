// Package bao gives tests a transit service: a small one made here, which does what
// OpenBao does with real AES-GCM, versions, policies, tokens and a seal, or OpenBao
// itself. Both listen on 127.0.0.1 over TLS until the test ends, and are managed by the
// same calls, so that one test runs against either.
//
// It is for tests only. OpenBao is no package of Debian: a test that wants it is skipped
// where there is no program bao in the path, nor one that SEALDOCK_BAO names, and says
// so.
package bao
