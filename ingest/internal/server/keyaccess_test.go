package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/testkit/routes"
)

type someKeys struct{ api.KeyWork }

// The routes about keys are the running server's alone, so they are not in the
// dashboard's access table. Every one of them is asked as every shipped role, by a
// browser's session and by a token, about what is and is not the agency's.
func TestEveryRouteAboutKeysAnswersEveryRole(t *testing.T) {
	without := routes.Of(t, api.Routes(api.Config{}))
	about := slices.DeleteFunc(routes.Of(t, api.Routes(api.Config{Keys: someKeys{}})), func(p string) bool { return slices.Contains(without, p) })
	approver := `"approver":{"login":"` + ben.Login + `","password":"` + ben.Password + `","passphrase":"a second passphrase, long"}`
	escrow := `"escrow":"bm90aGluZw==","passphrases":{"a.moreno":"x","b.lee":"y"}`
	// What an administrator's session is answered: within the agency, about nothing, about
	// another agency's.
	table := map[string]struct {
		body string
		own  string
	}{
		"GET /api/v1/keys":                {"", "+"},
		"POST /api/v1/keys/drill":         {"{" + escrow + "}", "+"},
		"POST /api/v1/keys/escrow":        {`{"passphrase":"a first passphrase, long",` + approver + "}", "+"},
		"POST /api/v1/keys/restore":       {"{" + approver + "," + escrow + "}", "+"},
		"POST /api/v1/keys/rotate":        {"{}", "+"},
		"POST /api/v1/keys/{id}/retire":   {"{" + approver + "}", "+0"},
		"POST /api/v1/items/{id}/destroy": {`{"reason":"asked by a test",` + approver + "}", "+00"},
	}
	r, d := storing(t)
	kept := r.store(d, d.Record(t, "OWN.MP4", footage(1000))).Evidence.String()
	foreign := catalogtest.NewItem(7, time.Now())
	foreign.Agency = "other-pd"
	r.inCatalog(func(db *sqldb.DB) error {
		return db.Update(r.ctx, func(tx *sqldb.Tx) error { return tx.InsertItem(r.ctx, foreign) })
	})
	roles := []auth.Role{auth.Officer, auth.Supervisor, auth.Investigator, auth.Prosecutor, auth.Auditor, auth.Operator, auth.EvidenceManager, auth.Administrator}
	desks, tokens := map[auth.Role]*desk{"nobody": r.desk(alba)}, map[auth.Role]string{}
	desks["nobody"].cookie = &http.Cookie{Name: "nothing", Value: "x"}
	r.must(r.config.withAccounts(r.ctx, time.Now, func(people *auth.Service) error {
		for _, role := range roles {
			by, from := local()
			who := Credentials{Login: "r." + string(role), Password: alba.Password}
			if _, err := people.AddUser(r.ctx, auth.Person{Login: who.Login, Name: who.Login, Password: who.Password}, role, by, from); err != nil {
				return err
			}
			desks[role] = r.desk(who)
			actor, err := people.Actor(r.ctx, desks[role].cookie.Value, auth.Origin{Address: "127.0.0.1"})
			if err != nil {
				return err
			}
			want := auth.NewToken{Name: "everything"}
			for _, deed := range auth.TokenScopes(actor) {
				want.Scopes = append(want.Scopes, deed.Action)
			}
			if len(want.Scopes) == 0 {
				continue // a role that may do nothing without a grant
			}
			if tokens[role], _, err = people.MakeToken(r.ctx, actor, want); err != nil {
				return err
			}
		}
		return nil
	}))
	asked := 0
	for _, pattern := range about {
		row, known := table[pattern]
		if !known {
			t.Errorf("%s is in no access table: say here how it answers", pattern)
			continue
		}
		delete(table, pattern)
		method, path, _ := strings.Cut(pattern, " ")
		paths := []string{path}
		if strings.Contains(path, "/items/") {
			paths = []string{strings.Replace(path, "{id}", kept, 1), strings.Replace(path, "{id}", strings.Repeat("0", 31)+"1", 1), strings.Replace(path, "{id}", foreign.ID.String(), 1)}
		} else if strings.Contains(path, "{id}") {
			paths = []string{strings.Replace(path, "{id}", r.newestKey(), 1), strings.Replace(path, "{id}", strings.Repeat("ab", 16), 1)}
		}
		for _, role := range append([]auth.Role{"nobody"}, roles...) {
			for i, path := range paths {
				want := map[bool]string{true: "-", false: row.own[i : i+1]}[role != auth.Administrator]
				if role == "nobody" {
					want = "o"
				}
				if got := answered(desks[role].with(method, path, row.body, "")); got != want {
					t.Errorf("%s %s as %s: %s, want %s", method, path, role, got, want)
				}
				asked++
				if tokens[role] == "" {
					continue
				}
				if got := answered(desks[role].with(method, path, row.body, tokens[role])); got != "-" {
					t.Errorf("%s %s by a token of %s: %s", method, path, role, got)
				}
				asked++
			}
		}
	}
	for pattern := range table {
		t.Errorf("%s is no route", pattern)
	}
	t.Logf("%d routes, %d requests", len(about), asked)
}

// newestKey is the agency's.
func (r *running) newestKey() string {
	r.t.Helper()
	states, err := KeyStates(r.ctx, r.config, time.Now)
	r.must(err)
	return string(states[len(states)-1].ID)
}

// with asks by a token, or in the session.
func (d *desk) with(method, path, body, token string) int {
	d.t.Helper()
	d.move()
	request, err := http.NewRequestWithContext(d.ctx, method, "https://"+d.ready.HTTPS.String()+path, strings.NewReader(body))
	d.must(err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	} else {
		request.AddCookie(d.cookie)
	}
	response, err := d.client.Do(request)
	d.must(err)
	d.must(response.Body.Close())
	return response.StatusCode
}

// answered says in the signs of the dashboard's access table how a request was answered.
func answered(code int) string {
	switch code {
	case http.StatusUnauthorized:
		return "o"
	case http.StatusForbidden:
		return "-"
	case http.StatusNotFound:
		return "0"
	}
	return "+"
}
