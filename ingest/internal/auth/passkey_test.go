package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// key is an authenticator with one passkey, made of software that is not ours.
type key struct {
	d     *desk
	site  virtualwebauthn.RelyingParty
	body  virtualwebauthn.Authenticator
	cred  virtualwebauthn.Credential
	count bool // whether it counts its uses
}

const site = "https://evidence.example.org:8443"

func (d *desk) newKey(kind virtualwebauthn.KeyType) *key {
	return &key{d: d, site: virtualwebauthn.RelyingParty{ID: "evidence.example.org", Name: "Sealdock", Origin: site},
		body: virtualwebauthn.NewAuthenticator(), cred: newCredential(kind), count: true}
}

// newCredential draws until the library writes the key as it should: it leaves out
// leading zeros of a P-256 key's coordinates, one key in 128, which RFC 9053 section
// 7.1.1 forbids and the server refuses.
func newCredential(kind virtualwebauthn.KeyType) virtualwebauthn.Credential {
	const whole = 77 // bytes of a COSE key with two coordinates of 32
	for {
		cred := virtualwebauthn.NewCredential(kind)
		if kind != virtualwebauthn.KeyTypeEC2 || len(cred.Key.AttestationData()) == whole {
			return cred
		}
	}
}

// attest answers the options of BeginPasskey.
func (k *key) attest(options []byte) []byte {
	k.d.t.Helper()
	parsed, err := virtualwebauthn.ParseAttestationOptions(`{"publicKey":` + string(options) + `}`)
	if err != nil {
		k.d.t.Fatal(err)
	}
	return []byte(virtualwebauthn.CreateAttestationResponse(k.site, k.body, k.cred, *parsed))
}

// assert answers the options of a sign-in or of a confirmation.
func (k *key) assert(options []byte) []byte {
	k.d.t.Helper()
	parsed, err := virtualwebauthn.ParseAssertionOptions(`{"publicKey":` + string(options) + `}`)
	if err != nil {
		k.d.t.Fatal(err)
	}
	if k.count {
		k.cred.Counter++
	}
	return []byte(virtualwebauthn.CreateAssertionResponse(k.site, k.body, k.cred, *parsed))
}

func (k *key) enrol(actor *Actor, name string) error {
	k.d.t.Helper()
	options, ceremony, err := k.d.BeginPasskey(k.d.t.Context(), actor, home)
	if err != nil {
		return err
	}
	k.body.Options.UserHandle = []byte(actor.User)
	return k.d.FinishPasskey(k.d.t.Context(), actor, ceremony, name, k.attest(options), home)
}

func (k *key) signIn() (*Entry, error) {
	k.d.t.Helper()
	k.d.wait(4 * time.Second)
	options, ceremony, err := k.d.BeginPasskeySignIn(k.d.t.Context(), home)
	if err != nil {
		return nil, err
	}
	return k.d.PasskeyStep(k.d.t.Context(), ceremony, k.assert(options), Browser{}, home)
}

func TestAPasskeyAloneSignsIn(t *testing.T) {
	for _, kind := range []virtualwebauthn.KeyType{virtualwebauthn.KeyTypeEC2, virtualwebauthn.KeyTypeRSA} {
		d := newDesk(t)
		actor, _ := d.admin()
		k := d.newKey(kind)
		if err := k.enrol(actor, "Blue key"); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for range 3 {
			e, err := k.signIn()
			if err != nil || !d.holds(e.Session) {
				t.Fatalf("%s: %v", kind, err)
			}
			if a := d.actor(e.Session); a.User != actor.User || a.Factor != Passkey || Fresh(a, d.now()) != nil {
				t.Errorf("%s: %+v", kind, a)
			}
		}
		f, err := d.Factors(t.Context(), actor)
		if err != nil || len(f.Passkeys) != 1 || f.Passkeys[0].Name != "Blue key" || f.Passkeys[0].LastUsedAt.IsZero() {
			t.Errorf("%s: %+v, %v", kind, f, err)
		}
		pending := d.pending() // a password asks for a factor from then on
		if _, err := d.codeStep(pending, "123456"); !errors.Is(err, ErrFactor) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestEveryFlagOfAPasskeyIsKept(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	k := d.newKey(virtualwebauthn.KeyTypeEC2)
	k.body.Options.BackupEligible, k.body.Options.BackupState, k.count = true, true, false
	if err := k.enrol(actor, "Phone"); err != nil {
		t.Fatal(err)
	}
	row, err := d.db.Passkey(t.Context(), credentialID(k.cred.ID))
	if err != nil {
		t.Fatal(err)
	}
	var kept struct {
		Flags struct{ UserPresent, UserVerified, BackupEligible, BackupState bool } `json:"flags"`
	}
	if err := json.Unmarshal([]byte(row.Credential), &kept); err != nil || !kept.Flags.UserPresent || !kept.Flags.UserVerified || !kept.Flags.BackupEligible || !kept.Flags.BackupState {
		t.Errorf("%+v, %v", kept, err)
	}
	for range 2 { // a synced passkey counts nothing
		if _, err := k.signIn(); err != nil {
			t.Error(err)
		}
	}
	k.body.Options.BackupEligible, k.body.Options.BackupState = false, false
	if _, err := k.signIn(); !errors.Is(err, ErrPasskey) {
		t.Errorf("a flag that must not change did: %v", err)
	}
}

func TestACopiedPasskeyIsRefusedAndOnRecord(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	k := d.newKey(virtualwebauthn.KeyTypeEC2)
	if err := k.enrol(actor, "Blue key"); err != nil {
		t.Fatal(err)
	}
	thief := *k
	for range 3 {
		if _, err := k.signIn(); err != nil {
			t.Fatal(err)
		}
	}
	if e, err := thief.signIn(); !errors.Is(err, ErrPasskey) || e != nil {
		t.Errorf("a copy with a lower count: %v", err)
	}
	if n := d.count(evidence.EventPasskeyDoubted); n != 1 {
		t.Errorf("%d events", n)
	}
	if _, err := k.signIn(); err != nil {
		t.Errorf("the true key afterwards: %v", err)
	}
}

func TestPasskeysThatAreNotAccepted(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	good := d.newKey(virtualwebauthn.KeyTypeEC2)
	if err := good.enrol(actor, "Blue key"); err != nil {
		t.Fatal(err)
	}
	change := func(do func(*key)) *key {
		k := *good
		k.cred.Counter += 10
		do(&k)
		return &k
	}
	for what, k := range map[string]*key{
		"another site":           change(func(k *key) { k.site.Origin = "https://evil.example" }),
		"a name that ends alike": change(func(k *key) { k.site.Origin = "https://notevidence.example.org" }),
		"no HTTPS":               change(func(k *key) { k.site.Origin = "http://evidence.example.org" }),
		"another host of ours":   change(func(k *key) { k.site.Origin = "https://other.example.com" }),
		"a path":                 change(func(k *key) { k.site.Origin = site + "/x" }),
		"another party":          change(func(k *key) { k.site.ID = "example.org" }),
		"no finger":              change(func(k *key) { k.body.Options.UserNotVerified = true }),
		"nobody there":           change(func(k *key) { k.body.Options.UserNotPresent = true }),
		"another user's handle":  change(func(k *key) { k.body.Options.UserHandle = []byte("0123") }),
		"no handle":              change(func(k *key) { k.body.Options.UserHandle = nil }),
		"another key": change(func(k *key) {
			k.cred = newCredential(virtualwebauthn.KeyTypeEC2)
			k.cred.ID = good.cred.ID
		}),
		"an unknown key": change(func(k *key) { k.cred = newCredential(virtualwebauthn.KeyTypeEC2) }),
	} {
		before := d.count(evidence.EventSignInFailed)
		if e, err := k.signIn(); !errors.Is(err, ErrPasskey) || e != nil {
			t.Errorf("%s: %v", what, err)
		}
		if d.count(evidence.EventSignInFailed) != before+1 {
			t.Errorf("%s: not on record", what)
		}
	}
	good.site.Origin = "https://inner.evidence.example.org"
	if _, err := good.signIn(); err != nil {
		t.Errorf("a name of ours below it: %v", err)
	}
	if d.count(evidence.EventAccountLocked) != 0 {
		t.Error("passkeys lock accounts")
	}
}

func TestAnAnswerCountsForItsQuestionOnce(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	k := d.newKey(virtualwebauthn.KeyTypeEC2)
	if err := k.enrol(actor, "Blue key"); err != nil {
		t.Fatal(err)
	}
	d.wait(time.Minute)
	one, first, err := d.BeginPasskeySignIn(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := d.BeginPasskeySignIn(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	answer := k.assert(one)
	if _, err := d.PasskeyStep(t.Context(), second, answer, Browser{}, home); !errors.Is(err, ErrPasskey) {
		t.Errorf("under another question: %v", err)
	}
	if _, err := d.PasskeyStep(t.Context(), second, answer, Browser{}, home); !errors.Is(err, ErrPending) {
		t.Errorf("a question that was answered: %v", err)
	}
	if _, err := d.PasskeyStep(t.Context(), first, answer, Browser{}, home); err != nil {
		t.Fatal(err)
	}
	if _, err := d.PasskeyStep(t.Context(), first, answer, Browser{}, home); !errors.Is(err, ErrPending) {
		t.Errorf("the answer again: %v", err)
	}
	late, ceremony, err := d.BeginPasskeySignIn(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	d.wait(ceremonyLife)
	if _, err := d.PasskeyStep(t.Context(), ceremony, k.assert(late), Browser{}, home); !errors.Is(err, ErrPending) {
		t.Errorf("after five minutes: %v", err)
	}
}

func TestOfManyWithOneAnswerOneComesIn(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	k := d.newKey(virtualwebauthn.KeyTypeEC2)
	if err := k.enrol(actor, "Blue key"); err != nil {
		t.Fatal(err)
	}
	d.wait(time.Minute)
	options, ceremony, err := d.BeginPasskeySignIn(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	answer := k.assert(options)
	var mu sync.Mutex
	var all sync.WaitGroup
	in := 0
	for range 10 {
		all.Go(func() {
			_, err := d.PasskeyStep(t.Context(), ceremony, answer, Browser{}, home)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				in++
			} else if !errors.Is(err, ErrPending) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if in != 1 {
		t.Errorf("%d came in", in)
	}
}

func TestADisabledUsersPasskeyIsRefused(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	k := d.newKey(virtualwebauthn.KeyTypeEC2)
	if err := k.enrol(actor, "Blue key"); err != nil {
		t.Fatal(err)
	}
	err := d.db.Update(t.Context(), func(tx *sqldb.Tx) error {
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
	if _, err := k.signIn(); !errors.Is(err, ErrPasskey) {
		t.Errorf("%v", err)
	}
	if got := d.refusedFor(evidence.EventSignInFailed); len(got) != 1 || !strings.Contains(got[0], "disabled") {
		t.Errorf("on record: %q", got)
	}
}

func TestPasskeysAreNamedAndCounted(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	k := d.newKey(virtualwebauthn.KeyTypeEC2)
	var wrong *PersonError
	for _, name := range []string{"", "  ", strings.Repeat("x", 61), "a\x00b"} {
		if err := k.enrol(actor, name); !errors.As(err, &wrong) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := k.enrol(actor, "Blue key"); err != nil {
		t.Fatal(err)
	}
	if err := k.enrol(actor, "The same"); !errors.Is(err, ErrPasskeyExists) {
		t.Errorf("the same one again: %v", err)
	}
	for i := range maxPasskeys - 1 {
		if err := d.newKey(virtualwebauthn.KeyTypeEC2).enrol(actor, fmt.Sprint("Key ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.newKey(virtualwebauthn.KeyTypeEC2).enrol(actor, "One more"); !errors.Is(err, ErrManyPasskeys) {
		t.Errorf("one too many: %v", err)
	}
	if err := d.RemoveFactor(t.Context(), actor, credentialID(k.cred.ID), home); err != nil {
		t.Fatal(err)
	}
	if _, err := k.signIn(); !errors.Is(err, ErrPasskey) {
		t.Errorf("a passkey that was removed: %v", err)
	}
	if err := d.RemoveFactor(t.Context(), actor, credentialID(k.cred.ID), home); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("removing it again: %v", err)
	}
}

func TestAPasskeyConfirmsItsOwnersSession(t *testing.T) {
	d := newDesk(t)
	actor, session := d.admin()
	k := d.newKey(virtualwebauthn.KeyTypeEC2)
	if err := k.enrol(actor, "Blue key"); err != nil {
		t.Fatal(err)
	}
	d.wait(FreshFor)
	options, ceremony, err := d.BeginConfirm(t.Context(), actor, home)
	if err != nil {
		t.Fatal(err)
	}
	stranger := *actor
	stranger.Session = evidence.Digest{1}
	if err := d.FinishConfirm(t.Context(), &stranger, ceremony, k.assert(options), home); !errors.Is(err, ErrPending) {
		t.Errorf("from another session: %v", err)
	}
	if options, ceremony, err = d.BeginConfirm(t.Context(), actor, home); err != nil {
		t.Fatal(err)
	}
	if err := d.FinishConfirm(t.Context(), actor, ceremony, d.newKey(virtualwebauthn.KeyTypeEC2).assert(options), home); !errors.Is(err, ErrPasskey) {
		t.Errorf("another key: %v", err)
	}
	if Fresh(d.actor(session), d.now()) == nil {
		t.Fatal("fresh without a passkey")
	}
	if options, ceremony, err = d.BeginConfirm(t.Context(), actor, home); err != nil {
		t.Fatal(err)
	}
	if err := d.FinishConfirm(t.Context(), actor, ceremony, k.assert(options), home); err != nil {
		t.Fatal(err)
	}
	if err := Fresh(d.actor(session), d.now()); err != nil {
		t.Error(err)
	}
	if got := d.refusedFor(evidence.EventConfirmed); len(got) != 1 {
		t.Errorf("on record: %q", got)
	}
}

func TestAServerWithoutANameHasNoPasskeys(t *testing.T) {
	for _, hosts := range [][]string{nil, {"192.0.2.1", "2001:db8::1"}, {""}} {
		if p := newParty(hosts, "metro-pd"); p != nil {
			t.Errorf("%q: %+v", hosts, p)
		}
	}
	p := newParty([]string{"192.0.2.1", "Evidence.Example.org.", "a.evidence.example.org", "elsewhere.example"}, "metro-pd")
	if p == nil || p.id != "evidence.example.org" || len(p.hosts) != 2 {
		t.Errorf("%+v", p)
	}
}

// FuzzPasskeyResponses gives the border what browsers could send.
func FuzzPasskeyResponses(f *testing.F) {
	site := virtualwebauthn.RelyingParty{ID: "evidence.example.org", Name: "Sealdock", Origin: site}
	cred := newCredential(virtualwebauthn.KeyTypeEC2)
	f.Add([]byte(virtualwebauthn.CreateAttestationResponse(site, virtualwebauthn.NewAuthenticator(), cred, virtualwebauthn.AttestationOptions{Challenge: []byte("0123456789abcdef")})))
	f.Add([]byte(virtualwebauthn.CreateAssertionResponse(site, virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte("u1")}), cred, virtualwebauthn.AssertionOptions{Challenge: []byte("0123456789abcdef")})))
	for _, s := range []string{"", "{}", "null", `{"id":"AA","rawId":"AA","type":"public-key","response":{"attestationObject":"oA","clientDataJSON":"e30"}}`} {
		f.Add([]byte(s))
	}
	p := newParty([]string{"evidence.example.org"}, "metro-pd")
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := parseAssertion(b); err == nil {
			if len(a.RawID) == 0 || len(a.RawID) > maxCredential {
				t.Errorf("an id of %d bytes", len(a.RawID))
			}
			if _, err := p.answered(&a.Response.CollectedClientData); err == nil && !strings.Contains(strings.ToLower(a.Response.CollectedClientData.Origin), "evidence.example.org") {
				t.Errorf("the origin %q is taken for ours", a.Response.CollectedClientData.Origin)
			}
		}
		if a, err := parseAttestation(b); err == nil && (len(a.RawID) == 0 || len(a.RawID) > maxCredential) {
			t.Errorf("an id of %d bytes", len(a.RawID))
		}
	})
}
