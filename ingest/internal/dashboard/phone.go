package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// phoneRoutes are the pages of codes that are sent to a phone.
func (d *Dashboard) phoneRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /sign-in/factor/send", d.sendSignInCode)
	mux.HandleFunc("POST /confirm/send", d.own(d.sendConfirmCode))
	mux.HandleFunc("GET /account/phone", d.freshOwn(d.phonePage))
	mux.HandleFunc("POST /account/phone", d.freshOwn(d.beginPhone))
	mux.HandleFunc("POST /account/phone/finish", d.freshOwn(d.finishPhone))
	if d.Webhooks != nil {
		mux.HandleFunc("POST /settings/gateway-secret", d.private(d.gatewaySecret))
	}
}

// sendSignInCode answers alike whether there is a phone or not.
func (d *Dashboard) sendSignInCode(w http.ResponseWriter, r *http.Request) {
	if !d.form(w, r) {
		return
	}
	next := r.PostForm.Get("next")
	if err := d.Auth.SendCode(r.Context(), auth.ShortToken(r, auth.PendingCookieName), auth.OriginOf(r)); err != nil {
		code, problem := refusedPhone(w, err)
		if code == 0 {
			d.fail(w, r, nil, err)
			return
		}
		d.showFactor(w, r, code, next, problem)
		return
	}
	http.Redirect(w, r, "/sign-in/factor?sent=1&next="+url.QueryEscape(next), http.StatusSeeOther)
}

func (d *Dashboard) sendConfirmCode(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	next := r.PostForm.Get("next")
	if err := d.Auth.SendConfirmCode(r.Context(), actor, auth.OriginOf(r)); err != nil {
		code, problem := refusedPhone(w, err)
		if code == 0 {
			d.fail(w, r, actor, err)
			return
		}
		d.showConfirm(w, r, actor, code, next, problem)
		return
	}
	http.Redirect(w, r, "/confirm?sent=1&next="+url.QueryEscape(next), http.StatusSeeOther)
}

// refusedPhone is refusedEntry for codes that are sent.
func refusedPhone(w http.ResponseWriter, err error) (code int, problem string) {
	switch {
	case errors.Is(err, auth.ErrNoPhones), errors.Is(err, auth.ErrPhonePowers):
		return http.StatusConflict, sentence(err)
	case errors.Is(err, auth.ErrPhoneNumber), errors.Is(err, auth.ErrPhoneChannel):
		return http.StatusUnprocessableEntity, sentence(err)
	case errors.Is(err, auth.ErrPhoneMany):
		w.Header().Set("Retry-After", "3600")
		return http.StatusTooManyRequests, sentence(err)
	case errors.Is(err, auth.ErrPhoneGateway):
		return http.StatusServiceUnavailable, sentence(auth.ErrPhoneGateway)
	}
	return refusedEntry(w, err)
}

// phoneView is where a phone is set up.
type phoneView struct {
	base
	Next, Problem   string
	Number, Channel string
	Phone           *auth.PhoneFactor // that there is already
	Sent            bool
}

func (d *Dashboard) showPhone(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, v phoneView) {
	f, err := d.Auth.Factors(r.Context(), actor)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v.base, v.Phone = d.ownBase(r, actor, "Codes by phone"), f.Phone
	d.show(w, r, code, "phone", v)
}

func (d *Dashboard) phonePage(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	offered, err := d.Auth.OffersPhone(r.Context(), actor)
	switch {
	case err != nil:
		d.fail(w, r, actor, err)
	case !offered:
		d.problem(w, r, actor, http.StatusNotFound, "Codes by phone are not offered to you", "Either the agency has not switched them on, or you manage people, settings or keys, and they are not safe enough for that.")
	default:
		d.showPhone(w, r, actor, http.StatusOK, phoneView{Next: r.URL.Query().Get("next"), Channel: auth.SMS})
	}
}

func (d *Dashboard) beginPhone(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	f := r.PostForm
	v := phoneView{Next: f.Get("next"), Number: searchText(f.Get("number"), 40), Channel: f.Get("channel")}
	if err := d.Auth.BeginPhone(r.Context(), actor, f.Get("number"), v.Channel, auth.OriginOf(r)); err != nil {
		code, problem := refusedPhone(w, err)
		if code == 0 {
			d.fail(w, r, actor, err)
			return
		}
		v.Problem = problem
		d.showPhone(w, r, actor, code, v)
		return
	}
	v.Sent = true
	d.showPhone(w, r, actor, http.StatusOK, v)
}

func (d *Dashboard) finishPhone(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	v := phoneView{Next: r.PostForm.Get("next"), Number: searchText(r.PostForm.Get("number"), 40), Channel: r.PostForm.Get("channel"), Sent: true}
	if err := d.Auth.FinishPhone(r.Context(), actor, r.PostForm.Get("code"), auth.OriginOf(r)); err != nil {
		code, problem := refusedPhone(w, err)
		if code == 0 {
			d.fail(w, r, actor, err)
			return
		}
		v.Problem = problem
		d.showPhone(w, r, actor, code, v)
		return
	}
	http.Redirect(w, r, d.afterFactor(r, actor, v.Next), http.StatusSeeOther)
}

type gatewayView struct {
	base
	Secret      string
	FormerUntil time.Time
}

// gatewaySecret makes a secret of the gateway for codes, and shows it this once.
func (d *Dashboard) gatewaySecret(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	secret, until, err := d.Webhooks.For(actor).RotateGateway(r.Context())
	switch {
	case errors.Is(err, auth.ErrFreshFactor):
		d.confirmFirst(w, r)
	case err != nil:
		d.fail(w, r, actor, err)
	default:
		d.show(w, r, http.StatusOK, "gateway-secret", gatewayView{d.roomBase(r.Context(), actor, "The secret of the gateway", "settings"), secret, until})
	}
}
