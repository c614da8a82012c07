// Package uplink directs how docks send: how fast, in which order, and what goes
// first. It knows all docks of a station, so it is the one that shares the
// station's bandwidth between them (docs/decisions/0007).
//
// # What it promises
//
//   - At each moment the limits of a station's docks together are at most what
//     the station's weekly table allows, and each dock's at most its own table's.
//     A window that begins or ends is told at that moment.
//   - A station's bandwidth is shared by max-min fairness between the docks that
//     have something to send: what one cannot use goes to the others. One with
//     urgent recordings counts four times.
//   - A table, an order, an urgent mark or the sending policy changes together
//     with its custody event or not at all, and only for who may do so. It takes
//     effect without a restart, also when another process has made it.
//   - A spool that fills up, and a full store, are alerts, raised and cleared once
//     each and not at every report.
//
// # What it does not promise
//
// Nothing is lost or refused for anything that is decided here: docks follow the
// last word that they heard, and prove and keep everything regardless. What is
// measured comes from the docks and is believed; a dock that lies harms the shares
// of its own station. Marks name recordings that may be in no store yet, and are
// dropped once the recording is stored.
//
// The server's wiring gives receive its directions and runs [Service.Run]; api,
// dashboard and the command line ask a [Desk]. It knows none of them.
package uplink
