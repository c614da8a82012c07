// Package identity holds who is who: the server's own certificate authority, the
// keys and certificates of servers and docks, the TLS configurations of all
// links, and the Ed25519 keys that sign statements.
//
// # What it promises
//
// Certificates are of P-256 or P-384 keys, for one use each (server or dock), and
// name the dock and its agency in a URI that only this authority writes
// (sealdock://AGENCY/dock/ID, [DockFromCertificate]). Dock links are TLS 1.3 with
// both sides proven and a hybrid post-quantum exchange first. A statement key
// signs only the kinds of statement of its purpose. Secret files are written with
// mode 0600 and refused when others may read them.
//
// # What it does not promise
//
// It does not know who was revoked: the server looks the dock up on every
// connection. It keeps no clock; times are passed in, and crypto/tls asks
// tls.Config.Time.
//
// The wiring of agent and ingest, enrolment and the tests' PKI call it.
package identity
