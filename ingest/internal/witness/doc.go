// Package witness has outside witnesses cosign the custody log (C2SP tlog-witness):
// they confirm that the log of each checkpoint is a continuation of the log that
// they saw before, so that this server cannot show two logs to two people, nor go
// back to an earlier state, without being found out.
//
// # What it promises
//
// What it keeps, beside the tiles as [File], is the newest checkpoint that at least
// the quorum has cosigned; every cosignature in it was verified first, its time too.
// A witness that has seen more than this log holds, or another log, is an urgent
// alert, and [Service.Ask] then is ErrContradicted: the server asks before it signs
// anything. A witness that does not answer holds nothing up; after [missedAfter]
// people are alerted, and that alert ends by itself.
//
// # What it does not promise
//
// A refusal is not signed: a witness that lies can keep the server from starting
// until it is taken out of the configuration, and no more. It sends witnesses
// checkpoints and proofs, which tell nothing of any event.
//
// server runs it. ingest/witness holds the other side.
package witness
