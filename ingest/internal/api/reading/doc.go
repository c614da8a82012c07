// Package reading is the read side's one set of services: what the JSON API
// and the dashboard show, they get here, so that both obey the same rules.
//
// It promises:
//   - Each call asks auth.May first; what is not allowed is refused with
//     ErrForbidden, and what is of another agency does not exist.
//   - Looking at an item, playing it, opening its receipt and downloading it
//     are custody events. Where the event cannot be made durable, nothing is
//     shown (ErrUnrecorded).
//   - A byte of footage is handed out only after its whole segment has been
//     opened (which proves that it is the one sealed at the dock) and its hash
//     compared with the leaf that was checked on arrival. A segment that does
//     not hold ends the read with ErrChanged and is an event too.
//   - Plaintext stays in memory and goes nowhere else.
//
// It changes nothing in the catalog but events, writes nothing into the vault,
// and imports nothing of the write side: what it needs it declares as small
// interfaces, which the server's wiring fills.
//
// All of it may be called from several goroutines at once.
package reading
