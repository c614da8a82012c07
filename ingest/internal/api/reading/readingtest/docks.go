package readingtest

import (
	"slices"
	"sync"

	"github.com/sealdock/sealdock/ingest/internal/uplink"
)

// Docks is an uplink.Source that a test sets. Safe for concurrent use.
type Docks struct {
	mu      sync.Mutex
	all     []uplink.Dock
	changed chan struct{}
}

// NewDocks returns one that no dock has connected to.
func NewDocks() *Docks { return &Docks{changed: make(chan struct{})} }

// Set replaces what all docks report.
func (d *Docks) Set(all ...uplink.Dock) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = all
	close(d.changed)
	d.changed = make(chan struct{})
}

// Docks implements uplink.Source.
func (d *Docks) Docks() []uplink.Dock {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.all)
}

// Changed implements uplink.Source.
func (d *Docks) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}
