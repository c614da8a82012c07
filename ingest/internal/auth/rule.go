package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The settings of an agency about second factors, by name.
const (
	settingRequired = "auth.factor_required"
	settingWhen     = "auth.factor_when"
	settingGrace    = "auth.factor_grace_days"
	settingLength   = "password.length" // of package settings, which asks StoredFactorRule in turn
)

// maxGrace bounds how many days an account may do without a required factor.
const maxGrace = 90

// FactorRule is what an agency wants about second factors.
type FactorRule struct {
	Required  string `json:"required"`   // of whom: administrators (who manages people, the agency's settings or keys), everyone or nobody
	When      string `json:"when"`       // who has one shows it at each sign-in by password (always), or at new places alone, where it is not required (new-place)
	GraceDays int    `json:"grace_days"` // how long a new account may do without
}

// DefaultFactorRule is in force where the agency has not said.
func DefaultFactorRule() FactorRule { return FactorRule{Required: "administrators", When: "always"} }

// ErrRule: a rule that cannot be, or a weaker one without a reason.
var ErrRule = errors.New("the rule about second factors is not taken")

// check says why a rule cannot be.
func (r FactorRule) check() error {
	switch {
	case r.Required != "administrators" && r.Required != "everyone" && r.Required != "nobody":
		return fmt.Errorf("%w: required is administrators, everyone or nobody", ErrRule)
	case r.When != "always" && r.When != "new-place":
		return fmt.Errorf("%w: when is always or new-place", ErrRule)
	case r.GraceDays < 0 || r.GraceDays > maxGrace:
		return fmt.Errorf("%w: grace_days is 0 to %d", ErrRule, maxGrace)
	}
	return nil
}

// Weaker reports whether a rule asks for less than the default.
func (r FactorRule) Weaker() bool {
	return r.Required == "nobody" || r.When == "new-place" || r.GraceDays > 0
}

// managing are the powers that make somebody an administrator to the rule, whatever
// their role is called and whatever it can be used on.
var managing = []Action{ManageAccount, ManageAgency, ManageKeys}

// manages reports whether any grant gives a user one of the managing powers, whether
// its conditions hold now or not.
func (b *book) manages(user *catalog.User) (does bool) {
	b.grants(user, func(g *catalog.Grant) {
		does = does || slices.ContainsFunc(b.gives(g), func(a Action) bool { return slices.Contains(managing, a) })
	})
	return does || Role(user.Role) == Administrator
}

// requires reports whether the rule wants a second factor of a user.
func (s *Service) requires(ctx context.Context, r *sqldb.Reader, rule FactorRule, user *catalog.User) (bool, error) {
	if rule.Required != "administrators" {
		return rule.Required == "everyone", nil
	}
	p, err := r.Powers(ctx, s.agency)
	if err != nil {
		return false, err
	}
	return newBook(merged(p, s.agency)).manages(user), nil
}

// OfEverybody reports whether nobody signs in by password alone under the rule, so that
// passwords may be shorter (ShortWithFactor).
func (r FactorRule) OfEverybody() bool {
	return r.Required == "everyone" && r.When == "always" && r.GraceDays == 0
}

// shortPasswords returns how short passwords may be now where that is shorter than one
// that stands alone may be; 0: it is not.
func (s *Service) shortPasswords(ctx context.Context, r *sqldb.Reader) (int, error) {
	v, err := r.Setting(ctx, s.agency, settingLength)
	if errors.Is(err, catalog.ErrNotFound) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	if n, err := strconv.Atoi(v.Value); err == nil && n < MinPassword {
		return n, nil
	}
	return 0, nil
}

// FormerFactorRule returns the rule that was in force before the present one was set, to
// set it back; nil where it was never set. ErrForbidden.
func (s *Service) FormerFactorRule(ctx context.Context, actor *Actor) (*FactorRule, error) {
	if !May(actor, ListSettings, Object{Agency: s.agency}) {
		return nil, ErrForbidden
	}
	rows, err := s.catalog.Events(ctx, catalog.EventFilter{Agency: s.agency, Type: evidence.EventFactorRuleSet}, 20)
	if err != nil {
		return nil, unexpected("looking up former rules", err)
	}
	for _, row := range rows {
		var e evidence.Event
		if err := evidence.Decode(row.JSON, &e); err != nil {
			return nil, unexpected("looking up former rules", err)
		}
		if days, err := strconv.Atoi(e.Details["former_grace_days"]); err == nil && e.Outcome == evidence.OutcomeDone {
			return &FactorRule{e.Details["former_required"], e.Details["former_when"], days}, nil
		}
	}
	return nil, nil
}

func (r FactorRule) always() bool { return r.When != "new-place" }

func (r FactorRule) grace() time.Duration { return time.Duration(r.GraceDays) * 24 * time.Hour }

func (s *Service) rule(ctx context.Context, r *sqldb.Reader) (FactorRule, error) {
	return StoredFactorRule(ctx, r, s.agency)
}

// StoredFactorRule reads the rule in force of an agency. What is not known there means
// the strictest.
func StoredFactorRule(ctx context.Context, r *sqldb.Reader, agency evidence.AgencyID) (FactorRule, error) {
	rule := DefaultFactorRule()
	read := func(name string, take func(string)) error {
		v, err := r.Setting(ctx, agency, name)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil
		} else if err == nil {
			take(v.Value)
		}
		return err
	}
	err := errors.Join(
		read(settingRequired, func(v string) { rule.Required = v }),
		read(settingWhen, func(v string) { rule.When = v }),
		read(settingGrace, func(v string) { rule.GraceDays, _ = strconv.Atoi(v) }), // 0 for what is no number
	)
	if rule.Required != "administrators" && rule.Required != "nobody" {
		rule.Required = "everyone"
	}
	if rule.When != "new-place" {
		rule.When = "always"
	}
	if rule.GraceDays < 0 || rule.GraceDays > maxGrace {
		rule.GraceDays = 0
	}
	return rule, err
}

// FactorRule returns the rule in force. ErrForbidden.
func (s *Service) FactorRule(ctx context.Context, actor *Actor) (FactorRule, error) {
	if !May(actor, ListSettings, Object{Agency: s.agency}) {
		return FactorRule{}, ErrForbidden
	}
	rule, err := s.rule(ctx, &s.catalog.Reader)
	return rule, unexpected("looking up settings", err)
}

// SetFactorRule sets it, for sign-ins from now on. One that is weaker than the
// default needs a reason, which is kept. ErrForbidden, ErrFreshFactor, ErrRule.
func (s *Service) SetFactorRule(ctx context.Context, actor *Actor, rule FactorRule, reason string, from Origin) error {
	if !May(actor, ManageAccount, Object{Agency: s.agency}) {
		return s.recordRefused(ctx, evidence.EventFactorRuleSet, actor, from, ErrForbidden, nil)
	}
	if err := rule.check(); err != nil {
		return err
	}
	reason = strings.TrimSpace(reason)
	if n := utf8.RuneCountInString(reason); n > 400 || n == 0 && rule.Weaker() {
		return fmt.Errorf("%w: it asks for less than the default: say why, in up to 400 characters", ErrRule)
	}
	if err := s.fresh(ctx, evidence.EventFactorRuleSet, actor, from); err != nil {
		return err
	}
	if err := Clear(ctx, actor, Act{Do: ManageAccount, On: []Object{{Agency: s.agency}}, About: "setting:auth.factor", Kind: evidence.EventFactorRuleSet}); err != nil {
		return err
	}
	now, short := s.clock(), 0
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		former, err := s.rule(ctx, &tx.Reader)
		if err != nil {
			return err
		}
		if short, err = s.shortPasswords(ctx, &tx.Reader); err != nil || short != 0 && !rule.OfEverybody() {
			return err
		}
		short = 0
		for name, value := range map[string]string{settingRequired: rule.Required, settingWhen: rule.When, settingGrace: strconv.Itoa(rule.GraceDays)} {
			if err := tx.SetSetting(ctx, &catalog.Setting{Agency: s.agency, Name: name, Value: value, UpdatedAt: now, UpdatedBy: actor.User}); err != nil {
				return err
			}
		}
		e := s.event(evidence.EventFactorRuleSet, actor.Custody(), from, "setting:auth.factor", evidence.OutcomeDone)
		e.Reason = clip(reason, 2000)
		e.Details = map[string]string{
			"required": rule.Required, "when": rule.When, "grace_days": strconv.Itoa(rule.GraceDays),
			"former_required": former.Required, "former_when": former.When, "former_grace_days": strconv.Itoa(former.GraceDays),
		}
		_, err = tx.AppendEvent(ctx, e)
		return err
	})
	if err == nil && short != 0 {
		why := fmt.Errorf("%w: passwords of %d characters are allowed now, and under this rule they would stand alone: set password.length to %d or more first", ErrRule, short, MinPassword)
		return s.recordRefused(ctx, evidence.EventFactorRuleSet, actor, from, why, nil)
	}
	return unexpected("setting the rule about second factors", err)
}
