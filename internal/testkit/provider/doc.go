// Package provider gives tests an OpenID Connect provider that can be told to lie:
// about issuer, audience, nonce, algorithm, keys and time. Left alone it does what
// OpenID Connect Core asks of one, with PKCE, refresh tokens and UserInfo.
//
// It listens on 127.0.0.1 over TLS until the test ends, and signs in whoever it is
// told is there, without asking. It is for tests only.
package provider
