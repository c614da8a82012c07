package api

import (
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/settings"
)

func (a *api) settingsRoutes() []Route {
	if a.Settings == nil {
		return nil
	}
	const tag, none = "Agency", "There is no such setting."
	look := []auth.Action{auth.ManageAgency, auth.SeePosture}
	change := Description{Tag: tag, Asks: []auth.Action{auth.ManageAgency}, Missing: none, Codes: []int{http.StatusConflict, http.StatusUnprocessableEntity}}
	set, unset := change, change
	set.Summary, set.About = "Change a setting", "It counts everywhere within a second, and is on record with the former value."
	unset.Summary = "Set a setting back to its default"
	return []Route{
		Answer("GET /api/v1/settings", Description{Tag: tag, Summary: "The agency's settings, with bounds and defaults", Asks: look}, a.settings),
		Answer("PUT /api/v1/settings/{name}", set, a.setSetting),
		Answer("DELETE /api/v1/settings/{name}", unset, a.unsetSetting),
		Answer("GET /api/v1/posture", Description{Tag: tag, Summary: "How safe the settings and the server are", Asks: []auth.Action{auth.SeePosture}}, a.posture),
	}
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

type settingsAnswer struct {
	Settings []setting `json:"settings"`
}

func (a *api) settings(r *Request, _ *Nothing) (settingsAnswer, error) {
	all, err := a.Settings.For(r.Actor).List(r.Context())
	shapes := []setting{}
	for _, s := range all {
		shape := setting{s.Name, s.Title, s.Help, s.Kind, s.Value, s.Default, s.Bounds(), s.Standing, nil}
		if !s.ChangedAt.IsZero() {
			shape.ChangedAt = &s.ChangedAt
		}
		shapes = append(shapes, shape)
	}
	return settingsAnswer{shapes}, err
}

type settingBody struct {
	Value  string  `json:"value" required:"true"`
	Reason string  `json:"reason" jsonschema:"needed where the value is weaker than the default"`
	Was    *string `json:"was" jsonschema:"the value that you saw; where it is another one now, nothing is changed"`
}

type changedAnswer struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Was   string `json:"was"`
}

func (a *api) setSetting(r *Request, body *settingBody) (changedAnswer, error) {
	return a.changeSetting(r, settings.Change{Name: r.PathValue("name"), Value: body.Value, Reason: body.Reason, Was: body.Was})
}

// unsetSetting sets a setting back to its default.
func (a *api) unsetSetting(r *Request, _ *Nothing) (changedAnswer, error) {
	return a.changeSetting(r, settings.Change{Name: r.PathValue("name"), Unset: true})
}

func (a *api) changeSetting(r *Request, c settings.Change) (changedAnswer, error) {
	former, err := a.Settings.For(r.Actor).Set(r.Context(), c)
	if err != nil {
		return changedAnswer{}, err
	}
	return changedAnswer{c.Name, a.Settings.Value(r.Context(), c.Name), former}, nil
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

type postureAnswer struct {
	Posture []postureLine `json:"posture"`
}

func (a *api) posture(r *Request, _ *Nothing) (postureAnswer, error) {
	lines, err := a.Settings.For(r.Actor).Posture(r.Context())
	shapes := []postureLine{}
	for _, l := range lines {
		shapes = append(shapes, postureLine{l.Name, l.Title, l.Group, l.Value, l.Default, l.Standing, l.Todo, l.Setting})
	}
	return postureAnswer{shapes}, err
}
