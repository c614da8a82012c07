// Package sqldb keeps the catalog in SQLite (embedded default) or PostgreSQL,
// with one SQL text for both.
//
// # What it promises
//
// What [DB.Update] did is durable when it returns nil, all of it or nothing,
// and as if no other transaction ran at the same time. An act and its custody
// event belong into one Update. Events are never changed or deleted: triggers
// in the database refuse it, whoever asks. Rows of one agency are never
// returned for another.
//
// # What it does not promise
//
// The function given to Update may run more than once (PostgreSQL refuses one
// of two transactions that collide, and it is done again): it must have no
// effect but on its Tx, and must return the errors that it gets. A read on DB
// sees what was committed when it began, and two reads may see two states.
//
// Everybody on the server's side may read and write. All methods are safe for
// concurrent use; a Tx belongs to the function that it was given to.
package sqldb
