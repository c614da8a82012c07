// Package schedule is the arithmetic of a weekly bandwidth table: which limit is
// in force at a moment and until when, when a backlog will be through, how a
// limit is shared, and how people write a table.
//
// # What it promises
//
// A moment is judged by the clock on the wall in the table's zone: the hour that
// is shown twice in autumn is judged both times, the one that is left out in
// spring never. The first window that holds the moment says the limit; where none
// does, there is none (proto/upload/SPEC.md section 6). A machine that has no rules of time
// zones gets those that are part of the program.
//
// A [Table] that [New] made is valid: tables from the wire, from files and from
// people all pass it. It never changes and is safe for concurrent use.
//
// # What it does not promise
//
// It holds no clock, waits for nothing and limits nothing. A forecast is as good
// as the rate that was measured and as the guess that everybody goes on as now.
//
// The agent's upload and the server's uplink call it, and the pages that show it.
package schedule
