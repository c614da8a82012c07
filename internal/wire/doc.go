// Package wire carries byte streams between dock agent and ingest server:
// sessions with mutual TLS 1.3, over QUIC version 1 (RFC 9000) or over TCP, and
// streams in them. It is the only importer of quic-go and knows no message.
//
// A session is of one [Kind] and the same to its user in both; [Session.Traffic]
// tells what it carried, for those who choose and shape. QUIC survives a change
// of address and a loss holds up one stream alone. TCP passes where UDP is
// dropped, takes a quarter of the processor time, and with the kernel's BBR keeps
// its rate on a lossy link. [Listen] takes both on one port number.
//
// It promises, for both kinds: bounded memory per session, per listener and for
// all sessions of one [Budget] together; no 0-RTT and no resumption; a vanished
// peer is noticed within [Options].Idle, a restarted one at the next packet (over
// QUIC, when its ResetKey is the same); errors in its own few kinds and plain
// words. Of strangers QUIC demands that they prove their address (Retry) while
// many of them knock; TCP has proven it, and bounds who may be in a handshake.
//
// It does not promise that a dialled session is welcome: in TLS 1.3 the client
// has finished before the server has judged the client's certificate, so [Dial]
// and [DialTCP] succeed with a certificate that the server refuses. The refusal
// comes as [ErrHandshake] at the first read. Wait for an answer of the protocol
// above before believing in a session.
//
// On Linux received datagrams are coalesced by the kernel (UDP_GRO) and cut
// into packets here, which saves a fifth to a third of the processor time of
// bulk transfers (BenchmarkBulk); elsewhere, or when the kernel refuses, the
// plain socket is used. Where packets of bulk come one by one, as on slow links, a
// reader rests a millisecond at a time: it and the sender wake less often.
//
// Streams over TCP are in frames of our own, specified in proto/upload: of the
// multiplexers looked at none can stop a peer's writes, bound a session's window
// or let the urgent go first.
package wire
