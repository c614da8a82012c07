package dashboard

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/settings"
)

// tokenRoutes are the pages with which people make and revoke tokens for the API.
func (d *Dashboard) tokenRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /account/token", d.freshOwn(d.tokenPage))
	mux.HandleFunc("POST /account/token", d.freshOwn(d.makeToken))
	mux.HandleFunc("POST /account/token/revoke", d.own(d.revokeToken))
}

type tokenView struct {
	base
	Problem, Name, Days, Networks string
	Mobile                        bool
	Choices                       []tokenChoice
	Text                          string // the token itself, once
	Made                          auth.TokenInfo
}

type tokenChoice struct {
	auth.Deed
	In bool
}

func (d *Dashboard) tokenView(r *http.Request, actor *auth.Actor, chosen []string) *tokenView {
	v := &tokenView{base: d.ownBase(r, actor, "Token"), Days: strconv.Itoa(int(auth.DefaultTokenLife / (24 * time.Hour)))}
	if d.Settings != nil {
		v.Days = d.Settings.Value(r.Context(), settings.TokenDays)
	}
	for _, deed := range auth.TokenScopes(actor) {
		v.Choices = append(v.Choices, tokenChoice{deed, slices.Contains(chosen, string(deed.Action))})
	}
	return v
}

func (d *Dashboard) tokenPage(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	d.show(w, r, http.StatusOK, "newtoken", d.tokenView(r, actor, nil))
}

func (d *Dashboard) makeToken(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	f := r.PostForm
	v := d.tokenView(r, actor, f["scope"])
	v.Name, v.Days, v.Networks, v.Mobile = f.Get("name"), f.Get("days"), f.Get("networks"), f.Get("client") == string(auth.Mobile)
	days, err := strconv.Atoi(strings.TrimSpace(v.Days))
	if err != nil || days < 1 {
		days = -1
	}
	want := auth.NewToken{Name: strings.TrimSpace(v.Name), Life: auth.Days(days), Client: auth.Client(f.Get("client")), Networks: strings.Fields(v.Networks)}
	for _, scope := range f["scope"] {
		want.Scopes = append(want.Scopes, auth.Action(scope))
	}
	text, made, err := d.Auth.MakeToken(r.Context(), actor, want)
	var person *auth.PersonError
	switch {
	case errors.As(err, &person), errors.Is(err, auth.ErrManyTokens), errors.Is(err, auth.ErrTokenName), errors.Is(err, auth.ErrBeyond):
		v.Problem = sentence(err)
		d.show(w, r, http.StatusUnprocessableEntity, "newtoken", v)
	case err != nil:
		d.fail(w, r, actor, err)
	default:
		v.Text, v.Made = text, made
		d.show(w, r, http.StatusOK, "newtoken", v)
	}
}

func (d *Dashboard) revokeToken(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	err := d.Auth.RevokeToken(r.Context(), actor, r.PostForm.Get("id"))
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		d.showAccount(w, r, actor, http.StatusNotFound, "That token is gone already. This page shows those that there are.")
	case err != nil:
		d.fail(w, r, actor, err)
	default:
		http.Redirect(w, r, "/account?done=token#tokens", http.StatusSeeOther)
	}
}
