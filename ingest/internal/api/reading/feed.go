package reading

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// feedStep is how many entries of the custody log are looked at for one answer of Feed.
const feedStep = 200

// BeginFeed lets a person follow the custody log, from when on is the index that it
// returns: what is entered there next. Who may search the whole log follows it all; others
// follow what happens to recordings whose pages they may open, and the alerts that they
// may see. ErrForbidden for who may none of it, nor see docks.
func (s *Service) BeginFeed(ctx context.Context, actor *auth.Actor) (next int64, err error) {
	if !s.followsAll(actor) && !auth.MaySome(actor, auth.ViewItem, s.Agency) && !auth.ReachOf(actor, auth.ListAlerts, s.Agency).SomeStation() && !auth.MaySome(actor, auth.ListDocks, s.Agency) {
		return 0, ErrForbidden
	}
	log, err := s.Catalog.LogState(ctx)
	if err != nil {
		return 0, err
	}
	return log.Size, nil
}

func (s *Service) followsAll(actor *auth.Actor) bool {
	return auth.May(actor, auth.ReadAudit, auth.Object{Agency: s.Agency})
}

// Feed returns events that the person may follow from an index of the custody log on, in
// order, and the index to go on from; it is from where there is nothing new. What the
// person may follow is decided anew each time.
func (s *Service) Feed(ctx context.Context, actor *auth.Actor, from int64) (events []catalog.EventRow, next int64, err error) {
	log, err := s.Catalog.LogState(ctx)
	if err != nil || from >= log.Size {
		return nil, from, err
	}
	next = min(from+feedStep, log.Size)
	whole := s.followsAll(actor)
	err = s.Catalog.EventsByIndex(ctx, from, next, func(e *catalog.EventRow) error {
		visible := whole && e.Agency == s.Agency
		if !visible {
			var err error
			if visible, err = s.opens(ctx, actor, e); err == nil && !visible {
				visible, err = s.alerts(ctx, actor, e)
			}
			if err != nil {
				return err
			}
		}
		if visible {
			events = append(events, *e)
		}
		return nil
	})
	return events, next, err
}

// opens reports whether an event is about a recording whose page the person may open.
func (s *Service) opens(ctx context.Context, actor *auth.Actor, e *catalog.EventRow) (bool, error) {
	text, ok := strings.CutPrefix(e.Object, "item:")
	if !ok || e.Agency != s.Agency || !auth.MaySome(actor, auth.ViewItem, s.Agency) {
		return false, nil
	}
	id, err := evidence.ParseEvidenceID(text)
	if err != nil {
		return false, nil
	}
	item, err := s.Catalog.ItemRow(ctx, s.Agency, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return false, nil
	}
	return err == nil && auth.May(actor, auth.ViewItem, auth.ItemObject(item)), err
}

// alerts reports whether an event tells of an alert that the person may see.
func (s *Service) alerts(ctx context.Context, actor *auth.Actor, e *catalog.EventRow) (bool, error) {
	switch e.Type {
	case evidence.EventAlertRaised, evidence.EventAlertAcknowledged, evidence.EventAlertCleared:
	default:
		return false, nil
	}
	reach := auth.ReachOf(actor, auth.ListAlerts, s.Agency)
	var told evidence.Event
	if e.Agency != s.Agency || !reach.SomeStation() || evidence.Decode(e.JSON, &told) != nil {
		return false, nil
	}
	if id := told.Details["alert"]; id != "" {
		a, err := s.Catalog.Alert(ctx, s.Agency, id)
		if errors.Is(err, catalog.ErrNotFound) {
			return false, nil
		}
		return err == nil && auth.May(actor, auth.ListAlerts, auth.StationObject(a.Agency, a.Station)), err
	}
	over, err := s.Catalog.Alerts(ctx, catalog.AlertFilter{Agency: s.Agency, Object: told.Object, Code: catalog.AlertCode(told.Details["code"]), Within: reach}, catalog.MaxPage)
	return slices.ContainsFunc(over, func(a catalog.Alert) bool { return a.ClearedAt.Equal(e.At) }), err
}
