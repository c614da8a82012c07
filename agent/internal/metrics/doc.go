// Package metrics shows a monitoring system (Prometheus) how the agent does.
//
// It promises: every label has a fixed set of values (states, never serial
// numbers, paths or ports), so the number of series does not grow; figures of
// recordings come from the journal and outlive a restart; a scrape waits no longer
// than [scrapeTime] for the agent. It keeps nothing in package variables.
//
// It does not protect what it serves: bind it to loopback, or to a network of the
// administrators.
//
// The command line is its only caller.
package metrics
