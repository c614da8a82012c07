package kiosk

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"sync"
	"time"
)

// The page's rhythm. A drawing that is older than freshFor is not shown: its
// maker hangs, and what it says of bays may be wrong by now.
const (
	drawEvery   = 150 * time.Millisecond // at most, however often the agent reports
	redrawEvery = time.Second            // at least: it is also the sign of life
	freshFor    = 4 * time.Second
)

// drawing is the wall as markup. It does not change.
type drawing struct {
	html  string
	ports map[string]bool // of bays with a camera; true: urgent
	at    time.Time
	next  chan struct{} // closed when there is a newer one
}

// board holds the newest drawing. One goroutine draws, all requests read: the
// agent is asked at the same rhythm however many look on.
type board struct {
	view    func() Dock
	changed func() <-chan struct{} // may be nil
	now     func() time.Time
	pages   *template.Template
	press   bool          // there are urgent buttons
	poke    chan struct{} // asks for a drawing at once

	mu     sync.Mutex // guards newest
	newest *drawing
}

func newBoard(o Options, pages *template.Template) *board {
	return &board{view: o.View, changed: o.Changed, now: o.Now, pages: pages, press: o.Urgent != nil, poke: make(chan struct{}, 1), newest: &drawing{next: make(chan struct{})}}
}

// look returns the newest drawing, and whether it may be shown.
func (b *board) look() (*drawing, bool) {
	b.mu.Lock()
	d := b.newest
	b.mu.Unlock()
	age := b.now().Sub(d.at)
	return d, !d.at.IsZero() && age < freshFor
}

// hurry asks for a new drawing without waiting for it.
func (b *board) hurry() {
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

// run draws until ctx ends. An error means that the page's own template failed.
func (b *board) run(ctx context.Context) error {
	for {
		var changed <-chan struct{}
		if b.changed != nil {
			changed = b.changed() // before looking, to miss nothing
		}
		if err := b.draw(); err != nil {
			return err
		}
		if err := rest(ctx, drawEvery, nil, nil); err != nil {
			return nil
		}
		if err := rest(ctx, redrawEvery-drawEvery, changed, b.poke); err != nil {
			return nil
		}
	}
}

// rest waits until the time has passed or one of the channels speaks.
func rest(ctx context.Context, long time.Duration, changed <-chan struct{}, poke <-chan struct{}) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-poke:
	case <-timer.C:
	}
	return nil
}

func (b *board) draw() error {
	at := b.now() // before asking: a slow answer is an old answer
	dock := b.view()
	w := newWall(dock, at, b.press)
	var html bytes.Buffer
	if err := b.pages.ExecuteTemplate(&html, "wall", w); err != nil {
		return fmt.Errorf("drawing the bay page: %w", err)
	}
	d := &drawing{html: html.String(), ports: map[string]bool{}, at: at, next: make(chan struct{})}
	for _, t := range w.Tiles {
		if !t.Empty {
			d.ports[t.Port] = t.Urgent
		}
	}
	b.mu.Lock()
	old := b.newest
	b.newest = d
	b.mu.Unlock()
	close(old.next)
	return nil
}
