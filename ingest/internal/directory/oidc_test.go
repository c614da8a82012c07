package directory

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/provider"
)

func alba() map[string]any {
	return map[string]any{"sub": "248289761001", "preferred_username": "A.Moreno", "name": "Alba Moreno", "groups": []any{"evidence-admins", "choir"}, "amr": []any{"pwd", "mfa"}}
}

func openOIDC(t *testing.T, p *provider.Provider, adjust ...func(*OIDCConfig)) *OIDC {
	t.Helper()
	c := OIDCConfig{
		Issuer: p.Issuer, Authority: p.Authority, ClientID: provider.Client, ClientSecretFile: p.SecretFile, Redirect: "https://evidence.example.org/sign-in/oidc/back",
		Scopes: []string{"profile", "offline_access"}, LoginClaim: "preferred_username", NameClaim: "name", GroupsClaim: "groups", FactorAMR: []string{"mfa"}, Now: time.Now,
	}
	for _, a := range adjust {
		a(&c)
	}
	o, err := NewOIDC(c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func begin(t *testing.T, o *OIDC) (string, *Attempt) {
	t.Helper()
	address, a, err := o.Begin(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	return address, a
}

func TestPeopleOfAProviderAreKnownByItsToken(t *testing.T) {
	p := provider.Start(t, time.Now)
	p.There(alba())
	o := openOIDC(t, p)
	address, a := begin(t, o)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("nonce") != a.Nonce || q.Get("state") != a.State || strings.Contains(address, a.Verifier) || len(a.State) < 43 {
		t.Errorf("the browser is sent to %s", address)
	}
	person, err := o.Finish(t.Context(), a, p.Visit(t, address))
	if err != nil {
		t.Fatal(err)
	}
	if person.ID != "248289761001" || person.Login != "A.Moreno" || person.Name != "Alba Moreno" || !slices.Equal(person.Groups, []string{"evidence-admins", "choir"}) ||
		!person.Factor || person.Refresh == "" || time.Since(person.ShownAt).Abs() > time.Minute {
		t.Errorf("the provider knows %+v", person)
	}
	moved := alba()
	moved["groups"] = "evidence-operators"
	p.There(moved)
	again, err := o.Again(t.Context(), person.ID, person.Refresh)
	if err != nil || !slices.Equal(again.Groups, []string{"evidence-operators"}) || again.Refresh == person.Refresh {
		t.Fatalf("again: %+v, %v", again, err)
	}
	if _, err := o.Again(t.Context(), person.ID, person.Refresh); !errors.Is(err, ErrGone) {
		t.Errorf("a refresh token that was used: %v", err)
	}
	p.There(map[string]any{"sub": "somebody else", "preferred_username": "x"})
	if _, err := o.Again(t.Context(), person.ID, again.Refresh); !errors.Is(err, ErrGone) {
		t.Errorf("another person: %v", err)
	}
}

func TestWhatAHostileProviderSaysIsRefused(t *testing.T) {
	p := provider.Start(t, time.Now)
	claim := func(name string, value any) provider.Lie {
		return provider.Lie{Claims: func(c map[string]any) {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}}
	}
	now := time.Now().Unix()
	for name, lie := range map[string]provider.Lie{
		"another issuer": claim("iss", "https://evil.example.org"), "the issuer with a slash": claim("iss", p.Issuer+"/"), "no issuer": claim("iss", nil),
		"another audience": claim("aud", "other"), "no audience": claim("aud", nil), "one audience too many": claim("aud", []any{provider.Client, "other"}),
		"another party": claim("azp", "other"), "no nonce": claim("nonce", nil), "an empty nonce": claim("nonce", ""), "another nonce": claim("nonce", strings.Repeat("x", 43)),
		"expired": claim("exp", now-70), "no end": claim("exp", nil), "of tomorrow": claim("iat", now+90), "of yesterday": claim("iat", now-86400), "not yet": claim("nbf", now+90),
		"nobody": claim("sub", ""), "no subject": claim("sub", nil), "a number as subject": claim("sub", 7), "a line in the subject": claim("sub", "a\nb"),
		"another access token": claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"alg none":             {Alg: "none"}, "key confusion": {Alg: "HS256"}, "a key of nobody": {Key: true},
		"its own key":       {Key: true, Header: func(h map[string]any) { h["jwk"] = p.Unpublished() }},
		"a key elsewhere":   {Key: true, Header: func(h map[string]any) { h["jku"], h["kid"] = "https://evil.example.org/keys", "two" }},
		"a wrong alg":       {Header: func(h map[string]any) { h["alg"] = "ES256" }},
		"a critical header": {Header: func(h map[string]any) { h["crit"] = []any{"x"}; h["x"] = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			p.There(alba())
			p.Tell(lie)
			o := openOIDC(t, p)
			address, a := begin(t, o)
			person, err := o.Finish(t.Context(), a, p.Visit(t, address))
			if !errors.Is(err, ErrRefused) && !(errors.Is(err, ErrUnavailable) && strings.Contains(name, "subject")) {
				t.Errorf("%+v, %v", person, err)
			}
		})
	}
}

func TestAnAnswerBelongsToOneSignInOfOneBrowser(t *testing.T) {
	p := provider.Start(t, time.Now)
	p.There(alba())
	o := openOIDC(t, p)
	refused := func(what string, a *Attempt, back url.Values) {
		t.Helper()
		if person, err := o.Finish(t.Context(), a, back); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %+v, %v", what, person, err)
		}
	}
	mine, a := begin(t, o)
	theirs, b := begin(t, o)
	refused("a mixed-up browser", a, p.Visit(t, theirs))
	stolen := p.Visit(t, theirs) // their code put into my sign-in
	stolen.Set("state", a.State)
	refused("a stolen code", a, stolen)
	back := p.Visit(t, mine)
	without := url.Values{"code": back["code"]}
	refused("no state", a, without)
	refused("an attempt of nobody", &Attempt{}, without)
	refused("two states", a, url.Values{"code": back["code"], "state": {a.State, a.State}})
	wrong := url.Values{"code": back["code"], "state": back["state"], "iss": {"https://evil.example.org"}}
	refused("another provider's answer", a, wrong)
	refused("an error", a, url.Values{"error": {"access_denied"}, "state": {a.State}})
	refused("no code", a, url.Values{"state": {a.State}})
	if _, err := o.Finish(t.Context(), a, back); err != nil {
		t.Errorf("my own: %v", err)
	}
	refused("a second time", a, back)
	if _, err := o.Finish(t.Context(), b, p.Visit(t, theirs)); err != nil {
		t.Errorf("theirs, in their browser: %v", err)
	}
}

func TestKeysThatAreKnownLastThroughAnOutage(t *testing.T) {
	p := provider.Start(t, time.Now)
	p.There(alba())
	o := openOIDC(t, p)
	finish := func() error {
		address, a := begin(t, o)
		_, err := o.Finish(t.Context(), a, p.Visit(t, address))
		return err
	}
	p.HideKeys(true)
	if err := finish(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("no keys yet: %v", err)
	}
	p.HideKeys(false)
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	p.HideKeys(true)
	asked := p.Asked("/keys")
	if err := finish(); err != nil || p.Asked("/keys") != asked {
		t.Errorf("known keys: %v, and they were asked for %d more times", err, p.Asked("/keys")-asked)
	}
	p.Stop()
	if _, err := o.Again(t.Context(), "x", "token"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("the provider is down: %v", err)
	}
	fresh := openOIDC(t, p)
	if _, _, err := fresh.Begin(t.Context(), false); !errors.Is(err, ErrUnavailable) {
		t.Errorf("and was never asked: %v", err)
	}
}

func TestAFactorOfTheProviderCountsOnlyWhereItIsTrusted(t *testing.T) {
	p := provider.Start(t, time.Now)
	for name, c := range map[string]struct {
		claims map[string]any
		adjust func(*OIDCConfig)
		want   bool
	}{
		"trusted":      {map[string]any{"amr": []any{"mfa"}}, func(*OIDCConfig) {}, true},
		"not said":     {map[string]any{"amr": []any{"pwd"}}, func(*OIDCConfig) {}, false},
		"by acr":       {map[string]any{"acr": "gold"}, func(c *OIDCConfig) { c.FactorACR = []string{"gold"} }, true},
		"not trusted":  {map[string]any{"amr": []any{"mfa"}, "acr": "gold"}, func(c *OIDCConfig) { c.FactorAMR = nil }, false},
		"empty values": {map[string]any{"amr": []any{""}, "acr": ""}, func(c *OIDCConfig) { c.FactorAMR = nil }, false},
	} {
		person := alba()
		delete(person, "amr")
		for k, v := range c.claims {
			person[k] = v
		}
		p.There(person)
		o := openOIDC(t, p, c.adjust)
		address, a := begin(t, o)
		got, err := o.Finish(t.Context(), a, p.Visit(t, address))
		if err != nil || got.Factor != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// Asked anew, it must say that it did.
	old := alba()
	old["auth_time"] = time.Now().Add(-time.Hour).Unix()
	p.There(old)
	o := openOIDC(t, p)
	address, a, err := o.Begin(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Finish(t.Context(), a, p.Visit(t, address)); !errors.Is(err, ErrRefused) {
		t.Errorf("it did not ask anew: %v", err)
	}
}

func TestGroupsAreReadWhereTheProviderPutsThem(t *testing.T) {
	for name, c := range map[string]struct {
		claims map[string]any
		path   string
		want   []string
		fails  bool
	}{
		"list":       {map[string]any{"groups": []any{"a", "b"}}, "groups", []string{"a", "b"}, false},
		"one":        {map[string]any{"groups": "a"}, "groups", []string{"a"}, false},
		"path":       {map[string]any{"realm_access": map[string]any{"roles": []any{"a"}}}, "realm_access.roles", []string{"a"}, false},
		"a dot":      {map[string]any{"https://x.example/groups": []any{"a"}}, "https://x.example/groups", []string{"a"}, false},
		"none":       {map[string]any{}, "groups", nil, false},
		"no path":    {map[string]any{"realm_access": "x"}, "realm_access.roles", nil, false},
		"not texts":  {map[string]any{"groups": []any{"a", 7}}, "groups", nil, true},
		"too many":   {map[string]any{"_claim_names": map[string]any{"groups": "src1"}}, "groups", nil, true},
		"a null":     {map[string]any{"groups": nil}, "groups", nil, false},
		"an object":  {map[string]any{"groups": map[string]any{"a": true}}, "groups", nil, false},
		"deep empty": {map[string]any{"a": map[string]any{"b": map[string]any{}}}, "a.b.c", nil, false},
	} {
		got, err := groupsIn(c.claims, c.path)
		if !slices.Equal(got, c.want) || (err != nil) != c.fails {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
