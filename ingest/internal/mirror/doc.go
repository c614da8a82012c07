// Package mirror keeps a copy of each stored item in a second store, on another disk or
// machine, from which scrub heals the first.
//
// An item is copied when it was stored, within a minute or two: receipts do not wait for
// it. A copy is read back from its medium and checked by fsck as the original is, before
// the catalog says that it is there, and again within each cycle. One that does not hold
// is set aside in the mirror and made anew.
//
// # What it promises
//
// It takes nothing from the first store and never writes there. When the mirror is not
// there, full, or gives back what it was not given, people are alerted, and what is
// missing is copied when it is back. There is no other state than the catalog's: a
// restart goes on where that stands. The end of each pass that did something is an event.
//
// # What it does not promise
//
// A copy is no backup: it has no catalog, no log, no keys, and nothing of what is in
// quarantine or on its way.
//
// server runs it.
package mirror
