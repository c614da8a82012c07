package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// meRoutes are what people do with their own account. They are open to a session
// that must set up a second factor first.
func (a *api) meRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/me", a.own(a.me))
	mux.HandleFunc("GET /api/v1/me/sessions", a.own(a.sessions))
	mux.HandleFunc("DELETE /api/v1/me/sessions", a.own(a.endOtherSessions))
	mux.HandleFunc("DELETE /api/v1/me/sessions/{id}", a.own(a.endSession))
	mux.HandleFunc("POST /api/v1/me/confirm", a.own(a.confirm))
	mux.HandleFunc("POST /api/v1/me/password", a.own(a.changePassword))
	mux.HandleFunc("POST /api/v1/me/recovery-codes", a.own(a.makeRecoveryCodes))
	mux.HandleFunc("POST /api/v1/me/app", a.own(a.beginApp))
	mux.HandleFunc("POST /api/v1/me/app/finish", a.own(a.finishApp))
	mux.HandleFunc("DELETE /api/v1/me/factors/{id}", a.own(a.removeFactor))
	mux.HandleFunc("GET /api/v1/factor-rule", a.private(a.factorRule))
	mux.HandleFunc("PUT /api/v1/factor-rule", a.private(a.setFactorRule))
}

// own lets signed-in people through to their own account.
func (a *api) own(next func(http.ResponseWriter, *http.Request, *auth.Actor)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		actor, err := a.Auth.Owner(r.Context(), auth.Token(r), auth.OriginOf(r))
		if err != nil {
			a.fail(w, r, err)
			return
		}
		next(w, r, actor)
	}
}

type meAnswer struct {
	Login             string          `json:"login"`
	Name              string          `json:"name"`
	Role              string          `json:"role"`
	Agency            string          `json:"agency"`
	PasswordChangedAt time.Time       `json:"password_changed_at"`
	FactorAt          *time.Time      `json:"factor_at"` // when the session last showed one; null: not fresh
	Fresh             bool            `json:"fresh"`
	FactorRequired    bool            `json:"factor_required"`
	MustEnrol         bool            `json:"must_enrol"` // nothing but the own account is open before
	Passkeys          []passkeyAnswer `json:"passkeys"`
	App               *appAnswer      `json:"app"`
	RecoveryCodes     int64           `json:"recovery_codes"` // left
}

type passkeyAnswer struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

type appAnswer struct {
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

type sessionAnswer struct {
	ID         string    `json:"id"`
	Address    string    `json:"address"`
	Browser    string    `json:"browser"`
	Factor     string    `json:"factor"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	This       bool      `json:"this"`
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (a *api) me(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	account, err := a.Auth.Account(r.Context(), actor)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	v := meAnswer{
		Login: actor.Login, Name: actor.Name, Role: string(actor.Role), Agency: string(actor.Agency), PasswordChangedAt: account.PasswordChangedAt,
		FactorAt: timeOrNull(actor.FactorAt), Fresh: a.Auth.FreshNow(actor) == nil, FactorRequired: account.Required, MustEnrol: actor.MustEnrol,
		Passkeys: []passkeyAnswer{}, RecoveryCodes: account.Factors.RecoveryCodes,
	}
	for _, k := range account.Factors.Passkeys {
		v.Passkeys = append(v.Passkeys, passkeyAnswer{k.ID, k.Name, k.CreatedAt, timeOrNull(k.LastUsedAt)})
	}
	if app := account.Factors.App; app != nil {
		v.App = &appAnswer{app.CreatedAt, timeOrNull(app.LastUsedAt)}
	}
	a.answer(w, r, v)
}

func (a *api) sessions(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	all, err := a.Auth.Sessions(r.Context(), actor)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	shown := []sessionAnswer{}
	for _, s := range all {
		shown = append(shown, sessionAnswer(s))
	}
	a.answer(w, r, map[string]any{"sessions": shown})
}

func (a *api) endSession(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	a.done(w, r, a.Auth.EndSession(r.Context(), actor, r.PathValue("id"), auth.OriginOf(r)))
}

func (a *api) endOtherSessions(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	ended, err := a.Auth.EndOtherSessions(r.Context(), actor, auth.OriginOf(r))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, r, map[string]int64{"ended": ended})
}

// confirm takes {"code":"…"}, or {"password":"…"} of who has no second factor.
func (a *api) confirm(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var asked struct {
		Code     string `json:"code"`
		Password string `json:"password"`
	}
	if !a.read(w, r, &asked) {
		return
	}
	a.done(w, r, a.Auth.Confirm(r.Context(), actor, auth.Proof{Password: asked.Password, Code: asked.Code}, auth.OriginOf(r)))
}

func (a *api) changePassword(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var asked struct {
		Old string `json:"old"`
		New string `json:"new"`
	}
	if !a.read(w, r, &asked) {
		return
	}
	session, err := a.Auth.ChangePassword(r.Context(), actor, asked.Old, asked.New, auth.OriginOf(r))
	if err == nil {
		http.SetCookie(w, auth.Cookie(session))
	}
	a.done(w, r, err)
}

// makeRecoveryCodes answers the codes this once.
func (a *api) makeRecoveryCodes(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	codes, err := a.Auth.MakeRecoveryCodes(r.Context(), actor, auth.OriginOf(r))
	if err != nil {
		a.failOwn(w, r, err)
		return
	}
	a.answer(w, r, map[string][]string{"codes": codes})
}

func (a *api) beginApp(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	offer, err := a.Auth.BeginApp(r.Context(), actor, auth.OriginOf(r))
	if err != nil {
		a.failOwn(w, r, err)
		return
	}
	a.answer(w, r, map[string]string{"ceremony": offer.Ceremony, "secret": offer.Secret, "url": offer.URL})
}

func (a *api) finishApp(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var asked struct {
		Ceremony string `json:"ceremony"`
		Code     string `json:"code"`
	}
	if !a.read(w, r, &asked) {
		return
	}
	a.done(w, r, a.Auth.FinishApp(r.Context(), actor, asked.Ceremony, asked.Code, auth.OriginOf(r)))
}

// removeFactor takes a passkey's id, or app.
func (a *api) removeFactor(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	a.done(w, r, a.Auth.RemoveFactor(r.Context(), actor, r.PathValue("id"), auth.OriginOf(r)))
}

func (a *api) factorRule(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	rule, err := a.Auth.FactorRule(r.Context(), actor)
	if err != nil {
		a.failOwn(w, r, err)
		return
	}
	a.answer(w, r, rule)
}

// setFactorRule takes the rule and, where it is weaker than the default, a reason.
func (a *api) setFactorRule(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var asked struct {
		auth.FactorRule
		Reason string `json:"reason"`
	}
	if !a.read(w, r, &asked) {
		return
	}
	a.done(w, r, a.Auth.SetFactorRule(r.Context(), actor, asked.FactorRule, asked.Reason, auth.OriginOf(r)))
}

// read reads a small JSON body; false when it has answered already.
func (a *api) read(w http.ResponseWriter, r *http.Request, into any) bool {
	reader := json.NewDecoder(io.LimitReader(r.Body, 8<<10))
	reader.DisallowUnknownFields()
	if err := reader.Decode(into); err != nil {
		problem(w, http.StatusBadRequest, "The request cannot be read", clip(err.Error()))
		return false
	}
	return true
}

// done answers an act that has nothing to show.
func (a *api) done(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		a.failOwn(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// failOwn is fail for the refusals of the own account.
func (a *api) failOwn(w http.ResponseWriter, r *http.Request, err error) {
	var person *auth.PersonError
	switch {
	case errors.Is(err, auth.ErrFactor):
		problem(w, http.StatusForbidden, "Not accepted", auth.ErrFactor.Error())
	case errors.Is(err, auth.ErrForbidden):
		problem(w, http.StatusForbidden, "Not allowed", auth.ErrForbidden.Error())
	case errors.Is(err, auth.ErrRule):
		problem(w, http.StatusUnprocessableEntity, "Not taken", err.Error())
	case errors.As(err, &person):
		problem(w, http.StatusUnprocessableEntity, "Not taken", person.Text)
	case errors.Is(err, auth.ErrAppCode):
		problem(w, http.StatusUnprocessableEntity, "Another code", auth.ErrAppCode.Error())
	case errors.Is(err, auth.ErrLastFactor):
		problem(w, http.StatusConflict, "The only factor", auth.ErrLastFactor.Error())
	case errors.Is(err, auth.ErrAppExists):
		problem(w, http.StatusConflict, "Set up already", auth.ErrAppExists.Error())
	case errors.Is(err, auth.ErrNoFactor):
		problem(w, http.StatusConflict, "No second factor", auth.ErrNoFactor.Error())
	case errors.Is(err, auth.ErrPending):
		problem(w, http.StatusConflict, "No longer open", auth.ErrPending.Error())
	case errors.Is(err, catalog.ErrNotFound):
		problem(w, http.StatusNotFound, "No such thing", "Your account has nothing of this id.")
	default:
		a.fail(w, r, err)
	}
}
