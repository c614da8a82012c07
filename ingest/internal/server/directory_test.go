package server

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"

	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/internal/testkit/slapd"
	"github.com/sealdock/sealdock/proto/evidence"
)

// directed writes a configuration with a directory and reads it again.
func (r *running) directed(d DirectoryConfig) error {
	r.t.Helper()
	r.config.Directory = d
	text, err := r.config.file()
	r.must(err)
	path := filepath.Join(r.t.TempDir(), "sealdock.toml")
	r.must(os.WriteFile(path, text, 0o600))
	loaded, err := LoadConfig(path)
	if err == nil && fmt.Sprintf("%+v", loaded.Directory) != fmt.Sprintf("%+v", d) {
		r.t.Errorf("the file says %+v", loaded.Directory)
	}
	return err
}

func ofLDAP(s *slapd.Server) DirectoryConfig {
	d := defaultDirectory()
	d.Groups = []GroupConfig{{"evidence-admins", "administrator"}, {"evidence-operators", "operator"}}
	d.LDAP = LDAPConfig{Kind: "openldap", Servers: []string{s.LDAP}, Authority: s.Authority, BindDN: slapd.Searcher, BindPasswordFile: s.PasswordFile, Base: slapd.People, GroupBase: slapd.Groups}
	return d
}

// TestPeopleOfTheDirectorySignInAtTheServer is the whole way: file, server, form,
// session, and an outage before the start.
func TestPeopleOfTheDirectorySignInAtTheServer(t *testing.T) {
	s := slapd.Start(t)
	r := newServer(t)
	if err := r.directed(ofLDAP(s)); err != nil {
		t.Fatal(err)
	}
	s.Stop() // which keeps no server from starting
	r.start()
	r.requireFactor("nobody")
	s.Restart(t)
	client := r.desk(Credentials{Login: "b.okafor", Password: slapd.Password}) // at the command line
	if code := client.call("GET", "/api/v1/items", "", nil); code != http.StatusOK {
		t.Errorf("the API: %d", code)
	}
	jar, err := cookiejar.New(nil)
	r.must(err)
	client.client.Jar = jar
	client.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for password, want := range map[string]int{"wrong": http.StatusUnauthorized, slapd.Password: http.StatusSeeOther} {
		response, err := client.client.PostForm("https://"+r.ready.HTTPS.String()+"/sign-in", url.Values{"login": {"a.moreno"}, "password": {password}})
		r.must(err)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("the form with %q: %s", password, response.Status)
		}
	}
	if rows := r.events(evidence.EventUserCreated); len(rows) != 2 || !strings.Contains(string(rows[0].JSON), `"directory":"ldap"`) {
		t.Errorf("accounts on record: %+v", rows)
	}
	response, err := client.client.Get("https://" + r.ready.HTTPS.String() + "/sign-in/oidc")
	r.must(err)
	response.Body.Close()
	if response.StatusCode != http.StatusConflict {
		t.Errorf("there is no provider: %s", response.Status)
	}
}

func TestADirectoryThatCannotWorkIsToldBeforeTheServerStarts(t *testing.T) {
	s := slapd.Start(t)
	for words, spoil := range map[string]func(*DirectoryConfig){
		"recheck":         func(d *DirectoryConfig) { d.Recheck = Duration(time.Hour) },
		"emperor":         func(d *DirectoryConfig) { d.Groups[0].Role = "emperor" },
		"no group":        func(d *DirectoryConfig) { d.Groups = nil },
		"bind_dn":         func(d *DirectoryConfig) { d.LDAP.BindDN = "" },
		"no such file":    func(d *DirectoryConfig) { d.LDAP.Authority = "/nowhere/ca.pem" },
		"directory.oidc":  func(d *DirectoryConfig) { d.OIDC.Issuer = "http://id.example.org" },
		"directory.group": func(d *DirectoryConfig) { d.LDAP.Servers = nil },
	} {
		r := newServer(t)
		d := ofLDAP(s)
		spoil(&d)
		err := r.directed(d)
		if err == nil {
			err = Run(r.ctx, r.config, "test", r.logger(), time.Now, nil)
		}
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
		r.must(r.config.withAccounts(r.ctx, time.Now, func(*auth.Service) error { return nil })) // commands still help
	}
}
