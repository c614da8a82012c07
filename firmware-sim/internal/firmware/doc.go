// Package firmware is what runs inside a simulated body camera: its storage and
// clock ([Camera]) and the PTP/MTP responder that a docked host talks to.
//
// A [Camera] is a bus.Function. Its life with one host, in order:
//
//  1. The bus calls Run. No session is open.
//  2. Each command container is read, checked and handed to its operation; some
//     operations first take a data container from the host.
//  3. The answer goes back as a data container (streamed from the recording, never
//     held in memory) and a response container.
//  4. A Cancel or Reset request on endpoint 0 flushes: nothing of the transaction
//     reaches the host any more and no response is sent. Reset also ends the session.
//  5. What is neither a command nor data in its place halts both bulk endpoints
//     until the host clears them.
//
// A recording is deleted only if the [Journal] has kept that fact first.
//
// Promises: recordings never change; every length that a host sends is bounded;
// a host that stays away or goes costs nothing. Standards: PIMA 15740:2000 and MTP
// 1.1 as far as proto/camera has them.
//
// Callers: the simulator's wiring and tests.
package firmware
