package api

import (
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// enrolmentRoutes are who may bring recordings here.
func (a *api) enrolmentRoutes() []Route {
	const tag, none, noToken = "Docks and uplinks", "There is no such dock.", "There is no such token."
	look := Description{Tag: tag, Asks: []auth.Action{auth.ListDocks}, Missing: none}
	manage := Description{Tag: tag, Asks: []auth.Action{auth.ManageDocks}, Missing: none, Fresh: true, Codes: []int{http.StatusConflict, http.StatusUnprocessableEntity}}
	say := func(d Description, summary, about string) Description {
		d.Summary, d.About = summary, about
		return d
	}
	make := say(manage, "Let a dock enrol, once", "The token is shown this once. A dock that is enrolled already is enrolled anew with it, and so moved to another station.")
	make.Secret, make.Missing = true, ""
	tokens := say(look, "Open enrolment tokens", "Without their secrets; those of stations whose docks you manage.")
	tokens.Missing, tokens.Paged = "", true
	withdraw := say(manage, "Withdraw an enrolment token", "Nobody enrols with it any more.")
	withdraw.Missing, withdraw.Fresh = noToken, false
	return []Route{
		Answer("GET /api/v1/docks/{dock}", say(look, "A dock’s enrolment", ""), a.dockEnrolment),
		Answer("POST /api/v1/docks/{dock}/disable", say(manage, "Shut a dock out", "It is let in no more, its connections end, its open tokens are withdrawn, and cameras open to it no more."), a.disableDock),
		Answer("POST /api/v1/docks/{dock}/enable", say(manage, "Let a dock in again", ""), a.enableDock),
		Answer("DELETE /api/v1/docks/{dock}", say(manage, "Remove a dock that did nothing but enrol", ""), a.removeDock),
		Answer("GET /api/v1/enrolment-tokens", tokens, a.enrolmentTokens),
		Answer("POST /api/v1/enrolment-tokens", make, a.makeEnrolmentToken),
		Answer("DELETE /api/v1/enrolment-tokens/{token}", withdraw, a.withdrawEnrolmentToken),
	}
}

type enrolmentShape struct {
	Dock        evidence.DockID    `json:"dock"`
	Station     evidence.StationID `json:"station"`
	Enabled     bool               `json:"enabled"`
	EnrolledAt  *time.Time         `json:"enrolled_at"`
	LastSeenAt  *time.Time         `json:"last_seen_at" jsonschema:"of the last connection; null: never"`
	Address     string             `json:"address,omitempty"`
	Agent       string             `json:"agent_version,omitempty"`
	Certificate evidence.Digest    `json:"certificate_sha256"`
	GoodUntil   *time.Time         `json:"certificate_until"`
	AgencyKey   string             `json:"agency_key" jsonschema:"that it wraps to, as it was told at its enrolment; '': the first"`
}

func enrolmentOf(d *catalog.Dock) enrolmentShape {
	return enrolmentShape{d.ID, d.Station, d.Enabled, moment(d.EnrolledAt), moment(d.LastSeenAt), d.LastAddress, d.AgentVersion, d.Fingerprint, moment(d.GoodUntil), d.AgencyKey}
}

func (a *api) dockEnrolment(r *Request, _ *Nothing) (enrolmentShape, error) {
	dock, _, err := a.Fleet.DocksFor(r.Actor).Get(r.Context(), r.dock())
	if err != nil {
		return enrolmentShape{}, err
	}
	return enrolmentOf(dock), nil
}

type dockReason struct {
	Reason string `json:"reason" jsonschema:"why, for the custody log"`
}

func (a *api) disableDock(r *Request, body *dockReason) (Nothing, error) {
	return Nothing{}, a.Fleet.DocksFor(r.Actor).SetEnabled(r.Context(), r.dock(), false, body.Reason)
}

func (a *api) enableDock(r *Request, body *dockReason) (Nothing, error) {
	return Nothing{}, a.Fleet.DocksFor(r.Actor).SetEnabled(r.Context(), r.dock(), true, body.Reason)
}

func (a *api) removeDock(r *Request, _ *Nothing) (Nothing, error) {
	return Nothing{}, a.Fleet.DocksFor(r.Actor).Remove(r.Context(), r.dock())
}

type enrolmentTokenShape struct {
	ID        evidence.Digest    `json:"id" jsonschema:"SHA-256 of its secret"`
	Dock      evidence.DockID    `json:"dock"`
	Station   evidence.StationID `json:"station"`
	MadeBy    string             `json:"made_by" jsonschema:"user id, or 'local'"`
	MadeAt    time.Time          `json:"made_at"`
	ExpiresAt time.Time          `json:"expires_at"`
	Token     string             `json:"token,omitempty" jsonschema:"the whole text, of one that was just made"`
}

func enrolmentTokenOf(t *catalog.DockToken) enrolmentTokenShape {
	return enrolmentTokenShape{ID: t.Hash, Dock: t.Dock, Station: t.Station, MadeBy: t.CreatedBy, MadeAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}
}

type enrolmentTokensAnswer struct {
	Tokens []enrolmentTokenShape `json:"tokens"`
	Next   string                `json:"next,omitempty"`
}

func (a *api) enrolmentTokens(r *Request, _ *Nothing) (enrolmentTokensAnswer, error) {
	_, open, err := a.Fleet.DocksFor(r.Actor).List(r.Context())
	if err != nil {
		return enrolmentTokensAnswer{}, err
	}
	shapes := []enrolmentTokenShape{}
	for i := range open {
		shapes = append(shapes, enrolmentTokenOf(&open[i]))
	}
	page, next, err := cut(r, shapes, func(t *enrolmentTokenShape) string { return t.ID.String() })
	return enrolmentTokensAnswer{page, next}, err
}

type enrolmentTokenBody struct {
	Dock    evidence.DockID    `json:"dock" required:"true"`
	Station evidence.StationID `json:"station" required:"true"`
	Hours   int                `json:"hours" jsonschema:"for which it is good, 1 to 720; absent: 24"`
}

func (a *api) makeEnrolmentToken(r *Request, body *enrolmentTokenBody) (enrolmentTokenShape, error) {
	hours := body.Hours
	if hours == 0 {
		hours = 24
	}
	hours = min(max(hours, -1), 721) // beyond what is taken, and no overflow
	text, token, err := a.Fleet.DocksFor(r.Actor).MakeToken(r.Context(), body.Station, body.Dock, time.Duration(hours)*time.Hour)
	if err != nil {
		return enrolmentTokenShape{}, err
	}
	shape := enrolmentTokenOf(token)
	shape.Token = text
	return shape, nil
}

func (a *api) withdrawEnrolmentToken(r *Request, _ *Nothing) (Nothing, error) {
	hash, err := evidence.ParseDigest(r.PathValue("token"))
	if err != nil {
		hash = evidence.Digest{} // of no token
	}
	return Nothing{}, a.Fleet.DocksFor(r.Actor).Withdraw(r.Context(), hash)
}
