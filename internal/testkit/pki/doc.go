// Package pki makes throw-away certificates for tests: a tiny authority and
// the certificates of servers and docks under it, in the shape that the
// identity package gives real ones.
//
// Only tests and the simulator may import it. Nothing is checked, keys live in
// memory, and validity spans a century so that tests on virtual time work too.
package pki
