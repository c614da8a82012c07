// Package station starts the built programs as a whole: an ingest server, a
// simulator with cameras in its bays and a dock agent, each a process of its
// own on loopback addresses, in one folder. It reads what they say for
// machines (the simulator's oracle, the server's item list, the agent's
// status) and checks the promises I1 to I8 over it.
//
// It is for tests, the demo and the benchmark only, and knows nothing of the
// programs' insides.
package station
