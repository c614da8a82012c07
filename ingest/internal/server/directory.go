package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/directory"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// DirectoryConfig is where the agency's people are kept, besides here.
type DirectoryConfig struct {
	Recheck Duration      `toml:"recheck" help:"How often the directory is asked again about everybody of it who is signed in, 1m to 14m. Who is disabled there is cut off then; whom nobody can be asked about for 15 minutes is signed out."`
	Groups  []GroupConfig `toml:"group" help:"What members of a group of the directory are here. The first that fits counts; who is in none does not get in."`
	LDAP    LDAPConfig    `toml:"ldap" help:"A directory that speaks LDAP, as Active Directory and OpenLDAP do: its people sign in here with their name and password of it."`
	OIDC    OIDCConfig    `toml:"oidc" help:"A provider that speaks OpenID Connect, as Entra ID and Keycloak do: its people sign in there."`
}

// GroupConfig is what members of a group are.
type GroupConfig struct {
	Group string `toml:"group" help:"The group's name, or for LDAP its full name (DN); for Entra ID its object id."`
	Role  string `toml:"role" help:"A role that is shipped, by its id: administrator, evidence-manager, supervisor, operator, investigator, officer, prosecutor, auditor."`
}

// LDAPConfig says how to ask an LDAP directory.
type LDAPConfig struct {
	Kind             string   `toml:"kind" help:"active-directory or openldap: how people and groups look there."`
	Servers          []string `toml:"servers" help:"Its addresses, in the order in which they are tried: ldaps://HOST, or ldap://HOST with StartTLS, never without TLS. Empty: no such directory."`
	Authority        string   `toml:"authority" help:"File with the CA certificate (PEM) that theirs must lead to. Empty: those that this machine trusts."`
	BindDN           string   `toml:"bind_dn" help:"Full name (DN) of the account that searches. It needs to read people and groups, and nothing else."`
	BindPasswordFile string   `toml:"bind_password_file" help:"File that holds its password in one line, readable by the server's user alone."`
	Base             string   `toml:"base" help:"Full name (DN) that people are below."`
	Filter           string   `toml:"filter" help:"LDAP filter that people must fit. Empty: all people."`
	LoginAttribute   string   `toml:"login_attribute" help:"What people type as sign-in name. Empty: sAMAccountName, or uid."`
	IDAttribute      string   `toml:"id_attribute" help:"What stays the same of a person for good. Empty: objectGUID, or entryUUID."`
	NameAttribute    string   `toml:"name_attribute" help:"The name to show. Empty: displayName, or cn."`
	GroupBase        string   `toml:"group_base" help:"Full name (DN) below which groups count. Empty: as base."`
	GroupLookup      string   `toml:"group_lookup" help:"How groups of a person are found: search (in Active Directory groups in groups too), or memberof, by the attribute memberOf."`
}

// OIDCConfig says how to ask an OpenID Connect provider.
type OIDCConfig struct {
	Name             string   `toml:"name" help:"What people call it: it stands on the button of the sign-in page."`
	Issuer           string   `toml:"issuer" help:"Its address exactly as it writes it itself, for example https://id.example.org/realms/metro. Empty: no provider."`
	Authority        string   `toml:"authority" help:"File with the CA certificate (PEM) that its own must lead to. Empty: those that this machine trusts."`
	ClientID         string   `toml:"client_id" help:"What it calls this server."`
	ClientSecretFile string   `toml:"client_secret_file" help:"File that holds the secret of that client in one line, readable by the server's user alone. Empty: the client has none, and PKCE alone protects it."`
	Back             string   `toml:"back" help:"Where it sends browsers back to; the provider must know the same address. Empty: /sign-in/oidc/back at the first of public_names and the port of listen_https."`
	Scopes           []string `toml:"scopes" help:"What is asked for besides openid. Without offline_access, or whatever makes it give a refresh token, people sign in again every 15 minutes."`
	LoginClaim       string   `toml:"login_claim" help:"The claim that holds the sign-in name."`
	NameClaim        string   `toml:"name_claim" help:"The claim that holds the name to show."`
	ProvisionedClaim string   `toml:"provisioned_claim" help:"The claim that holds what provisioning (SCIM) sends as externalId: sub, or for Entra ID oid. People sign in to the account that was provisioned with it."`
	GroupsClaim      string   `toml:"groups_claim" help:"The claim that holds the groups, or the path to it, as in realm_access.roles."`
	UserInfo         bool     `toml:"userinfo" help:"Whether claims are asked for at its UserInfo address too."`
	FactorAMR        []string `toml:"factor_amr" help:"With any of these in the claim amr the provider has seen a second factor and none is asked for here, for example [\"mfa\"]. Empty: it is not trusted with that."`
	FactorACR        []string `toml:"factor_acr" help:"The same for the claim acr."`
}

func defaultDirectory() DirectoryConfig {
	return DirectoryConfig{
		Recheck: Duration(10 * time.Minute), LDAP: LDAPConfig{Kind: directory.ActiveDirectory},
		OIDC: OIDCConfig{Name: "your agency's account", Scopes: []string{"profile", "offline_access"}, LoginClaim: "preferred_username", NameClaim: "name", ProvisionedClaim: "sub", GroupsClaim: "groups"},
	}
}

// relativeTo makes paths count from the folder of the configuration.
func (d *DirectoryConfig) relativeTo(base string) {
	for _, path := range []*string{&d.LDAP.Authority, &d.LDAP.BindPasswordFile, &d.OIDC.Authority, &d.OIDC.ClientSecretFile} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(base, *path)
		}
	}
}

func (d *DirectoryConfig) any() bool { return len(d.LDAP.Servers) > 0 || d.OIDC.Issuer != "" }

func (c *Config) checkDirectory() error {
	d := &c.Directory
	if !d.any() && len(d.Groups) > 0 {
		return errors.New("directory.group says what groups are, and there is neither directory.ldap.servers nor directory.oidc.issuer")
	}
	return nil
}

// openDirectory returns the agency's directory as auth asks it; nil where there is
// none. It asks nobody yet: a directory that is down keeps no server from starting.
func (c *Config) openDirectory(now func() time.Time) (*auth.Directory, error) {
	d := &c.Directory
	if !d.any() {
		return nil, nil
	}
	all := &auth.Directory{Recheck: time.Duration(d.Recheck), ProviderName: d.OIDC.Name}
	for _, g := range d.Groups {
		all.Appointments = append(all.Appointments, directory.Appointment{Group: g.Group, Role: g.Role})
	}
	if err := all.Check(); err != nil {
		return nil, err
	}
	if l := d.LDAP; len(l.Servers) > 0 {
		opened, err := directory.NewLDAP(directory.LDAPConfig{
			Kind: l.Kind, Servers: l.Servers, Authority: l.Authority, BindDN: l.BindDN, BindPasswordFile: l.BindPasswordFile, Base: l.Base, Filter: l.Filter,
			LoginAttribute: l.LoginAttribute, IDAttribute: l.IDAttribute, NameAttribute: l.NameAttribute, GroupBase: l.GroupBase, GroupLookup: l.GroupLookup, Now: now,
		})
		if err != nil {
			return nil, fmt.Errorf("directory.ldap: %w", err)
		}
		all.Passwords = opened
	}
	if o := d.OIDC; o.Issuer != "" {
		back := o.Back
		if back == "" {
			back = c.webAddress() + "/sign-in/oidc/back"
		}
		opened, err := directory.NewOIDC(directory.OIDCConfig{
			Issuer: o.Issuer, Authority: o.Authority, ClientID: o.ClientID, ClientSecretFile: o.ClientSecretFile, Redirect: back, Scopes: o.Scopes,
			LoginClaim: o.LoginClaim, NameClaim: o.NameClaim, ProvisionedClaim: o.ProvisionedClaim, GroupsClaim: o.GroupsClaim, UserInfo: o.UserInfo, FactorAMR: o.FactorAMR, FactorACR: o.FactorACR, Now: now,
		})
		if err != nil {
			return nil, fmt.Errorf("directory.oidc: %w", err)
		}
		all.Provider = opened
	}
	return all, nil
}

// recheckEvery is how often it is looked whom the directory is to be asked about:
// well within what is left between Recheck and auth.DirectoryLife.
const recheckEvery = 30 * time.Second

// recheckPeople asks the directory again until ctx ends. A fault of this machine
// is told and tried again; auth lets nobody of the directory stay in meanwhile.
func (p *parts) recheckPeople(ctx context.Context) error {
	log := telemetry.Component(p.log, "directory")
	down := false
	for {
		timer := time.NewTimer(recheckEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		done, err := p.people.Recheck(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			log.ErrorContext(ctx, "asking the directory again failed; its people are signed out 15 minutes after it last confirmed them", "error", err)
		case done.Down != nil && !down:
			log.WarnContext(ctx, "the directory does not answer about somebody who is signed in; they are signed out 15 minutes after it last confirmed them", "error", done.Down)
		}
		down = done.Down != nil
		if done.CutOff+done.Ended > 0 {
			log.InfoContext(ctx, "people of the directory were signed out", "gone_there", done.CutOff, "not_confirmed", done.Ended)
		}
	}
}
