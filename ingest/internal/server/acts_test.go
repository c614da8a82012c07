package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/alarm"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// adminAct is an administrative act at the API, in one of several rounds.
type adminAct struct {
	name               string
	method, path, body string
	kind               evidence.EventType
	mark               string                   // stands in its event and no other one of that kind
	holds              func(s *adminState) bool // its effect is there
}

// adminState is all of a catalog that the acts change, and the events since a mark.
type adminState struct {
	users    []catalog.User
	powers   *catalog.Powers
	settings []catalog.Setting
	alerts   []catalog.Alert
	events   []catalog.EventRow // newest first
}

func (r *running) adminState(since int64) *adminState {
	r.t.Helper()
	s := &adminState{}
	r.inCatalog(func(db *sqldb.DB) error {
		var failed [5]error
		s.users, failed[0] = db.Users(r.ctx, "springfield")
		s.powers, failed[1] = db.Powers(r.ctx, "springfield")
		s.settings, failed[2] = db.Settings(r.ctx, "springfield")
		s.alerts, failed[3] = db.Alerts(r.ctx, catalog.AlertFilter{Agency: "springfield"}, 1000)
		s.events, failed[4] = db.Events(r.ctx, catalog.EventFilter{Agency: "springfield"}, 0)
		return errors.Join(failed[:]...)
	})
	s.events = slices.DeleteFunc(s.events, func(row catalog.EventRow) bool { return row.ID <= since })
	return s
}

// told says whether an event of the act is there.
func (s *adminState) told(a *adminAct) int {
	n := 0
	for _, row := range s.events {
		if row.Type == a.kind && row.Outcome == evidence.OutcomeDone && strings.Contains(string(row.JSON), a.mark) {
			n++
		}
	}
	return n
}

func (s *adminState) user(login string) *catalog.User {
	for i := range s.users {
		if s.users[i].Login == login {
			return &s.users[i]
		}
	}
	return nil
}

func (s *adminState) role(id, name string) bool {
	return slices.ContainsFunc(s.powers.Roles, func(r catalog.Role) bool {
		return (id == "" || r.ID == id) && r.Name == name && r.RemovedAt.IsZero()
	})
}

func (s *adminState) group(id, name string) bool {
	return slices.ContainsFunc(s.powers.Groups, func(g catalog.Group) bool {
		return (id == "" || g.ID == id) && (name == "" || g.Name == name) && g.RemovedAt.IsZero()
	})
}

func (s *adminState) grant(fits func(g *catalog.Grant) bool) bool {
	return slices.ContainsFunc(s.powers.Grants, func(g catalog.Grant) bool { return g.EndedAt.IsZero() && fits(&g) })
}

func (s *adminState) set(value string) bool {
	return slices.ContainsFunc(s.settings, func(v catalog.Setting) bool { return strings.Contains(v.Value, value) })
}

// administered makes what rounds of acts start from, and returns the acts round by
// round, and the newest event so far. The server is stopped, and a station is there.
func (r *running) administered(rounds int) (acts []adminAct, since int64) {
	r.t.Helper()
	r.employ()
	var alerts []string
	r.inCatalog(func(db *sqldb.DB) error {
		return db.Update(r.ctx, func(tx *sqldb.Tx) error {
			alerts = nil
			for n := range rounds {
				a := &catalog.Alert{Agency: "springfield", Code: catalog.AlertGap, Severity: catalog.SeverityNotice, Object: "camera:X", About: fmt.Sprint(n), Message: "m", LastAt: time.Now()}
				if err := alarm.Raise(r.ctx, tx, a, nil); err != nil {
					return err
				}
				alerts = append(alerts, a.ID)
			}
			return nil
		})
	})
	r.must(r.config.withAccounts(r.ctx, time.Now, func(people *auth.Service) error {
		token, err := people.SignIn(r.ctx, alba.Login, alba.Password, "", auth.Origin{Address: "127.0.0.1"})
		if err != nil {
			return err
		}
		actor, err := people.Actor(r.ctx, token, auth.Origin{Address: "127.0.0.1"})
		if err != nil {
			return err
		}
		for n := range rounds {
			round, err := r.round(people.Desk(actor), n, alerts[n])
			if err != nil {
				return err
			}
			acts = append(acts, round...)
		}
		return nil
	}))
	r.inCatalog(func(db *sqldb.DB) (err error) {
		since, err = db.NewestEvent(r.ctx)
		return err
	})
	return acts, since
}

// round makes what one round of acts starts from.
func (r *running) round(k *auth.Desk, n int, alert string) ([]adminAct, error) {
	var ids [4]string
	for i, name := range []string{"gone", "back", "moved", "held"} {
		var err error
		if ids[i], _, err = k.Invite(r.ctx, auth.NewPerson{Login: fmt.Sprintf("%s-%d.x", name, n), Name: name, Role: auth.Officer}); err != nil {
			return nil, err
		}
	}
	gone, back, moved, held := ids[0], ids[1], ids[2], ids[3]
	if err := k.Disable(r.ctx, back); err != nil {
		return nil, err
	}
	edited, err := k.PutRole(r.ctx, "", fmt.Sprintf("edit %d.", n), "", []string{string(auth.ViewItem)})
	if err != nil {
		return nil, err
	}
	removed, err := k.PutRole(r.ctx, "", fmt.Sprintf("remove %d.", n), "", []string{string(auth.ViewItem)})
	if err != nil {
		return nil, err
	}
	var groups [3]string
	for i, name := range []string{"rename", "remove", "join"} {
		if groups[i], err = k.PutGroup(r.ctx, "", fmt.Sprintf("%s %d.", name, n)); err != nil {
			return nil, err
		}
	}
	var grants [2]string
	for i := range grants {
		g := catalog.Grant{Holder: catalog.ToPerson, HolderID: fmt.Sprintf("held-%d.x", n), Role: string(auth.Officer), Scope: catalog.OnCategory, Value: fmt.Sprintf("category %d of %d", i, n)}
		if grants[i], err = k.Grant(r.ctx, g); err != nil {
			return nil, err
		}
	}
	if err := k.EndGrant(r.ctx, grants[1]); err != nil {
		return nil, err
	}
	return append(peopleActs(n, gone, back, moved), append(powerActs(n, edited, removed, groups, grants, held), settingActs(n, alert)...)...), nil
}

func peopleActs(n int, gone, back, moved string) []adminAct {
	login := func(name string) string { return fmt.Sprintf("%s-%d.x", name, n) }
	return []adminAct{
		{"a person is invited", "POST", "/people", fmt.Sprintf(`{"login":%q,"name":"New","role":"officer"}`, login("new")), evidence.EventUserInvited, login("new"),
			func(s *adminState) bool { return s.user(login("new")) != nil }},
		{"a person is disabled", "POST", "/people/" + gone + "/disable", "", evidence.EventUserDisabled, gone, func(s *adminState) bool { return !s.user(login("gone")).DisabledAt.IsZero() }},
		{"a person is enabled", "POST", "/people/" + back + "/enable", "", evidence.EventUserEnabled, back, func(s *adminState) bool { return s.user(login("back")).DisabledAt.IsZero() }},
		{"a person gets another role", "POST", "/people/" + moved + "/change", `{"role":"auditor"}`, evidence.EventUserChanged, moved, func(s *adminState) bool { return s.user(login("moved")).Role == "auditor" }},
	}
}

func powerActs(n int, edited, removed string, groups [3]string, grants [2]string, held string) []adminAct {
	call := func(what string) string { return fmt.Sprintf("%s %d.", what, n) }
	given := fmt.Sprintf("given in %d.", n)
	return []adminAct{
		{"a role is made", "POST", "/roles", fmt.Sprintf(`{"name":%q,"actions":["%s"]}`, call("made role"), auth.ViewItem), evidence.EventRoleChanged, call("made role"),
			func(s *adminState) bool { return s.role("", call("made role")) }},
		{"a role is edited", "PUT", "/roles/" + edited, fmt.Sprintf(`{"name":%q,"actions":["%s","%s"]}`, call("edited"), auth.ViewItem, auth.PlayItem), evidence.EventRoleChanged, edited,
			func(s *adminState) bool { return s.role(edited, call("edited")) }},
		{"a role is removed", "DELETE", "/roles/" + removed, "", evidence.EventRoleChanged, removed, func(s *adminState) bool { return !s.role(removed, call("remove")) }},
		{"a group is made", "POST", "/groups", fmt.Sprintf(`{"name":%q}`, call("made group")), evidence.EventGroupChanged, call("made group"),
			func(s *adminState) bool { return s.group("", call("made group")) }},
		{"a group gets another name", "PUT", "/groups/" + groups[0], fmt.Sprintf(`{"name":%q}`, call("renamed")), evidence.EventGroupChanged, groups[0],
			func(s *adminState) bool { return s.group(groups[0], call("renamed")) }},
		{"a group is removed", "DELETE", "/groups/" + groups[1], "", evidence.EventGroupChanged, groups[1], func(s *adminState) bool { return !s.group(groups[1], "") }},
		{"somebody joins a group", "PUT", "/groups/" + groups[2] + "/members/" + held, "", evidence.EventGroupChanged, groups[2],
			func(s *adminState) bool {
				return slices.ContainsFunc(s.powers.Members, func(m catalog.Member) bool { return m.Group == groups[2] && m.User == held })
			}},
		{"a grant is made", "POST", "/grants", fmt.Sprintf(`{"holder":"person","holder_id":"held-%d.x","role":"officer","scope":"category","value":%q}`, n, given), evidence.EventGrantMade, given,
			func(s *adminState) bool { return s.grant(func(g *catalog.Grant) bool { return g.Value == given }) }},
		{"a grant is taken back", "DELETE", "/grants/" + grants[0], "", evidence.EventGrantEnded, grants[0],
			func(s *adminState) bool { return !s.grant(func(g *catalog.Grant) bool { return g.ID == grants[0] }) }},
		{"a grant is restored", "POST", "/grants/" + grants[1] + "/restore", "", evidence.EventGrantMade, grants[1],
			func(s *adminState) bool { return s.grant(func(g *catalog.Grant) bool { return g.ID == grants[1] }) }},
	}
}

func settingActs(n int, alert string) []adminAct {
	notice, officer, rate := fmt.Sprintf("notice %d.", n), fmt.Sprintf("officer-%d.", n), fmt.Sprintf(" %d Mbit/s", 10*n+10)
	return []adminAct{
		{"a setting is changed", "PUT", "/settings/sign_in.notice", fmt.Sprintf(`{"value":%q}`, notice), evidence.EventSettingChanged, `"after":"` + notice,
			func(s *adminState) bool { return s.set(notice) }},
		{"the rule of factors is changed", "PUT", "/factor-rule", fmt.Sprintf(`{"required":"nobody","when":"always","grace_days":%d,"reason":"rule %d."}`, n%29+1, n), evidence.EventFactorRuleSet,
			fmt.Sprintf("rule %d.", n), func(s *adminState) bool {
				return slices.ContainsFunc(s.settings, func(v catalog.Setting) bool {
					return v.Name == "auth.factor_grace_days" && v.Value == fmt.Sprint(n%29+1)
				})
			}},
		{"a station gets a table", "PUT", "/stations/main/bandwidth", fmt.Sprintf(`{"zone":"UTC","windows":[{"days":"mon-fri","from":"07:00","until":"18:00","bytes_per_second":%d}]}`, (n+1)*1_250_000),
			evidence.EventBandwidthSet, `"after":"{\"zone\":\"UTC\",\"windows\":[\"mon-fri 07:00-18:00` + rate, func(s *adminState) bool { return s.set(rate) }},
		{"what goes first is set", "PUT", "/sending", fmt.Sprintf(`{"urgent_officers":[%q],"categories":[]}`, officer), evidence.EventSendingSet, `"after":"{\"urgent_officers\":[\"` + officer, func(s *adminState) bool { return s.set(officer) }},
		{"an alert is acknowledged", "POST", "/alerts/" + alert + "/acknowledge", "", evidence.EventAlertAcknowledged, alert, func(s *adminState) bool {
			return slices.ContainsFunc(s.alerts, func(a catalog.Alert) bool { return a.ID == alert && !a.AcknowledgedAt.IsZero() })
		}},
	}
}

// do does an act, and returns the answer; err when there was none.
func (d *desk) do(a *adminAct) (code int, title string, err error) {
	request, err := http.NewRequestWithContext(d.ctx, a.method, "https://"+d.ready.HTTPS.String()+"/api/v1"+a.path, strings.NewReader(a.body))
	if err != nil {
		return 0, "", err
	}
	request.AddCookie(d.cookie)
	answer, err := d.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	var problem struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	if answer.StatusCode >= 400 {
		err = json.NewDecoder(answer.Body).Decode(&problem)
	}
	return answer.StatusCode, problem.Title + ": " + problem.Detail, err
}

// TestEveryAdministrativeActHasItsEvent is what the campaigns stand on: undisturbed,
// each act has its effect and one event, and before it neither.
func TestEveryAdministrativeActHasItsEvent(t *testing.T) {
	r := newServer(t)
	r.start()
	r.enrol("front-desk")
	r.end()
	acts, since := r.administered(1)
	r.start()
	admin := r.desk(alba)
	for i := range acts {
		a := &acts[i]
		if s := r.adminState(since); a.holds(s) || s.told(a) != 0 {
			t.Errorf("%s: before it, effect %t, %d events", a.name, a.holds(s), s.told(a))
		}
		if code, title, err := admin.do(a); err != nil || code >= 300 {
			t.Fatalf("%s: %d %s, %v", a.name, code, title, err)
		}
		if s := r.adminState(since); !a.holds(s) || s.told(a) != 1 {
			t.Errorf("%s: effect %t, %d events", a.name, a.holds(s), s.told(a))
		}
	}
}
