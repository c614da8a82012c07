// Package simulator puts the parts together: it makes or finds the recordings,
// builds the cameras, plugs them into the bus, keeps the oracle, and does what a
// person would do by hand: plug, pull, record, break.
//
// Callers: the program's main and the control interface.
package simulator
