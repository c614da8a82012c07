package dashboard

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// What static/passkey.js and the server say to each other, as JSON: it asks to
// begin and gets options for the browser; it sends what the authenticator
// answered and gets where to go. A problem is {"problem":"…"} in words to show.

// passkeyAnswer is what the script sends.
type passkeyAnswer struct {
	Response json.RawMessage `json:"response"` // as PublicKeyCredential.toJSON makes it
	Name     string          `json:"name"`     // of a new passkey
	Next     string          `json:"next"`
	Notice   string          `json:"notice"` // hash of the use notice that was accepted
}

// sendJSON answers the script.
func (d *Dashboard) sendJSON(w http.ResponseWriter, r *http.Request, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		d.Log.ErrorContext(r.Context(), "answering a script", "error", err)
		code, body = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(body)
}

// refuseJSON says what is wrong.
func (d *Dashboard) refuseJSON(w http.ResponseWriter, r *http.Request, err error) {
	code, problem := refusedEntry(w, err)
	var person *auth.PersonError
	switch {
	case code != 0:
	case errors.As(err, &person):
		code, problem = http.StatusUnprocessableEntity, sentence(err)
	case errors.Is(err, auth.ErrFreshFactor):
		d.sendJSON(w, r, http.StatusForbidden, map[string]string{"problem": sentence(err), "to": "/confirm?next=%2Faccount%2Ffactor"})
		return
	case errors.Is(err, auth.ErrManyPasskeys), errors.Is(err, auth.ErrPasskeyExists):
		code, problem = http.StatusConflict, sentence(err)
	default:
		d.Log.ErrorContext(r.Context(), "a passkey", "path", r.URL.Path, "error", err)
		code, problem = http.StatusInternalServerError, "Something on the server failed, and its log says what. Try again in a moment."
	}
	d.sendJSON(w, r, code, map[string]string{"problem": problem})
}

// begun answers with options, and binds what was begun to this browser.
func (d *Dashboard) begun(w http.ResponseWriter, r *http.Request, options []byte, ceremony string, err error) {
	if err != nil {
		d.refuseJSON(w, r, err)
		return
	}
	http.SetCookie(w, auth.ShortCookie(auth.CeremonyCookieName, ceremony))
	d.sendJSON(w, r, http.StatusOK, map[string]json.RawMessage{"options": options})
}

// answered reads what the script sends; false when it was answered already.
func (d *Dashboard) answered(w http.ResponseWriter, r *http.Request) (a passkeyAnswer, ceremony string, ok bool) {
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil || len(a.Response) == 0 { // bounded by protect
		d.sendJSON(w, r, http.StatusBadRequest, map[string]string{"problem": "What the browser sent could not be read. Try again."})
		return a, "", false
	}
	http.SetCookie(w, auth.ShortCookie(auth.CeremonyCookieName, ""))
	return a, auth.ShortToken(r, auth.CeremonyCookieName), true
}

func (d *Dashboard) beginPasskeySignIn(w http.ResponseWriter, r *http.Request) {
	options, ceremony, err := d.Auth.BeginPasskeySignIn(r.Context(), auth.OriginOf(r))
	d.begun(w, r, options, ceremony, err)
}

func (d *Dashboard) passkeySignIn(w http.ResponseWriter, r *http.Request) {
	a, ceremony, ok := d.answered(w, r)
	if !ok {
		return
	}
	from := auth.OriginOf(r)
	_, from.Notice = d.notice(r)
	if _, err := d.Auth.PendingFactors(r.Context(), auth.ShortToken(r, auth.PendingCookieName)); err != nil && a.Notice != from.Notice {
		d.sendJSON(w, r, http.StatusForbidden, map[string]string{"problem": errNotice}) // it was not accepted at the password either
		return
	}
	entry, err := d.Auth.PasskeyStep(r.Context(), ceremony, a.Response, auth.BrowserOf(r), from)
	if err != nil {
		d.refuseJSON(w, r, err)
		return
	}
	d.sendJSON(w, r, http.StatusOK, map[string]string{"to": d.welcome(w, entry, a.Next)})
}

func (d *Dashboard) beginPasskeyConfirm(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	options, ceremony, err := d.Auth.BeginConfirm(r.Context(), actor, auth.OriginOf(r))
	d.begun(w, r, options, ceremony, err)
}

func (d *Dashboard) passkeyConfirm(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	a, ceremony, ok := d.answered(w, r)
	if !ok {
		return
	}
	if err := d.Auth.FinishConfirm(r.Context(), actor, ceremony, a.Response, auth.OriginOf(r)); err != nil {
		d.refuseJSON(w, r, err)
		return
	}
	d.sendJSON(w, r, http.StatusOK, map[string]string{"to": ownNext(a.Next)})
}

func (d *Dashboard) beginPasskey(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	options, ceremony, err := d.Auth.BeginPasskey(r.Context(), actor, auth.OriginOf(r))
	d.begun(w, r, options, ceremony, err)
}

func (d *Dashboard) newPasskey(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	a, ceremony, ok := d.answered(w, r)
	if !ok {
		return
	}
	if err := d.Auth.FinishPasskey(r.Context(), actor, ceremony, a.Name, a.Response, auth.OriginOf(r)); err != nil {
		d.refuseJSON(w, r, err)
		return
	}
	d.sendJSON(w, r, http.StatusOK, map[string]string{"to": d.afterFactor(r, actor, a.Next)})
}
