package api

import (
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// meRoutes are what people do with their own account. They are open to a session
// that must set up a second factor first.
func (a *api) meRoutes() []Route {
	const tag, nothing = "Own account", "Your account has nothing of this id."
	own := func(summary string, codes ...int) Description {
		return Description{Tag: tag, Summary: summary, Account: true, Codes: codes}
	}
	fresh := func(d Description) Description {
		d.Fresh = true
		return d
	}
	missing := func(d Description) Description {
		d.Missing = nothing
		return d
	}
	secret := func(d Description) Description {
		d.Secret, d.About = true, "The answer is shown this once."
		return d
	}
	const conflict, wrong, busy, many = http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable, http.StatusTooManyRequests
	return []Route{
		Answer("GET /api/v1/me", own("Who is signed in, and with what"), a.me),
		Answer("GET /api/v1/me/sessions", own("Where you are signed in"), a.sessions),
		Answer("DELETE /api/v1/me/sessions", own("End all sessions but this one"), a.endOtherSessions),
		Answer("DELETE /api/v1/me/sessions/{id}", missing(own("End a session")), a.endSession),
		Answer("POST /api/v1/me/confirm", own("Show a factor again, for the next 5 minutes", busy), a.confirm),
		Answer("POST /api/v1/me/password", fresh(own("Change the password, which ends all other sessions, and tokens unless they are kept", conflict, wrong, busy)), a.changePassword),
		Answer("POST /api/v1/me/recovery-codes", secret(fresh(own("Make recovery codes in place of the former ones", conflict))), a.makeRecoveryCodes),
		Answer("POST /api/v1/me/app", secret(fresh(own("Begin to set up an authenticator app", conflict))), a.beginApp),
		Answer("POST /api/v1/me/app/finish", own("Switch the app on with its first code", conflict, wrong), a.finishApp),
		Answer("POST /api/v1/me/confirm/code", own("Have a code sent to your phone, to show it to /api/v1/me/confirm", conflict, busy, many), a.sendConfirmCode),
		Answer("POST /api/v1/me/phone", fresh(own("Have a code sent to a phone that codes are to be sent to", conflict, wrong, busy, many)), a.beginPhone),
		Answer("POST /api/v1/me/phone/finish", fresh(own("Switch the phone on with the code that came", conflict, wrong)), a.finishPhone),
		Answer("DELETE /api/v1/me/factors/{id}", missing(fresh(own("Remove a passkey by its id, the app by the id app, or the phone by the id phone", conflict))), a.removeFactor),
		Answer("GET /api/v1/me/tokens", own("Your tokens for the API"), a.tokens),
		Answer("POST /api/v1/me/tokens", secret(fresh(own("Make a token for the API", conflict, wrong))), a.makeToken),
		Answer("DELETE /api/v1/me/tokens/{id}", missing(own("Revoke a token")), a.revokeToken),
		Answer("GET /api/v1/token", Description{Tag: tag, Summary: "The token that asks, and what it may do now", Token: true}, a.token),
		Answer("GET /api/v1/factor-rule", Description{Tag: "Agency", Summary: "Of whom a second factor is required", Asks: []auth.Action{auth.ListSettings}}, a.factorRule),
		Answer("PUT /api/v1/factor-rule", Description{Tag: "Agency", Summary: "Decide of whom a second factor is required", Asks: []auth.Action{auth.ManageAccount}, Fresh: true, Codes: []int{wrong}}, a.setFactorRule),
	}
}

type meAnswer struct {
	Login             string          `json:"login"`
	Name              string          `json:"name"`
	Role              string          `json:"role"`
	Agency            string          `json:"agency"`
	PasswordChangedAt time.Time       `json:"password_changed_at"`
	FactorAt          *time.Time      `json:"factor_at" jsonschema:"when the session last showed one; null: not fresh"`
	Fresh             bool            `json:"fresh"`
	FactorRequired    bool            `json:"factor_required"`
	MustEnrol         bool            `json:"must_enrol" jsonschema:"nothing but the own account is open before"`
	Passkeys          []passkeyAnswer `json:"passkeys"`
	App               *appAnswer      `json:"app"`
	Phone             *phoneAnswer    `json:"phone" jsonschema:"codes are sent to it"`
	RecoveryCodes     int64           `json:"recovery_codes" jsonschema:"left"`
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

type phoneAnswer struct {
	Number     string     `json:"number" jsonschema:"all but its ends hidden"`
	Channel    string     `json:"channel" jsonschema:"sms or call"`
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

func (a *api) me(r *Request, _ *Nothing) (meAnswer, error) {
	actor := r.Actor
	account, err := a.Auth.Account(r.Context(), actor)
	if err != nil {
		return meAnswer{}, err
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
	if p := account.Factors.Phone; p != nil {
		v.Phone = &phoneAnswer{p.Number, p.Channel, p.CreatedAt, timeOrNull(p.LastUsedAt)}
	}
	return v, nil
}

type sessionsAnswer struct {
	Sessions []sessionAnswer `json:"sessions"`
}

func (a *api) sessions(r *Request, _ *Nothing) (sessionsAnswer, error) {
	all, err := a.Auth.Sessions(r.Context(), r.Actor)
	shown := []sessionAnswer{}
	for _, s := range all {
		shown = append(shown, sessionAnswer(s))
	}
	return sessionsAnswer{shown}, err
}

func (a *api) endSession(r *Request, _ *Nothing) (Nothing, error) {
	return Nothing{}, a.Auth.EndSession(r.Context(), r.Actor, r.PathValue("id"), r.From())
}

type endedAnswer struct {
	Ended int64 `json:"ended"`
}

func (a *api) endOtherSessions(r *Request, _ *Nothing) (endedAnswer, error) {
	ended, err := a.Auth.EndOtherSessions(r.Context(), r.Actor, r.From())
	return endedAnswer{ended}, err
}

type confirmBody struct {
	Code     string `json:"code" jsonschema:"of the app, by phone, or a recovery code"`
	Password string `json:"password" jsonschema:"of who has no second factor"`
}

func (b *confirmBody) deliberate() {}

func (a *api) confirm(r *Request, asked *confirmBody) (Nothing, error) {
	return Nothing{}, a.Auth.Confirm(r.Context(), r.Actor, auth.Proof{Password: asked.Password, Code: asked.Code}, r.From())
}

type passwordBody struct {
	Old string `json:"old" required:"true"`
	New string `json:"new" required:"true"`

	KeepTokens bool `json:"keep_tokens" jsonschema:"your tokens for the API go on; otherwise they end"`
}

// changePassword answers with the cookie of the session that goes on.
func (a *api) changePassword(r *Request, asked *passwordBody) (Nothing, error) {
	session, err := a.Auth.ChangePassword(r.Context(), r.Actor, asked.Old, asked.New, asked.KeepTokens, r.From())
	if err == nil {
		r.AnswerHeader().Add("Set-Cookie", auth.Cookie(session).String())
	}
	return Nothing{}, err
}

type codesAnswer struct {
	Codes []string `json:"codes"`
}

func (a *api) makeRecoveryCodes(r *Request, _ *Nothing) (codesAnswer, error) {
	codes, err := a.Auth.MakeRecoveryCodes(r.Context(), r.Actor, r.From())
	return codesAnswer{codes}, err
}

type appOffer struct {
	Ceremony string `json:"ceremony" jsonschema:"to be given back within 5 minutes"`
	Secret   string `json:"secret"`
	URL      string `json:"url"`
}

func (a *api) beginApp(r *Request, _ *Nothing) (appOffer, error) {
	offer, err := a.Auth.BeginApp(r.Context(), r.Actor, r.From())
	if err != nil {
		return appOffer{}, err
	}
	return appOffer{offer.Ceremony, offer.Secret, offer.URL}, nil
}

type finishBody struct {
	Ceremony string `json:"ceremony" required:"true"`
	Code     string `json:"code" required:"true"`
}

func (a *api) finishApp(r *Request, asked *finishBody) (Nothing, error) {
	return Nothing{}, a.Auth.FinishApp(r.Context(), r.Actor, asked.Ceremony, asked.Code, r.From())
}

func (a *api) sendConfirmCode(r *Request, _ *Nothing) (Nothing, error) {
	return Nothing{}, a.Auth.SendConfirmCode(r.Context(), r.Actor, r.From())
}

type phoneBody struct {
	Number  string `json:"number" required:"true" jsonschema:"with + and the country"`
	Channel string `json:"channel" required:"true" jsonschema:"sms or call"`
}

func (a *api) beginPhone(r *Request, asked *phoneBody) (Nothing, error) {
	return Nothing{}, a.Auth.BeginPhone(r.Context(), r.Actor, asked.Number, asked.Channel, r.From())
}

type phoneCodeBody struct {
	Code string `json:"code" required:"true"`
}

func (a *api) finishPhone(r *Request, asked *phoneCodeBody) (Nothing, error) {
	return Nothing{}, a.Auth.FinishPhone(r.Context(), r.Actor, asked.Code, r.From())
}

func (a *api) removeFactor(r *Request, _ *Nothing) (Nothing, error) {
	return Nothing{}, a.Auth.RemoveFactor(r.Context(), r.Actor, r.PathValue("id"), r.From())
}

func (a *api) factorRule(r *Request, _ *Nothing) (auth.FactorRule, error) {
	return a.Auth.FactorRule(r.Context(), r.Actor)
}

type ruleBody struct {
	auth.FactorRule
	Reason string `json:"reason" jsonschema:"needed where the rule is weaker than the default"`
}

func (a *api) setFactorRule(r *Request, asked *ruleBody) (Nothing, error) {
	return Nothing{}, a.Auth.SetFactorRule(r.Context(), r.Actor, asked.FactorRule, asked.Reason, r.From())
}
