package dashboard

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	keptAfter  = 30 * time.Second // how long the end of a package is told
	maxWatched = 256              // packages that are told of at once; others are made without
)

// underWay are the custody packages that pages watch, by the key that the page chose. They
// are those of this process, which the page is asking.
type underWay struct {
	mu  sync.Mutex
	all map[string]*watchedPackage
}

// watchedPackage is one of them.
type watchedPackage struct {
	export.Progress
	user  string
	item  evidence.EvidenceID
	whole atomic.Bool  // all of it went out
	ended atomic.Int64 // in seconds since 1970; 0: it has not
}

// begin watches a package under a key; what has none, or one that is taken, is told to
// nobody.
func (u *underWay) begin(key, user string, item evidence.EvidenceID, now time.Time) *watchedPackage {
	p := &watchedPackage{user: user, item: item}
	if len(key) != 32 || strings.Trim(key, "0123456789abcdef") != "" {
		return p
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for old, other := range u.all {
		if at := other.ended.Load(); at != 0 && now.Unix()-at > int64(keptAfter/time.Second) {
			delete(u.all, old)
		}
	}
	if u.all == nil {
		u.all = map[string]*watchedPackage{}
	}
	if u.all[key] == nil && len(u.all) < maxWatched {
		u.all[key] = p
	}
	return p
}

func (p *watchedPackage) end(now time.Time) { p.ended.Store(now.Unix()) }

func (u *underWay) of(key string) *watchedPackage {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.all[key]
}

// packageProgress tells a page how far the package is that it asked for.
func (d *Dashboard) packageProgress(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	p := d.making.of(r.URL.Query().Get("key"))
	if p == nil || p.user != actor.User || r.PathValue("id") != p.item.String() {
		d.fail(w, r, actor, catalog.ErrNotFound)
		return
	}
	total, proven, sent := p.Bytes()
	state := "proving"
	switch {
	case p.ended.Load() != 0 && p.whole.Load():
		state = "done"
	case p.ended.Load() != 0:
		state = "failed"
	case total > 0 && proven == total && sent > 0:
		state = "sending"
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]any{"state": state, "total": total, "proven": proven, "sent": sent})
}
