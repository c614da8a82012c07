package reading

import (
	"context"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	// MaxRelated is how many recordings Related returns.
	MaxRelated = 12
	// LongestRelated is how long before another one a recording may have begun to be
	// looked at: no camera that is known records longer in one piece.
	LongestRelated = 2 * time.Hour
	lookedAt       = 200 // recordings of the station in that time
)

// Around is what was recorded while a recording ran, by other cameras of its station.
type Around struct {
	Items    []Near    // the longest overlap first
	More     bool      // there are, or may be, more
	From, To time.Time // in which others began that are looked at
}

// Near is a recording that overlaps another one in time.
type Near struct {
	catalog.Item
	Began       time.Time
	Overlap     time.Duration
	Uncertainty time.Duration // of Overlap, either way; 0: a camera's clock alone tells
}

// spanOf is when a recording ran, by the server's clock where that is known.
func spanOf(i *catalog.Item) (from, to time.Time) {
	from = i.CorrectedAt
	if from.IsZero() {
		from = i.StartedAt
	}
	if from.IsZero() || i.EndedAt.IsZero() || i.StartedAt.IsZero() || i.EndedAt.Before(i.StartedAt) {
		return from, from
	}
	return from, from.Add(i.EndedAt.Sub(i.StartedAt))
}

// Related returns which recordings of other cameras at the station of one overlap it in
// time, of those that the person may see; nil when its time is not known. It reads a
// bounded part of one search of the catalog.
func (s *Service) Related(ctx context.Context, actor *auth.Actor, item *catalog.Item) (*Around, error) {
	from, to := spanOf(item)
	if from.IsZero() || item.Kind != evidence.KindVideo || s.allow(actor, auth.ListItems) != nil {
		return nil, nil
	}
	a := &Around{From: from.Add(-LongestRelated - item.Uncertainty), To: to.Add(item.Uncertainty + time.Second)}
	f := catalog.ItemFilter{Agency: s.Agency, Within: s.within(actor, auth.ListItems), Station: item.Station, Kind: evidence.KindVideo, State: catalog.StateStored, From: a.From, To: a.To}
	page, err := s.Catalog.Items(ctx, f, catalog.NewestRecording, "", lookedAt) // the last to begin most likely still ran
	if err != nil {
		return nil, err
	}
	a.More = page.Next != ""
	for _, other := range page.Items {
		began, ended := spanOf(&other)
		unsure := item.Uncertainty + other.Uncertainty
		if other.Camera == item.Camera || began.After(to.Add(unsure)) || ended.Add(unsure).Before(from) {
			continue
		}
		overlap := min(to.UnixMicro(), ended.UnixMicro()) - max(from.UnixMicro(), began.UnixMicro())
		near := Near{other, began, time.Duration(max(overlap, 0)) * time.Microsecond, 0}
		if !item.CorrectedAt.IsZero() && !other.CorrectedAt.IsZero() {
			near.Uncertainty = unsure
		}
		a.Items = append(a.Items, near)
	}
	slices.SortStableFunc(a.Items, func(x, y Near) int { return int((y.Overlap - x.Overlap) / time.Microsecond) })
	if len(a.Items) > MaxRelated {
		a.Items, a.More = a.Items[:MaxRelated], true
	}
	return a, nil
}
