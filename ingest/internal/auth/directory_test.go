package auth

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/sealdock/sealdock/ingest/internal/directory"
	"github.com/sealdock/sealdock/internal/testkit/provider"
	"github.com/sealdock/sealdock/internal/testkit/slapd"
	"github.com/sealdock/sealdock/proto/evidence"
)

const admins = "cn=evidence-admins," + slapd.Groups

// joined gives a desk a directory, at the desk's time.
func (d *desk) joined(agencys *Directory) {
	d.t.Helper()
	agencys.Recheck = 10 * time.Minute
	agencys.Appointments = []directory.Appointment{{Group: "evidence-admins", Role: "administrator"}, {Group: "evidence-operators", Role: "operator"}}
	s, err := New(Config{Catalog: d.db, Agency: "metro-pd", Pepper: make([]byte, PepperSize), HashesAtOnce: 2, Directory: agencys, Now: d.now})
	if err != nil {
		d.t.Fatal(err)
	}
	s.hasher.rounds = 10
	d.Service = s
}

func ldapDesk(t *testing.T) (*desk, *slapd.Server) {
	t.Helper()
	server, d := slapd.Start(t), newDesk(t)
	l, err := directory.NewLDAP(directory.LDAPConfig{
		Kind: directory.OpenLDAP, Servers: []string{server.LDAPS}, Authority: server.Authority, BindDN: slapd.Searcher, BindPasswordFile: server.PasswordFile,
		Base: slapd.People, GroupBase: slapd.Groups, Now: d.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.joined(&Directory{Passwords: l})
	return d, server
}

// in signs in with the password that everybody of the directory has.
func (d *desk) in(login string) string {
	d.t.Helper()
	session, err := d.signIn(login, slapd.Password)
	if err != nil {
		d.t.Fatal(err)
	}
	return session
}

func (d *desk) actorOf(session string) *Actor {
	d.t.Helper()
	a, err := d.Actor(d.t.Context(), session, Origin{})
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

func (d *desk) recheckAll() Rechecked {
	d.t.Helper()
	done, err := d.Recheck(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return done
}

func TestPeopleOfTheDirectorySignInWithTheirPasswordOfIt(t *testing.T) {
	d, server := ldapDesk(t)
	first := d.actorOf(d.in("B.Okafor"))
	if first.Role != Operator || first.Name != "Bayo Okafor" || first.Login != "b.okafor" {
		t.Errorf("signed in as %+v", first)
	}
	if n := d.count(evidence.EventUserCreated); n != 1 {
		t.Errorf("%d accounts were made", n)
	}
	server.Set(t, slapd.DN("b.okafor"), "cn", "Bayo Okafor-Lind")
	server.Set(t, admins, "member", slapd.DN("a.moreno"), slapd.DN("b.okafor"))
	again := d.actorOf(d.in("b.okafor"))
	if again.User != first.User || again.Role != Administrator || again.Name != "Bayo Okafor-Lind" {
		t.Errorf("signed in again as %+v", again)
	}
	if n := d.count(evidence.EventDirectoryChanged); n != 1 {
		t.Errorf("%d changes on record", n)
	}
	if _, err := d.ChangePassword(t.Context(), again, slapd.Password, password, false, Origin{Address: "192.0.2.1"}); !errors.Is(err, ErrDirectoryPassword) {
		t.Errorf("changing the password here: %v", err)
	}
	d.wait(FreshFor)
	if err := d.Confirm(t.Context(), again, Proof{Password: "wrong"}, Origin{Address: "192.0.2.2"}); !errors.Is(err, ErrFactor) {
		t.Errorf("confirming with a wrong password: %v", err)
	}
	if err := d.Confirm(t.Context(), again, Proof{Password: slapd.Password}, Origin{Address: "192.0.2.3"}); err != nil {
		t.Errorf("confirming: %v", err)
	}
}

func TestWhoIsInNoGroupWithARoleDoesNotGetIn(t *testing.T) {
	d, server := ldapDesk(t)
	if _, err := d.signIn("c.lind", slapd.Password); !errors.Is(err, ErrSignIn) {
		t.Errorf("in no group: %v", err)
	}
	if d.count(evidence.EventUserCreated) != 0 || d.count(evidence.EventSignInFailed) != 1 {
		t.Error("an account was made, or the refusal is not on record")
	}
	session := d.in("a.moreno")
	server.Set(t, admins, "member", slapd.DN("c.lind"))
	server.Set(t, "cn=evidence-operators,"+slapd.Groups, "member", slapd.DN("b.okafor"))
	if _, err := d.signIn("a.moreno", slapd.Password); !errors.Is(err, ErrSignIn) {
		t.Errorf("out of the groups: %v", err)
	}
	if d.holds(session) || d.count(evidence.EventDirectoryCutOff) != 1 {
		t.Error("who has no role any more has a session")
	}
	d.in("c.lind")
}

func TestAnAccountOfTheServerIsNeverTakenOverByName(t *testing.T) {
	d, server := ldapDesk(t)
	d.setUp() // a.moreno, with a password of this server
	if _, err := d.signIn("a.moreno", slapd.Password); !errors.Is(err, ErrSignIn) {
		t.Errorf("with the directory's password: %v", err)
	}
	if _, err := d.signIn("a.moreno", password); err != nil {
		t.Errorf("with its own password: %v", err)
	}
	// Nor is one of the directory, when somebody else gets the name there.
	first := d.actorOf(d.in("b.okafor"))
	server.Do(t, func(c *ldap.Conn) error {
		if err := c.ModifyDN(ldap.NewModifyDNRequest(slapd.DN("b.okafor"), "uid=bayo", true, "")); err != nil {
			return err
		}
		return c.ModifyDN(ldap.NewModifyDNRequest(slapd.DN("star*"), "uid=b.okafor", true, ""))
	})
	if _, err := d.signIn("b.okafor", slapd.Password); !errors.Is(err, ErrSignIn) {
		t.Errorf("another person of the same name: %v", err)
	}
	if now := d.actorOf(d.in("bayo")); now.User != first.User {
		t.Errorf("who was renamed is another account: %+v", now)
	}
}

func TestGuessesAtTheDirectoryLockAsGuessesHereDo(t *testing.T) {
	d, _ := ldapDesk(t)
	d.in("b.okafor")
	for _, login := range []string{"b.okafor", "nobody"} {
		for range maxFailures {
			if _, err := d.signIn(login, "wrong"); err == nil || err.Error() != ErrSignIn.Error() {
				t.Errorf("%s: %v", login, err)
			}
		}
	}
	if n := d.count(evidence.EventAccountLocked); n != 2 {
		t.Errorf("%d locks", n)
	}
	if _, err := d.signIn("b.okafor", slapd.Password); !errors.Is(err, ErrSignIn) {
		t.Errorf("locked, with the right password: %v", err)
	}
	if err := d.Release(t.Context(), "b.okafor", evidence.Actor{Kind: "server", ID: "local"}, Origin{Address: "local"}); err != nil {
		t.Fatal(err)
	}
	d.in("b.okafor")
	if _, err := d.signIn("b.okafor", ""); !errors.Is(err, ErrSignIn) {
		t.Errorf("an empty password: %v", err)
	}
}

func TestWhoIsDisabledThereIsCutOffHere(t *testing.T) {
	d, server := ldapDesk(t)
	local := d.setUp()
	server.Do(t, func(c *ldap.Conn) error {
		return c.ModifyDN(ldap.NewModifyDNRequest(slapd.DN("star*"), "uid=star", true, ""))
	})
	gone := d.in("b.okafor")
	d.in("star")
	server.Set(t, slapd.DN("b.okafor"), "shadowExpire", "1")
	d.wait(9 * time.Minute)
	if done := d.recheckAll(); done.CutOff != 0 || !d.holds(gone) {
		t.Errorf("asked too early: %+v", done)
	}
	d.wait(time.Minute)
	if done := d.recheckAll(); done.CutOff != 1 || done.Confirmed != 1 {
		t.Errorf("after 10 minutes: %+v", done)
	}
	if d.holds(gone) || !d.holds(local) {
		t.Error("who is disabled holds a session, or the server's own account none")
	}
	if n := d.count(evidence.EventDirectoryCutOff); n != 1 {
		t.Errorf("%d events", n)
	}
	if _, err := d.signIn("b.okafor", slapd.Password); !errors.Is(err, ErrSignIn) {
		t.Errorf("disabled: %v", err)
	}
	server.Set(t, slapd.DN("b.okafor"), "shadowExpire")
	d.in("b.okafor") // and comes back when the directory lets them
}

func TestAnOutageOfTheDirectoryEndsSessionsAfterAQuarterHour(t *testing.T) {
	d, server := ldapDesk(t)
	local := d.setUp()
	session := d.in("b.okafor")
	server.Stop()
	d.wait(10 * time.Minute)
	if done := d.recheckAll(); done.Down == nil || done.Ended != 0 || !d.holds(session) {
		t.Errorf("after 10 minutes: %+v", done)
	}
	if _, err := d.signIn("b.okafor", slapd.Password); !errors.Is(err, ErrSignInDown) {
		t.Errorf("signing in: %v", err)
	}
	if _, err := d.signIn("a.moreno", "wrong"); !errors.Is(err, ErrSignInDown) { // in the same words
		t.Errorf("an account of the server: %v", err)
	}
	if _, err := d.signIn("a.moreno", password); err != nil {
		t.Errorf("the way in: %v", err)
	}
	for range maxFailures {
		d.signIn("b.okafor", slapd.Password)
	}
	d.wait(5 * time.Minute)
	if d.holds(session) {
		t.Error("the session goes on, though nobody could be asked for 15 minutes")
	}
	if done := d.recheckAll(); done.Ended != 1 || d.count(evidence.EventDirectoryUnproven) != 1 || !d.holds(local) {
		t.Errorf("after 15 minutes: %+v", done)
	}
	server.Restart(t)
	d.wait(time.Minute)
	d.in("b.okafor") // an outage locked nobody
}

func providerDesk(t *testing.T, adjust ...func(*directory.OIDCConfig)) (*desk, *provider.Provider) {
	t.Helper()
	d := newDesk(t)
	p := provider.Start(t, d.now)
	c := directory.OIDCConfig{
		Issuer: p.Issuer, Authority: p.Authority, ClientID: provider.Client, ClientSecretFile: p.SecretFile, Redirect: "https://evidence.example.org/sign-in/oidc/back",
		LoginClaim: "preferred_username", NameClaim: "name", GroupsClaim: "groups", FactorAMR: []string{"mfa"}, Now: d.now,
	}
	for _, a := range adjust {
		a(&c)
	}
	o, err := directory.NewOIDC(c)
	if err != nil {
		t.Fatal(err)
	}
	d.joined(&Directory{Provider: o, ProviderName: "Metro"})
	p.There(someone("7", "a.moreno", "evidence-admins"))
	return d, p
}

func someone(id, login string, groups ...any) map[string]any {
	return map[string]any{"sub": id, "preferred_username": login, "name": "Alba Moreno", "groups": groups, "amr": []any{"mfa"}}
}

// visit goes to the provider and back, in one browser.
func (d *desk) visit(p *provider.Provider) (*Entry, error) {
	d.t.Helper()
	d.wait(time.Minute)
	address, token, err := d.BeginProvider(d.t.Context(), "/evidence", false, Origin{Address: "192.0.2.1"})
	if err != nil {
		return nil, err
	}
	e, next, err := d.FinishProvider(d.t.Context(), token, p.Visit(d.t, address), Browser{}, Origin{Address: "192.0.2.1"})
	if err == nil && next != "/evidence" {
		d.t.Errorf("it leads to %q", next)
	}
	return e, err
}

func TestAFactorThatTheProviderSawIsOne(t *testing.T) {
	d, p := providerDesk(t)
	d.set(settingRequired, "everyone")
	e, err := d.visit(p)
	if err != nil {
		t.Fatal(err)
	}
	a := d.actorOf(e.Session)
	if a.Role != Administrator || a.Factor != ProviderFactor || e.MustEnrol || d.FreshNow(a) != nil {
		t.Errorf("signed in as %+v", a)
	}
	once := someone("7", "a.moreno", "evidence-admins")
	once["amr"], once["auth_time"] = []any{"pwd"}, d.now().Add(-time.Hour).Unix()
	p.There(once)
	if e, err = d.visit(p); err != nil || !e.MustEnrol {
		t.Errorf("without a factor there or here: %+v, %v", e, err)
	}
	d.set(settingRequired, "nobody")
	if e, err = d.visit(p); err != nil {
		t.Fatal(err)
	}
	if a := d.actorOf(e.Session); a.Factor != Provider || !errors.Is(d.FreshNow(a), ErrFreshFactor) {
		t.Errorf("what was shown an hour ago counts as fresh: %+v", a)
	}
}

func TestASignInAtTheProviderIsRefusedWithItsReason(t *testing.T) {
	d, p := providerDesk(t)
	d.setUp()
	for name, there := range map[string]map[string]any{
		"the name of an account of the server": someone("7", "a.moreno", "evidence-admins"),
		"no group":                             someone("8", "b", "choir"),
		"a name that cannot be one":            someone("9", "Ünal", "evidence-admins"),
		"markup as a name":                     someone("9", "<script>", "evidence-admins"),
	} {
		p.There(there)
		before := d.count(evidence.EventSignInFailed)
		e, err := d.visit(p)
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Reason == "" {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
		if d.count(evidence.EventSignInFailed) != before+1 {
			t.Errorf("%s: not on record", name)
		}
	}
	if n := d.count(evidence.EventUserCreated); n != 1 {
		t.Errorf("%d accounts", n)
	}
}

func TestASignInAtTheProviderBelongsToOneBrowserOnce(t *testing.T) {
	d, p := providerDesk(t)
	ctx, from := t.Context(), Origin{Address: "192.0.2.1"}
	address, token, err := d.BeginProvider(ctx, "/", false, from)
	if err != nil {
		t.Fatal(err)
	}
	back := p.Visit(t, address)
	_, others, err := d.BeginProvider(ctx, "/", false, from)
	if err != nil {
		t.Fatal(err)
	}
	for name, cookie := range map[string]string{"another browser": others, "none": "", "made up": ceremonyPrefix + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if e, _, err := d.FinishProvider(ctx, cookie, back, Browser{}, from); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if _, _, err := d.FinishProvider(ctx, token, back, Browser{}, from); err != nil {
		t.Errorf("the browser that began it: %v", err)
	}
	if _, _, err := d.FinishProvider(ctx, token, back, Browser{}, from); !errors.Is(err, ErrPending) {
		t.Errorf("a second time: %v", err)
	}
	address, token, err = d.BeginProvider(ctx, "/", false, from)
	if err != nil {
		t.Fatal(err)
	}
	back = p.Visit(t, address)
	d.wait(ceremonyLife)
	if _, _, err := d.FinishProvider(ctx, token, back, Browser{}, from); !errors.Is(err, ErrPending) {
		t.Errorf("too late: %v", err)
	}
	if _, _, err := d.FinishProvider(ctx, token, url.Values{}, Browser{}, from); !errors.Is(err, ErrPending) {
		t.Errorf("nothing: %v", err)
	}
}

func TestWhomTheProviderDropsIsSignedOut(t *testing.T) {
	d, p := providerDesk(t)
	e, err := d.visit(p)
	if err != nil {
		t.Fatal(err)
	}
	row, err := d.db.DirectoryPerson(t.Context(), d.actorOf(e.Session).User)
	if err != nil || row.Refresh == "" || len(row.Refresh) < 50 {
		t.Fatalf("it keeps %+v, %v", row, err)
	}
	for range 3 { // each time with the next token
		d.wait(10 * time.Minute)
		if done := d.recheckAll(); done.Confirmed != 1 || !d.holds(e.Session) {
			t.Fatalf("asked again: %+v", done)
		}
	}
	p.There(someone("7", "a.moreno", "evidence-operators"))
	d.wait(10 * time.Minute)
	d.recheckAll()
	if a := d.actorOf(e.Session); a.Role != Operator {
		t.Errorf("the role did not follow: %+v", a)
	}
	p.Revoke()
	d.wait(10 * time.Minute)
	if done := d.recheckAll(); done.Ended != 1 || d.holds(e.Session) {
		t.Errorf("the provider does not know the person any more: %+v", done)
	}
	if n := d.count(evidence.EventDirectoryUnproven); n != 1 {
		t.Errorf("%d events", n)
	}
	if e, err = d.visit(p); err != nil {
		t.Fatal(err)
	}
	p.There(someone("7", "a.moreno"))
	d.wait(10 * time.Minute)
	if done := d.recheckAll(); done.CutOff != 1 || d.holds(e.Session) {
		t.Errorf("in no group: %+v", done)
	}
	if e, err = d.visit(p); err == nil {
		t.Errorf("in no group: %+v", e)
	}
}

// silent is a provider that gives no refresh tokens.
type silent struct{ TokenDirectory }

func (s silent) Finish(ctx context.Context, a *directory.Attempt, back url.Values) (*directory.Person, error) {
	p, err := s.TokenDirectory.Finish(ctx, a, back)
	if p != nil {
		p.Refresh = ""
	}
	return p, err
}

func TestWithoutARefreshTokenASessionLastsAQuarterHour(t *testing.T) {
	d, p := providerDesk(t)
	d.directory.Provider = silent{d.directory.Provider}
	e, err := d.visit(p)
	if err != nil {
		t.Fatal(err)
	}
	d.wait(14 * time.Minute)
	if done := d.recheckAll(); done.Ended != 0 || !d.holds(e.Session) {
		t.Errorf("after 14 minutes: %+v", done)
	}
	d.wait(time.Minute)
	if d.holds(e.Session) {
		t.Error("after 15 minutes it holds")
	}
	if done := d.recheckAll(); done.Ended != 1 {
		t.Errorf("after 15 minutes: %+v", done)
	}
}

// TestADirectoryThatIsTakenAwayLeavesNobodyIn: without the configuration nobody
// of it stays.
func TestADirectoryThatIsTakenAwayLeavesNobodyIn(t *testing.T) {
	d, p := providerDesk(t)
	e, err := d.visit(p)
	if err != nil {
		t.Fatal(err)
	}
	d.directory = Directory{}
	d.wait(DirectoryLife)
	if d.holds(e.Session) {
		t.Error("a session goes on")
	}
	if _, err := d.signIn("a.moreno", ""); !errors.Is(err, ErrSignIn) {
		t.Errorf("with an empty password: %v", err)
	}
}

func TestADirectoryThatCannotWorkIsRefused(t *testing.T) {
	for name, agencys := range map[string]*Directory{
		"no groups":      {Recheck: 10 * time.Minute},
		"unknown role":   {Recheck: 10 * time.Minute, Appointments: []directory.Appointment{{Group: "g", Role: "emperor"}}},
		"asked too late": {Recheck: 15 * time.Minute, Appointments: []directory.Appointment{{Group: "g", Role: "operator"}}},
		"asked too much": {Recheck: time.Second, Appointments: []directory.Appointment{{Group: "g", Role: "operator"}}},
	} {
		if _, err := New(Config{Agency: "metro-pd", Pepper: make([]byte, PepperSize), Directory: agencys, Now: time.Now}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
