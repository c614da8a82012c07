package scim

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// local makes an account of the server's own, with a role.
func (r *rig) local(login, role string) *catalog.User {
	r.t.Helper()
	u := &catalog.User{ID: "local-" + login, Agency: "metro-pd", Login: login, Name: login, Role: role, Password: "kept", CreatedAt: r.at, PasswordChangedAt: r.at}
	if err := r.db.Update(r.t.Context(), func(tx *sqldb.Tx) error { return tx.InsertUser(r.t.Context(), u) }); err != nil {
		r.t.Fatal(err)
	}
	return u
}

func TestAttackNobodyButWhoShowsATokenThatStandsIsHeard(t *testing.T) {
	r := newRig(t)
	good := r.token
	elsewhere := r.client("elsewhere", "192.0.2.0/24")
	revoked := r.client("revoked")
	by, from := local()
	if err := r.people.EndProvisioner(t.Context(), "revoked", by, from); err != nil {
		t.Fatal(err)
	}
	for what, token := range map[string]string{"none": "", "invented": good[:len(good)-2] + "AA", "another form": good + "=", "from elsewhere": elsewhere, "revoked": revoked} {
		r.token = token
		a := r.call("GET", "/Users", nil)
		if a.code != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d", what, a.code)
		}
		if s := fmt.Sprint(a.body); !strings.Contains(s, "messages:2.0:Error") {
			t.Errorf("%s: no SCIM error: %s", what, s)
		}
	}
	r.token = good
	if a := r.call("GET", "/Users", nil, "Authorization", "Basic YTpi"); a.code != http.StatusUnauthorized {
		t.Errorf("basic authentication: %d", a.code)
	}
	r.want(200, "GET", "/Users", nil)
	r.at = r.at.Add(24 * time.Hour)
	r.want(401, "GET", "/Users", nil)
	if n := len(r.events(evidence.EventProvisionRefused)); n != 4 { // unknown (once, however often), elsewhere, revoked, expired
		t.Errorf("%d refusals on record: %s", n, r.events(evidence.EventProvisionRefused))
	}
	if all := strings.Join(append(r.events(evidence.EventProvisionRefused), r.events(evidence.EventProvisionerMade)...), ""); strings.Contains(all, good[5:]) {
		t.Error("a token is in the custody log")
	}
}

func TestAttackGuessingTokensIsSlowedDown(t *testing.T) {
	r := newRig(t)
	good := r.token
	r.token = "sdp1.wrong"
	slowed := false
	for range strangerRate {
		if a := r.call("GET", "/Users", nil); a.code == http.StatusTooManyRequests {
			slowed = a.header.Get("Retry-After") != ""
		}
	}
	if !slowed {
		t.Error("nobody was told to wait")
	}
	r.token = good
	r.want(200, "GET", "/Users", nil) // who has a token is not kept out by who has none
}

func TestAttackAClientDoesNotTouchWhomItDidNotProvision(t *testing.T) {
	r := newRig(t)
	boss := r.local("boss", "administrator")
	mine := r.made("mine@metro.example")
	group := r.grouped("evidence-operators", mine)
	first := r.token
	r.token = r.client("other")
	for _, id := range []string{boss.ID, mine, "unknown"} {
		for _, call := range []struct {
			method string
			body   any
		}{{"GET", nil}, {"PUT", map[string]any{"userName": "boss", "active": false}}, {"PATCH", patch("replace", "active", false)}, {"DELETE", nil}} {
			if a := r.call(call.method, "/Users/"+id, call.body); a.code != http.StatusNotFound {
				t.Errorf("%s of %s: %d %v", call.method, id, a.code, a.body)
			}
		}
	}
	for _, call := range []struct {
		method string
		body   any
	}{{"GET", nil}, {"PATCH", patch("add", "members", []any{})}, {"PUT", map[string]any{"displayName": "evidence-operators"}}, {"DELETE", nil}} {
		if a := r.call(call.method, "/Groups/"+group, call.body); a.code != http.StatusNotFound {
			t.Errorf("%s of another client's group: %d", call.method, a.code)
		}
	}
	for _, filter := range []string{"", `?filter=userName eq "boss"`, `?filter=userName eq "mine@metro.example"`, `?filter=id eq "` + mine + `"`} {
		if a := r.want(200, "GET", "/Users"+filter, nil); fmt.Sprint(a.body.(map[string]any)["totalResults"]) != "0" {
			t.Errorf("%q shows others' people: %v", filter, a.body)
		}
	}
	for _, name := range []string{"boss", "BOSS", "mine@metro.example"} {
		r.want(409, "POST", "/Users", map[string]any{"userName": name, "externalId": "x-mine@metro.example"})
	}
	r.want(403, "POST", "/Groups", map[string]any{"displayName": "evidence-admins", "members": []any{map[string]any{"value": boss.ID}}})
	r.want(403, "POST", "/Groups", map[string]any{"displayName": "evidence-admins", "members": []any{map[string]any{"value": mine}}})
	other := r.made("other@metro.example")
	r.want(409, "PATCH", "/Users/"+other, patch("replace", "userName", "boss"))
	if u := r.account(boss.ID); !u.DisabledAt.IsZero() || u.Role != "administrator" || u.Password != "kept" || u.Login != "boss" {
		t.Errorf("the local account is now %+v", u)
	}
	r.token = first
	if a := r.want(200, "GET", "/Users/"+mine, nil); a.body.(map[string]any)["active"] != true {
		t.Errorf("the other's person: %v", a.body)
	}
	if n := len(r.events(evidence.EventProvisionRefused)); n != 6 {
		t.Errorf("%d refusals on record, of 6", n)
	}
}

// TestAttackNothingButGroupsOfTheListGivesARole: escalation by attributes, by names like
// those of the list, and by groups that are in none.
func TestAttackNothingButGroupsOfTheListGivesARole(t *testing.T) {
	r := newRig(t)
	r.local("boss", "administrator")
	id := r.want(201, "POST", "/Users", map[string]any{
		"userName": "climber@metro.example", "externalId": "c1", "roles": []any{map[string]any{"value": "administrator", "primary": true}}, "entitlements": []any{map[string]any{"value": "administrator"}},
		"userType": "administrator", "role": "administrator", "password": "of my own choosing, long enough", "groups": []any{map[string]any{"value": "evidence-admins", "display": "evidence-admins"}},
		"urn:sealdock:role": "administrator", "officer_id": "1", "agency": "other-pd",
	}).id()
	r.want(200, "PATCH", "/Users/"+id, patch("add", `roles[value eq "administrator"].value`, "administrator"))
	r.want(400, "PATCH", "/Users/"+id, patch("add", "groups", []any{map[string]any{"value": "evidence-admins"}}))
	r.want(400, "PATCH", "/Users/"+id, patch("replace", "id", "local-boss"))
	for _, name := range []string{"administrator", "evidence-admins2", "evidence admins", "еvidence-admins"} { // the last begins with a Cyrillic letter
		r.grouped(name, id)
	}
	if u := r.account(id); u.Role != "" || u.DisabledAt.IsZero() || u.Password != "" || u.OfficerID != "" || u.Agency != "metro-pd" {
		t.Fatalf("the account is %+v", u)
	}
	group := r.grouped("evidence-operators", id)
	if u := r.account(id); u.Role != "operator" || !u.DisabledAt.IsZero() {
		t.Fatalf("in a group of the list: %+v", u)
	}
	r.want(204, "PATCH", "/Groups/"+group, patch("replace", "displayName", "nothing"))
	if u := r.account(id); u.DisabledAt.IsZero() {
		t.Fatalf("the group was renamed: %+v", u)
	}
	r.want(204, "PATCH", "/Groups/"+group, patch("replace", "externalId", "EVIDENCE-admins")) // as Entra ID names groups
	if u := r.account(id); u.Role != "administrator" || !u.DisabledAt.IsZero() {
		t.Fatalf("a group of the list by its id: %+v", u)
	}
	r.want(204, "DELETE", "/Groups/"+group, nil)
	if u := r.account(id); u.DisabledAt.IsZero() {
		t.Fatalf("the group is gone: %+v", u)
	}
}

func TestTheLastWhoManagesPeopleIsNotLockedOut(t *testing.T) {
	r := newRig(t)
	id := r.made("admin@metro.example")
	group := r.grouped("evidence-admins", id)
	for what, try := range map[string]func() answer{
		"disable":      func() answer { return r.call("PATCH", "/Users/"+id, patch("Replace", "active", "False")) },
		"remove":       func() answer { return r.call("DELETE", "/Users/"+id, nil) },
		"take out":     func() answer { return r.call("PATCH", "/Groups/"+group, patch("remove", "members", nil)) },
		"remove group": func() answer { return r.call("DELETE", "/Groups/"+group, nil) },
		"rename group": func() answer {
			return r.call("PATCH", "/Groups/"+group, patch("replace", "displayName", "evidence-operators"))
		},
	} {
		if a := try(); a.code != http.StatusForbidden {
			t.Errorf("%s: %d %v", what, a.code, a.body)
		}
		if u := r.account(id); !u.DisabledAt.IsZero() || u.Role != "administrator" {
			t.Fatalf("%s: the last administrator is %+v", what, u)
		}
	}
	if n := len(r.events(evidence.EventProvisionRefused)); n != 5 {
		t.Errorf("%d refusals on record", n)
	}
	r.local("boss", "administrator")
	r.want(200, "PATCH", "/Users/"+id, patch("replace", "active", false))
}

func TestWhoIsCutOffThereIsOutHereAtOnceAndStaysOnRecord(t *testing.T) {
	r := newRig(t)
	r.local("boss", "administrator")
	id := r.made("b.okafor@metro.example")
	r.grouped("evidence-operators", id)
	session := func() bool {
		rows, err := r.db.Sessions(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return len(rows) > 0
	}
	open := func() {
		t.Helper()
		if err := r.db.Update(t.Context(), func(tx *sqldb.Tx) error {
			return tx.InsertSession(t.Context(), &catalog.Session{TokenHash: evidence.SHA256([]byte(fmt.Sprint(r.at))), User: id, CreatedAt: r.at, LastUsedAt: r.at, ExpiresAt: r.at.Add(time.Hour)})
		}); err != nil {
			t.Fatal(err)
		}
	}
	open()
	began := time.Now()
	r.want(200, "PATCH", "/Users/"+id, patch("Replace", "active", "False"))
	if took := time.Since(began); session() || took > time.Second {
		t.Errorf("a session after %s: %v", took, session())
	}
	r.want(200, "PATCH", "/Users/"+id, patch("Replace", "active", true))
	r.at = r.at.Add(time.Minute)
	open()
	r.want(204, "DELETE", "/Users/"+id, nil)
	if u := r.account(id); session() || u.DisabledAt.IsZero() || u.Login != "b.okafor@metro.example" {
		t.Errorf("removed: %+v", u)
	}
	r.want(409, "POST", "/Users", map[string]any{"userName": "b.okafor@metro.example", "externalId": "somebody-else"})
	r.want(409, "POST", "/Users", map[string]any{"userName": "b.okafor@metro.example"})
	for _, e := range r.events(evidence.EventDirectoryCutOff) {
		if !strings.Contains(e, `"name":"entra"`) || !strings.Contains(e, `"kind":"provisioner"`) {
			t.Errorf("who acted is not told: %s", e)
		}
	}
	if cut, made := len(r.events(evidence.EventDirectoryCutOff)), len(r.events(evidence.EventUserCreated)); cut != 2 || made != 1 {
		t.Errorf("%d cuts and %d accounts on record", cut, made)
	}
}

func TestWhomPeopleHereDisabledTheDirectoryDoesNotEnable(t *testing.T) {
	r := newRig(t)
	boss := r.local("boss", "administrator")
	id := r.made("b.okafor@metro.example")
	r.grouped("evidence-operators", id)
	desk := r.people.Desk(&auth.Actor{User: boss.ID, Agency: "metro-pd", Role: auth.Administrator, Powers: auth.ShippedPowers(auth.Administrator)})
	r.at = r.at.Add(time.Minute)
	if err := desk.Disable(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if a := r.want(200, "GET", "/Users/"+id, nil); a.body.(map[string]any)["active"] != false {
		t.Errorf("it is shown as %v", a.body)
	}
	r.want(403, "PATCH", "/Users/"+id, patch("replace", "active", true))
	r.want(200, "PATCH", "/Users/"+id, patch("replace", "displayName", "Bayo Okafor")) // the rest goes on
	if u := r.account(id); u.DisabledAt.IsZero() || u.Name != "Bayo Okafor" {
		t.Errorf("the account is %+v", u)
	}
	if _, err := desk.InviteAgain(t.Context(), id); err == nil {
		t.Error("a person of the directory was given a password here")
	}
	if err := desk.Enable(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r.want(200, "PATCH", "/Users/"+id, patch("replace", "active", true))
}

func TestVersionsKeepChangesFromCrossing(t *testing.T) {
	r := newRig(t)
	id := r.made("b.okafor@metro.example")
	tag := r.want(200, "GET", "/Users/"+id, nil).header.Get("ETag")
	r.want(200, "PATCH", "/Users/"+id, patch("replace", "displayName", "One"), "If-Match", tag)
	r.want(412, "PATCH", "/Users/"+id, patch("replace", "displayName", "Two"), "If-Match", tag)
	r.want(412, "DELETE", "/Users/"+id, nil, "If-Match", `"nonsense"`)
	now := r.want(200, "PUT", "/Users/"+id, map[string]any{"userName": "b.okafor@metro.example", "externalId": "x-b.okafor@metro.example", "displayName": "Two"}, "If-Match", "*").header.Get("ETag")
	if again := r.want(200, "PATCH", "/Users/"+id, patch("replace", "displayName", "Two")).header.Get("ETag"); again != now {
		t.Errorf("nothing changed, and the version went from %s to %s", now, again)
	}
	if n := len(r.events(evidence.EventDirectoryChanged)); n != 2 {
		t.Errorf("%d changes on record, of 2", n)
	}
}

func TestAttackWhatIsTooMuchIsRefused(t *testing.T) {
	r := newRig(t)
	id := r.made("b.okafor@metro.example")
	deep := strings.Repeat(`{"name":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	many := make([]any, maxOperations+1)
	for i := range many {
		many[i] = map[string]any{"op": "replace", "path": "displayName", "value": "x"}
	}
	for what, call := range map[string]struct {
		code         int
		method, path string
		body         any
	}{
		"a large body":     {413, "POST", "/Users", `{"userName":"` + strings.Repeat("a", maxBody) + `"}`},
		"a deep body":      {400, "POST", "/Users", deep},
		"no JSON":          {400, "POST", "/Users", "userName=x"},
		"a list":           {400, "POST", "/Users", "[]"},
		"two of a name":    {400, "POST", "/Users", `{"userName":"a1","USERNAME":"b1"}`},
		"many operations":  {400, "PATCH", "/Users/" + id, map[string]any{"Operations": many}},
		"no operations":    {400, "PATCH", "/Users/" + id, map[string]any{"Operations": []any{}}},
		"another op":       {400, "PATCH", "/Users/" + id, patch("move", "displayName", "x")},
		"remove all":       {400, "PATCH", "/Users/" + id, patch("remove", "", nil)},
		"a bad path":       {400, "PATCH", "/Users/" + id, patch("replace", "emails[type eq", "x")},
		"a long path":      {400, "PATCH", "/Users/" + id, patch("replace", strings.Repeat("a", 2000), "x")},
		"active is maybe":  {400, "PATCH", "/Users/" + id, patch("replace", "active", "maybe")},
		"no name":          {400, "PATCH", "/Users/" + id, patch("remove", "userName", nil)},
		"a name of signs":  {400, "PATCH", "/Users/" + id, patch("replace", "userName", "a/../b")},
		"a control sign":   {400, "PATCH", "/Users/" + id, patch("replace", "displayName", "a\u0000b")},
		"a long name":      {400, "PATCH", "/Users/" + id, patch("replace", "displayName", strings.Repeat("x", 201))},
		"many emails":      {400, "PATCH", "/Users/" + id, patch("replace", "emails", []any{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"})},
		"a long filter":    {400, "GET", `/Users?filter=userName eq "` + strings.Repeat("a", 2000) + `"`, nil},
		"a filter with or": {400, "GET", `/Users?filter=userName eq "a" or userName eq "b"`, nil},
		"not":              {400, "GET", `/Users?filter=not (userName eq "a")`, nil},
		"begins with":      {400, "GET", `/Users?filter=userName sw "a"`, nil},
		"another field":    {400, "GET", `/Users?filter=password eq "a"`, nil},
		"brackets":         {400, "GET", `/Users?filter=` + strings.Repeat("(", 300) + `userName eq "a"` + strings.Repeat(")", 299), nil},
		"count":            {400, "GET", "/Users?count=ten", nil},
		"another address":  {404, "GET", "/Bulk", nil},
		"another method":   {404, "POST", "/Users/" + id, "{}"},
		"no group name":    {400, "POST", "/Groups", map[string]any{}},
		"member unnamed":   {400, "POST", "/Groups", map[string]any{"displayName": "g", "members": []any{map[string]any{}}}},
	} {
		if a := r.call(call.method, call.path, call.body); a.code != call.code || !strings.Contains(fmt.Sprint(a.body), "messages:2.0:Error") {
			t.Errorf("%s: %d %v, not %d", what, a.code, a.body, call.code)
		}
	}
	if u := r.account(id); u.Login != "b.okafor@metro.example" || u.Name != "b.okafor@metro.example" {
		t.Errorf("something of it was done: %+v", u)
	}
}

func TestAnEmptyFilterValueFindsNobody(t *testing.T) {
	r := newRig(t)
	r.made("b.okafor@metro.example")
	for _, filter := range []string{`userName eq ""`, `externalId eq ""`, `userName eq "b.okafor@metro.example" and userName eq "other"`} {
		if a := r.want(200, "GET", "/Users?filter="+filter, nil); fmt.Sprint(a.body.(map[string]any)["totalResults"]) != "0" {
			t.Errorf("%s: %v", filter, a.body)
		}
	}
}

func TestDiscovery(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas", "/Schemas/" + userSchema, "/Schemas/" + groupSchema} {
		r.want(200, "GET", path, nil)
	}
	r.want(404, "GET", "/Schemas/urn:none", nil)
	r.want(403, "GET", `/Schemas?filter=id eq "x"`, nil)
	answers := r.want(200, "GET", "/ServiceProviderConfig", nil).body.(map[string]any)
	if fmt.Sprint(answers["patch"]) != "map[supported:true]" {
		t.Errorf("%v", answers)
	}
}

func TestAGroupOfThousandsIsKeptInSeconds(t *testing.T) {
	r := newRig(t)
	r.local("boss", "administrator")
	by, err := r.people.Provisioner(t.Context(), r.token, auth.Origin{Address: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	var members []any
	for i := range 300 {
		v, err := by.Create(context.WithoutCancel(t.Context()), auth.ProvisionedPerson{UserName: fmt.Sprintf("p%d@metro.example", i), ExternalID: fmt.Sprint(i), Active: true})
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, map[string]any{"value": v.ID})
	}
	began := time.Now()
	id := r.want(201, "POST", "/Groups", map[string]any{"displayName": "evidence-operators", "members": members}).id()
	r.want(204, "PATCH", "/Groups/"+id, patch("replace", "displayName", "evidence-admins"))
	t.Logf("300 members in, and all renamed: %s", time.Since(began))
	if u := r.account(members[299].(map[string]any)["value"].(string)); u.Role != "administrator" {
		t.Errorf("a member is %+v", u)
	}
}
