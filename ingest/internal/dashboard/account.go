package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// accountRoutes are the pages of sign-in's second step, and of what people do
// with their own account.
func (d *Dashboard) accountRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /sign-in/factor", d.factorPage)
	mux.HandleFunc("POST /sign-in/factor", d.factorStep)
	mux.HandleFunc("POST /sign-in/passkey/begin", d.beginPasskeySignIn)
	mux.HandleFunc("POST /sign-in/passkey", d.passkeySignIn)
	mux.HandleFunc("GET /confirm", d.own(d.confirmPage))
	mux.HandleFunc("POST /confirm", d.own(d.confirm))
	mux.HandleFunc("POST /confirm/passkey/begin", d.own(d.beginPasskeyConfirm))
	mux.HandleFunc("POST /confirm/passkey", d.own(d.passkeyConfirm))
	mux.HandleFunc("GET /account", d.own(d.account))
	mux.HandleFunc("GET /account/factor", d.freshOwn(d.newFactorPage))
	mux.HandleFunc("POST /account/app", d.freshOwn(d.beginApp))
	mux.HandleFunc("POST /account/app/finish", d.own(d.finishApp))
	mux.HandleFunc("POST /account/passkey/begin", d.own(d.beginPasskey))
	mux.HandleFunc("POST /account/passkey", d.own(d.newPasskey))
	d.phoneRoutes(mux)
	mux.HandleFunc("POST /account/factor/remove", d.freshOwn(d.removeFactor))
	mux.HandleFunc("GET /account/recovery", d.freshOwn(d.recoveryPage))
	mux.HandleFunc("POST /account/recovery", d.freshOwn(d.makeRecovery))
	mux.HandleFunc("POST /account/recovery/file", d.own(d.recoveryFile))
	mux.HandleFunc("GET /account/password", d.freshOwn(d.passwordPage))
	mux.HandleFunc("POST /account/password", d.freshOwn(d.changePassword))
	mux.HandleFunc("POST /account/sessions/end", d.own(d.endSession))
	mux.HandleFunc("POST /account/sessions/end-others", d.own(d.endOtherSessions))
}

type acting = func(http.ResponseWriter, *http.Request, *auth.Actor)

// own is private for what people do with their own account, which is open even
// where a second factor is still to be set up.
func (d *Dashboard) own(next acting) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		actor, err := d.Auth.Owner(r.Context(), auth.Token(r), auth.OriginOf(r))
		switch {
		case errors.Is(err, auth.ErrNoSession):
			d.turnAway(w, r)
		case err != nil:
			d.fail(w, r, nil, err)
		default:
			next(w, r, actor)
		}
	}
}

// freshOwn is own for acts that want a fresh factor: it asks for one first. The
// service decides all the same.
func (d *Dashboard) freshOwn(next acting) http.HandlerFunc {
	return d.own(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		if auth.Fresh(actor, d.Now()) != nil {
			d.confirmFirst(w, r)
			return
		}
		next(w, r, actor)
	})
}

// confirmFirst leads to the page that asks for a factor and back: to the page
// that was asked for, or to where a form's field "back" says that it is.
func (d *Dashboard) confirmFirst(w http.ResponseWriter, r *http.Request) {
	back := r.URL.RequestURI()
	if r.Method != http.MethodGet {
		back = "/account"
		if r.ParseForm() == nil && localPath(r.PostForm.Get("back")) {
			back = r.PostForm.Get("back")
		}
	}
	http.Redirect(w, r, "/confirm?next="+url.QueryEscape(back), http.StatusSeeOther)
}

// enrolFirst answers a session that is for the own account alone.
func (d *Dashboard) enrolFirst(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		d.problem(w, r, nil, http.StatusForbidden, "Set up a second factor first", sentence(auth.ErrMustEnrol))
		return
	}
	to := "/account/factor"
	if next := r.URL.RequestURI(); next != "/" && localPath(next) {
		to += "?next=" + url.QueryEscape(next)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// accountView is the own account.
type accountView struct {
	base
	Login, Done, Problem string
	Fresh                bool
	PasskeyHost          string
	*auth.Account
	Others int // sessions besides this one
	Tokens []auth.TokenInfo
	Proven bool // the provider saw a second factor for this session
}

// Last reports whether a factor must stay because it is the only one.
func (v *accountView) Last() bool { return v.Required && v.Factors.Count() == 1 }

// doneWords are what the page says after an act that led back to it.
func doneWords(what string) string {
	switch what {
	case "password":
		return "Your password is changed, and every other session of yours has ended."
	case "factor":
		return "It is set up. From now on it is asked for when you sign in by password."
	case "removed":
		return "It is removed and signs nobody in any more."
	case "token":
		return "The token is revoked: from its next request on it is not taken."
	case "session":
		return "The session has ended. Its browser is signed out at its next step, and live pages within a second."
	case "sessions":
		return "All other sessions have ended. Their browsers are signed out at their next step, and live pages within a second."
	}
	return ""
}

func (d *Dashboard) account(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if actor.MustEnrol {
		http.Redirect(w, r, "/account/factor", http.StatusSeeOther)
		return
	}
	d.showAccount(w, r, actor, http.StatusOK, "")
}

func (d *Dashboard) showAccount(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string) {
	account, err := d.Auth.Account(r.Context(), actor)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	tokens, err := d.Auth.Tokens(r.Context(), actor)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := &accountView{base: d.roomBase(r.Context(), actor, "Your account", "account"), Login: actor.Login, Account: account, Problem: problem,
		Done: doneWords(r.URL.Query().Get("done")), Fresh: auth.Fresh(actor, d.Now()) == nil, PasskeyHost: d.Auth.PasskeyHost(), Others: len(account.Sessions) - 1, Proven: actor.Factor == auth.ProviderFactor, Tokens: tokens}
	d.show(w, r, code, "account", v)
}

func (d *Dashboard) removeFactor(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	if r.PostForm.Get("sure") != "yes" {
		d.showAccount(w, r, actor, http.StatusUnprocessableEntity, "Nothing was changed: tick the box that says what you are about to do.")
		return
	}
	err := d.Auth.RemoveFactor(r.Context(), actor, r.PostForm.Get("id"), auth.OriginOf(r))
	switch {
	case errors.Is(err, auth.ErrLastFactor):
		d.showAccount(w, r, actor, http.StatusConflict, sentence(err))
	case errors.Is(err, catalog.ErrNotFound):
		d.showAccount(w, r, actor, http.StatusNotFound, "It is not there any more. This page shows what there is now.")
	case err != nil:
		d.fail(w, r, actor, err)
	default:
		http.Redirect(w, r, "/account?done=removed", http.StatusSeeOther)
	}
}

func (d *Dashboard) endSession(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	err := d.Auth.EndSession(r.Context(), actor, r.PostForm.Get("id"), auth.OriginOf(r))
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		d.showAccount(w, r, actor, http.StatusNotFound, "That session has ended already. This page shows those that are open now.")
	case err != nil:
		d.fail(w, r, actor, err)
	default:
		http.Redirect(w, r, "/account?done=session#sessions", http.StatusSeeOther)
	}
}

func (d *Dashboard) endOtherSessions(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if _, err := d.Auth.EndOtherSessions(r.Context(), actor, auth.OriginOf(r)); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	http.Redirect(w, r, "/account?done=sessions#sessions", http.StatusSeeOther)
}

type passwordView struct {
	base
	Login, Problem string
	BadNew         bool
	KeepTokens     bool // the box was not ticked in what was refused
	Least          int  // characters
}

func (d *Dashboard) passwordView(r *http.Request, actor *auth.Actor) passwordView {
	return passwordView{base: d.ownBase(r, actor, "Change your password"), Login: actor.Login, Least: d.Auth.ShortestPassword(r.Context())}
}

// ownBase is base for a page of the own account, which has no rooms around it
// where a second factor is still to be set up.
func (d *Dashboard) ownBase(r *http.Request, actor *auth.Actor, title string, scripts ...string) base {
	if actor.MustEnrol {
		return d.gateBase(title, scripts...)
	}
	return d.roomBase(r.Context(), actor, title, "account", scripts...)
}

func (d *Dashboard) passwordPage(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	d.show(w, r, http.StatusOK, "password", d.passwordView(r, actor))
}

func (d *Dashboard) changePassword(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	v, f := d.passwordView(r, actor), r.PostForm
	v.KeepTokens = f.Get("end_tokens") != "yes"
	if f.Get("password") != f.Get("again") {
		v.Problem, v.BadNew = "The two new passwords are not the same. Type both again.", true
		d.show(w, r, http.StatusUnprocessableEntity, "password", v)
		return
	}
	session, err := d.Auth.ChangePassword(r.Context(), actor, f.Get("old"), f.Get("password"), f.Get("end_tokens") != "yes", auth.OriginOf(r))
	var person *auth.PersonError
	if errors.As(err, &person) {
		v.Problem, v.BadNew = sentence(err), true
		d.show(w, r, http.StatusUnprocessableEntity, "password", v)
		return
	}
	if err != nil {
		code, problem := refusedEntry(w, err)
		if code == 0 {
			d.fail(w, r, actor, err)
			return
		}
		v.Problem = problem
		d.show(w, r, code, "password", v)
		return
	}
	http.SetCookie(w, auth.Cookie(session))
	http.Redirect(w, r, "/account?done=password", http.StatusSeeOther)
}
