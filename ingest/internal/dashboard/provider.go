package dashboard

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// providerRoutes are the steps of a sign-in at the agency's provider.
func (d *Dashboard) providerRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /sign-in/oidc", d.beginProvider)
	mux.HandleFunc("GET /sign-in/oidc/back", d.backFromProvider)
	mux.HandleFunc("GET /sign-in/oidc/end", d.endProvider)
}

// beginProvider sends the browser to the provider.
func (d *Dashboard) beginProvider(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from := auth.OriginOf(r)
	if _, from.Notice = d.notice(r); q.Get("accepted") != from.Notice {
		// Who is signed in has accepted it, and is asked anew who they are.
		if _, err := d.Auth.Owner(r.Context(), auth.Token(r), from); err != nil {
			v := d.signInView(r, q.Get("next"))
			v.Problem = errNotice
			d.show(w, r, http.StatusForbidden, "signin", v)
			return
		}
		from.Notice = ""
	}
	address, token, err := d.Auth.BeginProvider(r.Context(), q.Get("next"), q.Has("anew"), from)
	if err != nil {
		d.refuseProvider(w, r, q.Get("next"), err)
		return
	}
	http.SetCookie(w, auth.ShortCookie(auth.ProviderCookieName, token))
	if q.Has("accepted") { // a form, which may lead to no other site: a page does
		d.leadOn(w, r, address)
		return
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// leadOn shows a page that goes on at once.
func (d *Dashboard) leadOn(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Refresh", "0; url="+to)
	d.show(w, r, http.StatusOK, "onward", onwardView{d.gateBase("Signing in"), to})
}

type onwardView struct {
	base
	To string
}

// backFromProvider is where the provider sends the browser. That step comes from
// another site, so it carries none of our cookies, which are all SameSite=Strict:
// a page of our own leads on to the step that does.
func (d *Dashboard) backFromProvider(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > 8192 {
		d.problem(w, r, nil, http.StatusBadRequest, "The provider's answer is too long", "Begin again from the sign-in page.")
		return
	}
	to := url.URL{Path: "/sign-in/oidc/end", RawQuery: r.URL.Query().Encode()}
	d.leadOn(w, r, to.String()) // escaped
}

// endProvider takes what the provider said.
func (d *Dashboard) endProvider(w http.ResponseWriter, r *http.Request) {
	token := auth.ShortToken(r, auth.ProviderCookieName)
	http.SetCookie(w, auth.ShortCookie(auth.ProviderCookieName, ""))
	entry, next, err := d.Auth.FinishProvider(r.Context(), token, r.URL.Query(), auth.BrowserOf(r), auth.OriginOf(r))
	if err != nil {
		d.refuseProvider(w, r, next, err)
		return
	}
	http.Redirect(w, r, d.welcome(w, entry, next), http.StatusSeeOther)
}

// refuseProvider shows the sign-in page with what went wrong.
func (d *Dashboard) refuseProvider(w http.ResponseWriter, r *http.Request, next string, err error) {
	code, problem := refusedEntry(w, err)
	if _, ok := errors.AsType[*auth.RefusedError](err); ok {
		code, problem = http.StatusForbidden, sentence(err)
	}
	if code == 0 {
		d.fail(w, r, nil, err)
		return
	}
	v := d.signInView(r, next)
	v.Problem = problem
	d.show(w, r, code, "signin", v)
}

// byProvider reports whether the session began at the provider.
func byProvider(actor *auth.Actor) bool {
	return actor.Factor == auth.Provider || actor.Factor == auth.ProviderFactor
}

// askingAnew names the provider that can ask once more who is there.
func (d *Dashboard) askingAnew(actor *auth.Actor) string {
	if !byProvider(actor) {
		return ""
	}
	return d.Auth.ProviderName()
}
