package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

func TestCamerasAreToldOfEachChangeOfDocks(t *testing.T) {
	g := newRig(t)
	first := g.trusted(g.ask(nil))
	if len(first.Docks) != 0 || len(first.ReceiptKeys) != 1 || !bytes.Equal(first.ReceiptKeys[0], g.ReceiptKeys[0]) || first.Agency != "springfield" {
		t.Fatalf("the first trust is %+v", first)
	}
	last := first.Number
	step := func(what string, want ...evidence.TrustedDock) {
		t.Helper()
		got := g.trusted(g.ask(nil))
		if got.Number <= last {
			t.Errorf("%s: number %d after %d", what, got.Number, last)
		}
		last = got.Number
		if len(got.Docks) != len(want) {
			t.Fatalf("%s: %d docks are trusted, want %d", what, len(got.Docks), len(want))
		}
		for i := range want {
			if got.Docks[i].Dock != want[i].Dock || !bytes.Equal(got.Docks[i].Key, want[i].Key) {
				t.Errorf("%s: dock %d is %s with another key, want %s", what, i, got.Docks[i].Dock, want[i].Dock)
			}
		}
	}
	front := g.enrol("front-desk")
	step("a dock was enrolled", evidence.TrustedDock{Dock: "front-desk", Key: front})
	back := g.enrol("back-door")
	step("another one", evidence.TrustedDock{Dock: "back-door", Key: back}, evidence.TrustedDock{Dock: "front-desk", Key: front})
	front = g.enrol("front-desk")
	step("the first one anew", evidence.TrustedDock{Dock: "back-door", Key: back}, evidence.TrustedDock{Dock: "front-desk", Key: front})
	g.enable("back-door", false)
	step("one was stolen", evidence.TrustedDock{Dock: "front-desk", Key: front})
	if n := g.events(evidence.EventCameraTrustIssued); n != 5 {
		t.Errorf("%d events tell of trust, want 5", n)
	}
	again := g.trusted(g.ask(nil))
	if again.Number != last || g.events(evidence.EventCameraTrustIssued) != 5 {
		t.Errorf("without a change the trust went from %d to %d", last, again.Number)
	}
}

func TestADisabledDockIsTrustedNoMoreAtOnce(t *testing.T) {
	g := newRig(t)
	g.enrol("front-desk")
	back := g.enrol("back-door")
	before := g.trusted(g.ask(nil))
	set := func(dock evidence.DockID, enabled bool, want int) *evidence.CameraTrust {
		t.Helper()
		g.must(g.Docks().SetEnabled(t.Context(), dock, enabled, ""))
		p, err := g.Policy(t.Context(), "springfield", nil)
		g.must(err)
		trust := g.trusted(p)
		if len(trust.Docks) != want {
			t.Fatalf("cameras are told of %d docks, want %d", len(trust.Docks), want)
		}
		return trust
	}
	after := set("front-desk", false, 1)
	if after.Number <= before.Number || !bytes.Equal(after.Docks[0].Key, back) {
		t.Errorf("after trust %d cameras are told %+v", before.Number, after)
	}
	set("front-desk", true, 2)
	if err := g.Docks().SetEnabled(t.Context(), "nowhere", false, ""); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("an unknown dock got %v", err)
	}
	if g.events(evidence.EventDockDisabled) != 1 || g.events(evidence.EventDockEnabled) != 1 {
		t.Error("the events of it are missing")
	}
}

func TestTrustIsIssuedWithTheActThatChangesIt(t *testing.T) {
	g := newRig(t)
	g.must(g.db.Update(t.Context(), func(tx *sqldb.Tx) error { return g.RenewTrust(t.Context(), tx) }))
	boom := errors.New("boom")
	err := g.db.Update(t.Context(), func(tx *sqldb.Tx) error {
		dock := &catalog.Dock{Agency: "springfield", ID: "front-desk", Station: "main", StatementKey: make([]byte, 32), Enabled: true, EnrolledAt: g.now()}
		if err := errors.Join(tx.RegisterDock(t.Context(), dock), g.RenewTrust(t.Context(), tx)); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if got := g.trusted(g.ask(nil)); len(got.Docks) != 0 {
		t.Errorf("an enrolment that failed is trusted: %+v", got.Docks)
	}
}

func TestNumbersGoOnAfterARestoreFromABackup(t *testing.T) {
	g := newRig(t)
	before := g.trusted(g.ask(nil)).Number
	profile, err := g.PublishSettings(t.Context(), CommandLine(), "X3", map[string]string{"resolution": "1080p"})
	g.must(err)
	// The same authority on an older catalog: an empty one.
	older := newRig(t)
	older.at = g.at.Add(time.Hour)
	older.Key = g.Key
	older.enrol("front-desk")
	if after := older.trusted(older.ask(nil)).Number; after <= before {
		t.Errorf("trust %d was given out after %d", after, before)
	}
	if after, err := older.PublishSettings(t.Context(), CommandLine(), "X3", nil); err != nil || after <= profile {
		t.Errorf("profile %d was given out after %d, %v", after, profile, err)
	}
	// A clock that went back does not take the numbers along.
	g.advance(-1000 * time.Hour)
	g.enrol("front-desk")
	if after := g.trusted(g.ask(nil)).Number; after != before+1 {
		t.Errorf("trust %d after %d, want the next one", after, before)
	}
}

func TestAPolicyThatADockHasIsNotSentAgain(t *testing.T) {
	g := newRig(t)
	full := g.ask(nil)
	if len(full.GetDigest()) != 32 || !bytes.Equal(full.GetAuthority(), g.Key.Public()) || full.GetTrust() == nil {
		t.Fatalf("the first answer is %v", full)
	}
	if short := g.ask(full.GetDigest()); !proto.Equal(short, &upload.PolicyAnswer{Digest: full.GetDigest()}) {
		t.Errorf("for the same policy came %v", short)
	}
	g.must(g.SetKeepDays(t.Context(), CommandLine(), 30))
	changed := g.ask(full.GetDigest())
	if bytes.Equal(changed.GetDigest(), full.GetDigest()) || changed.GetKeepDays() != 30 {
		t.Errorf("after a change came %v", changed)
	}
	if other := g.ask(full.GetDigest()[:31]); len(other.GetTrust()) == 0 {
		t.Error("another digest got the short answer")
	}
	if _, err := g.Policy(t.Context(), "shelbyville", nil); code(err) != upload.CodeWrongAgency {
		t.Errorf("another agency got %v", err)
	}
}

func code(err error) upload.Code {
	var refused *upload.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func TestOwnChangesAreSeenAtOnceAndThoseOfOthersWithinASecond(t *testing.T) {
	g := newRig(t)
	g.ask(nil)
	g.must(g.SetKeepDays(t.Context(), CommandLine(), 7))
	now, err := g.Policy(t.Context(), "springfield", nil)
	g.must(err)
	if now.GetKeepDays() != 7 {
		t.Errorf("an own change is not seen: %d days", now.GetKeepDays())
	}
	config := g.Config
	config.Catalog, err = sqldb.Open(t.Context(), g.url, g.now)
	g.must(err)
	defer config.Catalog.Close()
	beside, err := New(config)
	g.must(err)
	g.must(beside.SetKeepDays(t.Context(), CommandLine(), 9))
	g.advance(fresh)
	now, err = g.Policy(t.Context(), "springfield", nil)
	g.must(err)
	if now.GetKeepDays() != 9 {
		t.Errorf("the change of another process is not seen: %d days", now.GetKeepDays())
	}
}

func TestKeepDaysAreBoundedAndSafeWhenUnreadable(t *testing.T) {
	g := newRig(t)
	for _, days := range []int{-1, upload.MaxKeepDays + 1} {
		if err := g.SetKeepDays(t.Context(), CommandLine(), days); err == nil {
			t.Errorf("%d days were taken", days)
		}
	}
	g.must(g.SetKeepDays(t.Context(), CommandLine(), upload.MaxKeepDays))
	g.must(g.SetKeepDays(t.Context(), CommandLine(), 0))
	if n := g.events(evidence.EventKeepDaysSet); n != 2 {
		t.Errorf("%d events tell of it, want 2", n)
	}
	g.must(g.db.Update(t.Context(), func(tx *sqldb.Tx) error {
		return tx.SetSetting(t.Context(), &catalog.Setting{Agency: "springfield", Name: keepDaysSetting, Value: "for ever", UpdatedAt: g.now(), UpdatedBy: "x"})
	}))
	if got := g.ask(nil); got.GetKeepDays() != upload.MaxKeepDays || len(got.GetTrust()) == 0 {
		t.Errorf("with an unreadable setting %d days came, want the longest", got.GetKeepDays())
	}
	if !strings.Contains(g.log.String(), "for ever") {
		t.Error("the log does not say so")
	}
}

func TestSettingsAreSignedForTheirModelAndGrow(t *testing.T) {
	g := newRig(t)
	publish := func(model string, values map[string]string) uint64 {
		t.Helper()
		n, err := g.PublishSettings(t.Context(), CommandLine(), model, values)
		g.must(err)
		return n
	}
	one := publish("X3", map[string]string{"resolution": "1080p"})
	two := publish("", map[string]string{"resolution": "720p"})
	three := publish("X3", map[string]string{"resolution": "2160p", "pre_record": "30"})
	if one >= two || two >= three {
		t.Fatalf("the numbers are %d, %d, %d", one, two, three)
	}
	policy := g.ask(nil)
	if len(policy.GetSettings()) != 2 {
		t.Fatalf("%d profiles are in the policy, want 2", len(policy.GetSettings()))
	}
	var every, own evidence.CameraSettings
	g.read(policy.GetSettings()[0], evidence.TypeCameraSettings, policy.GetAuthority(), &every)
	g.read(policy.GetSettings()[1], evidence.TypeCameraSettings, policy.GetAuthority(), &own)
	if every.Model != "" || every.Number != two || own.Model != "X3" || own.Number != three || own.Values["resolution"] != "2160p" || len(own.Values) != 2 {
		t.Errorf("the policy has %+v and %+v", every, own)
	}
	listed, err := g.Settings(t.Context())
	g.must(err)
	if len(listed) != 2 || listed[1].Number != three || listed[1].Values["pre_record"] != "30" || listed[1].PublishedBy != "local" {
		t.Errorf("listed are %+v", listed)
	}
	for what, values := range map[string]map[string]string{"a name": {"Resolution!": "x"}, "a value": {"resolution": "a\nb"}, "too much": {"x": strings.Repeat("y", 300)}} {
		if _, err := g.PublishSettings(t.Context(), CommandLine(), "X3", values); err == nil {
			t.Errorf("%s that no camera takes was published", what)
		}
	}
	for n := range upload.MaxPolicies - 2 {
		publish("M"+string(rune('a'+n)), nil)
	}
	if _, err := g.PublishSettings(t.Context(), CommandLine(), "one-too-many", nil); err == nil || !strings.Contains(err.Error(), "the most") {
		t.Errorf("a profile too many got %v", err)
	}
	publish("X3", nil)
	if got := len(g.ask(nil).GetSettings()); got != upload.MaxPolicies {
		t.Errorf("%d profiles are in the policy", got)
	}
}

func TestACertificateIsOfTheAuthority(t *testing.T) {
	g := newRig(t)
	key := make([]byte, 32)
	raw, err := g.Certify("CAM-1", key)
	g.must(err)
	var c evidence.CameraCertificate
	g.read(raw, evidence.TypeCameraCertificate, g.Key.Public(), &c)
	if c.Serial != "CAM-1" || c.Agency != "springfield" || !bytes.Equal(c.Key, key) || !c.IssuedAt.Equal(g.now()) {
		t.Errorf("it says %+v", c)
	}
	for what, bad := range map[string]func() ([]byte, error){
		"no serial":   func() ([]byte, error) { return g.Certify("", key) },
		"a short key": func() ([]byte, error) { return g.Certify("CAM-1", key[:31]) },
	} {
		if _, err := bad(); err == nil {
			t.Errorf("with %s it was certified", what)
		}
	}
}

func TestOnlyTheAuthoritysOwnKeyServes(t *testing.T) {
	g := newRig(t)
	for _, purpose := range []identity.Purpose{identity.PurposeDock, identity.PurposeReceipt, identity.PurposeCheckpoint} {
		key, err := identity.NewStatementKey(purpose)
		g.must(err)
		config := g.Config
		config.Key = key
		if _, err := New(config); err == nil {
			t.Errorf("a key for %s serves as the camera authority's", purpose)
		}
	}
	g.ask(nil)
	g.must(g.Check(t.Context()))
	another, err := identity.NewStatementKey(identity.PurposeCamera)
	g.must(err)
	config := g.Config
	config.Key = another
	changed, err := New(config)
	g.must(err)
	if err := changed.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("another authority's key got %v", err)
	}
}

func TestWithoutTheAuthoritysKeyTheRestGoesOn(t *testing.T) {
	g := newRig(t)
	m := newMaker(t)
	g.must(g.TrustMaker(t.Context(), CommandLine(), "acme", m.public))
	statement, image := m.bundle(t, 7)
	g.must(g.publish(statement, image))
	g.must(g.SetKeepDays(t.Context(), CommandLine(), 5))
	before := g.ask(nil)
	config := g.Config
	config.Key = nil
	lost, err := New(config)
	g.must(err)
	if err := lost.Check(t.Context()); !errors.Is(err, ErrNoAuthority) {
		t.Errorf("the loss is told as %v", err)
	}
	policy, err := lost.Policy(t.Context(), "springfield", nil)
	g.must(err)
	if !proto.Equal(policy, before) || policy.GetKeepDays() != 5 || len(policy.GetFirmware()) != 1 || len(policy.GetTrust()) == 0 {
		t.Errorf("the policy is %v, it was %v", policy, before)
	}
	g.must(g.db.Update(t.Context(), func(tx *sqldb.Tx) error {
		return tx.SetSetting(t.Context(), &catalog.Setting{Agency: "springfield", Name: authoritySetting, Value: "xyz", UpdatedAt: g.now(), UpdatedBy: "x"})
	}))
	lost.Forget()
	policy, err = lost.Policy(t.Context(), "springfield", nil)
	g.must(err)
	if len(policy.GetAuthority()) != 0 || len(policy.GetTrust()) != 0 || policy.GetKeepDays() != 5 {
		t.Errorf("with its public key unreadable the policy is %v", policy)
	}
	if _, err := lost.PublishSettings(t.Context(), CommandLine(), "", nil); !errors.Is(err, ErrNoAuthority) {
		t.Errorf("settings got %v", err)
	}
	if _, err := lost.Certify("CAM-1", make([]byte, 32)); !errors.Is(err, ErrNoAuthority) {
		t.Errorf("a certificate got %v", err)
	}
	g.must(g.db.Update(t.Context(), func(tx *sqldb.Tx) error { return lost.RenewTrust(context.Background(), tx) }))
}

// Where there are more docks than a statement can name, those that were enrolled
// first are told, whatever they are called, and it is said once.
func TestMoreDocksThanCamerasCanBeToldOf(t *testing.T) {
	g := newRig(t)
	var docks []catalog.Dock
	for i := range evidence.MaxTrustedDocks + 2 {
		// The last by name were enrolled first.
		at := g.now().Add(-time.Duration(i) * time.Minute)
		docks = append(docks, catalog.Dock{ID: evidence.DockID(fmt.Sprintf("dock-%05d", i)), Enabled: i != 5, EnrolledAt: at})
	}
	for range 2 {
		told := g.told(t.Context(), slices.Clone(docks))
		if len(told) != evidence.MaxTrustedDocks || told[0].ID != "dock-00001" || told[len(told)-1].ID != "dock-02001" {
			t.Errorf("%d docks are told, %s to %s", len(told), told[0].ID, told[len(told)-1].ID)
		}
		if !slices.IsSortedFunc(told, func(a, b catalog.Dock) int { return strings.Compare(string(a.ID), string(b.ID)) }) {
			t.Error("they are not in the order of their names")
		}
	}
	if n := strings.Count(g.log.String(), "more docks than cameras can be told of"); n != 1 {
		t.Errorf("it was said %d times", n)
	}
}
