package auth

import (
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// home is where the first administrator of a desk sits.
var home = Origin{Address: "192.0.2.1", Browser: "Example/1.0"}

// admin sets the first administrator up and returns who that is.
func (d *desk) admin() (*Actor, string) {
	d.t.Helper()
	session := d.setUp()
	return d.actor(session), session
}

func (d *desk) actor(session string) *Actor {
	d.t.Helper()
	a, err := d.Owner(d.t.Context(), session, home)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

// app sets an authenticator app up and returns its secret.
func (d *desk) app(actor *Actor) string {
	d.t.Helper()
	offer, err := d.BeginApp(d.t.Context(), actor, home)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.FinishApp(d.t.Context(), actor, offer.Ceremony, d.code(offer.Secret), home); err != nil {
		d.t.Fatal(err)
	}
	d.wait(codePeriod * time.Second)
	return offer.Secret
}

// code is what an app shows now.
func (d *desk) code(secret string) string {
	d.t.Helper()
	code, err := codeAt(secret, d.now().Unix()/codePeriod)
	if err != nil {
		d.t.Fatal(err)
	}
	return code
}

// pending is a sign-in with the right password that waits.
func (d *desk) pending() string {
	d.t.Helper()
	d.wait(4 * time.Second)
	e, err := d.PasswordStep(d.t.Context(), "a.moreno", password, Browser{}, home)
	if err != nil || e.Pending == "" || e.Session != "" {
		d.t.Fatalf("%+v, %v", e, err)
	}
	return e.Pending
}

func (d *desk) codeStep(pending, code string) (string, error) {
	d.wait(4 * time.Second) // the limit per source stays out of the way
	e, err := d.CodeStep(d.t.Context(), pending, code, Browser{}, home)
	if err != nil {
		return "", err
	}
	return e.Session, nil
}

// refusedFor returns the reasons on record of refusals of a kind, newest first.
func (d *desk) refusedFor(kind evidence.EventType) []string {
	d.t.Helper()
	rows, err := d.db.Events(d.t.Context(), catalog.EventFilter{Agency: "metro-pd", Type: kind}, 100)
	if err != nil {
		d.t.Fatal(err)
	}
	var reasons []string
	for _, row := range rows {
		var e evidence.Event
		if err := evidence.Decode(row.JSON, &e); err != nil {
			d.t.Fatal(err)
		}
		if e.Outcome == evidence.OutcomeRefused {
			reasons = append(reasons, e.Reason)
		}
	}
	return reasons
}

// RFC 6238 appendix B, of eight digits the last six.
func TestCodesAreThoseOfTheStandard(t *testing.T) {
	secret := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	for seconds, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got, err := codeAt(secret, seconds/codePeriod); err != nil || got != want {
			t.Errorf("at %d: %q, want %q (%v)", seconds, got, want, err)
		}
	}
}

func TestSigningInTakesPasswordAndCode(t *testing.T) {
	d := newDesk(t)
	actor, session := d.admin()
	secret := d.app(actor)
	if _, err := d.SignIn(t.Context(), "a.moreno", password, "", home); !errors.Is(err, ErrSecondFactor) {
		t.Errorf("a password alone: %v", err)
	}
	pending := d.pending()
	if d.holds(pending) {
		t.Error("a sign-in that waits is a session")
	}
	f, err := d.PendingFactors(t.Context(), pending)
	if err != nil || f.App == nil {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := d.codeStep(pending, "12 34 56"); !errors.Is(err, ErrFactor) {
		t.Errorf("a wrong code: %v", err)
	}
	second, err := d.codeStep(pending, " "+d.code(secret)[:3]+" "+d.code(secret)[3:])
	if err != nil || !d.holds(second) || !d.holds(session) {
		t.Fatalf("the right code: %v", err)
	}
	if a := d.actor(second); a.Factor != PasswordCode || Fresh(a, d.now()) != nil {
		t.Errorf("%+v", a)
	}
	if _, err := d.codeStep(pending, d.code(secret)); !errors.Is(err, ErrPending) {
		t.Errorf("the same sign-in again: %v", err)
	}
	if got := d.refusedFor(evidence.EventSignInFailed); len(got) != 1 || got[0] != "wrong code" {
		t.Errorf("on record: %q", got)
	}
}

func TestAPendingSignInEndsAfterFiveMinutes(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	secret := d.app(actor)
	pending := d.pending()
	d.wait(5 * time.Minute)
	if _, err := d.codeStep(pending, d.code(secret)); !errors.Is(err, ErrPending) {
		t.Errorf("%v", err)
	}
}

func TestACodeIsTakenOnce(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	secret := d.app(actor)
	code := d.code(secret)
	if _, err := d.codeStep(d.pending(), code); err != nil {
		t.Fatal(err)
	}
	if _, err := d.codeStep(d.pending(), code); !errors.Is(err, ErrFactor) {
		t.Errorf("the code again: %v", err)
	}
	old, err := codeAt(secret, d.stepNow()-1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.codeStep(d.pending(), old); !errors.Is(err, ErrFactor) {
		t.Errorf("the code before: %v", err)
	}
	far, err := codeAt(secret, d.stepNow()+3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.codeStep(d.pending(), far); !errors.Is(err, ErrFactor) {
		t.Errorf("a code of later: %v", err)
	}
}

// Twenty sign-ins wait, and all send the one good code at once.
func TestOfManyWithOneCodeOneComesIn(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	secret := d.app(actor)
	var waiting []string
	for range 20 {
		waiting = append(waiting, d.pending())
	}
	code := d.code(secret)
	var mu sync.Mutex
	var all sync.WaitGroup
	in, out := 0, 0
	for i, pending := range waiting {
		all.Go(func() {
			_, err := d.CodeStep(t.Context(), pending, code, Browser{}, Origin{Address: fmt.Sprint("10.0.0.", i)})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				in++
			case errors.Is(err, ErrFactor), errors.Is(err, ErrPending): // after the lock
				out++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if in != 1 || out != 19 {
		t.Errorf("%d came in, %d did not", in, out)
	}
}

func TestARecoveryCodeStandsInOnce(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	if _, err := d.MakeRecoveryCodes(t.Context(), actor, home); !errors.Is(err, ErrNoFactor) {
		t.Errorf("without a factor: %v", err)
	}
	d.app(actor)
	codes, err := d.MakeRecoveryCodes(t.Context(), actor, home)
	if err != nil || len(codes) != RecoveryCodes {
		t.Fatal(codes, err)
	}
	for i, code := range codes {
		typed := code
		if i == 0 {
			typed = strings.ToLower(strings.ReplaceAll(code, "-", " "))
		}
		if !IsRecoveryCode(code) {
			t.Errorf("%q is not written as one", code)
		}
		session, err := d.codeStep(d.pending(), typed)
		if err != nil || !d.holds(session) {
			t.Fatalf("code %d: %v", i, err)
		}
		if _, err := d.codeStep(d.pending(), code); !errors.Is(err, ErrFactor) {
			t.Errorf("code %d again: %v", i, err)
		}
		if _, err := d.codeStep(d.pending(), codes[(i+1)%RecoveryCodes][:15]+"?"); !errors.Is(err, ErrFactor) {
			t.Errorf("no code: %v", err)
		}
		d.wait(failureWindow)
	}
	if n := d.count(evidence.EventRecoveryUsed); n != RecoveryCodes {
		t.Errorf("%d uses on record", n)
	}
	rows, err := d.db.Events(t.Context(), catalog.EventFilter{Agency: "metro-pd"}, 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, code := range codes {
			if strings.Contains(string(row.JSON), code) {
				t.Errorf("a code is on record: %s", row.JSON)
			}
		}
	}
}

func TestNewRecoveryCodesReplaceTheFormer(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	d.app(actor)
	former, err := d.MakeRecoveryCodes(t.Context(), actor, home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.MakeRecoveryCodes(t.Context(), actor, home); err != nil {
		t.Fatal(err)
	}
	if _, err := d.codeStep(d.pending(), former[0]); !errors.Is(err, ErrFactor) {
		t.Errorf("%v", err)
	}
}

func TestTheSecretIsSealedForItsUser(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	secret := d.app(actor)
	row, err := d.db.Authenticator(t.Context(), actor.User)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(row.Secret, secret) {
		t.Error("the secret is stored in clear")
	}
	if got, err := d.openSecret(actor.User, row.Secret); err != nil || got != secret {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := d.openSecret("somebody else", row.Secret); err == nil {
		t.Error("another user's row opens it")
	}
	other, err := New(Config{Catalog: d.db, Agency: "metro-pd", Pepper: []byte(strings.Repeat("x", PepperSize)), Now: d.now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.openSecret(actor.User, row.Secret); err == nil {
		t.Error("another pepper opens it")
	}
}

func TestWhatWasShownIsFreshForFiveMinutes(t *testing.T) {
	d := newDesk(t)
	actor, session := d.admin()
	d.wait(FreshFor - time.Second)
	if err := Fresh(d.actor(session), d.now()); err != nil {
		t.Errorf("just before: %v", err)
	}
	d.wait(time.Second)
	if err := Fresh(d.actor(session), d.now()); !errors.Is(err, ErrFreshFactor) {
		t.Errorf("after: %v", err)
	}
	if Fresh(nil, d.now()) == nil || Fresh(&Actor{}, d.now()) == nil || Fresh(&Actor{FactorAt: d.now().Add(time.Hour)}, d.now()) == nil {
		t.Error("nothing that was shown is fresh")
	}
	for what, do := range map[string]func() error{
		"an app": func() error { _, err := d.BeginApp(t.Context(), d.actor(session), home); return err },
		"a passkey": func() error {
			_, _, err := d.BeginPasskey(t.Context(), d.actor(session), home)
			return err
		},
		"recovery codes": func() error { _, err := d.MakeRecoveryCodes(t.Context(), d.actor(session), home); return err },
		"removing":       func() error { return d.RemoveFactor(t.Context(), d.actor(session), "app", home) },
		"the password": func() error {
			_, err := d.ChangePassword(t.Context(), d.actor(session), password, "meadow copper violin 8", false, home)
			return err
		},
	} {
		if err := do(); !errors.Is(err, ErrFreshFactor) {
			t.Errorf("%s without a fresh factor: %v", what, err)
		}
	}
	if n := len(d.refusedFor(evidence.EventFactorAdded)) + len(d.refusedFor(evidence.EventRecoveryMade)) + len(d.refusedFor(evidence.EventFactorRemoved)) + len(d.refusedFor(evidence.EventPasswordChanged)); n != 5 {
		t.Errorf("%d refusals on record, want 5", n)
	}
	if err := d.Confirm(t.Context(), actor, Proof{Password: "not the password here"}, home); !errors.Is(err, ErrFactor) {
		t.Errorf("a wrong password: %v", err)
	}
	if err := d.Confirm(t.Context(), actor, Proof{Password: password}, home); err != nil {
		t.Fatal(err)
	}
	if err := Fresh(d.actor(session), d.now()); err != nil {
		t.Errorf("after the password: %v", err)
	}
	if d.count(evidence.EventConfirmed) != 2 {
		t.Error("confirmations are not on record")
	}
}

func TestWithASecondFactorAPasswordConfirmsNothing(t *testing.T) {
	d := newDesk(t)
	actor, session := d.admin()
	secret := d.app(actor)
	d.wait(FreshFor)
	if err := d.Confirm(t.Context(), actor, Proof{Password: password}, home); !errors.Is(err, ErrFactor) {
		t.Errorf("by password: %v", err)
	}
	if err := d.Confirm(t.Context(), actor, Proof{Code: d.code(secret)}, home); err != nil {
		t.Error(err)
	}
	if err := Fresh(d.actor(session), d.now()); err != nil {
		t.Error(err)
	}
	if err := d.Confirm(t.Context(), actor, Proof{Code: d.code(secret)}, home); !errors.Is(err, ErrFactor) {
		t.Errorf("the code again: %v", err)
	}
}

func TestAnAdministratorSetsUpASecondFactorFirst(t *testing.T) {
	d := newDesk(t)
	d.set(settingRequired, "administrators")
	session := d.setUp()
	for what, ask := range map[string]func() (*Actor, error){
		"acting": func() (*Actor, error) { return d.Actor(t.Context(), session, home) },
		"a live page": func() (*Actor, error) {
			return d.Peek(t.Context(), session, home)
		},
	} {
		if _, err := ask(); !errors.Is(err, ErrMustEnrol) {
			t.Errorf("%s: %v", what, err)
		}
	}
	actor := d.actor(session)
	if !actor.MustEnrol {
		t.Error("the own account does not say so")
	}
	d.app(actor)
	if !d.holds(session) {
		t.Error("with a second factor the session is still shut")
	}
	if err := d.RemoveFactor(t.Context(), d.actor(session), "app", home); !errors.Is(err, ErrLastFactor) {
		t.Errorf("the last factor goes: %v", err)
	}
	if got := d.refusedFor(evidence.EventFactorRemoved); len(got) != 1 {
		t.Errorf("on record: %q", got)
	}
	if _, err := d.AddUser(t.Context(), Person{Login: "o.perez", Name: "Oona Perez", Password: password}, Operator, evidence.Actor{Kind: "server", ID: "local"}, Origin{Address: "local"}); err != nil {
		t.Fatal(err)
	}
	operator, err := d.signIn("o.perez", password)
	if err != nil || !d.holds(operator) {
		t.Errorf("an operator: %v", err)
	}
	d.set(settingRequired, "a word that nobody knows")
	if operator, err = d.signIn("o.perez", password); err != nil || !d.actor(operator).MustEnrol {
		t.Errorf("a setting that cannot be read: %v", err)
	}
	d.set(settingGrace, "7")
	if operator, err = d.signIn("o.perez", password); err != nil || !d.holds(operator) {
		t.Errorf("in the days of grace: %v", err)
	}
	d.wait(7 * 24 * time.Hour)
	if operator, err = d.signIn("o.perez", password); err != nil || !d.actor(operator).MustEnrol {
		t.Errorf("after them: %v", err)
	}
}

func TestTheLastFactorTakesTheRecoveryCodesAlong(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	d.app(actor)
	codes, err := d.MakeRecoveryCodes(t.Context(), actor, home)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveFactor(t.Context(), actor, "app", home); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveFactor(t.Context(), actor, "app", home); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	f, err := d.Factors(t.Context(), actor)
	if err != nil || f.Any() || f.RecoveryCodes != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := d.SignInWithCode(t.Context(), "a.moreno", password, codes[0], home); err != nil {
		t.Errorf("without factors: %v", err)
	}
}
