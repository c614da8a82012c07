// Package hosttest is a USB host for tests of the simulator: a plain USB/IP client
// that sends what it is told, sees every reply, and complains about replies that
// break the protocol; and a PTP initiator on top of it. It is made from the
// standards and shares no code with the dock agent's client.
//
// Only tests of the simulator may import it.
package hosttest
