package auth

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

const password = "ferry lantern wheat orbit"

// desk is a Service on a real catalog, with a clock that a test moves.
type desk struct {
	*Service
	t  *testing.T
	db *sqldb.DB

	mu sync.Mutex // guards at
	at time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, at: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "catalog.db"), d.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d.db = db
	d.Service, err = New(Config{Catalog: db, Agency: "metro-pd", Pepper: make([]byte, PepperSize), HashesAtOnce: 2, Hosts: []string{"192.0.2.1", "evidence.example.org", "other.example.com", "inner.evidence.example.org"}, Now: d.now})
	if err != nil {
		t.Fatal(err)
	}
	d.hasher.rounds = 10
	d.set(settingRequired, "nobody")
	return d
}

// set changes a setting of the agency.
func (d *desk) set(name, value string) {
	d.t.Helper()
	err := d.db.Update(d.t.Context(), func(tx *sqldb.Tx) error {
		return tx.SetSetting(d.t.Context(), &catalog.Setting{Agency: "metro-pd", Name: name, Value: value, UpdatedAt: d.now(), UpdatedBy: "test"})
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *desk) wait(long time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = d.at.Add(long)
}

func (d *desk) setUp() (session string) {
	d.t.Helper()
	token, err := d.NewSetupToken(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	session, err = d.SetUp(d.t.Context(), token, Person{Login: "A.Moreno", Name: "Alba Moreno", Password: password}, Origin{Address: "192.0.2.1"})
	if err != nil {
		d.t.Fatal(err)
	}
	return session
}

// signIn tries from a new address each time, so that the limit per source stays
// out of the way.
func (d *desk) signIn(login, password string) (string, error) {
	d.wait(time.Millisecond)
	n := d.now().UnixMilli()
	return d.SignIn(d.t.Context(), login, password, "", Origin{Address: fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)})
}

func (d *desk) count(kind evidence.EventType) int64 {
	d.t.Helper()
	n, err := d.db.CountEvents(d.t.Context(), catalog.EventFilter{Agency: "metro-pd", Type: kind})
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

func (d *desk) holds(session string) bool {
	d.t.Helper()
	_, err := d.Actor(d.t.Context(), session, Origin{})
	if err != nil && !errors.Is(err, ErrNoSession) {
		d.t.Fatal(err)
	}
	return err == nil
}

func TestTheSetUpLinkMakesOneAdministratorOnce(t *testing.T) {
	d := newDesk(t)
	token, err := d.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good := Person{Login: "a.moreno", Name: "Alba Moreno", Password: password}
	for _, bad := range []Person{
		{Login: "a", Name: "A", Password: password}, {Login: "a moreno", Name: "A", Password: password},
		{Login: "a.moreno", Name: "", Password: password}, {Login: "a.moreno", Name: "A\x00", Password: password},
		{Login: "a.moreno", Name: "Alba Moreno", Password: "short"},
	} {
		var wrong *PersonError
		if _, err := d.SetUp(t.Context(), token, bad, Origin{}); !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := d.SetUp(t.Context(), token+"x", good, Origin{}); !errors.Is(err, ErrSetup) {
		t.Errorf("a changed token: %v", err)
	}
	session, err := d.SetUp(t.Context(), token, good, Origin{})
	if err != nil || !d.holds(session) {
		t.Fatalf("the good token: %v", err)
	}
	if _, err := d.SetUp(t.Context(), token, Person{Login: "second", Name: "Second", Password: password}, Origin{}); !errors.Is(err, ErrSetup) {
		t.Errorf("the token again: %v", err)
	}
	if _, err := d.NewSetupToken(t.Context()); err == nil {
		t.Error("a set-up link was made although somebody has an account")
	}
	if d.count(evidence.EventUserCreated) != 1 || d.count(evidence.EventSignedIn) != 1 {
		t.Error("the new account and its sign-in are not one event each")
	}
}

func TestAForcedLinkMakesAFurtherAdministratorAndIsOnRecord(t *testing.T) {
	d := newDesk(t)
	local := evidence.Actor{Kind: "server", ID: "local"}
	early, err := d.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.setUp()
	if _, err := d.NewSetupToken(t.Context()); !errors.Is(err, ErrAccounts) {
		t.Errorf("an ordinary link beside an account: %v", err)
	}
	forced, err := d.ForceSetupToken(t.Context(), local, Origin{Address: "local"})
	if err != nil {
		t.Fatal(err)
	}
	second := Person{Login: "second", Name: "Second", Password: password}
	for what, token := range map[string]string{"an earlier ordinary link": early, "it as a forced one": forcedPrefix + strings.TrimPrefix(early, setupPrefix), "a forced one as ordinary": setupPrefix + strings.TrimPrefix(forced, forcedPrefix)} {
		if _, err := d.SetUp(t.Context(), token, second, Origin{}); !errors.Is(err, ErrSetup) {
			t.Errorf("%s: %v", what, err)
		}
	}
	session, err := d.SetUp(t.Context(), forced, second, Origin{})
	if err != nil || !d.holds(session) {
		t.Fatalf("the forced link: %v", err)
	}
	if err := d.CheckSetup(t.Context(), forced); !errors.Is(err, ErrSetup) {
		t.Errorf("the forced link again: %v", err)
	}
	if n := d.count(evidence.EventSetupForced); n != 1 {
		t.Errorf("%d events of forced links", n)
	}
}

func TestTheSetUpLinkEndsAfterADay(t *testing.T) {
	d := newDesk(t)
	token, err := d.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.wait(24 * time.Hour)
	if err := d.CheckSetup(t.Context(), token); !errors.Is(err, ErrSetup) {
		t.Errorf("after a day: %v", err)
	}
}

func TestFiveFailuresLockUntilReleased(t *testing.T) {
	d := newDesk(t)
	d.setUp()
	for i := range 4 {
		if _, err := d.signIn("a.moreno", "wrong password here"); !errors.Is(err, ErrSignIn) {
			t.Fatalf("failure %d: %v", i, err)
		}
	}
	if _, err := d.signIn("A.MORENO ", password); err != nil {
		t.Fatalf("the right password after four failures: %v", err)
	}
	for range 5 {
		d.signIn("a.moreno", "wrong password here")
	}
	if n := d.count(evidence.EventAccountLocked); n != 1 {
		t.Errorf("locked %d times", n)
	}
	for _, later := range []time.Duration{0, time.Hour, 400 * 24 * time.Hour} {
		d.wait(later)
		if _, err := d.signIn("a.moreno", password); !errors.Is(err, ErrSignIn) {
			t.Errorf("the right password %v after the lock: %v", later, err)
		}
	}
	if err := d.Release(t.Context(), "a.moreno", evidence.Actor{Kind: "server", ID: "local"}, Origin{Address: "local"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.signIn("a.moreno", password); err != nil {
		t.Errorf("after the release: %v", err)
	}
	if d.count(evidence.EventAccountReleased) != 1 || d.count(evidence.EventSignInFailed) != 12 {
		t.Errorf("%d releases, %d refusals on record", d.count(evidence.EventAccountReleased), d.count(evidence.EventSignInFailed))
	}
}

func TestFailuresFarApartDoNotLock(t *testing.T) {
	d := newDesk(t)
	d.setUp()
	for range 12 {
		d.signIn("a.moreno", "wrong password here")
		d.wait(4 * time.Minute)
	}
	if _, err := d.signIn("a.moreno", password); err != nil {
		t.Error(err)
	}
}

func TestAHundredGuessesAtOnceGetFiveAnswers(t *testing.T) {
	d := newDesk(t)
	d.setUp()
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			for {
				_, err := d.SignIn(t.Context(), "a.moreno", fmt.Sprint("guess number ", i), "", Origin{Address: fmt.Sprint("10.0.0.", i)})
				if errors.Is(err, ErrBusy) {
					continue
				}
				if !errors.Is(err, ErrSignIn) {
					t.Errorf("guess %d: %v", i, err)
				}
				return
			}
		})
	}
	all.Wait()
	if n := d.count(evidence.EventAccountLocked); n != 1 {
		t.Errorf("locked %d times", n)
	}
	rows, err := d.db.Events(t.Context(), catalog.EventFilter{Agency: "metro-pd", Type: evidence.EventSignInFailed}, 200)
	if err != nil {
		t.Fatal(err)
	}
	judged := 0
	for _, row := range rows {
		if strings.Contains(string(row.JSON), "wrong password") {
			judged++
		}
	}
	if judged != 5 || len(rows) != 100 {
		t.Errorf("%d of %d guesses were judged, 5 of 100 are allowed", judged, len(rows))
	}
}

func TestAnUnknownNameIsAnsweredLikeAKnownOne(t *testing.T) {
	d := newDesk(t)
	d.setUp()
	for i := range 8 { // across the lock
		_, known := d.signIn("a.moreno", "wrong password here")
		_, unknown := d.signIn("nobody.here", "wrong password here")
		_, garbage := d.signIn("\x00'; DROP TABLE users --", "wrong password here")
		if known.Error() != unknown.Error() || known.Error() != garbage.Error() {
			t.Errorf("try %d: %v, %v, %v", i, known, unknown, garbage)
		}
	}
	rows, err := d.db.Events(t.Context(), catalog.EventFilter{Agency: "metro-pd"}, 200)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if strings.Contains(string(row.JSON), "nobody.here") || strings.Contains(string(row.JSON), "wrong password here") {
			t.Errorf("what was typed is on record: %s", row.JSON)
		}
	}
}

func TestASourceIsSlowedDown(t *testing.T) {
	d := newDesk(t)
	d.setUp()
	from := Origin{Address: "203.0.113.9"}
	var wait *TooManyError
	for i := range 11 {
		_, err := d.SignIn(t.Context(), fmt.Sprint("user", i), "wrong password here", "", from)
		if i < 10 == errors.As(err, &wait) {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	before := d.count(evidence.EventSignInFailed)
	d.SignIn(t.Context(), "a.moreno", password, "", from)
	if d.count(evidence.EventSignInFailed) != before {
		t.Error("a source that is too fast still fills the record")
	}
	d.wait(wait.RetryAfter + time.Second)
	if _, err := d.SignIn(t.Context(), "a.moreno", password, "", from); err != nil {
		t.Errorf("after waiting: %v", err)
	}
	if network("2001:db8::1") != network("2001:db8::ffff") || network("192.0.2.1") == network("192.0.2.2") || network("::ffff:192.0.2.1") != network("192.0.2.1") {
		t.Error("what counts as one source is wrong")
	}
}

func TestASessionEndsByIdlenessAgeAndSignOut(t *testing.T) {
	d := newDesk(t)
	session := d.setUp()
	for range 10 {
		d.wait(IdleLife - time.Minute - time.Second)
		if !d.holds(session) {
			t.Fatal("a session in use ended")
		}
	}
	d.wait(IdleLife)
	if d.holds(session) {
		t.Error("idle for 30 minutes, and still signed in")
	}

	session, _ = d.signIn("a.moreno", password)
	begun := d.now()
	for d.now().Sub(begun) < AbsoluteLife-10*time.Minute {
		d.wait(10 * time.Minute)
		if !d.holds(session) {
			t.Fatalf("ended after %v", d.now().Sub(begun))
		}
	}
	d.wait(10 * time.Minute)
	if d.holds(session) {
		t.Error("older than 12 hours, and still signed in")
	}

	session, _ = d.signIn("a.moreno", password)
	if err := d.SignOut(t.Context(), session, Origin{}); err != nil || d.holds(session) {
		t.Errorf("signed out, and still signed in (%v)", err)
	}
	if d.count(evidence.EventSignedOut) != 1 {
		t.Error("the sign-out is not on record")
	}
}

func TestLookingIsNoUse(t *testing.T) {
	d := newDesk(t)
	session := d.setUp()
	for range 6 {
		d.wait(5 * time.Minute)
		d.Peek(t.Context(), session, Origin{})
	}
	if d.holds(session) {
		t.Error("peeking kept a session alive")
	}
}

func TestEachSignInHasANewTokenAndEndsTheFormer(t *testing.T) {
	d := newDesk(t)
	first := d.setUp()
	second, err := d.SignIn(t.Context(), "a.moreno", password, first, Origin{Address: "192.0.2.1"})
	if err != nil || second == first {
		t.Fatalf("the token stayed the same (%v)", err)
	}
	if d.holds(first) || !d.holds(second) {
		t.Error("the former session lives on")
	}
	chosen := strings.Repeat("A", 43)
	third, _ := d.SignIn(t.Context(), "a.moreno", password, chosen, Origin{Address: "192.0.2.1"})
	if third == chosen || d.holds(chosen) {
		t.Error("a token that somebody else chose was taken")
	}
}

func TestOnlyTheHashOfASessionIsStored(t *testing.T) {
	d := newDesk(t)
	session := d.setUp()
	actor, err := d.Actor(t.Context(), session, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := d.db.Sessions(t.Context(), actor.User)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	hash, ok := hashToken("", session)
	if !ok || rows[0].TokenHash != hash || strings.Contains(session, hash.String()) {
		t.Error("the stored session is not the token's hash")
	}
}

func TestADisabledUserIsOutAtOnce(t *testing.T) {
	d := newDesk(t)
	session := d.setUp()
	d.wait(time.Second)
	err := d.db.Update(t.Context(), func(tx *sqldb.Tx) error {
		user, err := tx.UserByLogin(t.Context(), "a.moreno")
		if err != nil {
			return err
		}
		user.DisabledAt = d.now()
		return tx.UpdateUser(t.Context(), user)
	})
	if err != nil {
		t.Fatal(err)
	}
	if d.holds(session) {
		t.Error("a disabled user is still signed in")
	}
	if _, err := d.signIn("a.moreno", password); !errors.Is(err, ErrSignIn) {
		t.Errorf("a disabled user signs in: %v", err)
	}
}

func TestWithoutARecordNobodySignsIn(t *testing.T) {
	d := newDesk(t)
	first := d.setUp()
	unwritable := Origin{Address: strings.Repeat("x", evidence.MaxEvent)} // too long for any event
	session, err := d.SignIn(t.Context(), "a.moreno", password, "", unwritable)
	if err == nil || session != "" {
		t.Errorf("signed in although the event could not be written: %v", err)
	}
	if err := d.SignOut(t.Context(), first, unwritable); err == nil || !d.holds(first) {
		t.Errorf("signed out although the event could not be written: %v", err)
	}
	actor, err := d.Actor(t.Context(), first, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := d.db.Sessions(t.Context(), actor.User); err != nil || len(rows) != 1 {
		t.Errorf("%d sessions are left (%v)", len(rows), err)
	}
}

func TestWhatIsNotAllowedByNameIsDenied(t *testing.T) {
	every := []Action{"something.new", ""}
	for _, d := range Deeds() {
		every = append(every, d.Action)
	}
	former := map[Role][]Action{ // what accounts of before there were roles to edit go on doing
		Operator: {SeeOverview, ListItems, ViewItem, PlayItem, OpenReceipt, DownloadItem, ListDocks, ListFirmware, ListSettings,
			ListCameras, AssignCamera, HoldCamera, ListAlerts, AcknowledgeAlert, ChangeQueue},
		Administrator: every[2:],
	}
	for _, role := range []Role{Operator, Administrator, Investigator, Officer, "", "nobody", "ADMINISTRATOR"} {
		for _, do := range every {
			actor := &Actor{User: "u", Agency: "metro-pd", Role: role, Powers: ShippedPowers(role)}
			if got := May(actor, do, Object{Agency: "metro-pd"}); got != slices.Contains(former[role], do) {
				t.Errorf("%q may %q: %v", role, do, got)
			}
			if May(actor, do, Object{Agency: "other-pd"}) || May(actor, do, Object{}) {
				t.Errorf("%q may %q at another agency", role, do)
			}
			if May(nil, do, Object{Agency: "metro-pd"}) || May(&Actor{Agency: "metro-pd", Role: role, Powers: ShippedPowers(role)}, do, Object{Agency: "metro-pd"}) ||
				May(&Actor{User: "u", Agency: "metro-pd", Role: role}, do, Object{Agency: "metro-pd"}) {
				t.Errorf("nobody may %q", do)
			}
		}
	}
}

func TestAnAddressIsTheConnectionsOwn(t *testing.T) {
	r := httptest.NewRequest("GET", "https://x/", nil)
	r.RemoteAddr = "[2001:db8::7]:4711"
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	r.Header.Set("User-Agent", strings.Repeat("a", 1000)+"\x00")
	if o := OriginOf(r); o.Address != "2001:db8::7" || len(o.Browser) > 300 {
		t.Errorf("%+v", o)
	}
}

func FuzzTokens(f *testing.F) {
	text, _ := newToken("")
	for _, s := range []string{text, "", "sds1." + text, text + "=", strings.ToLower(text), strings.Repeat("A", 43), strings.Repeat("_", 43)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, ok := hashToken("", s); ok && len(s) != 43 {
			t.Errorf("%q is a token", s)
		}
	})
}
