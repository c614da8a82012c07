// Package softhsm makes a token of SoftHSM 2, an HSM made of software, for tests: in
// a temporary directory, gone when the test is. One test of a process at a time can
// have one: the library reads where its tokens lie from the environment.
//
// It is for tests only. Where SoftHSM is missing the test fails and names the
// command that installs it; it is never skipped.
package softhsm
