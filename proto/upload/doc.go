// Package upload is the protocol between dock agent and ingest server: the
// messages, their framing, their limits and the error codes. SPEC.md in this
// folder is the normative text; section numbers in comments point to it.
//
// The package promises that a message returned by [ReadMessage] is within all
// limits of the specification and that nothing outside them is allocated or
// read on behalf of a peer. It does not promise that a message comes at the
// right moment beyond the kinds that the caller allows, and it checks no
// signature: statements are opaque bytes here.
//
// It does no I/O of its own beyond the io.Reader and io.Writer given to it, and
// knows nothing of QUIC, TLS or files. The agent's upload and the server's
// receive packages are its callers.
package upload

//go:generate protoc -I ../.. --go_out=../.. --go_opt=paths=source_relative proto/upload/upload.proto
