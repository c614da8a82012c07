// Package directory asks the directory that an agency has already who its people
// are: one that speaks LDAP (Active Directory, OpenLDAP), or an OpenID Connect
// provider (Entra ID, Keycloak). Both answer with the same thing, a Person.
//
// It promises:
//   - Nothing goes over the network without TLS 1.2 or later and a certificate
//     that leads to the authority named, not even the first byte of an LDAP bind.
//   - An empty password is refused before any bind: to LDAP it is no password but
//     an anonymous bind, which succeeds (RFC 4513 section 5.1.2).
//   - What people type reaches a search only escaped (RFC 4515 section 3).
//   - A token of a provider counts only with a good signature of an algorithm and
//     key of that provider, for this client alone, from this issuer, with the nonce
//     of this one sign-in and within its time, give or take a minute. A code is of
//     use only with the PKCE secret that never left this machine.
//   - A refusal (ErrRefused), somebody who is gone (ErrGone) and a directory that
//     does not answer (ErrUnavailable) are told apart: an outage is nobody's
//     failure, and nobody's end.
//   - Answers are bounded in time and size.
//
// It knows no account, no role and no session: whoever calls it (auth) decides
// what a Person is allowed. All of it may be called from several goroutines.
package directory
