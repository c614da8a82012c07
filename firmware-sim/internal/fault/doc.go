// Package fault makes a simulated camera misbehave by script. A [Fault] is plain
// data that says what goes wrong, where and when; a [Set] holds the faults of one
// camera and is asked by the firmware at each place where one may strike.
//
// Everything is counted, nothing is drawn by lot: a script has the same effect in
// each run. Byte counts are of object data that the host has really got; data that
// a cancelled transfer would have carried does not count.
//
// The package changes what is sent, never what the camera holds: the oracle's
// hashes stay those of the recordings.
//
// Callers: the simulator's firmware, control interface and tests.
package fault
