package provider

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/pki"
)

// What the provider calls its one client.
const (
	Client = "sealdock"
	Secret = "kettle-basalt-forty"
)

// Lie is how one ID token is falsified.
type Lie struct {
	Claims func(map[string]any)
	Header func(map[string]any)
	Alg    string // "none", "HS256" with the public key as secret, or "" for RS256
	Key    bool   // signed by a key that the provider does not publish
}

// Provider is a running provider. Safe for concurrent use.
type Provider struct {
	Issuer, Authority, SecretFile string

	now    func() time.Time
	server *httptest.Server
	key    *rsa.PrivateKey
	other  *rsa.PrivateKey

	mu      sync.Mutex // guards the rest
	person  map[string]any
	lie     Lie
	codes   map[string]request
	refresh map[string]bool // tokens that hold
	keysOut bool
	asked   map[string]int // by path
}

type request struct{ nonce, challenge, redirect string }

// Start starts a provider.
func Start(t testing.TB, now func() time.Time) *Provider {
	t.Helper()
	p := &Provider{now: now, codes: map[string]request{}, refresh: map[string]bool{}, asked: map[string]int{}}
	var err error
	if p.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if p.other, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	authority := pki.NewAuthority(t)
	p.server = httptest.NewUnstartedServer(p)
	certificate := authority.Server(t, "127.0.0.1")
	p.server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.server.StartTLS()
	t.Cleanup(p.server.Close)
	p.Issuer = p.server.URL
	p.Authority, p.SecretFile = filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "secret")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[len(certificate.Certificate)-1]})
	for path, text := range map[string][]byte{p.Authority: ca, p.SecretFile: []byte(Secret)} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// Stop makes the provider unreachable for good.
func (p *Provider) Stop() { p.server.Close() }

// There says who sits at the browser, by their claims.
func (p *Provider) There(claims map[string]any) { p.set(func() { p.person = claims }) }

// Tell falsifies the ID tokens from now on.
func (p *Provider) Tell(l Lie) { p.set(func() { p.lie = l }) }

// HideKeys makes the address of the keys answer with an error.
func (p *Provider) HideKeys(hidden bool) { p.set(func() { p.keysOut = hidden }) }

// Revoke ends all refresh tokens, as a provider does for who is disabled.
func (p *Provider) Revoke() { p.set(func() { p.refresh = map[string]bool{} }) }

// Asked is how often an address was asked for.
func (p *Provider) Asked(path string) (n int) {
	p.set(func() { n = p.asked[path] })
	return n
}

func (p *Provider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// Visit is what a browser does at the provider: it goes to address, and comes back
// with these parameters.
func (p *Provider) Visit(t testing.TB, address string) url.Values {
	t.Helper()
	client := *p.server.Client()
	client.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	back, err := response.Location()
	if err != nil {
		t.Fatalf("the provider answered %s: %v", response.Status, err)
	}
	return back.Query()
}

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[r.URL.Path]++
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer(w, 200, map[string]any{
			"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/auth", "token_endpoint": p.Issuer + "/token", "jwks_uri": p.Issuer + "/keys", "userinfo_endpoint": p.Issuer + "/me",
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}, "token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
		})
	case "/keys":
		if p.keysOut {
			answer(w, 503, nil)
			return
		}
		answer(w, 200, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256",
			"n": b64(p.key.N.Bytes()), "e": b64(big.NewInt(int64(p.key.E)).Bytes())}}})
	case "/auth":
		p.auth(w, r)
	case "/token":
		p.token(w, r)
	case "/me":
		answer(w, 200, p.person)
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) auth(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != Client || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("state") == "" {
		http.Error(w, "the request lacks something", 400)
		return
	}
	code := rand.Text()
	p.codes[code] = request{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri")}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.Issuer}}.Encode(), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	if id, secret, ok := r.BasicAuth(); !ok || id != Client || secret != Secret || r.Method != http.MethodPost {
		answer(w, 401, map[string]any{"error": "invalid_client"})
		return
	}
	r.ParseForm()
	nonce := ""
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		was, ok := p.codes[r.PostForm.Get("code")]
		delete(p.codes, r.PostForm.Get("code"))
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if !ok || b64(sum[:]) != was.challenge || r.PostForm.Get("redirect_uri") != was.redirect {
			answer(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		nonce = was.nonce
	case "refresh_token":
		token := r.PostForm.Get("refresh_token")
		if !p.refresh[token] {
			answer(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		delete(p.refresh, token)
	default:
		answer(w, 400, map[string]any{"error": "unsupported_grant_type"})
		return
	}
	next := rand.Text()
	p.refresh[next] = true
	answer(w, 200, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 300, "refresh_token": next, "id_token": p.idToken(nonce)})
}

func (p *Provider) idToken(nonce string) string {
	now := p.now().Unix()
	claims := map[string]any{"iss": p.Issuer, "aud": Client, "iat": now, "exp": now + 300, "auth_time": now}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	for k, v := range p.person {
		claims[k] = v
	}
	header := map[string]any{"alg": "RS256", "kid": "one", "typ": "JWT"}
	if p.lie.Alg != "" {
		header["alg"] = p.lie.Alg
	}
	if p.lie.Claims != nil {
		p.lie.Claims(claims)
	}
	if p.lie.Header != nil {
		p.lie.Header(header)
	}
	text := b64(mustJSON(header)) + "." + b64(mustJSON(claims))
	switch p.lie.Alg {
	case "none":
		return text + "."
	case "HS256":
		public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&p.key.PublicKey))})
		mac := hmac.New(sha256.New, public)
		mac.Write([]byte(text))
		return text + "." + b64(mac.Sum(nil))
	}
	key := p.key
	if p.lie.Key {
		key = p.other
	}
	sum := sha256.Sum256([]byte(text))
	return text + "." + b64(must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])))
}

// Unpublished is a key that the provider does not publish, as a JWK.
func (p *Provider) Unpublished() map[string]any {
	return map[string]any{"kty": "RSA", "kid": "one", "n": b64(p.other.N.Bytes()), "e": b64(big.NewInt(int64(p.other.E)).Bytes())}
}

func answer(w http.ResponseWriter, code int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(mustJSON(body))
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func mustJSON(v any) []byte { return must(json.Marshal(v)) }
