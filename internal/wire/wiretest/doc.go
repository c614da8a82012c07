// Package wiretest is a network in memory for tests of what stands on wire:
// sessions over a link with latency, loss and blackouts, on virtual time.
//
// Use it inside testing/synctest: every wait is then over at once, and a test
// of a 30 s time-out takes milliseconds. Only tests may import it.
package wiretest
