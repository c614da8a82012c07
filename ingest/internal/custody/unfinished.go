package custody

import (
	"context"
	"fmt"
	"sync"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// defaultUnfinished is how many items of one dock may be begun and not
// finished: far more than its cameras hold in a week, and few enough that a
// dock gone wrong fills no store with beginnings.
const defaultUnfinished = 10_000

// allowancePart is how many new items a dock may begin between two counts.
const allowancePart = 100

// dockName names a dock within the server.
type dockName struct {
	agency evidence.AgencyID
	dock   evidence.DockID
}

// allowances say how many items each dock may still begin before they are
// counted again. Safe for concurrent use.
type allowances struct {
	mu   sync.Mutex // guards left
	left map[dockName]int
}

// use takes one from a dock's allowance; false when it is used up.
func (a *allowances) use(dock dockName) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left[dock] <= 0 {
		return false
	}
	a.left[dock]--
	return true
}

func (a *allowances) grant(dock dockName, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left[dock] = n
}

// mayBegin refuses a new item of a dock that has too many unfinished ones.
func (c *Custody) mayBegin(ctx context.Context, peer receive.Peer) error {
	name := dockName{peer.Agency, peer.Dock}
	if c.begun.use(name) {
		return nil
	}
	unfinished, err := c.Catalog.CountItems(ctx, catalog.ItemFilter{Agency: peer.Agency, Dock: peer.Dock, State: catalog.StateReceiving})
	if err != nil {
		return fmt.Errorf("counting the unfinished items of dock %s: %w", peer.Dock, err)
	}
	room := c.MaxUnfinished - int(unfinished.Items)
	if room <= 0 {
		refused := upload.Errorf(upload.CodeRetryLater, "%d recordings of this dock were begun and not finished: finish some of them first", unfinished.Items)
		refused.RetryAfter = noteTime
		return refused
	}
	c.begun.grant(name, min(room, allowancePart)-1)
	return nil
}
