package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// exchange is an agency's gateway that keeps what it is handed.
type exchange struct {
	mu   sync.Mutex
	got  []PhoneMessage
	fail error
}

func (x *exchange) take(_ context.Context, address string, m PhoneMessage) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if address != "https://gateway.example.org/codes" {
		return fmt.Errorf("asked at %q", address)
	}
	x.got = append(x.got, m)
	return x.fail
}

func (x *exchange) all() []PhoneMessage {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.got
}

// phoneDesk is a desk of an agency that sends codes.
func phoneDesk(t *testing.T) (*desk, *exchange) {
	d, x := newDesk(t), &exchange{}
	d.gateway = x.take
	policy := DefaultPolicy()
	policy.Phone = PhonePolicy{Gateway: "https://gateway.example.org/codes", Life: 5 * time.Minute, PerHour: 12}
	d.decided = func(context.Context) Policy { return policy }
	d.setUp()
	return d, x
}

// enter signs an officer in who has no second factor.
func (d *desk) enter(login string) *Actor {
	d.t.Helper()
	session, err := d.signIn(login, password)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.actor(session)
}

// phoneOf sets a phone up, and waits until an hour is over.
func (d *desk) phoneOf(x *exchange, actor *Actor, number string) {
	d.t.Helper()
	if err := d.BeginPhone(d.t.Context(), actor, number, SMS, home); err != nil {
		d.t.Fatal(err)
	}
	all := x.all()
	if err := d.FinishPhone(d.t.Context(), actor, all[len(all)-1].Code, home); err != nil {
		d.t.Fatal(err)
	}
	d.wait(phoneHour)
}

// awaited is a sign-in that waits for a second factor, to which a code was sent.
func (d *desk) awaited(x *exchange, login string) (pending, code string) {
	d.t.Helper()
	pending = d.pendingOf(login)
	if err := d.SendCode(d.t.Context(), pending, home); err != nil {
		d.t.Fatal(err)
	}
	d.sending.Wait()
	all := x.all()
	return pending, all[len(all)-1].Code
}

func (d *desk) pendingOf(login string) string {
	d.t.Helper()
	d.wait(4 * time.Second)
	e, err := d.PasswordStep(d.t.Context(), login, password, Browser{}, home)
	if err != nil || e.Pending == "" {
		d.t.Fatalf("%+v, %v", e, err)
	}
	return e.Pending
}

func TestSigningInTakesACodeThatCameByPhone(t *testing.T) {
	d, x := phoneDesk(t)
	d.person("officer", Officer)
	actor := d.enter("officer")
	d.phoneOf(x, actor, "+1 (201) 555-0123")
	if m := x.all()[0]; m.To != "+12015550123" || m.Channel != SMS || len(m.Code) != PhoneDigits || strings.Trim(m.Code, "0123456789") != "" {
		t.Errorf("sent: %+v", m)
	}
	pending, code := d.awaited(x, "officer")
	if f, err := d.PendingFactors(t.Context(), pending); err != nil || f.Phone == nil || f.Phone.Number != "+1••••••••23" {
		t.Errorf("%+v, %v", f, err)
	}
	session, err := d.codeStep(pending, code[:4]+" "+code[4:])
	if err != nil || !d.holds(session) {
		t.Fatalf("the code: %v", err)
	}
	later := d.actor(session)
	if later.Factor != PasswordPhone || d.FreshNow(later) != nil {
		t.Errorf("%+v", later)
	}
	d.wait(FreshFor)
	if err := d.Confirm(t.Context(), later, Proof{Password: password}, home); !errors.Is(err, ErrFactor) {
		t.Errorf("a password where there is a phone: %v", err)
	}
	if err := d.SendConfirmCode(t.Context(), later, home); err != nil {
		t.Fatal(err)
	}
	all := x.all()
	d.wait(4 * time.Second)
	if err := d.Confirm(t.Context(), later, Proof{Code: all[len(all)-1].Code}, home); err != nil {
		t.Errorf("confirmed: %v", err)
	}
	if err := d.RemoveFactor(t.Context(), d.actor(session), "phone", home); err != nil {
		t.Error(err)
	}
	if f, err := d.Factors(t.Context(), later); err != nil || f.Any() {
		t.Errorf("%+v, %v", f, err)
	}
	for kind, want := range map[evidence.EventType]int64{evidence.EventPhoneCodeSent: 3, evidence.EventPhoneCodeUsed: 2, evidence.EventFactorAdded: 1, evidence.EventFactorRemoved: 1} {
		if n := d.count(kind); n != want {
			t.Errorf("%s: %d events, want %d", kind, n, want)
		}
	}
}

func TestAttack37ACodeByPhoneHoldsOnceAndWhereItWasSentFor(t *testing.T) {
	d, x := phoneDesk(t)
	d.person("officer", Officer)
	d.person("other", Officer)
	d.phoneOf(x, d.enter("officer"), "+12015550123")
	d.phoneOf(x, d.enter("other"), "+12015550124")
	refused := func(what, pending, code string) {
		t.Helper()
		if _, err := d.codeStep(pending, code); !errors.Is(err, ErrFactor) && !errors.Is(err, ErrPending) {
			t.Errorf("%s: %v", what, err)
		}
	}
	pending, code := d.awaited(x, "officer")
	refused("at another browser's sign-in of the same person", d.pendingOf("officer"), code)
	refused("at the sign-in of somebody else", d.pendingOf("other"), code)
	if _, err := d.codeStep(pending, code); err != nil {
		t.Fatalf("where it belongs: %v", err)
	}
	refused("again", pending, code)
	refused("again, at another", d.pendingOf("officer"), code)

	d.wait(phoneHour)
	pending, first := d.awaited(x, "officer")
	if err := d.SendCode(t.Context(), pending, home); err != nil {
		t.Fatal(err)
	}
	d.sending.Wait()
	refused("the former of two", pending, first)

	d.wait(phoneHour)
	session := ""
	pending, code = d.awaited(x, "officer")
	session, err := d.codeStep(pending, code)
	if err != nil {
		t.Fatal(err)
	}
	actor := d.actor(session)
	if err := d.SendConfirmCode(t.Context(), actor, home); err != nil {
		t.Fatal(err)
	}
	all := x.all()
	refused("one of a confirmation, at a sign-in", d.pendingOf("officer"), all[len(all)-1].Code)
	d.wait(5 * time.Minute)
	if err := d.Confirm(t.Context(), actor, Proof{Code: all[len(all)-1].Code}, home); !errors.Is(err, ErrFactor) {
		t.Errorf("after five minutes: %v", err)
	}
	if got := d.refusedFor(evidence.EventConfirmed); len(got) != 1 || got[0] != "a code by phone that has expired" {
		t.Errorf("on record: %q", got)
	}
}

func TestAttack37GuessingCodesByPhoneLocksAtTheFifth(t *testing.T) {
	d, x := phoneDesk(t)
	d.person("officer", Officer)
	d.phoneOf(x, d.enter("officer"), "+12015550123")
	pending, code := d.awaited(x, "officer")
	wrong := "00000000"
	if code == wrong {
		wrong = "00000001"
	}
	for range 5 {
		if _, err := d.codeStep(pending, wrong); !errors.Is(err, ErrFactor) {
			t.Fatalf("a guess: %v", err)
		}
	}
	if _, err := d.codeStep(pending, code); !errors.Is(err, ErrPending) {
		t.Errorf("the right code after the lock: %v", err)
	}
	if n := d.count(evidence.EventAccountLocked); n != 1 {
		t.Errorf("%d locks", n)
	}

	d.person("third", Officer)
	third := d.enter("third")
	if err := d.BeginPhone(t.Context(), third, "+12015550125", SMS, home); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		d.wait(4 * time.Second)
		if err := d.FinishPhone(t.Context(), third, "1234", home); !errors.Is(err, ErrFactor) {
			t.Fatalf("a guess at setting one up: %v", err)
		}
	}
	all := x.all()
	d.wait(4 * time.Second)
	if err := d.FinishPhone(t.Context(), third, all[len(all)-1].Code, home); !errors.Is(err, ErrFactor) {
		t.Errorf("the right one after the lock: %v", err)
	}
}

func TestAttack37NoFloodOfCodes(t *testing.T) {
	d, x := phoneDesk(t)
	for _, login := range []string{"one", "two", "three"} {
		d.person(login, Officer)
	}
	one := d.enter("one")
	d.phoneOf(x, one, "+12015550123")
	before := len(x.all())
	pending := d.pendingOf("one")
	for range 1000 {
		if err := d.SendCode(t.Context(), pending, Origin{Address: fmt.Sprintf("10.1.%d.%d", d.now().Unix()>>8&255, d.now().Unix()&255)}); err != nil {
			t.Fatal(err) // it says the same whether it was sent
		}
		d.wait(100 * time.Millisecond)
	}
	d.sending.Wait()
	if n := len(x.all()) - before; n != phoneOfPerson {
		t.Errorf("%d codes to one person within two minutes", n)
	}
	if err := d.BeginPhone(t.Context(), d.enter("two"), "+1 201 555 0123", Call, home); !errors.Is(err, ErrPhoneMany) {
		t.Errorf("the number of somebody else: %v", err)
	}
	three := d.enter("three")
	for n := range 20 {
		d.wait(4 * time.Second)
		err := d.BeginPhone(t.Context(), three, fmt.Sprintf("+120155501%02d", 30+n), SMS, home)
		if n < phoneOfPerson != (err == nil) || err != nil && !errors.Is(err, ErrPhoneMany) {
			t.Fatalf("number %d of one person: %v", n, err)
		}
	}
	d.person("four", Officer)
	four := d.enter("four")
	for n := range 3 { // ten are sent, of twelve
		d.wait(4 * time.Second)
		if err := d.BeginPhone(t.Context(), four, fmt.Sprintf("+120155502%02d", n), SMS, home); n < 2 != (err == nil) {
			t.Fatalf("number %d of the agency: %v", n, err)
		}
	}
	if got := d.refusedFor(evidence.EventPhoneCodeSent); got[0] != "12 codes within an hour, of one agency" {
		t.Errorf("on record: %q", got[0])
	}
}

func TestAttack37AStolenSessionChangesNoNumber(t *testing.T) {
	d, x := phoneDesk(t)
	d.person("officer", Officer)
	d.phoneOf(x, d.enter("officer"), "+12015550123")
	pending, code := d.awaited(x, "officer")
	session, err := d.codeStep(pending, code)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.BeginPhone(t.Context(), d.actor(session), "+12015550199", SMS, home); err != nil {
		t.Fatal(err)
	}
	d.wait(FreshFor)
	stolen, sent := d.actor(session), x.all()
	if err := d.BeginPhone(t.Context(), stolen, "+12015550198", SMS, home); !errors.Is(err, ErrFreshFactor) || len(x.all()) != len(sent) {
		t.Errorf("a number without a fresh factor: %v", err)
	}
	if err := d.FinishPhone(t.Context(), stolen, sent[len(sent)-1].Code, home); !errors.Is(err, ErrFreshFactor) {
		t.Errorf("a code without a fresh factor: %v", err)
	}
	if err := d.RemoveFactor(t.Context(), stolen, "phone", home); !errors.Is(err, ErrFreshFactor) {
		t.Errorf("taken away without a fresh factor: %v", err)
	}
	if f, err := d.Factors(t.Context(), stolen); err != nil || f.Phone == nil || !strings.HasSuffix(f.Phone.Number, "23") {
		t.Errorf("%+v, %v", f, err)
	}
	if got := d.refusedFor(evidence.EventFactorAdded); len(got) != 2 {
		t.Errorf("on record: %q", got)
	}
}

func TestAttack37NoAdministratorUsesAPhone(t *testing.T) {
	d, x := phoneDesk(t)
	d.set(settingRequired, "administrators")
	admin := d.enter("a.moreno")
	if !admin.MustEnrol {
		t.Fatal("no factor is required of an administrator")
	}
	if err := d.BeginPhone(t.Context(), admin, "+12015550123", SMS, home); !errors.Is(err, ErrPhonePowers) || len(x.all()) != 0 {
		t.Errorf("set up by an administrator: %v", err)
	}
	if ok, err := d.OffersPhone(t.Context(), admin); ok || err != nil {
		t.Errorf("offered to an administrator: %v", err)
	}
	officer := d.person("officer", Officer)
	actor := d.enter("officer")
	d.phoneOf(x, actor, "+12015550124")
	pending, code := d.awaited(x, "officer")
	officer.Role = string(Administrator)
	if err := d.db.Update(t.Context(), func(tx *sqldb.Tx) error { return tx.UpdateUser(t.Context(), officer) }); err != nil {
		t.Fatal(err)
	}
	if _, err := d.codeStep(pending, code); !errors.Is(err, ErrFactor) {
		t.Errorf("a code of who has become an administrator: %v", err)
	}
	if f, err := d.Factors(t.Context(), actor); err != nil || f.Any() {
		t.Errorf("%+v, %v", f, err)
	}
	if now := d.enter("officer"); !now.MustEnrol || d.count(evidence.EventFactorRemoved) != 1 {
		t.Errorf("at the next sign-in: %+v", now)
	}
	officer.Role = string(Officer)
	if err := d.db.Update(t.Context(), func(tx *sqldb.Tx) error { return tx.UpdateUser(t.Context(), officer) }); err != nil {
		t.Fatal(err)
	}
	if f, err := d.Factors(t.Context(), actor); err != nil || f.Any() {
		t.Errorf("it came back with the former role: %+v, %v", f, err)
	}
}

func TestWhoAsksForACodeLearnsNothing(t *testing.T) {
	d, x := phoneDesk(t)
	d.person("officer", Officer)
	actor := d.enter("officer")
	d.app(actor)
	before := len(x.all())
	if err := d.SendCode(t.Context(), d.pendingOf("officer"), home); err != nil {
		t.Errorf("without a phone: %v", err)
	}
	d.sending.Wait()
	if len(x.all()) != before {
		t.Error("it was sent")
	}
	if got := d.refusedFor(evidence.EventPhoneCodeSent); len(got) != 1 || got[0] != "there is no phone that codes are sent to" {
		t.Errorf("on record: %q", got)
	}
	if err := d.SendCode(t.Context(), "sdc1.nothing", home); !errors.Is(err, ErrPending) {
		t.Errorf("of no sign-in: %v", err)
	}
	d.decided = nil
	if err := d.SendCode(t.Context(), d.pendingOf("officer"), home); !errors.Is(err, ErrNoPhones) {
		t.Errorf("of an agency that sends none: %v", err)
	}
}

func TestACodeThatTheGatewayDoesNotTakeIsGoodForNothing(t *testing.T) {
	d, x := phoneDesk(t)
	d.person("officer", Officer)
	actor := d.enter("officer")
	x.fail = errors.New("it answered 503")
	if err := d.BeginPhone(t.Context(), actor, "+12015550123", Call, home); !errors.Is(err, ErrPhoneGateway) {
		t.Fatal(err)
	}
	if err := d.FinishPhone(t.Context(), actor, x.all()[0].Code, home); !errors.Is(err, ErrFactor) {
		t.Errorf("its code: %v", err)
	}
	if n := d.count(evidence.EventPhoneCodeFailed); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestNumbersAreThoseOfE164(t *testing.T) {
	for text, want := range map[string]string{"+1 (201) 555-0123": "+12015550123", "+49 30/1234567": "+49301234567", "+44.20.7946.0000": "+442079460000"} {
		if got, err := phoneNumber(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2015550123", "+0201555012", "+1234567", "+1234567890123456", "+1201555012x", "+1201555\n0123", "++12015550123", "+1201555012３", "+1" + strings.Repeat(" ", 50) + "2015550123"} {
		if got, err := phoneNumber(text); !errors.Is(err, ErrPhoneNumber) {
			t.Errorf("%q: taken as %q", text, got)
		}
	}
}

func TestResettingFactorsTakesThePhone(t *testing.T) {
	d, x := phoneDesk(t)
	d.person("officer", Officer)
	actor := d.enter("officer")
	d.phoneOf(x, actor, "+12015550123")
	if err := d.ResetFactors(t.Context(), "officer", evidence.Actor{Kind: "server", ID: "local"}, Origin{}); err != nil {
		t.Fatal(err)
	}
	if f, err := d.Factors(t.Context(), actor); err != nil || f.Any() {
		t.Errorf("%+v, %v", f, err)
	}
}
