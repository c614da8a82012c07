package api

import (
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

func (a *api) freezeRoutes() []Route {
	if a.Freezes == nil {
		return nil
	}
	const tag, none = "Freezes", "There is no freeze with this id."
	list := Description{Tag: tag, Summary: "What nothing may be deleted of, now and in the past", Asks: []auth.Action{auth.FreezeEvidence, auth.UnfreezeEvidence, auth.ReadAudit}, Paged: true,
		Query: []Parameter{{Name: "open", Kind: True, About: "Only those in force."}}}
	begin := Description{Tag: tag, Summary: "Freeze: nothing of a scope is deleted from now on", Asks: []auth.Action{auth.FreezeEvidence}, Codes: []int{http.StatusUnprocessableEntity}}
	end := Description{Tag: tag, Summary: "End a freeze", Asks: []auth.Action{auth.UnfreezeEvidence}, Missing: none, Fresh: true, Codes: []int{http.StatusConflict, http.StatusUnprocessableEntity}}
	return []Route{
		Answer("GET /api/v1/freezes", list, a.freezes),
		Answer("POST /api/v1/freezes", begin, func(r *Request, b *freezeBody) (freezeShape, error) {
			f, err := a.Freezes.For(r.Actor).Begin(r.Context(), catalog.FreezeScope(b.Scope), b.Value, b.Reason)
			return freezeOf(&f), err
		}),
		Answer("POST /api/v1/freezes/{id}/end", end, func(r *Request, b *reasonBody) (Nothing, error) {
			return Nothing{}, a.Freezes.For(r.Actor).End(r.Context(), r.PathValue("id"), b.Reason)
		}),
	}
}

type freezeBody struct {
	Scope  string `json:"scope" required:"true" jsonschema:"agency, station, camera, officer or item"`
	Value  string `json:"value" jsonschema:"which one; nothing for the agency"`
	Reason string `json:"reason" required:"true"`
}

type freezeShape struct {
	ID        string     `json:"id"`
	Scope     string     `json:"scope"`
	Value     string     `json:"value,omitempty"`
	Reason    string     `json:"reason"`
	By        string     `json:"by"`
	At        time.Time  `json:"at"`
	EndedAt   *time.Time `json:"ended_at"`
	EndedBy   string     `json:"ended_by,omitempty"`
	EndReason string     `json:"end_reason,omitempty"`
}

func freezeOf(f *catalog.Freeze) freezeShape {
	return freezeShape{f.ID, string(f.Scope), f.Value, f.Reason, f.By, f.At, timeOrNull(f.EndedAt), f.EndedBy, f.EndReason}
}

type freezesAnswer struct {
	Freezes []freezeShape `json:"freezes"`
	Next    string        `json:"next" jsonschema:"cursor of the next page; empty on the last one"`
}

// freezes answers the freezes by when they began.
func (a *api) freezes(r *Request, _ *Nothing) (freezesAnswer, error) {
	all, err := a.Freezes.For(r.Actor).List(r.Context())
	if err != nil {
		return freezesAnswer{}, err
	}
	shapes := []freezeShape{}
	for i := range all {
		if r.Text("open") == "" || all[i].EndedAt.IsZero() {
			shapes = append(shapes, freezeOf(&all[i]))
		}
	}
	page, next, err := cut(r, shapes, func(f *freezeShape) string { return f.At.UTC().Format("20060102T150405.000000") + f.ID })
	return freezesAnswer{page, next}, err
}
