// Package catalog holds the rows that the server keeps about evidence, docks,
// people and the custody log, and the errors that every catalog backend
// returns. It has no behaviour and does no I/O; sqldb stores these rows in
// SQLite or PostgreSQL, and catalogtest is the suite that each engine passes.
//
// Times are UTC with microseconds; the zero time means "not yet". A row type
// is a plain value: whoever got one may change it, nobody else sees that.
//
// Everything on the server's side may import it. It knows nothing of blobs.
package catalog
