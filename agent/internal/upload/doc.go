// Package upload hands what is spooled to the ingest server, and verifies the
// receipts that come back. It speaks proto/upload (SPEC.md there) over one
// session at a time, opened again with pauses whenever it breaks.
//
// # What it promises
//
//   - Nothing is sent before the server has proven to be the pinned one: TLS by
//     the authority of the enrolment, then agency, log and receipt keys in Welcome.
//   - Each sealed segment is checked against its checksum before it is sent. A
//     damaged copy is dropped and read from its camera again.
//   - The journal says received only after proof.CheckReceipt: signature by the
//     pinned key, this very recording, inclusion in the pinned custody log. A
//     receipt that does not hold changes nothing, and is said.
//   - Inventories and releases are sent again until they are acknowledged.
//   - The server is asked for its clock, its policy and firmware, and what others ask
//     through Ask, as long as there is a session.
//   - What the server refuses is kept, in spool and on camera, with the reason.
//
// # What it does not promise
//
// It erases nothing and reaches no camera: the journal alone tells offload. An
// acknowledgement of a segment counts for nothing but where to go on.
//
// Recordings are under way oldest first: Options.InFlight long ones at most, each
// with one buffer of a segment, or as many short ones, up to 32, as take the same
// memory. The daemon is the only caller; Run runs once.
package upload
