// Package inspection is the audit desk: it lets people who may search the custody
// log, tells each of its events in a sentence, proves what it shows against the
// log's signed checkpoint, and hands out what a search found.
//
// It promises that nobody looks without a trace: each search, each export and each
// refusal is an event itself, written before anything is shown; turning the pages of
// a search is not another one. A search stands still while one pages in it. Nothing
// is held back: an event whose row was changed by other hands is shown and named,
// and so is the place of one that was deleted.
//
// A Service is safe for concurrent use. It reads, but for its own events.
package inspection
