package settings

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

const agency = "metro-pd"

// rig is two nodes on one catalog, with a clock that a test moves.
type rig struct {
	*Service
	t     *testing.T
	other *Service
	db    *sqldb.DB
	at    time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, at: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	now := func() time.Time { return r.at }
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "catalog.db"), now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r.db = db
	for _, node := range []**Service{&r.Service, &r.other} {
		if *node, err = New(t.Context(), Config{Catalog: db, Agency: agency, Now: now, Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *rig) desk(role auth.Role, address string) *Desk {
	return r.For(&auth.Actor{User: "u1", Agency: agency, Name: "Alba Moreno", Role: role, Powers: auth.ShippedPowers(role), Origin: auth.Origin{Address: address}})
}

func (r *rig) administrator() *Desk { return r.desk(auth.Administrator, "10.20.0.7") }

func (r *rig) events(object string) []evidence.Event {
	r.t.Helper()
	rows, err := r.db.Events(r.t.Context(), catalog.EventFilter{Agency: agency, Type: evidence.EventSettingChanged, Object: object}, 100)
	if err != nil {
		r.t.Fatal(err)
	}
	var all []evidence.Event
	for _, row := range rows {
		var e evidence.Event
		if err := evidence.Decode(row.JSON, &e); err != nil {
			r.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func (r *rig) set(d *Desk, name, value, reason string) {
	r.t.Helper()
	if _, err := d.Set(r.t.Context(), Change{Name: name, Value: value, Reason: reason}); err != nil {
		r.t.Fatal(err)
	}
}

func TestEachSettingIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range All() {
		if seen[d.Name] || d.Title == "" || d.Help == "" || d.Group == "" || d.Max <= 0 && d.Kind != Switch && d.Kind != Choice {
			t.Errorf("%+v", d)
		}
		seen[d.Name] = true
		canonical, err := d.Canonical(d.Default)
		if err != nil || canonical != d.Default {
			t.Errorf("%s: the default %q is %q, %v", d.Name, d.Default, canonical, err)
		}
		if d.Compare(d.Default) != AsDefault {
			t.Errorf("%s: the default is not as default", d.Name)
		}
	}
}

// The defaults of the registry and those that auth falls back to are the same.
func TestAnAgencyThatDecidesNothingHasTheDefaultPolicy(t *testing.T) {
	r := newRig(t)
	got, want := r.Policy(t.Context()), auth.DefaultPolicy()
	if got.MinPassword != want.MinPassword || got.Classes != want.Classes || got.BlockList != want.BlockList || len(got.OwnWords) != 0 || got.History != want.History ||
		got.Failures != want.Failures || got.Window != want.Window || got.Lock != want.Lock || got.Idle != want.Idle || got.Absolute != want.Absolute || !got.Networks.Allow(auth.Operator, "203.0.113.9") {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestValuesAreCheckedAndCompared(t *testing.T) {
	for _, c := range []struct {
		name, value, canonical string // "!" for refused
		standing               Standing
	}{
		{PasswordLength, "7", "!", ""}, {PasswordLength, "14", "14", Weaker}, {PasswordLength, "65", "!", ""}, {PasswordLength, " 020 ", "20", Stronger}, {PasswordLength, "15", "15", AsDefault}, {PasswordLength, "1e3", "!", ""}, {PasswordLength, "", "!", ""},
		{PasswordList, "off", "off", Weaker}, {PasswordList, "true", "!", ""}, {PasswordClasses, "3", "3", Stronger}, {PasswordHistory, "0", "0", Weaker},
		{SignInFailures, "10", "10", Weaker}, {SignInFailures, "3", "3", Stronger}, {SignInFailures, "11", "!", ""}, {SignInFailures, "0", "!", ""},
		{DormantDays, "0", "0", Weaker}, {DormantDays, "30", "30", Stronger}, {DormantDays, "120", "120", Weaker}, {DormantDays, "366", "!", ""},
		{SignInLock, "30", "30", Weaker}, {SignInLock, "0", "0", AsDefault}, {SessionIdle, "60", "60", Weaker}, {SessionIdle, "61", "!", ""}, {SessionIdle, "5", "5", Stronger},
		{TLSMinimum, "1.2", "1.2", Weaker}, {TLSMinimum, "1.1", "!", ""},
		{Networks, "10.20.5.9/16\r\n\r\n 2001:DB8::1/32 \n10.20.0.0/16\n192.0.2.7", "10.20.0.0/16\n2001:db8::/32\n192.0.2.7/32", Stronger},
		{Networks, "0.0.0.0/0", "!", ""}, {Networks, "::/0", "!", ""}, {Networks, "::ffff:10.0.0.0/104", "!", ""}, {Networks, "10.0.0.0/33", "!", ""}, {Networks, "localhost", "!", ""}, {Networks, "fe80::1%eth0", "!", ""},
		{RoleNetworks, "administrator  10.20.5.1/24", "administrator 10.20.5.0/24", Stronger}, {RoleNetworks, "10.20.5.0/24", "!", ""}, {RoleNetworks, "administrator", "!", ""},
		{SecurityContact, "mailto:security@example.org\nhttps://example.org/report", "mailto:security@example.org\nhttps://example.org/report", Stronger},
		{CodeGateway, "https://sms.example.org:8443/codes?agency=1", "https://sms.example.org:8443/codes?agency=1", Weaker}, {CodeGateway, " ", "", AsDefault}, {CodeGateway, "http://sms.example.org/", "!", ""},
		{CodeGateway, "https://u:p@sms.example.org/", "!", ""}, {CodeGateway, "https:///codes", "!", ""}, {CodeGateway, "https://a.example/ https://b.example/", "!", ""}, {CodeGateway, "https://a.example/#x", "!", ""},
		{CodeMinutes, "10", "10", Weaker}, {CodeMinutes, "11", "!", ""}, {CodesPerHour, "10", "10", Stronger},
		{SecurityContact, "javascript:alert(1)", "!", ""}, {SecurityContact, "http://example.org", "!", ""}, {SecurityContact, "mailto:a@b?bcc=c@d", "!", ""}, {SecurityContact, "https://user:pw@example.org", "!", ""}, {SecurityContact, "tel:+1-201-555-0123", "tel:+1-201-555-0123", Stronger},
		{SecurityContact, "mailto:a@b\x00c", "!", ""}, {PasswordOwnWords, "Harbour\nharbour\nab", "!", ""}, {PasswordOwnWords, "Harbour\nharbour", "harbour", Stronger},
		{UseNotice, strings.Repeat("é", 4000), strings.Repeat("é", 4000), Stronger}, {UseNotice, strings.Repeat("é", 4001), "!", ""}, {UseNotice, "\xff", "!", ""},
	} {
		d, _ := Find(c.name)
		canonical, err := d.Canonical(c.value)
		if c.canonical == "!" {
			if !errors.Is(err, ErrValue) {
				t.Errorf("%s %q is taken as %q, %v", c.name, shorten(c.value), canonical, err)
			}
			continue
		}
		if err != nil || canonical != c.canonical || d.Compare(canonical) != c.standing {
			t.Errorf("%s %q: %q, %v, %s", c.name, shorten(c.value), canonical, err, d.Compare(canonical))
		}
	}
}

func TestAChangeHoldsOnAllNodesWithinASecondAndIsAnEvent(t *testing.T) {
	r := newRig(t)
	r.Policy(t.Context())
	r.other.Policy(t.Context())
	r.set(r.administrator(), SessionIdle, "5", "")
	if r.Policy(t.Context()).Idle != 5*time.Minute {
		t.Error("it does not hold at once where it was made")
	}
	r.at = r.at.Add(time.Second)
	if r.other.Policy(t.Context()).Idle != 5*time.Minute {
		t.Error("it does not hold on another node after a second")
	}
	r.set(r.administrator(), SessionIdle, "5", "") // no change, no event
	all := r.events("setting:" + SessionIdle)
	if len(all) != 1 {
		t.Fatalf("%d events", len(all))
	}
	e := all[0]
	if e.Outcome != evidence.OutcomeDone || e.Actor.ID != "u1" || e.Source != "10.20.0.7" || e.Details["before"] != "30" || e.Details["after"] != "5" || e.Details["standing"] != "stronger" {
		t.Errorf("%+v", e)
	}
	past, err := r.administrator().History(t.Context(), SessionIdle, 5)
	if err != nil || len(past) != 1 || past[0].Before != "30" || !past[0].Whole {
		t.Errorf("%+v, %v", past, err)
	}
	if _, err := r.administrator().Set(t.Context(), Change{Name: SessionIdle, Unset: true}); err != nil || r.Number(t.Context(), SessionIdle) != 30 {
		t.Errorf("it does not go back to its default: %v", err)
	}
}

// Cases 33 and 35: whoever may not, or wants what is out of bounds, changes
// nothing, and is on record.
func TestRefusedChangesAreEventsAndChangeNothing(t *testing.T) {
	r := newRig(t)
	was := "16"
	for _, c := range []struct {
		desk *Desk
		c    Change
		want error
	}{
		{r.desk(auth.Operator, "10.20.0.7"), Change{Name: PasswordLength, Value: "20"}, auth.ErrForbidden},
		{r.For(nil), Change{Name: PasswordLength, Value: "20"}, auth.ErrForbidden},
		{r.For(&auth.Actor{User: "u9", Agency: "other-pd", Role: auth.Administrator, Powers: auth.ShippedPowers(auth.Administrator)}), Change{Name: PasswordLength, Value: "20"}, auth.ErrForbidden},
		{r.administrator(), Change{Name: PasswordLength, Value: "8", Reason: "asked by a test"}, ErrValue},
		{r.administrator(), Change{Name: PasswordLength, Value: strings.Repeat("9\n", 20_000)}, ErrValue},
		{r.administrator(), Change{Name: PasswordLength, Value: "20", Was: &was}, ErrConflict},
		{r.administrator(), Change{Name: PasswordList, Value: "off", Reason: "  "}, ErrReason},
		{r.administrator(), Change{Name: Networks, Value: "192.0.2.0/24"}, ErrLockout},
		{r.administrator(), Change{Name: RoleNetworks, Value: "administrator 192.0.2.0/24"}, ErrLockout},
	} {
		if _, err := c.desk.Set(t.Context(), c.c); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.c.Name, err, c.want)
		}
	}
	if _, err := r.administrator().Set(t.Context(), Change{Name: "role"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("a name that there is not: %v", err)
	}
	refused := 0
	for _, e := range r.events("") {
		if e.Outcome != evidence.OutcomeRefused || e.Details["refused"] == "" {
			t.Errorf("%+v", e)
		}
		refused++
	}
	if refused != 8 { // nobody at all is on no record
		t.Errorf("%d refusals on record, want 8", refused)
	}
	for _, d := range All() {
		if r.Value(t.Context(), d.Name) != d.Default {
			t.Errorf("%s was changed", d.Name)
		}
	}
}

func TestWhereTheEventCannotBeWrittenNothingChanges(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.administrator().Set(ctx, Change{Name: SessionIdle, Value: "5"}); err == nil {
		t.Fatal("a change without a transaction")
	}
	if r.Number(t.Context(), SessionIdle) != 30 || len(r.events("")) != 0 {
		t.Error("half a change")
	}
}

func TestTheCommandLineIsTheWayBackIn(t *testing.T) {
	r := newRig(t)
	r.set(r.CommandLine(), Networks, "192.0.2.0/24", "")
	if r.Policy(t.Context()).Networks.Allow(auth.Administrator, "10.20.0.7") {
		t.Fatal("the list does not hold")
	}
	if !r.Policy(t.Context()).Networks.Allow(auth.Administrator, "local") {
		t.Error("the command line is shut out")
	}
	if _, err := r.CommandLine().Set(t.Context(), Change{Name: Networks, Unset: true, Reason: "nobody could sign in"}); err != nil {
		t.Fatal(err)
	}
	if !r.Policy(t.Context()).Networks.Allow(auth.Administrator, "10.20.0.7") {
		t.Error("still shut out")
	}
	if all := r.events("setting:" + Networks); len(all) != 2 || all[0].Actor.ID != "local" {
		t.Errorf("%+v", all)
	}
}

// A stored value that is no good, as after a downgrade or by other hands in the
// database, never counts.
func TestAStoredValueOutOfBoundsCountsAsNotSet(t *testing.T) {
	r := newRig(t)
	for name, value := range map[string]string{PasswordLength: "1", Networks: "everywhere", "fleet.of_others": "7"} {
		err := r.db.Update(t.Context(), func(tx *sqldb.Tx) error {
			return tx.SetSetting(t.Context(), &catalog.Setting{Agency: agency, Name: name, Value: value, UpdatedAt: r.at, UpdatedBy: "local"})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	r.at = r.at.Add(time.Second)
	if p := r.Policy(t.Context()); p.MinPassword != 15 || !p.Networks.Allow(auth.Operator, "203.0.113.9") {
		t.Errorf("%+v", p)
	}
}

func TestThePostureNamesWhatIsWeaker(t *testing.T) {
	r := newRig(t)
	r.Facts = func(context.Context) []Fact {
		return []Fact{{Name: "clock", Title: "Clock", Value: "kept", Standing: AsDefault}}
	}
	r.set(r.administrator(), SignInFailures, "8", "officers type with gloves")
	r.set(r.administrator(), PasswordLength, "20", "")
	err := r.db.Update(t.Context(), func(tx *sqldb.Tx) error {
		for _, u := range []catalog.User{
			{ID: "u1", Agency: agency, Login: "a.moreno", Role: "administrator", CreatedAt: r.at.AddDate(-1, 0, 0), LastSignInAt: r.at},
			{ID: "u2", Agency: agency, Login: "gone", Role: "operator", CreatedAt: r.at.AddDate(-1, 0, 0), LastSignInAt: r.at.AddDate(0, -4, 0)},
			{ID: "u3", Agency: agency, Login: "out", Role: "operator", CreatedAt: r.at.AddDate(-1, 0, 0), DisabledAt: r.at, DormantAt: r.at},
		} {
			if err := tx.InsertUser(t.Context(), &u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := r.administrator().Posture(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		SignInFailures: "weaker 8 tries", PasswordLength: "stronger 20 characters", SessionIdle: "default 30 minutes", "clock": "default kept",
		"accounts.administrators": "weaker 1 account", "accounts.dormant": "weaker 1 unused and open, 1 disabled for that", "accounts.without_factor": "default 2 accounts", SignInLock: "default until an administrator releases it",
	}
	for _, l := range lines {
		if w, ok := want[l.Name]; ok && string(l.Standing)+" "+l.Value != w {
			t.Errorf("%s: %s %s, want %s", l.Name, l.Standing, l.Value, w)
		}
		delete(want, l.Name)
		if l.Standing == Weaker && l.Todo == "" {
			t.Errorf("%s: weaker, and nobody says what to do", l.Name)
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	if _, err := r.desk(auth.Operator, "10.20.0.7").Posture(t.Context()); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("an operator: %v", err)
	}
}

func FuzzAValueIsRefusedOrInOrder(f *testing.F) {
	f.Add("10.0.0.0/8\nadministrator 10.0.0.0/8\nmailto:a@b")
	f.Fuzz(func(t *testing.T, value string) {
		for _, d := range All() {
			canonical, err := d.Canonical(value)
			if err != nil {
				continue
			}
			again, err := d.Canonical(canonical)
			if err != nil || again != canonical {
				t.Errorf("%s: %q becomes %q, then %q, %v", d.Name, value, canonical, again, err)
			}
			networksOf(d, canonical)
		}
	})
}

// networksOf would panic where a canonical list of networks is none.
func networksOf(d Definition, value string) {
	switch d.Kind {
	case Prefixes:
		networks(value, "")
	case ByRole:
		networks("", value)
	}
}

func TestShortPasswordsWantASecondFactorOfEverybody(t *testing.T) {
	r := newRig(t)
	short := Change{Name: PasswordLength, Value: "8", Reason: "everybody has a key"}
	rule := func(required, when, grace string) {
		t.Helper()
		for name, value := range map[string]string{"auth.factor_required": required, "auth.factor_when": when, "auth.factor_grace_days": grace} {
			if err := r.Catalog.Update(t.Context(), func(tx *sqldb.Tx) error {
				return tx.SetSetting(t.Context(), &catalog.Setting{Agency: r.Agency, Name: name, Value: value, UpdatedAt: r.Now(), UpdatedBy: "test"})
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := r.administrator().Set(t.Context(), short); !errors.Is(err, ErrValue) {
		t.Errorf("by default: %v", err)
	}
	for _, weak := range [][3]string{{"administrators", "always", "0"}, {"nobody", "always", "0"}, {"everyone", "new-place", "0"}, {"everyone", "always", "1"}} {
		rule(weak[0], weak[1], weak[2])
		if _, err := r.administrator().Set(t.Context(), short); !errors.Is(err, ErrValue) {
			t.Errorf("under %v: %v", weak, err)
		}
		if _, err := r.CommandLine().Set(t.Context(), short); !errors.Is(err, ErrValue) {
			t.Errorf("under %v, at the command line: %v", weak, err)
		}
	}
	rule("everyone", "always", "0")
	if _, err := r.administrator().Set(t.Context(), Change{Name: PasswordLength, Value: "8"}); !errors.Is(err, ErrReason) {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := r.administrator().Set(t.Context(), short); err != nil {
		t.Fatal(err)
	}
	if err := r.Policy(t.Context()).CheckPassword("7gÜ.pq2x"); err != nil {
		t.Errorf("eight characters: %v", err)
	}
	if _, err := r.administrator().Set(t.Context(), Change{Name: PasswordLength, Value: "7", Reason: "x"}); !errors.Is(err, ErrValue) {
		t.Errorf("seven: %v", err)
	}
}
