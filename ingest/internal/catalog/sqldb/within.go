package sqldb

import (
	"context"
	"errors"
	"maps"

	"github.com/sealdock/sealdock/proto/evidence"
)

type withinKey struct{}

// whole is a transaction that the updates of a context become a part of.
type whole struct {
	db     *DB
	tx     *Tx
	first  error                   // of an update that failed: nothing of the transaction may stay
	after  []func(tx *Tx) error    // updates that came behind it, as records of refusals
	behind []func(context.Context) // what is only for when it stays
}

// Rest is what Within put off.
type Rest struct{ *whole }

// Within lets do run with a context in which every Update of this catalog is a part of
// tx: all of it stays, or nothing. The first failure of an update is an error of Within,
// whatever do returns; updates behind it are put off, as is what Behind is given. do must
// not leave anything running.
func (tx *Tx) Within(ctx context.Context, db *DB, do func(context.Context) error) (Rest, error) {
	w := &whole{db: db, tx: tx}
	err := do(context.WithValue(ctx, withinKey{}, w))
	return Rest{w}, errors.Join(err, w.first)
}

// join runs fn as a part of the transaction of the context; joined is false where there
// is none.
func (db *DB) join(ctx context.Context, fn func(tx *Tx) error) (joined bool, err error) {
	w, _ := ctx.Value(withinKey{}).(*whole)
	if w == nil || w.db != db {
		return false, nil
	}
	if w.first != nil {
		w.after = append(w.after, fn)
		return true, nil
	}
	w.first = fn(w.tx)
	return true, w.first
}

// Behind puts do off until the transaction of the context is durable, and reports whether
// there is one: what reads or changes anything else than the catalog goes through here.
// Where there is none, do is the caller's to call.
func Behind(ctx context.Context, do func(context.Context)) bool {
	w, _ := ctx.Value(withinKey{}).(*whole)
	if w != nil {
		w.behind = append(w.behind, do)
	}
	return w != nil
}

// Done does what was put off until the transaction is durable.
func (r Rest) Done(ctx context.Context) {
	if r.whole != nil {
		for _, do := range r.behind {
			do(ctx)
		}
	}
}

// Failed runs the updates that came behind the one that failed, each on its own.
func (r Rest) Failed(ctx context.Context) error {
	if r.whole == nil {
		return nil
	}
	var failed []error
	for _, fn := range r.after {
		failed = append(failed, r.db.Update(ctx, fn))
	}
	return errors.Join(failed...)
}

type marksKey struct{}

// Marked returns a context in which every event that is appended gets details besides
// its own, as long as they say what was done.
func Marked(ctx context.Context, marks *Marks) context.Context {
	return context.WithValue(ctx, marksKey{}, marks)
}

// Marks are details of events. They belong to one request.
type Marks struct{ Details map[string]string }

// mark adds what the context says to an event of something that was done.
func mark(ctx context.Context, e *evidence.Event) {
	m, _ := ctx.Value(marksKey{}).(*Marks)
	if m == nil || len(m.Details) == 0 || e.Outcome != evidence.OutcomeDone {
		return
	}
	all := maps.Clone(m.Details)
	maps.Copy(all, e.Details) // its own words come first
	e.Details = all
}

// Mark adds details to the events that follow in a Marked context.
func Mark(ctx context.Context, details map[string]string) {
	if m, _ := ctx.Value(marksKey{}).(*Marks); m != nil {
		m.Details = details
	}
}
