package api

import (
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

type relatedShape struct {
	itemShape
	Began         *time.Time `json:"began" jsonschema:"server's clock where it is known, else the camera's"`
	OverlapUS     int64      `json:"overlap_us"`
	OverlapUnsure *int64     `json:"overlap_uncertainty_us" jsonschema:"either way; null: a camera's clock alone tells"`
}

type relatedAnswer struct {
	Items []relatedShape `json:"items" jsonschema:"the longest overlap first"`
	More  bool           `json:"more" jsonschema:"there are, or may be, more: search the station and the time"`
}

func (a *api) relatedRoutes() []Route {
	return []Route{Answer("GET /api/v1/items/{id}/related", Description{Tag: "Recordings", Summary: "What other cameras recorded at the same time at the same station", Asks: []auth.Action{auth.ViewItem}, Missing: "There is no recording with this id.",
		About: "Of those that you may see; none where the recording’s time is not known."}, a.related)}
}

func (a *api) related(r *Request, _ *Nothing) (relatedAnswer, error) {
	v := relatedAnswer{Items: []relatedShape{}}
	id, err := r.item()
	if err != nil {
		return v, err
	}
	item, err := auth.Find(r.Context(), &a.Reading.Catalog.Reader, r.Actor, auth.ViewItem, a.Reading.Agency, id)
	if err != nil {
		return v, err
	}
	around, err := a.Reading.Related(r.Context(), r.Actor, item)
	if err != nil || around == nil {
		return v, err
	}
	v.More = around.More
	for i := range around.Items {
		near := &around.Items[i]
		shape := relatedShape{itemShape: itemOf(&near.Item), Began: moment(near.Began), OverlapUS: near.Overlap.Microseconds()}
		if near.Uncertainty > 0 {
			us := near.Uncertainty.Microseconds()
			shape.OverlapUnsure = &us
		}
		v.Items = append(v.Items, shape)
	}
	return v, nil
}
