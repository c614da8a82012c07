package auth

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// token makes a token of an actor who is fresh.
func (d *desk) token(actor *Actor, scopes ...Action) string {
	d.t.Helper()
	text, _, err := d.MakeToken(d.t.Context(), actor, NewToken{Name: "for " + strings.Join(strings.Split(scopeText(scopes), " "), ", "), Scopes: scopes})
	if err != nil {
		d.t.Fatal(err)
	}
	return text
}

// one is another person, who is signed in.
func (d *desk) one(boss *Actor, role Role) (id string, one *Actor) {
	d.t.Helper()
	id, invitation, err := d.Desk(boss).Invite(d.t.Context(), NewPerson{Login: "o.ne", Name: "One", Role: role})
	if err == nil {
		err = d.Join(d.t.Context(), invitation, password, home)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	session, err := d.signIn("o.ne", password)
	if err != nil {
		d.t.Fatal(err)
	}
	return id, d.actor(session)
}

var afar = Origin{Address: "198.51.100.7", Browser: "curl/8"}

func TestATokenMayWhatItsScopesAndItsPersonMay(t *testing.T) {
	d := newDesk(t)
	boss, _ := d.admin()
	text := d.token(boss, ListItems, ViewItem)
	a, err := d.TokenActor(t.Context(), text, afar)
	if err != nil {
		t.Fatal(err)
	}
	if a.Client != API || a.Token == nil || a.User != boss.User || !strings.HasPrefix(a.Custody().Client, "token "+a.Token.ID+"; curl/8") {
		t.Errorf("the actor is %+v, on record %+v", a, a.Custody())
	}
	on := Object{Agency: "metro-pd"}
	for _, deed := range Deeds() {
		want := deed.Action == ListItems || deed.Action == ViewItem
		if May(a, deed.Action, on) != want || ReachOf(a, deed.Action, "metro-pd").All != want {
			t.Errorf("%s: %v", deed.Action, !want)
		}
	}
	if !errors.Is(Fresh(a, d.now()), ErrTokenAct) {
		t.Error("a token counts as fresh")
	}
	if d.count(evidence.EventTokenMade) != 1 {
		t.Error("that it was made is not on record once")
	}
}

// Whatever a person may, and whatever scopes a token has, it reaches no further than both.
func TestATokenNeverReachesFurther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		role := rapid.SampledFrom(shippedRoles()).Draw(t, "role")
		a := &Actor{User: "u", Agency: "shipped", Role: role.id, Token: &TokenInfo{}, Client: API}
		for _, d := range Deeds() {
			if rapid.Bool().Draw(t, string(d.Action)) {
				a.Token.Scopes = append(a.Token.Scopes, d.Action)
			}
		}
		limit := rapid.SampledFrom([]Limit{"", Looking, nothing}).Draw(t, "limit")
		own := &Actor{User: "u", Agency: "shipped", Powers: ShippedPowers(role.id)}
		a.Powers = own.Powers.limited(a, limit)
		for _, d := range Deeds() {
			want := MaySome(own, d.Action, "shipped") && slices.Contains(a.Token.Scopes, d.Action) && ForTokens(d.Action) && limit != nothing && (limit == "" || d.Looks)
			if MaySome(a, d.Action, "shipped") != want {
				t.Fatalf("%s with %v of %s under %q: %v", d.Action, a.Token.Scopes, role.id, limit, !want)
			}
		}
	})
}

func TestATokenIsDeadAtOnce(t *testing.T) {
	d := newDesk(t)
	boss, _ := d.admin()
	in := func(text string) error { _, err := d.TokenActor(t.Context(), text, afar); return err }

	revoked := d.token(boss, ListItems)
	a, err := d.TokenActor(t.Context(), revoked, afar)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.RevokeToken(t.Context(), &Actor{User: "another"}, a.Token.ID); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("another person revokes it: %v", err)
	}
	if err := d.RevokeToken(t.Context(), boss, a.Token.ID); err != nil || !errors.Is(in(revoked), ErrToken) {
		t.Errorf("revoked: %v", err)
	}

	short, _, err := d.MakeToken(t.Context(), boss, NewToken{Name: "short", Scopes: []Action{ListItems}, Life: 2 * time.Hour})
	if err != nil || in(short) != nil {
		t.Fatal(err, in(short))
	}
	d.wait(2 * time.Hour)
	if !errors.Is(in(short), ErrToken) {
		t.Error("it outlives its end")
	}

	if reasons := d.refusedFor(evidence.EventTokenRefused); len(reasons) != 2 {
		t.Errorf("refusals on record: %q", reasons)
	}
}

func TestADisabledPersonsTokenIsDeadAndStaysSo(t *testing.T) {
	d := newDesk(t)
	boss, _ := d.admin()
	id, one := d.one(boss, Auditor)
	text := d.token(one, ListItems)
	if _, err := d.TokenActor(t.Context(), text, afar); err != nil {
		t.Fatal(err)
	}
	if err := d.Desk(boss).Disable(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := d.TokenActor(t.Context(), text, afar); !errors.Is(err, ErrToken) {
		t.Errorf("disabled: %v", err)
	}
	if err := d.Desk(boss).Enable(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := d.TokenActor(t.Context(), text, afar); !errors.Is(err, ErrToken) {
		t.Errorf("enabled again, the token is back: %v", err)
	}
}

// A role that is taken from a person is taken from the tokens, from the next request on.
func TestATokenLosesWhatItsPersonLoses(t *testing.T) {
	d := newDesk(t)
	boss, _ := d.admin()
	id, one := d.one(boss, EvidenceManager)
	text := d.token(one, ListItems, DownloadItem)
	if err := d.Desk(boss).Change(t.Context(), id, Auditor, ""); err != nil {
		t.Fatal(err)
	}
	a, err := d.TokenActor(t.Context(), text, afar)
	if err != nil || MaySome(a, DownloadItem, "metro-pd") || !MaySome(a, ListItems, "metro-pd") {
		t.Errorf("%v, it may download: %v", err, MaySome(a, DownloadItem, "metro-pd"))
	}
}

func TestWhatNoTokenCanBe(t *testing.T) {
	d := newDesk(t)
	boss, _ := d.admin()
	for name, want := range map[string]NewToken{
		"no name":           {Scopes: []Action{ListItems}},
		"no scope":          {Name: "x"},
		"an unknown scope":  {Name: "x", Scopes: []Action{"everything"}},
		"people":            {Name: "x", Scopes: []Action{ManageAccount}},
		"keys":              {Name: "x", Scopes: []Action{ListItems, ManageKeys}},
		"a life too long":   {Name: "x", Scopes: []Action{ListItems}, Life: 91 * 24 * time.Hour},
		"a life of nothing": {Name: "x", Scopes: []Action{ListItems}, Life: -1},
		"a strange network": {Name: "x", Scopes: []Action{ListItems}, Networks: []string{"here"}},
		"a browser":         {Name: "x", Scopes: []Action{ListItems}, Client: Web},
	} {
		var person *PersonError
		if _, _, err := d.MakeToken(t.Context(), boss, want); !errors.As(err, &person) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.wait(FreshFor)
	if _, _, err := d.MakeToken(t.Context(), boss, NewToken{Name: "x", Scopes: []Action{ListItems}}); !errors.Is(err, ErrFreshFactor) {
		t.Errorf("without a fresh factor: %v", err)
	}
	auditor := &Actor{User: boss.User, Agency: "metro-pd", Session: boss.Session, FactorAt: d.now(), Powers: ShippedPowers(Auditor), Origin: home}
	if _, _, err := d.MakeToken(t.Context(), auditor, NewToken{Name: "x", Scopes: []Action{DownloadItem}}); !errors.Is(err, ErrBeyond) {
		t.Errorf("for more than the person may: %v", err)
	}
	if reasons := d.refusedFor(evidence.EventTokenMade); len(reasons) != 2 {
		t.Errorf("refusals on record: %q", reasons)
	}
	for n := range MaxTokens {
		if _, _, err := d.MakeToken(t.Context(), &Actor{User: boss.User, Agency: "metro-pd", Session: boss.Session, FactorAt: d.now(), Powers: boss.Powers, Origin: home}, NewToken{Name: strings.Repeat("x", n+1), Scopes: []Action{ListItems}}); err != nil {
			t.Fatal(n, err)
		}
	}
	boss.FactorAt = d.now()
	if _, _, err := d.MakeToken(t.Context(), boss, NewToken{Name: "one more", Scopes: []Action{ListItems}}); !errors.Is(err, ErrManyTokens) {
		t.Errorf("one too many: %v", err)
	}
}

func TestATokenIsForItsNetworksAndItsRolesPrograms(t *testing.T) {
	d := newDesk(t)
	boss, _ := d.admin()
	text, _, err := d.MakeToken(t.Context(), boss, NewToken{Name: "x", Scopes: []Action{ListItems, DownloadItem}, Networks: []string{"198.51.100.0/24"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.TokenActor(t.Context(), text, Origin{Address: "203.0.113.5"}); !errors.Is(err, ErrToken) {
		t.Errorf("from elsewhere: %v", err)
	}
	policy := DefaultPolicy()
	d.decided = func(context.Context) Policy { return policy }
	policy.Clients = Clients{EveryRole: {API: Looking}}
	a, err := d.TokenActor(t.Context(), text, afar)
	if err != nil || !MaySome(a, ListItems, "metro-pd") || MaySome(a, DownloadItem, "metro-pd") {
		t.Errorf("programs that may only look: %v", err)
	}
	if session, err := d.signIn("a.moreno", password); err != nil || !MaySome(d.actor(session), DownloadItem, "metro-pd") {
		t.Error("the browser is limited, too")
	}
	policy.Clients = Clients{Administrator: {API: nothing}}
	if _, err := d.TokenActor(t.Context(), text, afar); !errors.Is(err, ErrNoTokens) {
		t.Errorf("where the role may use no programs: %v", err)
	}
	phone, made, err := d.MakeToken(t.Context(), boss, NewToken{Name: "phone", Scopes: []Action{ListItems, DownloadItem}, Client: Mobile})
	if err != nil || made.Client != Mobile {
		t.Fatal(made.Client, err)
	}
	if a, err := d.TokenActor(t.Context(), phone, afar); err != nil || a.Client != Mobile || !MaySome(a, DownloadItem, "metro-pd") {
		t.Errorf("on a phone, where the limit is of other programs: %v", err)
	}
	policy.Clients = Clients{Administrator: {Mobile: Looking}}
	if a, err := d.TokenActor(t.Context(), phone, afar); err != nil || !MaySome(a, ListItems, "metro-pd") || MaySome(a, DownloadItem, "metro-pd") {
		t.Errorf("on phones that may only look: %v", err)
	}
	if a, err := d.TokenActor(t.Context(), text, afar); err != nil || !MaySome(a, DownloadItem, "metro-pd") {
		t.Errorf("other programs are limited like phones: %v", err)
	}
	policy.Clients, policy.TokenLife = nil, time.Hour
	d.wait(time.Hour)
	if _, err := d.TokenActor(t.Context(), text, afar); !errors.Is(err, ErrToken) {
		t.Errorf("where no token may be so old any more: %v", err)
	}
}

func TestTokensOfWhoNeedsAFactorWaitForIt(t *testing.T) {
	d := newDesk(t)
	boss, _ := d.admin()
	text := d.token(boss, ListItems)
	d.set(settingRequired, "everyone")
	if _, err := d.TokenActor(t.Context(), text, afar); !errors.Is(err, ErrMustEnrol) {
		t.Errorf("without the factor: %v", err)
	}
	d.app(boss)
	if _, err := d.TokenActor(t.Context(), text, afar); err != nil {
		t.Errorf("with it: %v", err)
	}
}

// A token is read in one form alone, and noise is not looked up.
func TestATokenHasOneForm(t *testing.T) {
	secret := make([]byte, tokenSecret)
	for i := range secret {
		secret[i] = byte(i * 7)
	}
	text := tokenText(secret)
	if hash, ok := readToken(text); !ok || hash != evidence.SHA256(secret) || len(text) != 44 || !strings.HasPrefix(text, "sdk_") {
		t.Fatal(text)
	}
	for i := range text {
		other := []byte(text)
		if other[i]++; other[i] > 'z' {
			other[i] = 'a'
		}
		if _, ok := readToken(string(other)); ok {
			t.Errorf("with a letter changed it is still one: %s", other)
		}
	}
	for _, other := range []string{strings.ToUpper(text), text + "=", " " + text, text[:43], "", "sdk_"} {
		if _, ok := readToken(other); ok {
			t.Errorf("%q is one", other)
		}
	}
}

func FuzzReadToken(f *testing.F) {
	f.Add(tokenText(make([]byte, tokenSecret)))
	f.Add("sdk_")
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok := readToken(text); ok && (len(text) != 44 || !strings.HasPrefix(text, TokenPrefix)) {
			t.Errorf("%q is a token", text)
		}
	})
}

func TestWhoAsksIsSaidOnce(t *testing.T) {
	for _, c := range []struct {
		headers []string
		cookie  bool
		token   string
		err     error
	}{
		{nil, true, "", nil}, {[]string{"Bearer sdk_x"}, false, "sdk_x", nil}, {[]string{"bearer sdk_x"}, false, "sdk_x", nil},
		{[]string{"Bearer sdk_x"}, true, "", ErrTwoWays}, {[]string{"Bearer a", "Bearer b"}, false, "", ErrTwoWays}, {[]string{"Basic YTpi"}, false, "", ErrTwoWays}, {[]string{"Bearer "}, false, "", ErrTwoWays}, {[]string{""}, false, "", ErrTwoWays},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		for _, h := range c.headers {
			r.Header.Add("Authorization", h)
		}
		if c.cookie {
			r.AddCookie(Cookie("x"))
		}
		if token, err := Bearer(r); token != c.token || !errors.Is(err, c.err) {
			t.Errorf("%q, cookie %v: %q, %v", c.headers, c.cookie, token, err)
		}
	}
}

func TestTokensEndWithThePasswordAndWithFactors(t *testing.T) {
	d := newDesk(t)
	boss, _ := d.admin()
	d.token(boss, ListItems)
	text := d.token(boss, ViewItem)
	holds := func() bool {
		_, err := d.TokenActor(t.Context(), text, afar)
		return err == nil
	}
	local := evidence.Actor{Kind: "server", ID: "local"}
	d.wait(4 * time.Second)
	session, err := d.ChangePassword(t.Context(), boss, password, "meadow copper violin 8", true, home)
	if err != nil || !holds() {
		t.Fatalf("kept: %v", err)
	}
	boss = d.actor(session)
	boss.FactorAt = d.now()
	d.wait(4 * time.Second)
	if session, err = d.ChangePassword(t.Context(), boss, "meadow copper violin 8", "meadow copper violin 9", false, home); err != nil || holds() {
		t.Errorf("not kept: %v", err)
	}
	if n := d.count(evidence.EventTokenRevoked); n != 2 {
		t.Errorf("%d events", n)
	}
	boss = d.actor(session)
	boss.FactorAt = d.now()
	text = d.token(boss, ViewItem)
	if err := d.SetPassword(t.Context(), "a.moreno", "meadow copper violin 10", local, Origin{}); err != nil || holds() {
		t.Errorf("set by somebody else: %v", err)
	}
	if session, err = d.signIn("a.moreno", "meadow copper violin 10"); err != nil {
		t.Fatal(err)
	}
	text = d.token(d.actor(session), ViewItem)
	if err := d.ResetFactors(t.Context(), "a.moreno", local, Origin{}); err != nil || holds() {
		t.Errorf("after factors were reset: %v", err)
	}
	if n := d.count(evidence.EventTokenRevoked); n != 4 {
		t.Errorf("%d events", n)
	}
}
