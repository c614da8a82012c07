package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/settings"
)

func (a *api) settingsRoutes(mux *http.ServeMux) {
	if a.Settings == nil {
		return
	}
	mux.HandleFunc("GET /api/v1/settings", a.private(a.settings))
	mux.HandleFunc("PUT /api/v1/settings/{name}", a.private(a.setSetting))
	mux.HandleFunc("DELETE /api/v1/settings/{name}", a.private(a.unsetSetting))
	mux.HandleFunc("GET /api/v1/posture", a.private(a.posture))
}

type setting struct {
	Name      string            `json:"name"`
	Title     string            `json:"title"`
	Help      string            `json:"help"`
	Kind      settings.Kind     `json:"kind"`
	Value     string            `json:"value"`
	Default   string            `json:"default"`
	Bounds    string            `json:"bounds"`
	Standing  settings.Standing `json:"standing"`
	ChangedAt *time.Time        `json:"changed_at,omitempty"`
}

func (a *api) settings(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	all, err := a.Settings.For(actor).List(r.Context())
	if err != nil {
		a.failSetting(w, r, err)
		return
	}
	shapes := []setting{}
	for _, s := range all {
		shape := setting{s.Name, s.Title, s.Help, s.Kind, s.Value, s.Default, s.Bounds(), s.Standing, nil}
		if !s.ChangedAt.IsZero() {
			shape.ChangedAt = &s.ChangedAt
		}
		shapes = append(shapes, shape)
	}
	a.answer(w, r, map[string]any{"settings": shapes})
}

// setSetting takes {"value":"…","reason":"…","was":"…"}; reason and was may be
// left out.
func (a *api) setSetting(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var body struct {
		Value  *string `json:"value"`
		Reason string  `json:"reason"`
		Was    *string `json:"was"`
	}
	reader := json.NewDecoder(io.LimitReader(r.Body, 64<<10))
	reader.DisallowUnknownFields()
	if err := reader.Decode(&body); err != nil || body.Value == nil {
		problem(w, http.StatusBadRequest, "The request cannot be read", `Send {"value":"…"}, with "reason" where it is weaker than the default, and "was" to change only what you saw.`)
		return
	}
	a.changeSetting(w, r, actor, settings.Change{Name: r.PathValue("name"), Value: *body.Value, Reason: body.Reason, Was: body.Was})
}

// unsetSetting sets a setting back to its default.
func (a *api) unsetSetting(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	a.changeSetting(w, r, actor, settings.Change{Name: r.PathValue("name"), Unset: true})
}

func (a *api) changeSetting(w http.ResponseWriter, r *http.Request, actor *auth.Actor, c settings.Change) {
	former, err := a.Settings.For(actor).Set(r.Context(), c)
	if err != nil {
		a.failSetting(w, r, err)
		return
	}
	a.answer(w, r, map[string]string{"name": c.Name, "value": a.Settings.Value(r.Context(), c.Name), "was": former})
}

func (a *api) failSetting(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, auth.ErrForbidden):
		problem(w, http.StatusForbidden, "Not allowed", auth.ErrForbidden.Error())
	case errors.Is(err, settings.ErrUnknown):
		problem(w, http.StatusNotFound, "No such setting", settings.ErrUnknown.Error())
	case errors.Is(err, settings.ErrConflict), errors.Is(err, settings.ErrLockout):
		problem(w, http.StatusConflict, "Not changed", err.Error())
	case errors.Is(err, settings.ErrValue), errors.Is(err, settings.ErrReason):
		problem(w, http.StatusUnprocessableEntity, "Not changed", err.Error())
	default:
		a.fail(w, r, err)
	}
}

type postureLine struct {
	Name     string            `json:"name"`
	Title    string            `json:"title"`
	Group    string            `json:"group"`
	Value    string            `json:"value"`
	Default  string            `json:"default,omitempty"`
	Standing settings.Standing `json:"standing"`
	Todo     string            `json:"todo,omitempty"`
	Setting  bool              `json:"setting"`
}

func (a *api) posture(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	lines, err := a.Settings.For(actor).Posture(r.Context())
	if err != nil {
		a.failSetting(w, r, err)
		return
	}
	shapes := []postureLine{}
	for _, l := range lines {
		shapes = append(shapes, postureLine{l.Name, l.Title, l.Group, l.Value, l.Default, l.Standing, l.Todo, l.Setting})
	}
	a.answer(w, r, map[string]any{"posture": shapes})
}
