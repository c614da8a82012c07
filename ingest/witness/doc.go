// Package witness is an outside witness of custody logs: a program that a court, a
// union or a partner agency runs on a machine of its own, and that confirms by a
// cosignature (C2SP tlog-cosignature, Ed25519) that a log only ever grew. It speaks
// the C2SP tlog-witness protocol, so it serves other logs too, and other witnesses
// can stand in its place.
//
// # What it promises
//
// All heads of a log that it ever cosigned are consistent with each other: each is
// a beginning of every later one. What it cosigns is durable before the cosignature
// leaves. That holds with any number of requests at a time, and when it is killed
// between any two steps; two processes cannot share a folder. Requests come from
// anybody: they are bounded in bytes and in time.
//
// # What it does not promise
//
// It sees heads of trees and no events: it cannot tell whether what a log holds is
// true. A folder that is set back to an older copy makes it forget what it saw
// since; a server that is set back with it is then not found out by this witness.
// Checkpoints with extension lines, which this system's log does not make, are
// refused as malformed.
//
// The command sealdock-witness runs it; ingest's internal/witness asks it. Package
// tlog holds the proofs and the checkpoint, transparency-dev/formats the cosignature.
package witness
