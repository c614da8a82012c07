package auth

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The numbers are those of the attack cases of docs/accounts.md.

// Case 36: a session that was fixed beforehand, or used after its end.
func TestAttack36NoSessionOutlivesItsEnd(t *testing.T) {
	d := newDesk(t)
	actor, first := d.admin()
	k := d.newKey(virtualwebauthn.KeyTypeEC2)
	if err := k.enrol(actor, "Blue key"); err != nil {
		t.Fatal(err)
	}
	d.wait(4 * time.Second)
	options, ceremony, err := d.BeginPasskeySignIn(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.PasskeyStep(t.Context(), ceremony, k.assert(options), Browser{Session: first}, home)
	if err != nil || e.Session == first || d.holds(first) {
		t.Errorf("the session before a sign-in by passkey lives on (%v)", err)
	}
	pending := d.pending()
	next, err := d.ChangePassword(t.Context(), d.actor(e.Session), password, newPassword, false, home)
	if err != nil {
		t.Fatal(err)
	}
	if d.holds(e.Session) {
		t.Error("a session from before a new password holds")
	}
	codes, err := d.MakeRecoveryCodes(t.Context(), d.actor(next), home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.codeStep(pending, codes[0]); !errors.Is(err, ErrPending) {
		t.Errorf("a sign-in with the former password that waited: %v", err)
	}
	err = d.db.Update(t.Context(), func(tx *sqldb.Tx) error {
		user, err := tx.User(t.Context(), actor.User)
		if err != nil {
			return err
		}
		user.DisabledAt = d.now()
		return tx.UpdateUser(t.Context(), user)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Owner(t.Context(), next, home); !errors.Is(err, ErrNoSession) {
		t.Errorf("a disabled user at the own account: %v", err)
	}
}

// Case 37: the second step is skipped, guessed, replayed, or set up by a thief.
func TestAttack37TheSecondFactorCannotBeGotAround(t *testing.T) {
	d := newDesk(t)
	actor, session := d.admin()
	secret := d.app(actor)

	// Skipped: what waits is no session anywhere.
	pending := d.pending()
	for _, token := range []string{pending, pending[len(ceremonyPrefix):]} {
		if _, err := d.Owner(t.Context(), token, home); !errors.Is(err, ErrNoSession) {
			t.Errorf("what waits is a session: %v", err)
		}
	}
	// One kind of ceremony in the place of another.
	offer, ceremony, err := d.BeginPasskeySignIn(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.codeStep(ceremony, d.code(secret)); !errors.Is(err, ErrPending) {
		t.Errorf("a passkey's question as a sign-in that waits: %v", err)
	}
	if _, err := d.PasskeyStep(t.Context(), pending, d.newKey(virtualwebauthn.KeyTypeEC2).assert(offer), Browser{}, home); !errors.Is(err, ErrPending) {
		t.Errorf("a sign-in that waits as a passkey's question: %v", err)
	}
	// Another person's app.
	if _, err := d.AddUser(t.Context(), Person{Login: "o.perez", Name: "Oona Perez", Password: password}, Operator, evidence.Actor{Kind: "server", ID: "local"}, Origin{Address: "local"}); err != nil {
		t.Fatal(err)
	}
	token, err := d.signIn("o.perez", password)
	if err != nil {
		t.Fatal(err)
	}
	thief := d.actor(token)
	thiefs := d.app(thief)
	if _, err := d.codeStep(d.pending(), d.code(thiefs)); !errors.Is(err, ErrFactor) {
		t.Errorf("a code of another person's app: %v", err)
	}
	codes, err := d.MakeRecoveryCodes(t.Context(), thief, home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.codeStep(d.pending(), codes[0]); !errors.Is(err, ErrFactor) {
		t.Errorf("another person's recovery code: %v", err)
	}
	// An app that another session offered.
	if err := d.RemoveFactor(t.Context(), thief, "app", home); err != nil {
		t.Fatal(err)
	}
	theirs, err := d.BeginApp(t.Context(), thief, home)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.FinishApp(t.Context(), actor, theirs.Ceremony, d.code(theirs.Secret), home); !errors.Is(err, ErrPending) {
		t.Errorf("an app that somebody else was offered: %v", err)
	}
	// A stolen session sets up nothing without showing a factor again.
	d.wait(FreshFor)
	if err := d.newKey(virtualwebauthn.KeyTypeEC2).enrol(d.actor(session), "Thief's"); !errors.Is(err, ErrFreshFactor) {
		t.Errorf("a passkey without a factor: %v", err)
	}
}

// Case 37: a million guesses, with the password known. The right password in
// between does not set the count back.
func TestAttack37GuessingCodesLocksAtTheFifth(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	secret := d.app(actor)
	good := d.code(secret)
	judged := 0
	for i := range 40 {
		guess := fmt.Sprintf("%06d", i)
		if guess == good {
			continue
		}
		d.wait(4 * time.Second)
		e, err := d.PasswordStep(t.Context(), "a.moreno", password, Browser{}, home)
		if errors.Is(err, ErrSignIn) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if _, err := d.codeStep(e.Pending, guess); !errors.Is(err, ErrFactor) {
			t.Fatalf("guess %d: %v", i, err)
		}
		judged++
	}
	if judged != maxFailures || d.count(evidence.EventAccountLocked) != 1 {
		t.Errorf("%d guesses were judged, %d locks", judged, d.count(evidence.EventAccountLocked))
	}
	if err := d.Release(t.Context(), "a.moreno", evidence.Actor{Kind: "server", ID: "local"}, Origin{Address: "local"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.codeStep(d.pending(), d.code(secret)); err != nil {
		t.Errorf("after the release: %v", err)
	}
}

// Case 37: many sign-ins that wait at once give no more guesses than one.
func TestAttack37ParallelSignInsShareTheirGuesses(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	d.app(actor)
	var waiting []string
	for range 12 {
		waiting = append(waiting, d.pending())
	}
	var judged, over int
	for i, pending := range waiting {
		switch _, err := d.codeStep(pending, fmt.Sprintf("%016d", i)); {
		case errors.Is(err, ErrFactor):
			judged++
		case errors.Is(err, ErrPending):
			over++
		default:
			t.Fatal(err)
		}
	}
	if judged != maxFailures || over != 12-maxFailures {
		t.Errorf("%d judged, %d over", judged, over)
	}
}

// Case 37: guesses at the confirmation count like those at the door.
func TestAttack37ConfirmationsCountToo(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	secret := d.app(actor)
	for range maxFailures {
		d.wait(4 * time.Second)
		if err := d.Confirm(t.Context(), actor, Proof{Code: "000000x"}, home); !errors.Is(err, ErrFactor) {
			t.Fatal(err)
		}
	}
	d.wait(codePeriod * time.Second)
	if err := d.Confirm(t.Context(), actor, Proof{Code: d.code(secret)}, home); !errors.Is(err, ErrFactor) {
		t.Errorf("the right code after the lock: %v", err)
	}
	if got := d.refusedFor(evidence.EventConfirmed); len(got) != maxFailures+1 {
		t.Errorf("%d refusals on record", len(got))
	}
}

// Case 38: whoever knows a name can lock its password, and not its passkey.
func TestAttack38ALockedAccountsPasskeyStillWorks(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	k := d.newKey(virtualwebauthn.KeyTypeEC2)
	if err := k.enrol(actor, "Blue key"); err != nil {
		t.Fatal(err)
	}
	for range maxFailures {
		d.signIn("a.moreno", "wrong password here")
	}
	e, err := k.signIn()
	if err != nil || !d.holds(e.Session) {
		t.Fatalf("by passkey: %v", err)
	}
	if _, err := d.signIn("a.moreno", password); !errors.Is(err, ErrSignIn) {
		t.Errorf("the passkey ended the lock: %v", err)
	}
}

// Case 39: nobody learns at the door whether a name exists or has factors.
func TestAttack39TheDoorTellsNothingOfNames(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	d.app(actor)
	if _, err := d.AddUser(t.Context(), Person{Login: "o.perez", Name: "Oona Perez", Password: password}, Operator, evidence.Actor{Kind: "server", ID: "local"}, Origin{Address: "local"}); err != nil {
		t.Fatal(err)
	}
	for i := range 7 { // across the lock
		_, with := d.signIn("a.moreno", "wrong password here")
		_, without := d.signIn("o.perez", "wrong password here")
		_, unknown := d.signIn("nobody.here", "wrong password here")
		if with == nil || with.Error() != without.Error() || with.Error() != unknown.Error() {
			t.Errorf("try %d: %v, %v, %v", i, with, without, unknown)
		}
	}
	one, _, err1 := d.BeginPasskeySignIn(t.Context(), Origin{Address: "198.51.100.1"})
	two, _, err2 := d.BeginPasskeySignIn(t.Context(), Origin{Address: "198.51.100.2"})
	if err1 != nil || err2 != nil || len(one) != len(two) {
		t.Errorf("what a passkey is asked tells something: %s, %s (%v, %v)", one, two, err1, err2)
	}
}

// Case 39: a wrong password takes as long for a name with factors, without, and
// for none: the medians of many tries lie within 5 ms.
func TestAttack39TheDoorTakesItsTimeForEveryName(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	d.app(actor)
	d.hasher.rounds = 2000
	names := []string{"a.moreno", "nobody.here"}
	took := map[string][]time.Duration{}
	for range 150 {
		for _, name := range names {
			began := time.Now()
			if _, err := d.signIn(name, "wrong password here"); !errors.Is(err, ErrSignIn) {
				t.Fatal(err)
			}
			took[name] = append(took[name], time.Since(began))
		}
	}
	var medians []time.Duration
	for _, name := range names {
		slices.Sort(took[name])
		medians = append(medians, took[name][len(took[name])/2])
	}
	t.Logf("medians of 150: %v", medians)
	if (medians[0] - medians[1]).Abs() > 5*time.Millisecond {
		t.Errorf("the medians differ by %v", medians[0]-medians[1])
	}
}

// Case 40: a set-up link and a passkey's host come from the server's settings;
// nothing a request says changes them, and a used link is dead for factors too.
func TestAttack40NoLinkWorksTwice(t *testing.T) {
	d := newDesk(t)
	token, err := d.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	person := Person{Login: "a.moreno", Name: "Alba Moreno", Password: password}
	if _, err := d.SetUp(t.Context(), token, person, home); err != nil {
		t.Fatal(err)
	}
	for _, again := range []string{token, "", setupPrefix, forcedPrefix + token[len(setupPrefix):]} {
		if _, err := d.SetUpStep(t.Context(), again, person, Browser{}, home); !errors.Is(err, ErrSetup) {
			t.Errorf("%q: %v", again, err)
		}
	}
	if got := d.PasskeyHost(); got != "evidence.example.org" {
		t.Errorf("passkeys belong to %q", got)
	}
}
