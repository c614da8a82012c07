// Package scim lets the agency's directory provision people and groups: SCIM 2.0, RFC
// 7643 and RFC 7644, below /scim/v2.
//
// It promises:
//   - Only who shows the token of a provisioner (package auth) is heard, at a bounded
//     rate; each changes what it provisioned itself, and sees nothing else.
//   - Bodies, filters, paths and numbers of operations are bounded. Every answer is a
//     SCIM document, errors too (RFC 7644 section 3.12).
//   - Of a person userName, externalId, displayName, name, emails and active are kept.
//     Other attributes are ignored, roles and password among them: what somebody may do
//     comes from groups, by the list in the configuration.
//   - Entra ID's and Okta's ways of writing are understood: operations in capitals,
//     "False" as text, values without a path, members to be removed in a list.
//
// It decides nothing: package auth does. All of it may be called from several
// goroutines at once.
package scim
