package server

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/internal/testkit/bao"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestARootKeyMovesToATransitServiceAndBack(t *testing.T) {
	t.Run("made here", func(t *testing.T) { throughTransit(t, bao.Fake(t)) })
	t.Run("OpenBao", func(t *testing.T) { throughTransit(t, bao.OpenBao(t)) })
}

// throughTransit: a server with recordings, its root key in clear, then under a key of
// the service and under the next version of it, then under a passphrase.
func throughTransit(t *testing.T, s *bao.Server) {
	r, d := storing(t)
	r.end()
	t.Setenv(credentialDirectory, "")
	const key = "sealdock-root"
	s.MakeKey(t, key)
	token := s.Token(t, key)
	to := keys.Target{Protection: keys.Transit, Secret: []byte(token), Key: key}
	move := func() error { return ProtectRoot(r.ctx, r.config, to, time.Now) }
	if err := move(); err == nil || !strings.Contains(err.Error(), "transit_url") {
		t.Errorf("without a service: %v", err)
	}
	r.config.TransitURL, r.config.TransitRoots = s.URL, s.Authority
	to.Secret = []byte("s.nobodys")
	if err := move(); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("moved with a wrong token: %v", err)
	}
	r.clean(3) // nothing has changed yet
	to.Secret = []byte(token)
	if err := move(); err != nil {
		t.Fatal(err)
	}
	file := func(version string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(r.config.keyDir(), "root.key"))
		if want := "sealdock/root-key/transit/v1\n{\"key\":\"sealdock-root\"}\nvault:" + version + ":"; err != nil || !strings.HasPrefix(string(text), want) {
			t.Errorf("the root key's file: %v\n%.80q, want %q", err, text, want)
		}
	}
	file("v1")
	r.config.RootProtection = string(keys.Transit)
	refuse := func(what, words string, config Config) {
		t.Helper()
		if err := Run(r.ctx, config, "test", r.logger(), time.Now, nil); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want words like %q", what, err, words)
		}
	}
	refuse("no token", credentialName, r.config)
	r.config.Prompt = says("s.nobodys")
	refuse("a wrong token", "permission denied", r.config)
	r.config.Prompt = says(token)
	without := r.config
	without.TransitURL, without.RootProtection = "", string(keys.None)
	refuse("no service in the configuration", "transit_url", without)
	stranger := r.config
	stranger.TransitRoots = ""
	refuse("a service that the machine does not trust", "transit_authority", stranger)
	other := r.config
	other.RootProtection = string(keys.PKCS11)
	refuse("under a service where an HSM is wanted", "root_protection", other)
	s.Seal(t)
	refuse("a sealed service", "it is sealed", r.config)
	s.Unseal(t)

	renewed(t, r, s, token)
	r.start() // a recording comes in and is opened
	rec := d.Record(t, "under-transit.MP4", footage(1<<20+1))
	answer, err := r.mustConnect(d).Upload(r.ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	checkReceipt(t, d, rec, answer)
	s.Rotate(t, key) // while it runs
	r.end()
	r.clean(4) // by the older version
	if err := move(); err != nil {
		t.Fatal(err)
	}
	file("v2")
	if _, err := RotateKeys(r.ctx, r.config, false, r.logger(), time.Now, nil); err != nil {
		t.Fatal(err)
	}
	r.clean(4)
	if err := ProtectRoot(r.ctx, r.config, keys.Target{Protection: keys.Passphrase, Secret: []byte(phrase)}, time.Now); err != nil {
		t.Fatal(err)
	}
	r.config.RootProtection, r.config.Prompt = string(keys.Passphrase), says(phrase)
	s.Revoke(t, token)
	r.clean(4)
	if got := len(r.events(evidence.EventRootProtected)); got != 3+2*2 { // two that failed have an event of that
		t.Errorf("%d events, want 7", got)
	}
}

// renewed: the token is renewed from where it lies, and what is wrong with it is told
// while there is time.
func renewed(t *testing.T, r *running, s *bao.Server, token string) {
	t.Helper()
	config := r.config
	config.PassphraseFile = filepath.Join(t.TempDir(), "token")
	give := func(token string) {
		t.Helper()
		if err := os.WriteFile(config.PassphraseFile, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	once, cancel := context.WithCancel(r.ctx)
	cancel()
	r.log.Reset()
	give(token)
	if err := config.keepToken(once, r.logger()); err != nil || !strings.Contains(r.log.String(), "was renewed") {
		t.Errorf("%v\n%s", err, r.log.String())
	}
	if wait := config.renewToken(r.ctx, r.logger()); wait != 8*time.Hour {
		t.Errorf("a token of 24 hours waits %s", wait)
	}
	expired := s.Token(t, "sealdock-root")
	s.Revoke(t, expired)
	give(expired)
	r.log.Reset()
	if wait := config.renewToken(r.ctx, r.logger()); wait != renewAgain || !strings.Contains(r.log.String(), "permission denied") {
		t.Errorf("a token that is no more waits %s\n%s", wait, r.log.String())
	}
	r.log.Reset()
	if wait := r.config.renewToken(r.ctx, r.logger()); wait != renewAtMost || r.log.String() != "" { // typed
		t.Errorf("a token that lies nowhere waits %s\n%s", wait, r.log.String())
	}
}

func TestATransitServiceIsNamedInTheConfiguration(t *testing.T) {
	for what, change := range map[string]func(*Config){
		"wanted, and not named": func(c *Config) { c.RootProtection = string(keys.Transit) },
		"without TLS":           func(c *Config) { c.TransitURL = "http://bao.example.org:8200" },
		"without a mount":       func(c *Config) { c.TransitURL, c.TransitMount = "https://bao.example.org", "" },
		"a strange namespace":   func(c *Config) { c.TransitURL, c.TransitSpace = "https://bao.example.org", "a b" },
	} {
		c := newServer(t).config
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), "transit") {
			t.Errorf("%s: %v", what, err)
		}
	}
	c := newServer(t).config
	c.RootProtection, c.TransitURL = string(keys.Transit), "https://bao.example.org:8200"
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}
