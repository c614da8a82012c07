// Package alarm lets people know of what the server itself has found: an alert and
// its custody event are one act, in the caller's transaction.
//
// It promises one event for each thing that people have to look at anew, none for
// something that they already see. custody, uplink, stamp, webhook and others call it.
package alarm

import (
	"context"
	"maps"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// maxMessage bounds an alert's message in bytes: there may be names from cameras in it.
const maxMessage = 1024

// Raise raises an alert, as of a.LastAt. details are what the event tells besides.
func Raise(ctx context.Context, tx *sqldb.Tx, a *catalog.Alert, details map[string]string) error {
	a.Message = upload.CleanText(a.Message, maxMessage)
	fresh, err := tx.RaiseAlert(ctx, a)
	if err != nil || !fresh {
		return err
	}
	return found(ctx, tx, evidence.EventAlertRaised, a, a.Message, map[string]string{
		"alert": a.ID, "code": string(a.Code), "severity": string(a.Severity), "about": a.About,
	}, details)
}

// Clear ends the alerts that stand of a's code about a's object, or only about one
// thing of it, as of a.LastAt: what they told of is over.
func Clear(ctx context.Context, tx *sqldb.Tx, a *catalog.Alert, why string, details map[string]string) error {
	n, err := tx.ClearAlerts(ctx, a.Agency, a.Code, a.Object, a.About, a.LastAt)
	if err != nil || n == 0 {
		return err
	}
	return found(ctx, tx, evidence.EventAlertCleared, a, why, map[string]string{"code": string(a.Code), "alerts": strconv.FormatInt(n, 10), "about": a.About}, details)
}

func found(ctx context.Context, tx *sqldb.Tx, kind evidence.EventType, a *catalog.Alert, reason string, own, more map[string]string) error {
	maps.Copy(own, more)
	_, err := tx.AppendEvent(ctx, evidence.Event{
		Version: 1, Agency: a.Agency, Type: kind, At: a.LastAt.UTC().Truncate(time.Microsecond), Actor: evidence.Actor{Kind: "server", ID: "ingest"}, Source: "local",
		Object: a.Object, Outcome: evidence.OutcomeDone, Reason: reason, Details: own,
	})
	return err
}
