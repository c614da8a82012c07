// Package transit keeps the root key under a key of OpenBao's or HashiCorp Vault's
// transit engine, which both speak alike.
//
// It promises that the key is AES-256-GCM, is made in the service, and that one which
// may be exported, backed up in clear or deleted is refused where the token may see
// that; that what is wrapped opens only with the associated data that it was wrapped
// with; that the token goes to the configured address alone, over TLS (or, without,
// to this machine: an OpenBao agent listens there); that no redirect is followed; and
// that an answer, whatever it is, takes at most 64 KiB and 20 seconds. What the
// service says of a refusal is told, unless the token, or what was to be wrapped, is
// in it.
//
// The service sees the root key when it wraps it and when it opens it: it guards the
// folder and its copies, not a machine that runs. A token that may only encrypt and
// decrypt with that one key is enough.
//
// The server's wiring hands a Service to keys. Safe for concurrent use.
package transit
