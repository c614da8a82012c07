package auth

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

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
