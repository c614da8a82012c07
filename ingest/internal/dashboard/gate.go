package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// private lets signed-in people through, and sends others to the sign-in page,
// or answers 401 where no page was asked for.
func (d *Dashboard) private(next func(http.ResponseWriter, *http.Request, *auth.Actor)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if actor := auth.Running(r.Context()); actor != nil {
			next(w, r, actor) // what they asked for was approved
			return
		}
		actor, err := d.Auth.Actor(r.Context(), auth.Token(r), auth.OriginOf(r))
		switch {
		case errors.Is(err, auth.ErrNoSession):
			d.turnAway(w, r)
		case errors.Is(err, auth.ErrMustEnrol):
			d.enrolFirst(w, r)
		case err != nil:
			d.fail(w, r, nil, err)
		default:
			next(w, asking(r), actor)
		}
	}
}

// turnAway answers a request without a session.
func (d *Dashboard) turnAway(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		d.problem(w, r, nil, http.StatusUnauthorized, "Please sign in", "Your session has ended, or this page needs one.")
		return
	}
	to := "/sign-in"
	if next := r.URL.RequestURI(); next != "/" && localPath(next) {
		to += "?next=" + url.QueryEscape(next)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// localPath reports whether to is a plain path on this host, so that a sign-in
// never leads to another site.
func localPath(to string) bool {
	if len(to) > 2000 || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
		return false
	}
	for _, r := range to {
		if r < 0x21 || r == '\\' || r > 0x7e {
			return false
		}
	}
	u, err := url.Parse(to)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil
}

type signInView struct {
	base
	Login, Next, Problem, Notice string
	PasskeyHost                  string // "": no passkeys
	ProviderName                 string // "": no provider
	Use, UseHash                 string // use notice of the agency
}

// signInView is what the sign-in page shows in any case.
func (d *Dashboard) signInView(r *http.Request, next string) signInView {
	v := signInView{base: d.gateBase("Sign in", "passkey.js"), Next: next, PasskeyHost: d.Auth.PasskeyHost(), ProviderName: d.Auth.ProviderName()}
	v.Use, v.UseHash = d.notice(r)
	return v
}

func (d *Dashboard) signInPage(w http.ResponseWriter, r *http.Request) {
	v := d.signInView(r, r.URL.Query().Get("next"))
	switch {
	case r.URL.Query().Has("ended"):
		v.Notice = "Your session has ended. After a time without use, and some hours in any case, you sign in anew; earlier where the agency's directory no longer confirms you."
	case r.URL.Query().Has("out"):
		v.Notice = "You are signed out."
	}
	d.show(w, r, http.StatusOK, "signin", v)
}

func (d *Dashboard) signIn(w http.ResponseWriter, r *http.Request) {
	if !d.form(w, r) {
		return
	}
	v := d.signInView(r, r.PostForm.Get("next"))
	v.Login = r.PostForm.Get("login")
	from := auth.OriginOf(r)
	if from.Notice = v.UseHash; r.PostForm.Get("notice") != v.UseHash {
		v.Problem = errNotice
		d.show(w, r, http.StatusForbidden, "signin", v)
		return
	}
	entry, err := d.Auth.PasswordStep(r.Context(), v.Login, r.PostForm.Get("password"), auth.BrowserOf(r), from)
	if err != nil {
		code, problem := refusedEntry(w, err)
		if code == 0 {
			d.fail(w, r, nil, err)
			return
		}
		v.Problem = problem
		d.show(w, r, code, "signin", v)
		return
	}
	http.Redirect(w, r, d.welcome(w, entry, v.Next), http.StatusSeeOther)
}

// welcome hands out what a sign-in came to, and returns where it leads.
func (d *Dashboard) welcome(w http.ResponseWriter, entry *auth.Entry, next string) string {
	if !localPath(next) {
		next = "/"
	}
	if entry.Pending != "" {
		http.SetCookie(w, auth.ShortCookie(auth.PendingCookieName, entry.Pending))
		return "/sign-in/factor?next=" + url.QueryEscape(next)
	}
	http.SetCookie(w, auth.Cookie(entry.Session))
	http.SetCookie(w, auth.DeviceCookie(entry.Device))
	http.SetCookie(w, auth.ShortCookie(auth.PendingCookieName, ""))
	http.SetCookie(w, auth.ShortCookie(auth.CeremonyCookieName, ""))
	if entry.MustEnrol {
		return "/account/factor?next=" + url.QueryEscape(next)
	}
	return next
}

// refusedEntry puts a refused sign-in or confirmation into words; 0 when the
// error is nobody's at the browser.
func refusedEntry(w http.ResponseWriter, err error) (code int, problem string) {
	var wait *auth.TooManyError
	switch {
	case errors.Is(err, auth.ErrSignIn), errors.Is(err, auth.ErrFactor), errors.Is(err, auth.ErrPasskey):
		return http.StatusUnauthorized, sentence(err)
	case errors.Is(err, auth.ErrDirectoryDown):
		return http.StatusServiceUnavailable, sentence(auth.ErrDirectoryDown)
	case errors.Is(err, auth.ErrPending), errors.Is(err, auth.ErrNoPasskeys), errors.Is(err, auth.ErrNoFactor),
		errors.Is(err, auth.ErrNoProvider), errors.Is(err, auth.ErrDirectoryPassword):
		return http.StatusConflict, sentence(err)
	case errors.As(err, &wait):
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.RetryAfter.Seconds())+1))
		return http.StatusTooManyRequests, sentence(err)
	case errors.Is(err, auth.ErrBusy):
		w.Header().Set("Retry-After", "5")
		return http.StatusServiceUnavailable, sentence(err)
	}
	return 0, ""
}

func (d *Dashboard) signOut(w http.ResponseWriter, r *http.Request) {
	if err := d.Auth.SignOut(r.Context(), auth.Token(r), auth.OriginOf(r)); err != nil {
		d.fail(w, r, nil, err)
		return
	}
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	http.SetCookie(w, auth.NoCookie())
	http.Redirect(w, r, "/sign-in?out=1", http.StatusSeeOther)
}

// session tells a page whether its session still holds; asking is no use of it.
func (d *Dashboard) session(w http.ResponseWriter, r *http.Request) {
	_, err := d.Auth.Peek(r.Context(), auth.Token(r), auth.OriginOf(r))
	switch {
	case errors.Is(err, auth.ErrNoSession):
		w.WriteHeader(http.StatusUnauthorized)
	case errors.Is(err, auth.ErrMustEnrol):
		w.WriteHeader(http.StatusNoContent)
	case err != nil:
		d.Log.ErrorContext(r.Context(), "asking for a session", "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

type setupView struct {
	base
	Token, Name, Login, Problem, Closed string
	BadPassword                         bool
}

const closedSetup = "It was used already, has expired after 24 hours, or was never made. When nobody has an account yet, make a new link on the server; otherwise sign in."

func (d *Dashboard) setupPage(w http.ResponseWriter, r *http.Request) {
	v := setupView{base: d.gateBase("Set-up"), Token: r.URL.Query().Get("token")}
	err := d.Auth.CheckSetup(r.Context(), v.Token)
	switch {
	case errors.Is(err, auth.ErrSetup):
		v.Closed = closedSetup
		d.show(w, r, http.StatusGone, "setup", v)
	case err != nil:
		d.fail(w, r, nil, err)
	default:
		d.show(w, r, http.StatusOK, "setup", v)
	}
}

func (d *Dashboard) setUp(w http.ResponseWriter, r *http.Request) {
	if !d.form(w, r) {
		return
	}
	f := r.PostForm
	v := setupView{base: d.gateBase("Set-up"), Token: f.Get("token"), Name: f.Get("name"), Login: f.Get("login")}
	if f.Get("password") != f.Get("again") {
		v.Problem, v.BadPassword = "The two passwords are not the same. Type both again.", true
		d.show(w, r, http.StatusUnprocessableEntity, "setup", v)
		return
	}
	entry, err := d.Auth.SetUpStep(r.Context(), v.Token, auth.Person{Login: v.Login, Name: v.Name, Password: f.Get("password")}, auth.BrowserOf(r), auth.OriginOf(r))
	var person *auth.PersonError
	switch {
	case errors.As(err, &person):
		v.Problem, v.BadPassword = sentence(err), person.Field == "password"
		d.show(w, r, http.StatusUnprocessableEntity, "setup", v)
	case errors.Is(err, auth.ErrSetup):
		v.Closed = closedSetup
		d.show(w, r, http.StatusGone, "setup", v)
	case errors.Is(err, auth.ErrBusy):
		v.Problem = sentence(err)
		d.show(w, r, http.StatusServiceUnavailable, "setup", v)
	case err != nil:
		d.fail(w, r, nil, err)
	default:
		http.Redirect(w, r, d.welcome(w, entry, "/"), http.StatusSeeOther)
	}
}

// form reads a posted form; false when it has answered already.
func (d *Dashboard) form(w http.ResponseWriter, r *http.Request) bool {
	if err := r.ParseForm(); err != nil {
		d.problem(w, r, nil, http.StatusBadRequest, "That form could not be read", "Go back and send it again.")
		return false
	}
	return true
}

// sentence makes an error's text a sentence to show.
func sentence(err error) string {
	if errors.Is(err, context.Canceled) {
		return ""
	}
	return sentenceOf(err.Error())
}

// sentenceOf gives a text a sentence's beginning and end.
func sentenceOf(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
