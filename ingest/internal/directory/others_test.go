package directory

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/internal/testkit/pki"
	"github.com/sealdock/sealdock/internal/testkit/provider"
)

// others is the npm package oidc-provider, which runs until the test ends.
type others struct {
	t         *testing.T
	issuer    string
	authority string
	secret    string
	input     io.Writer
	said      *bufio.Scanner
}

func startOthers(t *testing.T) *others {
	t.Helper()
	dir := os.Getenv("SEALDOCK_OIDC_PROVIDER")
	if dir == "" {
		t.Skip("no OpenID Connect provider of others is here, so that nothing was tested against one: scripts/directory-lab/install DIR, then SEALDOCK_OIDC_PROVIDER=DIR")
	}
	authority := pki.NewAuthority(t)
	certificate := authority.Server(t, "127.0.0.1")
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	o := &others{t: t}
	place := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(place, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	o.authority, o.secret = write("ca.pem", block("CERTIFICATE", certificate.Certificate[len(certificate.Certificate)-1])), write("secret", []byte(provider.Secret))
	node := exec.Command("node", "testdata/provider.mjs", dir, write("cert.pem", block("CERTIFICATE", certificate.Certificate[0])), write("key.pem", block("PRIVATE KEY", key)))
	var errorText bytes.Buffer
	node.Stderr = &errorText
	input, err1 := node.StdinPipe()
	output, err2 := node.StdoutPipe()
	if err := errors.Join(err1, err2, node.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close() // which ends it
		node.Wait()
	})
	o.input, o.said = input, bufio.NewScanner(output)
	if !o.said.Scan() {
		t.Fatalf("the provider did not start: %s", errorText.String())
	}
	o.issuer = o.said.Text()
	return o
}

func (o *others) tell(line string) {
	o.t.Helper()
	if _, err := io.WriteString(o.input, line+"\n"); err != nil || !o.said.Scan() {
		o.t.Fatal("the provider has gone", err)
	}
}

var (
	action = regexp.MustCompile(`action="([^"]+)"`)
	prompt = regexp.MustCompile(`name="prompt" value="([^"]+)"`)
)

// visit goes through the provider's own pages as a person would, until it sends
// the browser back.
func (o *others) visit(address, login string) url.Values {
	o.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	client := &http.Client{
		Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	response, err := client.Get(address)
	for range 20 {
		if err != nil {
			o.t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if next, err := response.Location(); err == nil {
			if next.Host == "evidence.example.org" {
				return next.Query()
			}
			response, err = client.Get(next.String())
			if err != nil {
				o.t.Fatal(err)
			}
			continue
		}
		form, kind := action.FindSubmatch(body), prompt.FindSubmatch(body)
		if form == nil || kind == nil {
			o.t.Fatalf("the provider shows %s: %s", response.Status, body)
		}
		to, err1 := response.Request.URL.Parse(strings.ReplaceAll(string(form[1]), "&amp;", "&"))
		if err1 != nil {
			o.t.Fatal(err1)
		}
		response, err = client.PostForm(to.String(), url.Values{"prompt": {string(kind[1])}, "login": {login}, "password": {"any will do"}})
	}
	o.t.Fatal("the provider leads around in a circle")
	return nil
}

func TestPeopleOfAProviderOfOthers(t *testing.T) {
	o := startOthers(t)
	client := openOIDC(t, &provider.Provider{Issuer: o.issuer, Authority: o.authority, SecretFile: o.secret}, func(c *OIDCConfig) { c.UserInfo = true })
	sign := func(login string) (*Person, url.Values, *Attempt) {
		t.Helper()
		address, a := begin(t, client)
		back := o.visit(address, login)
		p, err := client.Finish(t.Context(), a, back)
		if err != nil {
			t.Fatal(err)
		}
		return p, back, a
	}
	p, back, attempt := sign("a.moreno")
	if p.ID != "a.moreno" || p.Login != "a.moreno" || p.Name != "Alba Moreno" || !slices.Equal(p.Groups, []string{"evidence-admins", "choir"}) || p.Refresh == "" || p.Factor {
		t.Errorf("the provider knows %+v", p)
	}
	if back.Get("iss") != o.issuer {
		t.Errorf("it came back with %v", back)
	}
	o.tell("groups a.moreno evidence-operators")
	again, err := client.Again(t.Context(), p.ID, p.Refresh)
	if err != nil || !slices.Equal(again.Groups, []string{"evidence-operators"}) {
		t.Fatalf("again: %+v, %v", again, err)
	}
	o.tell("disable a.moreno")
	if gone, err := client.Again(t.Context(), p.ID, again.Refresh); !errors.Is(err, ErrGone) {
		t.Errorf("disabled there: %+v, %v", gone, err)
	}
	if twice, err := client.Finish(t.Context(), attempt, back); !errors.Is(err, ErrRefused) {
		t.Errorf("the code a second time: %+v, %v", twice, err)
	}
	other, _, _ := sign("b.okafor")
	if other.ID != "b.okafor" {
		t.Errorf("the other is %+v", other)
	}
	address, a := begin(t, client)
	a.Verifier = strings.Repeat("x", 43)
	if p, err := client.Finish(t.Context(), a, o.visit(address, "b.okafor")); !errors.Is(err, ErrRefused) {
		t.Errorf("another PKCE secret: %+v, %v", p, err)
	}
	address, a, err = client.Begin(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := client.Finish(t.Context(), a, o.visit(address, "b.okafor")); err != nil || p.ShownAt.IsZero() {
		t.Errorf("asked anew: %+v, %v", p, err)
	}
}
