package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/settings"
)

// ruleName is under which name the page of settings knows the rule of second factors.
const ruleName = "factor-rule"

// ruleView is the rule of second factors among the settings.
type ruleView struct {
	Rule            auth.FactorRule // as the form shows it
	Reason, Problem string
	Status          status
	Words, Default  string
	AsDefault       bool
	Done            bool
	Former          *auth.FactorRule // that was just replaced, to be set back
	FormerWords     string
}

// ruleWords says what a rule asks for.
func ruleWords(r auth.FactorRule) string {
	whom := map[string]string{"administrators": "of who manages people, settings or keys", "everyone": "of everyone", "nobody": "of nobody"}[r.Required]
	when := map[string]string{"always": "shown at each sign-in by password", "new-place": "shown at new places, by whom it is not required"}[r.When]
	words := "required " + whom + ", " + when
	if r.GraceDays > 0 {
		words += fmt.Sprintf(", new accounts may do without for %s", plural(uint64(r.GraceDays), "day"))
	}
	return words
}

// ruleOf returns the rule, unless it is not what is looked for, or not to be seen.
func (d *Dashboard) ruleOf(r *http.Request, actor *auth.Actor, find string, form settingForm) (*ruleView, error) {
	about := strings.ToLower("second factors passkey app rule required administrators everyone nobody new place grace days sign-in")
	for word := range strings.FieldsSeq(strings.ToLower(find)) {
		if !strings.Contains(about, word) && form.Name != ruleName {
			return nil, nil
		}
	}
	rule, err := d.Auth.FactorRule(r.Context(), actor)
	if errors.Is(err, auth.ErrForbidden) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	standing := settings.Stronger
	switch {
	case rule.Weaker():
		standing = settings.Weaker
	case rule == auth.DefaultFactorRule():
		standing = settings.AsDefault
	}
	v := &ruleView{Rule: rule, Status: besideDefault(standing), Words: ruleWords(rule), Default: ruleWords(auth.DefaultFactorRule()), AsDefault: rule == auth.DefaultFactorRule()}
	if form.Name == ruleName {
		v.Rule, v.Reason, v.Problem = typedRule(r.PostForm), form.Reason, form.Problem
	}
	if v.Done = r.URL.Query().Get("done") == ruleName; v.Done {
		if v.Former, err = d.Auth.FormerFactorRule(r.Context(), actor); err != nil {
			return nil, err
		}
		if v.Former != nil {
			v.FormerWords = ruleWords(*v.Former)
		}
	}
	return v, nil
}

func typedRule(f url.Values) auth.FactorRule {
	days, err := strconv.Atoi(strings.TrimSpace(f.Get("grace_days")))
	if err != nil {
		days = -1 // which the service refuses with words
	}
	if f.Get("act") == "unset" {
		return auth.DefaultFactorRule()
	}
	return auth.FactorRule{Required: f.Get("required"), When: f.Get("when"), GraceDays: days}
}

func (d *Dashboard) setFactorRule(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	err := d.Auth.SetFactorRule(r.Context(), actor, typedRule(r.PostForm), r.PostForm.Get("reason"), auth.OriginOf(r))
	switch {
	case errors.Is(err, auth.ErrFreshFactor):
		d.confirmFirst(w, r)
	case errors.Is(err, auth.ErrRule):
		d.showSettings(w, r, actor, http.StatusUnprocessableEntity, settingForm{ruleName, "", searchText(r.PostForm.Get("reason"), 400), sentence(err)})
	case err != nil:
		d.fail(w, r, actor, err)
	default:
		http.Redirect(w, r, "/settings?done="+ruleName+"#done", http.StatusSeeOther)
	}
}
