// Package camera is the wire language between a body camera and the host it is
// docked to: PTP (PIMA 15740:2000, ISO 15740:2013) carried in the containers of the
// USB Still Image Capture Device class (PIMA 15740 annex D), with the MTP 1.1
// operations that large files need. SPEC.md beside this file says which part
// of those standards is used, and with which limits.
//
// It holds both directions: what an initiator (host) and a responder (camera)
// encode and decode. It does no I/O, keeps no state and starts no goroutine; every
// function is safe for concurrent use.
//
// Whatever comes from a peer is hostile. No decoder panics, none allocates by a
// count that the peer claims before it has seen that the bytes are there, and each
// failure wraps [ErrMalformed] and names the field. Names and texts are handed on
// as they came ([Text]); making them safe to show or to store is the caller's work.
//
// The agent and the camera simulator call this package; the ingest server never does.
package camera
