// Package tlog keeps an RFC 6962 Merkle log as C2SP tlog-tiles and speaks C2SP
// checkpoints: the arithmetic of the custody log. FORMAT.md holds the bytes; the
// tree and the signatures are those of golang.org/x/mod/sumdb.
//
// # What it promises
//
// [Append] returns a size and root only when every tile and entry bundle of the
// new tree is durable, and it fails when the old right edge does not fit
// together. Proofs are made only from tiles that agree with the root of their
// tree. What is parsed or checked may come from anybody: it is bounded, and a
// hostile size or proof costs an error and no more.
//
// # What it does not promise
//
// It does not know which size was signed before and does not order writers: the
// caller, ingest's audit, has one sequencer at a time and compares [Root] with its
// last checkpoint before it appends. [Append] trusts the storage with the inner
// tiles of the old tree; [Check] reads them all.
//
// Agent and verifier use the checks and the checkpoint; ingest's audit, api, fsck
// and export use all of it.
package tlog
