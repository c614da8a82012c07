package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// factorView is a page that asks for a second factor.
type factorView struct {
	base
	Next, Problem string
	PasskeyHost   string
	Factors       *auth.Factors
	Sent          bool   // a code to the phone, if there is one
	ByPassword    bool   // nothing else can be shown
	ProviderName  string // of a provider that can ask anew; "": none
}

// factorPage is the second step of a sign-in by password.
func (d *Dashboard) factorPage(w http.ResponseWriter, r *http.Request) {
	d.showFactor(w, r, http.StatusOK, r.URL.Query().Get("next"), "")
}

func (d *Dashboard) showFactor(w http.ResponseWriter, r *http.Request, code int, next, problem string) {
	f, err := d.Auth.PendingFactors(r.Context(), auth.ShortToken(r, auth.PendingCookieName))
	if errors.Is(err, auth.ErrPending) {
		http.SetCookie(w, auth.ShortCookie(auth.PendingCookieName, ""))
		v := d.signInView(r, next)
		v.Problem = sentence(err)
		d.show(w, r, http.StatusConflict, "signin", v)
		return
	} else if err != nil {
		d.fail(w, r, nil, err)
		return
	}
	d.show(w, r, code, "factor", factorView{base: d.gateBase("One more step", "passkey.js"), Sent: r.URL.Query().Has("sent"), Next: next, Problem: problem, PasskeyHost: d.Auth.PasskeyHost(), Factors: f})
}

func (d *Dashboard) factorStep(w http.ResponseWriter, r *http.Request) {
	if !d.form(w, r) {
		return
	}
	next := r.PostForm.Get("next")
	entry, err := d.Auth.CodeStep(r.Context(), auth.ShortToken(r, auth.PendingCookieName), r.PostForm.Get("code"), auth.BrowserOf(r), auth.OriginOf(r))
	if err != nil {
		code, problem := refusedEntry(w, err)
		if code == 0 {
			d.fail(w, r, nil, err)
			return
		}
		d.showFactor(w, r, code, next, problem)
		return
	}
	http.Redirect(w, r, d.welcome(w, entry, next), http.StatusSeeOther)
}

// confirmPage asks somebody who is signed in to show once more who they are.
func (d *Dashboard) confirmPage(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	d.showConfirm(w, r, actor, http.StatusOK, r.URL.Query().Get("next"), "")
}

func (d *Dashboard) showConfirm(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, next, problem string) {
	f, err := d.Auth.Factors(r.Context(), actor)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	d.show(w, r, code, "confirm", factorView{base: d.ownBase(r, actor, "Is it still you?", "passkey.js"), Sent: r.URL.Query().Has("sent"), Next: next, Problem: problem, PasskeyHost: d.Auth.PasskeyHost(), Factors: f, ByPassword: !f.Any() && !byProvider(actor), ProviderName: d.askingAnew(actor)})
}

func (d *Dashboard) confirm(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	next := r.PostForm.Get("next")
	err := d.Auth.Confirm(r.Context(), actor, auth.Proof{Password: r.PostForm.Get("password"), Code: r.PostForm.Get("code")}, auth.OriginOf(r))
	if err != nil {
		code, problem := refusedEntry(w, err)
		if code == 0 {
			d.fail(w, r, actor, err)
			return
		}
		d.showConfirm(w, r, actor, code, next, problem)
		return
	}
	http.Redirect(w, r, ownNext(next), http.StatusSeeOther)
}

// ownNext is where a page of the own account leads.
func ownNext(next string) string {
	if !localPath(next) {
		return "/account"
	}
	return next
}

// newFactorView is where a second factor is set up.
type newFactorView struct {
	base
	Next, Problem string
	MustEnrol     bool
	PasskeyHost   string
	Factors       *auth.Factors
	Phones        bool           // codes by phone are offered
	Offer         *auth.AppOffer // an app that is being set up
	QR            qrCode
}

func (d *Dashboard) showNewFactor(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, v newFactorView) {
	f, err := d.Auth.Factors(r.Context(), actor)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v.base, v.Factors, v.MustEnrol, v.PasskeyHost = d.ownBase(r, actor, "Set up a second factor", "passkey.js"), f, actor.MustEnrol, d.Auth.PasskeyHost()
	if v.Phones, err = d.Auth.OffersPhone(r.Context(), actor); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	if v.Offer != nil {
		if v.QR, err = newQR(v.Offer.URL); err != nil {
			d.fail(w, r, actor, err)
			return
		}
	}
	d.show(w, r, code, "newfactor", v)
}

func (d *Dashboard) newFactorPage(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	d.showNewFactor(w, r, actor, http.StatusOK, newFactorView{Next: r.URL.Query().Get("next")})
}

// beginApp shows the code that an authenticator app is set up with.
func (d *Dashboard) beginApp(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	next := r.PostForm.Get("next")
	offer, err := d.Auth.BeginApp(r.Context(), actor, auth.OriginOf(r))
	switch {
	case errors.Is(err, auth.ErrAppExists):
		d.showNewFactor(w, r, actor, http.StatusConflict, newFactorView{Next: next, Problem: sentence(err)})
	case err != nil:
		d.fail(w, r, actor, err)
	default:
		d.showNewFactor(w, r, actor, http.StatusOK, newFactorView{Next: next, Offer: offer})
	}
}

func (d *Dashboard) finishApp(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	f := r.PostForm
	v := newFactorView{Next: f.Get("next")}
	err := d.Auth.FinishApp(r.Context(), actor, f.Get("ceremony"), f.Get("code"), auth.OriginOf(r))
	switch {
	case err == nil:
		http.Redirect(w, r, d.afterFactor(r, actor, v.Next), http.StatusSeeOther)
		return
	case errors.Is(err, auth.ErrAppCode):
		v.Problem = sentence(err)
		if v.Offer, err = d.Auth.OfferedApp(r.Context(), actor, f.Get("ceremony")); err == nil {
			d.showNewFactor(w, r, actor, http.StatusUnprocessableEntity, v)
			return
		}
	}
	if !errors.Is(err, auth.ErrPending) && !errors.Is(err, auth.ErrAppExists) {
		d.fail(w, r, actor, err)
		return
	}
	v.Problem = sentence(err)
	d.showNewFactor(w, r, actor, http.StatusConflict, v)
}

// afterFactor is where a new factor leads: to the first recovery codes, or back.
func (d *Dashboard) afterFactor(r *http.Request, actor *auth.Actor, next string) string {
	f, err := d.Auth.Factors(r.Context(), actor)
	if err == nil && f.RecoveryCodes == 0 {
		to := "/account/recovery?first=1"
		if localPath(next) {
			to += "&next=" + url.QueryEscape(next)
		}
		return to
	}
	if localPath(next) {
		return next
	}
	return "/account?done=factor"
}

type recoveryView struct {
	base
	Next, Problem string
	First         bool
	Left          int64
	Codes         []string // shown this once
}

func (d *Dashboard) recoveryPage(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	f, err := d.Auth.Factors(r.Context(), actor)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := recoveryView{base: d.ownBase(r, actor, "Recovery codes"), Next: ownNext(r.URL.Query().Get("next")), First: r.URL.Query().Has("first"), Left: f.RecoveryCodes}
	d.show(w, r, http.StatusOK, "recovery", v)
}

func (d *Dashboard) makeRecovery(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	v := recoveryView{base: d.ownBase(r, actor, "Recovery codes"), Next: ownNext(r.PostForm.Get("next"))}
	codes, err := d.Auth.MakeRecoveryCodes(r.Context(), actor, auth.OriginOf(r))
	switch {
	case errors.Is(err, auth.ErrNoFactor):
		v.Problem = sentence(err)
		d.show(w, r, http.StatusConflict, "recovery", v)
	case err != nil:
		d.fail(w, r, actor, err)
	default:
		v.Codes = codes
		d.show(w, r, http.StatusOK, "recovery", v)
	}
}

// recoveryFile gives back as a file the codes that the page shows: they are not
// kept, so the page sends them along.
func (d *Dashboard) recoveryFile(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	codes := r.PostForm["code"]
	if len(codes) != auth.RecoveryCodes {
		d.problem(w, r, actor, http.StatusBadRequest, "Not all codes came along", "Go back and try again, or write the codes down.")
		return
	}
	var text strings.Builder
	text.WriteString("Sealdock " + string(d.Auth.Agency()) + ": recovery codes of " + actor.Login + "\r\nMade " + d.clockText(d.Now()) + ". Each works once, in place of a second factor. Keep them where your password is not.\r\n\r\n")
	for _, code := range codes {
		if !auth.IsRecoveryCode(code) {
			d.problem(w, r, actor, http.StatusBadRequest, "These are no recovery codes", "Go back and try again, or write the codes down.")
			return
		}
		text.WriteString(code + "\r\n")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", attachment("sealdock-recovery-codes.txt"))
	w.Header().Set("Content-Security-Policy", filePolicy)
	w.Write([]byte(text.String()))
}
