package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// verified returns the ID token of an answer, nil where it has none.
func (p *OIDC) verified(ctx context.Context, provider *oidc.Provider, token *oauth2.Token) (*oidc.IDToken, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, nil
	}
	verifier := provider.Verifier(&oidc.Config{
		ClientID: p.c.ClientID, SupportedSigningAlgs: algorithms, Now: func() time.Time { return p.c.Now().Add(-oidcSkew) },
	})
	id, err := verifier.Verify(p.context(ctx), raw)
	if unreached(err) {
		return nil, fmt.Errorf("%w: asking for its keys: %w", ErrUnavailable, err)
	} else if err != nil {
		return nil, fmt.Errorf("%w: the ID token does not hold: %w", ErrRefused, err)
	}
	now := p.c.Now()
	var more struct {
		Party     string   `json:"azp"`
		NotBefore *float64 `json:"nbf"`
	}
	if err := id.Claims(&more); err != nil {
		return nil, fmt.Errorf("%w: the ID token cannot be read: %w", ErrRefused, err)
	}
	switch {
	case id.Issuer != p.c.Issuer:
		return nil, fmt.Errorf("%w: the ID token is of another issuer", ErrRefused)
	case len(id.Audience) != 1 || id.Audience[0] != p.c.ClientID || more.Party != "" && more.Party != p.c.ClientID:
		return nil, fmt.Errorf("%w: the ID token is for others too", ErrRefused)
	case id.Subject == "":
		return nil, fmt.Errorf("%w: the ID token is of nobody", ErrRefused)
	case id.IssuedAt.After(now.Add(oidcSkew)) || id.IssuedAt.Before(now.Add(-oidcIssued)):
		return nil, fmt.Errorf("%w: the ID token was issued at %s, and it is %s", ErrRefused, id.IssuedAt.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case more.NotBefore != nil && *more.NotBefore > float64(now.Add(oidcSkew).Unix()):
		return nil, fmt.Errorf("%w: the ID token does not hold yet", ErrRefused)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, fmt.Errorf("%w: the ID token and the access token do not belong together", ErrRefused)
		}
	}
	return id, nil
}

// unreached reports whether an error is of the network. Package oidc wraps those
// of its key set; those of an answer that is no key set are text alone.
func unreached(err error) bool {
	var network *url.Error
	var timeout net.Error
	return errors.As(err, &network) || errors.As(err, &timeout) || errors.Is(err, context.DeadlineExceeded) ||
		err != nil && strings.Contains(err.Error(), "fetching keys")
}

// person reads who it is out of a token and, where that is wanted or the token is
// missing, of UserInfo. want is the id that it must be, "" for any.
func (p *OIDC) person(ctx context.Context, provider *oidc.Provider, id *oidc.IDToken, token *oauth2.Token, want string) (*Person, error) {
	claims := map[string]any{}
	if id != nil {
		if err := id.Claims(&claims); err != nil {
			return nil, fmt.Errorf("%w: the ID token cannot be read: %w", ErrRefused, err)
		}
		want = cmp.Or(want, id.Subject)
		if id.Subject != want {
			return nil, fmt.Errorf("%w: the provider answered with another person", ErrRefused)
		}
	}
	person := &Person{ID: want, Refresh: token.RefreshToken, Factor: p.showedFactor(claims)}
	if at, ok := claims["auth_time"].(float64); ok && at > 0 && at < 1e11 {
		if person.ShownAt = time.Unix(int64(at), 0).UTC(); person.ShownAt.After(p.c.Now()) {
			person.ShownAt = p.c.Now()
		}
	}
	if p.c.UserInfo || id == nil {
		info, err := provider.UserInfo(p.context(ctx), oauth2.StaticTokenSource(token))
		if err != nil && strings.HasPrefix(err.Error(), "401 ") { // which is all that package oidc tells: a new token, of nobody any more
			return nil, fmt.Errorf("%w: UserInfo does not take the token", ErrRefused)
		} else if err != nil {
			return nil, fmt.Errorf("%w: asking for UserInfo: %w", ErrUnavailable, err)
		}
		if info.Subject == "" || info.Subject != want {
			return nil, fmt.Errorf("%w: UserInfo is of another person", ErrRefused)
		}
		if err := info.Claims(&claims); err != nil {
			return nil, fmt.Errorf("%w: UserInfo cannot be read: %w", ErrUnavailable, err)
		}
	}
	person.Login, _ = claims[p.c.LoginClaim].(string)
	person.Name, _ = claims[p.c.NameClaim].(string)
	person.Provisioned, _ = claims[p.c.ProvisionedClaim].(string)
	var err error
	if person.Groups, err = groupsIn(claims, p.c.GroupsClaim); err != nil {
		return nil, err
	}
	return person, person.check()
}

// showedFactor reports whether the provider says that a second factor was shown,
// in words that it is trusted with. amr and acr count only of an ID token.
func (p *OIDC) showedFactor(claims map[string]any) bool {
	for _, method := range textsIn(claims["amr"]) {
		if slices.Contains(p.c.FactorAMR, method) {
			return true
		}
	}
	acr, _ := claims["acr"].(string)
	return acr != "" && slices.Contains(p.c.FactorACR, acr)
}

// groupsIn reads the groups of a person. A missing claim is no group.
func groupsIn(claims map[string]any, name string) ([]string, error) {
	value, ok := claims[name]
	for table, path := claims, name; !ok && table != nil; {
		first, rest, more := strings.Cut(path, ".")
		if !more {
			value = table[first]
			break
		}
		table, _ = table[first].(map[string]any)
		path = rest
	}
	if value == nil {
		if elsewhere, _ := claims["_claim_names"].(map[string]any); elsewhere[name] != nil {
			return nil, fmt.Errorf("%w as it should: the person is in more groups than it lists; let it send only groups that are assigned to this application", ErrUnavailable)
		}
		return nil, nil
	}
	if list, ok := value.([]any); ok && len(textsIn(list)) != len(list) {
		return nil, fmt.Errorf("%w as it should: the claim %s is no list of names", ErrUnavailable, name)
	}
	return textsIn(value), nil
}

// textsIn returns the texts in a claim that is one or a list of them.
func textsIn(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, one := range v {
			if s, ok := one.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

// maxAnswer bounds the body of what a provider says, in bytes.
const maxAnswer = 1 << 20

// boundedAnswers cuts answers off.
type boundedAnswers struct{ next http.RoundTripper }

func (b boundedAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(r)
	if err == nil {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(response.Body, maxAnswer), response.Body}
	}
	return response, err
}
