package dashboard

import (
	"fmt"
	"html/template"
	"slices"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
)

// cards keeps the drawn card of each dock of the wall until what it shows changes:
// a wall of hundreds of docks is drawn twice a second for each of its viewers, and
// in that time few docks report. A card is the same for everybody who may see the
// dock. Safe for concurrent use.
type cards struct {
	mu   sync.Mutex // guards all, and is held while a card is drawn
	all  map[string]*card
	made uint64 // cards that were drawn, counted
}

type card struct {
	dock    reading.LiveDock // that it shows
	html    template.HTML
	version uint64 // differs between any two cards
	seen    time.Time
}

// cardLasts is how long the card of a dock is kept that nobody looks at.
const cardLasts = time.Minute

// shown is the part of a report that a card shows.
func shown(dock reading.LiveDock) reading.LiveDock {
	dock.Address = ""
	if dock.Connected {
		dock.LastSeen = time.Unix(0, 0)
	}
	return dock
}

func sameDock(a, b reading.LiveDock) bool {
	bays := slices.Equal(a.Bays, b.Bays)
	a.Bays, b.Bays = nil, nil
	return bays && a.Station == b.Station && a.Dock == b.Dock && a.Connected == b.Connected && a.LastSeen.Equal(b.LastSeen) && a.AgentVersion == b.AgentVersion &&
		a.SpoolBytes == b.SpoolBytes && a.SpoolQuota == b.SpoolQuota && a.RecordingsWaiting == b.RecordingsWaiting
}

// of returns the card of a dock, drawn where it is not kept.
func (c *cards) of(dock reading.LiveDock, now time.Time, draw func(name string, view any) (string, error)) (template.HTML, uint64, error) {
	dock = shown(dock)
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.all[dock.Dock]
	if kept == nil || !sameDock(kept.dock, dock) {
		html, err := draw("dock-card", drawDock(dock))
		if err != nil {
			return "", 0, err
		}
		c.made++
		kept = &card{dock: dock, html: template.HTML(html), version: c.made} // by html/template: every text in it is escaped
		if c.all == nil {
			c.all = map[string]*card{}
		}
		c.all[dock.Dock] = kept
	}
	kept.seen = now
	return kept.html, kept.version, nil
}

// tidy forgets cards that nobody looks at.
func (c *cards) tidy(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, kept := range c.all {
		if now.Sub(kept.seen) > cardLasts {
			delete(c.all, name)
		}
	}
}

// told is what a viewer's page has: the version of each dock's card. A nil told has
// none, and is told of everything.
type told map[string]uint64

// sameCard stands in a drawing for a card that the page has. morph.js leaves it.
const sameCard = `<article data-key="dock-%s" data-same></article>`

// draw returns the cards of docks in their order, and for those that the page has
// a sign that they are the same.
func (c *cards) draw(docks []reading.LiveDock, page told, now time.Time, draw func(name string, view any) (string, error)) ([]template.HTML, error) {
	out := make([]template.HTML, 0, len(docks))
	for _, dock := range docks {
		html, version, err := c.of(dock, now, draw)
		if err != nil {
			return nil, err
		}
		if page != nil {
			if page[dock.Dock] == version {
				html = template.HTML(fmt.Sprintf(sameCard, template.HTMLEscapeString(dock.Dock)))
			}
			page[dock.Dock] = version
		}
		out = append(out, html)
	}
	c.tidy(now)
	return out, nil
}
