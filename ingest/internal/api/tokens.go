package api

import (
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

type tokenShape struct {
	ID          string        `json:"id"`
	Name        string        `json:"name"`
	Scopes      []auth.Action `json:"scopes"`
	Client      auth.Client   `json:"client" jsonschema:"the kind of program that it is for: api or mobile"`
	Networks    []string      `json:"networks" jsonschema:"from where alone it is taken; empty: from everywhere"`
	CreatedAt   time.Time     `json:"created_at"`
	ExpiresAt   time.Time     `json:"expires_at"`
	Expired     bool          `json:"expired"`
	LastUsedAt  *time.Time    `json:"last_used_at" jsonschema:"up to a minute early; null: never"`
	LastAddress string        `json:"last_address,omitempty"`
}

func tokenOf(t auth.TokenInfo) tokenShape {
	return tokenShape{t.ID, t.Name, t.Scopes, t.Client, append([]string{}, t.Networks...), t.CreatedAt, t.ExpiresAt, t.Expired, timeOrNull(t.LastUsedAt), t.LastAddress}
}

type tokensAnswer struct {
	Tokens []tokenShape  `json:"tokens"`
	Scopes []actionShape `json:"scopes" jsonschema:"what you can give a token"`
}

func (a *api) tokens(r *Request, _ *Nothing) (tokensAnswer, error) {
	all, err := a.Auth.Tokens(r.Context(), r.Actor)
	shapes := []tokenShape{}
	for _, t := range all {
		shapes = append(shapes, tokenOf(t))
	}
	return tokensAnswer{shapes, actionsOf(auth.TokenScopes(r.Actor))}, err
}

type newTokenBody struct {
	Name     string        `json:"name" required:"true" jsonschema:"to know it by"`
	Scopes   []auth.Action `json:"scopes" required:"true" jsonschema:"actions that it may do, of those that you may"`
	Days     int           `json:"days" jsonschema:"how long it lives; absent: as long as the agency allows"`
	Client   auth.Client   `json:"client" jsonschema:"the kind of program that it is for: api or, on a phone or tablet, mobile; absent: api"`
	Networks []string      `json:"networks" jsonschema:"from where alone it is taken, as 10.20.0.0/16 or 192.0.2.7; absent: from everywhere"`
}

type newTokenAnswer struct {
	tokenShape
	Token string `json:"token" jsonschema:"the token itself, shown this once"`
}

func (a *api) makeToken(r *Request, b *newTokenBody) (newTokenAnswer, error) {
	text, made, err := a.Auth.MakeToken(r.Context(), r.Actor, auth.NewToken{Name: b.Name, Scopes: b.Scopes, Life: auth.Days(b.Days), Client: b.Client, Networks: b.Networks})
	if err != nil {
		return newTokenAnswer{}, err
	}
	return newTokenAnswer{tokenOf(made), text}, nil
}

func (a *api) revokeToken(r *Request, _ *Nothing) (Nothing, error) {
	return Nothing{}, a.Auth.RevokeToken(r.Context(), r.Actor, r.PathValue("id"))
}

type ownTokenAnswer struct {
	tokenShape
	Login  string        `json:"login" jsonschema:"in whose name it asks"`
	Agency string        `json:"agency"`
	May    []auth.Action `json:"may" jsonschema:"of its scopes, what its person may do on anything now"`
}

func (a *api) token(r *Request, _ *Nothing) (ownTokenAnswer, error) {
	v := ownTokenAnswer{tokenShape: tokenOf(*r.Actor.Token), Login: r.Actor.Login, Agency: string(r.Actor.Agency), May: []auth.Action{}}
	for _, deed := range auth.TokenScopes(r.Actor) {
		v.May = append(v.May, deed.Action)
	}
	return v, nil
}
