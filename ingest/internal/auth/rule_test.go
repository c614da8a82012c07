package auth

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestARuleUnderWhichShortPasswordsStandAloneIsRefused(t *testing.T) {
	d := newDesk(t)
	actor := d.actor(d.setUp())
	d.set(settingRequired, "everyone")
	d.set(settingLength, "8")
	for _, rule := range []FactorRule{DefaultFactorRule(), {"nobody", "always", 0}, {"everyone", "new-place", 0}, {"everyone", "always", 3}} {
		if err := d.SetFactorRule(t.Context(), actor, rule, "a reason", home); !errors.Is(err, ErrRule) || !strings.Contains(err.Error(), "password.length") {
			t.Errorf("%+v: %v", rule, err)
		}
	}
	if got, err := d.FactorRule(t.Context(), actor); err != nil || !got.OfEverybody() {
		t.Errorf("%+v, %v", got, err)
	}
	if n := len(d.refusedFor(evidence.EventFactorRuleSet)); n != 4 {
		t.Errorf("%d refusals on record", n)
	}
	d.set(settingLength, "15")
	if err := d.SetFactorRule(t.Context(), actor, DefaultFactorRule(), "", home); err != nil {
		t.Error(err)
	}
	former, err := d.FormerFactorRule(t.Context(), actor)
	if err != nil || former == nil || !former.OfEverybody() {
		t.Errorf("%+v, %v", former, err)
	}
}

func TestTheRuleIsSetByAnAdministratorWithAReasonWhereItIsWeaker(t *testing.T) {
	d := newDesk(t)
	d.set(settingRequired, "administrators")
	session := d.setUp()
	actor := d.actor(session)
	if got, err := d.FactorRule(t.Context(), actor); err != nil || got != DefaultFactorRule() || got.Weaker() {
		t.Errorf("%+v, %v", got, err)
	}
	weak := FactorRule{Required: "nobody", When: "new-place", GraceDays: 7}
	for what, try := range map[string]struct {
		rule   FactorRule
		reason string
	}{
		"no reason": {weak, "  "}, "a long reason": {weak, strings.Repeat("x", 401)}, "nobody knows whom": {FactorRule{Required: "all", When: "always"}, "x"},
		"nobody knows when": {FactorRule{Required: "everyone", When: "never"}, "x"}, "years of grace": {FactorRule{Required: "everyone", When: "always", GraceDays: 91}, "x"},
	} {
		if err := d.SetFactorRule(t.Context(), actor, try.rule, try.reason, home); !errors.Is(err, ErrRule) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := d.SetFactorRule(t.Context(), actor, weak, "keys are ordered", home); err != nil {
		t.Fatal(err)
	}
	if got, err := d.FactorRule(t.Context(), actor); err != nil || got != weak || !got.Weaker() {
		t.Errorf("%+v, %v", got, err)
	}
	rows, err := d.db.Events(t.Context(), catalog.EventFilter{Agency: "metro-pd", Type: evidence.EventFactorRuleSet}, 10)
	if err != nil || len(rows) != 1 || !strings.Contains(string(rows[0].JSON), "keys are ordered") || !strings.Contains(string(rows[0].JSON), `"former_required":"administrators"`) {
		t.Errorf("%d events, %v", len(rows), err)
	}
	d.wait(FreshFor)
	if err := d.SetFactorRule(t.Context(), actor, DefaultFactorRule(), "", home); !errors.Is(err, ErrFreshFactor) {
		t.Errorf("without a fresh factor: %v", err)
	}
	operator := *actor
	operator.Role, operator.Powers, operator.FactorAt = Operator, ShippedPowers(Operator), d.now()
	if err := d.SetFactorRule(t.Context(), &operator, DefaultFactorRule(), "", home); !errors.Is(err, ErrForbidden) {
		t.Errorf("an operator: %v", err)
	}
	if n := len(d.refusedFor(evidence.EventFactorRuleSet)); n != 2 {
		t.Errorf("%d refusals on record", n)
	}
}

func TestTheNoticeThatWasAcceptedIsOnRecordAfterTheSecondStep(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	secret := d.app(actor)
	d.wait(4 * time.Second)
	from := home
	from.Notice = "a0b1"
	e, err := d.PasswordStep(t.Context(), "a.moreno", password, Browser{}, from)
	if err != nil || e.Pending == "" {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := d.codeStep(e.Pending, d.code(secret)); err != nil {
		t.Fatal(err)
	}
	rows, err := d.db.Events(t.Context(), catalog.EventFilter{Agency: "metro-pd", Type: evidence.EventSignedIn}, 1)
	if err != nil || len(rows) != 1 || !strings.Contains(string(rows[0].JSON), `"notice_sha256":"a0b1"`) {
		t.Errorf("on record: %v, %v", rows, err)
	}
}
