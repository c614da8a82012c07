package custody

import (
	"context"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// event is a custody event of something that a dock did, or the maker of a derivative.
func (c *Custody) event(kind evidence.EventType, peer receive.Peer, object string, outcome evidence.Outcome, reason string, details map[string]string) evidence.Event {
	actor := evidence.Actor{Kind: "dock", ID: string(peer.Dock), Client: peer.AgentVersion}
	if peer.Maker.Kind != "" {
		actor = peer.Maker
	}
	return evidence.Event{
		Version: 1, Agency: peer.Agency, Type: kind, At: c.instant(), Actor: actor,
		Source: peer.Source(), Object: object, Outcome: outcome, Reason: reason, Details: details,
	}
}

// instant is the present moment as events keep it: UTC, whole microseconds.
func (c *Custody) instant() time.Time { return c.Now().UTC().Truncate(time.Microsecond) }

// noteRefusal records that something of a dock was refused. A refusal harms
// nothing, so it is not taken back when its record fails; a dock that tries
// the same every second fills no log.
func (c *Custody) noteRefusal(ctx context.Context, kind evidence.EventType, peer receive.Peer, object, reason string, details map[string]string) {
	if !c.events.allow(string(kind) + " " + string(peer.Agency) + " " + string(peer.Dock) + " " + object + " " + reason) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	err := c.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, c.event(kind, peer, object, evidence.OutcomeRefused, upload.CleanText(reason, 1024), details))
		return err
	})
	if err != nil {
		c.Logger.ErrorContext(ctx, "recording a refusal failed", "dock", peer.Dock, "object", object, "error", err)
	}
}

// throttle lets the same thing pass once in a while.
type throttle struct {
	now func() time.Time
	mu  *sync.Mutex          // guards last
	at  map[string]time.Time // when a thing passed
}

const (
	throttleInterval = time.Minute
	throttleSize     = 4096 // things remembered
)

func newThrottle(now func() time.Time) throttle {
	return throttle{now: now, mu: new(sync.Mutex), at: map[string]time.Time{}}
}

func (t throttle) allow(thing string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if last, ok := t.at[thing]; ok && now.Sub(last) < throttleInterval && now.Sub(last) >= 0 {
		return false
	}
	if len(t.at) >= throttleSize {
		clear(t.at)
	}
	t.at[thing] = now
	return true
}
