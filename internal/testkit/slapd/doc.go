// Package slapd starts a private OpenLDAP server for tests: on free ports of
// 127.0.0.1, with its own certificate, LDAPS and StartTLS and nothing in clear, in a
// temporary directory, gone when the test is. It holds a small agency: people,
// groups, an account that may search, and people in the shape of Active Directory.
//
// It is for tests only. Where the program slapd is missing the test is skipped and
// names the command that installs it.
package slapd
