// Package upload hands what is spooled to the ingest server, and verifies the
// receipts that come back. It speaks proto/upload (SPEC.md there) over the lanes
// that package lanes keeps.
//
//	dispatch  keeps recordings under way, what goes first first (queue.go): each
//	          is offered on one lane and has a goroutine until its receipt
//	pump      two on each lane, one for what is urgent: writes one segment at a
//	          time, of whatever goes first among all that is under way
//	stripe    a stream that carries segments; the first is the one of the offer,
//	          others are joined on lanes that would have nothing to send
//	control   one lane leads: statements, questions, status; each of them hears
//	          the server's directions (direction.go)
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
//   - A segment is sent again only when the lane that carried it ended before the
//     server had acknowledged it, and the server does not hold it.
//   - What is urgent goes before everything else within the piece that is being
//     written, however much is under way; order and limits change the sequence and
//     the speed, never what arrives.
//   - Memory does not depend on the length of recordings nor on how many wait: at
//     most one segment for each pump, beside the lists of leaves.
//   - Inventories and releases are sent again until they are acknowledged.
//   - The server is asked for its clock, its policy and firmware, and what others ask
//     through Ask, as long as there is a lane.
//   - What the server refuses is kept, in spool and on camera, with the reason.
//
// # What it does not promise
//
// It erases nothing and reaches no camera: the journal alone tells offload. An
// acknowledgement of a segment counts for nothing but where to go on.
//
// The daemon is the only caller; Run runs once.
package upload
