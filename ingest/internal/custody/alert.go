package custody

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/alarm"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/proto/evidence"
)

// raiser raises alerts within one transaction, each thing once.
type raiser struct {
	custody *Custody
	tx      *sqldb.Tx
	peer    receive.Peer
	now     time.Time
	done    map[string]bool
}

func (c *Custody) raiser(tx *sqldb.Tx, peer receive.Peer) *raiser {
	return &raiser{custody: c, tx: tx, peer: peer, now: c.instant(), done: map[string]bool{}}
}

// raise raises an alert; what people have to look at anew is a custody event.
func (r *raiser) raise(ctx context.Context, code catalog.AlertCode, object, about, format string, args ...any) error {
	thing := string(code) + "\n" + object + "\n" + about
	if r.done[thing] {
		return nil
	}
	r.done[thing] = true
	a := &catalog.Alert{
		Agency: r.peer.Agency, Code: code, Severity: severity(code), Object: object, About: about,
		Message: fmt.Sprintf(format, args...), LastAt: r.now,
	}
	return alarm.Raise(ctx, r.tx, a, r.details())
}

// clear ends alerts of a code about an object, or only about one thing of it:
// what they told of is over.
func (r *raiser) clear(ctx context.Context, code catalog.AlertCode, object, about, why string) error {
	return alarm.Clear(ctx, r.tx, &catalog.Alert{Agency: r.peer.Agency, Code: code, Object: object, About: about, LastAt: r.now}, why, r.details())
}

// details say at which dock something was found.
func (r *raiser) details() map[string]string { return map[string]string{"dock": string(r.peer.Dock)} }

// event is a custody event of something that the server itself has found.
func (r *raiser) event(kind evidence.EventType, object, reason string, details map[string]string) evidence.Event {
	maps.Copy(details, r.details())
	return evidence.Event{
		Version: 1, Agency: r.peer.Agency, Type: kind, At: r.now, Actor: evidence.Actor{Kind: "server", ID: "ingest"}, Source: "local",
		Object: object, Outcome: evidence.OutcomeDone, Reason: reason, Details: details,
	}
}

// severity says how soon people must look at an alert.
func severity(code catalog.AlertCode) catalog.Severity {
	switch evidence.FindingCode(code) {
	case evidence.FoundTwin, evidence.FoundKeyChanged, evidence.FoundKeyFailed, evidence.FoundListingFailed,
		evidence.FoundHashDiffers, evidence.FoundOddDescriptors, evidence.FoundStaleJournal:
		return catalog.SeverityUrgent
	case evidence.FoundNoSerial, evidence.FoundClockWrong:
		return catalog.SeverityNotice
	}
	switch code {
	case catalog.AlertVanished, catalog.AlertGap, catalog.AlertCountedBack, catalog.AlertNumberReused, catalog.AlertShrank, catalog.AlertErasedBare,
		catalog.AlertKeyMissing, catalog.AlertBlocked, catalog.AlertDockingReused, catalog.AlertLogSetBack, catalog.AlertLogLost:
		return catalog.SeverityUrgent
	}
	return catalog.SeverityWarning
}

// several names the first few of many.
func several(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
