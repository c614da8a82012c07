// Package evidence holds the words of Sealdock: who is who (agency, station,
// dock, camera), what is what (recording, evidence item), and the signed
// statements that outlive a process (manifest, inventory, receipt, release,
// custody event, and the index of what a dock has written to a drive), with their
// validation.
//
// It is the ground floor. It imports nothing of ours, does no I/O and holds no
// state; every other package speaks these types and defines no second one.
// Everything here may be called from several goroutines at once.
//
// A statement is JSON in a DSSE envelope (see Envelope). Whoever verifies one
// verifies the bytes carried and then decodes them with Decode, which refuses
// unknown fields, repeated keys, trailing bytes and values out of bounds.
// Nothing is ever serialised again in order to be verified.
package evidence
