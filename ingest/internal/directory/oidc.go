package directory

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// OIDCConfig says how to ask an OpenID Connect provider.
type OIDCConfig struct {
	Issuer           string // exactly as the provider writes it
	Authority        string // file with the CA of its certificate; "": what this machine trusts
	ClientID         string
	ClientSecretFile string   // "": a public client, which PKCE alone protects
	Redirect         string   // where browsers come back to
	Scopes           []string // beside openid
	LoginClaim       string
	NameClaim        string
	ProvisionedClaim string   // what provisioning gives as externalId; "": sub
	GroupsClaim      string   // a claim's name, or a path in claims, as in realm_access.roles
	UserInfo         bool     // ask the provider's UserInfo endpoint too
	FactorAMR        []string // any of these in amr means that a second factor was shown; empty: none is trusted
	FactorACR        []string // or any of these as acr
	Now              func() time.Time
}

const (
	oidcPatience = 10 * time.Second
	oidcPause    = 10 * time.Second // before a provider that did not answer is asked again for its configuration
	oidcSkew     = time.Minute      // by which the provider's clock may be off
	oidcIssued   = 10 * time.Minute // how old a new token may be
)

// algorithms are those with which a provider may sign: none of them uses a secret
// that the client has too.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512}

// OIDC is an OpenID Connect provider. Safe for concurrent use.
type OIDC struct {
	c      OIDCConfig
	client *http.Client
	secret string

	mu       sync.Mutex // guards the rest
	provider *oidc.Provider
	style    oauth2.AuthStyle
	down     time.Time
}

// NewOIDC checks the configuration. It asks nobody yet: the provider may be down
// when the server starts.
func NewOIDC(c OIDCConfig) (*OIDC, error) {
	for what, address := range map[string]string{"issuer": c.Issuer, "the address to come back to": c.Redirect} {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("%s: %q is no address like https://id.example.org", what, address)
		}
	}
	if c.ClientID == "" {
		return nil, errors.New("client_id is needed: the name that the provider gave this server")
	}
	c.ProvisionedClaim = cmp.Or(c.ProvisionedClaim, "sub")
	if c.LoginClaim == "" || c.NameClaim == "" || c.GroupsClaim == "" {
		return nil, errors.New("login_claim, name_claim and groups_claim must not be empty")
	}
	p := &OIDC{c: c}
	trust, err := tlsTo(c.Authority)
	if err != nil {
		return nil, err
	}
	if c.ClientSecretFile != "" {
		if p.secret, err = secretFile("the client secret for the provider", c.ClientSecretFile); err != nil {
			return nil, err
		}
	}
	p.client = &http.Client{
		Timeout:   oidcPatience,
		Transport: boundedAnswers{&http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute}},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the provider sends elsewhere, which is not followed")
		},
	}
	return p, nil
}

// Issuer names the provider.
func (p *OIDC) Issuer() string { return p.c.Issuer }

// Attempt is a sign-in that was begun at a provider. It is secret, holds once, and
// belongs to the browser that began it.
type Attempt struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Anew     bool   `json:"anew,omitempty"` // the provider is to ask for a password again
}

// Begin returns where to send the browser. anew makes the provider ask who is
// there even if it knows. ErrUnavailable.
func (p *OIDC) Begin(ctx context.Context, anew bool) (address string, a *Attempt, err error) {
	_, config, err := p.discovered(ctx)
	if err != nil {
		return "", nil, err
	}
	a = &Attempt{State: oauth2.GenerateVerifier(), Nonce: oauth2.GenerateVerifier(), Verifier: oauth2.GenerateVerifier(), Anew: anew}
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if anew {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return config.AuthCodeURL(a.State, options...), a, nil
}

// Finish returns who came back from the provider with these parameters.
// ErrRefused, with the reason; ErrUnavailable.
func (p *OIDC) Finish(ctx context.Context, a *Attempt, back url.Values) (*Person, error) {
	one := func(name string) string {
		if v := back[name]; len(v) == 1 && len(v[0]) <= 4096 {
			return v[0]
		}
		return ""
	}
	if a.State == "" || subtle.ConstantTimeCompare([]byte(one("state")), []byte(a.State)) != 1 {
		return nil, fmt.Errorf("%w: this answer belongs to another sign-in (state)", ErrRefused)
	}
	if back.Has("iss") && one("iss") != p.c.Issuer { // RFC 9207
		return nil, fmt.Errorf("%w: this answer is of another provider (iss)", ErrRefused)
	}
	if back.Has("error") {
		return nil, fmt.Errorf("%w: the provider said %q", ErrRefused, clip(one("error")))
	}
	code := one("code")
	if code == "" {
		return nil, fmt.Errorf("%w: the provider sent no code", ErrRefused)
	}
	provider, config, err := p.discovered(ctx)
	if err != nil {
		return nil, err
	}
	token, err := config.Exchange(p.context(ctx), code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return nil, tokenError("exchanging the code", ErrRefused, err)
	}
	id, err := p.verified(ctx, provider, token)
	if err != nil {
		return nil, err
	}
	if id == nil {
		return nil, fmt.Errorf("%w: the provider sent no ID token", ErrRefused)
	}
	if a.Nonce == "" || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1 {
		return nil, fmt.Errorf("%w: the ID token belongs to another sign-in (nonce)", ErrRefused)
	}
	person, err := p.person(ctx, provider, id, token, "")
	if err != nil {
		return nil, err
	}
	if a.Anew && p.c.Now().Sub(person.ShownAt) > oidcIssued {
		return nil, fmt.Errorf("%w: the provider did not ask anew who is there (auth_time)", ErrRefused)
	}
	return person, nil
}

// Again returns a person as the provider has them now, by the Refresh of the last
// time; the one in the answer takes its place. ErrGone when the provider no longer
// answers for the person: they are disabled, or their sign-in there is over.
// ErrUnavailable.
func (p *OIDC) Again(ctx context.Context, id, refresh string) (*Person, error) {
	if refresh == "" {
		return nil, fmt.Errorf("%w: the provider gave nothing to ask again with", ErrGone)
	}
	provider, config, err := p.discovered(ctx)
	if err != nil {
		return nil, err
	}
	token, err := config.TokenSource(p.context(ctx), &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		return nil, tokenError("asking again", ErrGone, err)
	}
	verified, err := p.verified(ctx, provider, token)
	if err != nil {
		return nil, err
	}
	person, err := p.person(ctx, provider, verified, token, id)
	if errors.Is(err, ErrRefused) {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return person, err
}

// context makes both libraries use this client.
func (p *OIDC) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.client)
}

// discovered returns the provider's configuration, which is asked for once.
func (p *OIDC) discovered(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.provider == nil {
		if p.c.Now().Before(p.down) {
			return nil, nil, fmt.Errorf("%w: it did not a moment ago, and is asked again soon", ErrUnavailable)
		}
		if err := p.discover(ctx); err != nil {
			if ctx.Err() == nil {
				p.down = p.c.Now().Add(oidcPause)
			}
			return nil, nil, fmt.Errorf("%w: asking %s for its configuration: %w", ErrUnavailable, p.c.Issuer, err)
		}
	}
	endpoint := p.provider.Endpoint()
	endpoint.AuthStyle = p.style
	return p.provider, &oauth2.Config{
		ClientID: p.c.ClientID, ClientSecret: p.secret, Endpoint: endpoint, RedirectURL: p.c.Redirect, Scopes: append([]string{oidc.ScopeOpenID}, p.c.Scopes...),
	}, nil
}

func (p *OIDC) discover(ctx context.Context) error {
	provider, err := oidc.NewProvider(p.context(ctx), p.c.Issuer)
	if err != nil {
		return err
	}
	var said struct {
		Keys    string   `json:"jwks_uri"`
		User    string   `json:"userinfo_endpoint"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&said); err != nil {
		return err
	}
	for _, address := range []string{provider.Endpoint().AuthURL, provider.Endpoint().TokenURL, said.Keys, said.User} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
			return fmt.Errorf("it names %q, which is not https", clip(address))
		}
	}
	// Said in advance: to find it out by trying would show a code twice.
	p.style = oauth2.AuthStyleInHeader
	basic := len(said.Methods) == 0 // the default, says OpenID Connect Discovery section 3
	for _, m := range said.Methods {
		basic = basic || m == "client_secret_basic"
	}
	if !basic || p.secret == "" {
		p.style = oauth2.AuthStyleInParams
	}
	p.provider = provider
	return nil
}

// tokenError tells a no (which is no) from a fault.
func tokenError(doing string, no, err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.ErrorCode == "invalid_grant" {
		return fmt.Errorf("%w: %s: the provider said invalid_grant", no, doing)
	}
	if errors.As(err, &answer) {
		status := ""
		if answer.Response != nil {
			status = answer.Response.Status
		}
		return fmt.Errorf("%w as it should: %s: %s %s", ErrUnavailable, doing, status, clip(answer.ErrorCode))
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
}

// clip bounds hostile text.
func clip(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
