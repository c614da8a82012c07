// Package wire carries byte streams between dock agent and ingest server:
// sessions with mutual TLS 1.3 over QUIC version 1 (RFC 9000), and streams in
// them. It is the only importer of quic-go and knows no message.
//
// It promises: bounded memory per session, per listener and for all sessions
// of one [Budget] together; no 0-RTT; a vanished peer is noticed within
// [Options].Idle, a restarted one with the same ResetKey at the next packet;
// errors in its own few kinds and plain words. Address validation (Retry) is
// demanded of strangers while many of them knock.
//
// It does not promise that a dialled session is welcome: in TLS 1.3 the client
// has finished before the server has judged the client's certificate, so [Dial]
// succeeds with a certificate that the server refuses. The refusal comes as
// [ErrHandshake] at the first read. Wait for an answer of the protocol above
// before believing in a session.
//
// On Linux received datagrams are coalesced by the kernel (UDP_GRO) and cut
// into packets here, which saves a fifth to a third of the processor time of
// bulk transfers (BenchmarkBulk); elsewhere, or when the kernel refuses, the
// plain socket is used.
package wire
