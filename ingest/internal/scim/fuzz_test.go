package scim

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// FuzzFilter: whatever is sent, it is refused or narrows, and quickly.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		`userName eq "bjensen"`, `externalId eq "a" and userName eq "b"`, `id eq "1" and members eq "2"`, `members[value eq "1"]`, `((userName eq "a"))`, `not (userName eq "a")`,
		`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "x"`, `userName pr`, `active eq true`, `userName eq "\"\\"`, `a[b[c[`, ``, `userName eq ""`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		began := time.Now()
		for _, schema := range []string{userSchema, groupSchema} {
			got, err := parseFilter(s, schema)
			var told *problem
			switch {
			case err != nil && !errors.As(err, &told):
				t.Fatalf("%q: an error that clients are not told: %v", s, err)
			case err == nil && s != "" && got.ID+got.UserName+got.ExternalID+got.DisplayName+got.Member == "":
				t.Fatalf("%q narrows nothing", s)
			case err == nil && schema == userSchema && got.Member != "", err == nil && schema == groupSchema && got.UserName != "":
				t.Fatalf("%q filters by what there is not: %+v", s, got)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Fatalf("%q took %s", s, took)
		}
	})
}

// FuzzPatch: whatever is sent, it is refused or leaves a person with a name, whose id,
// groups and version nobody touched.
func FuzzPatch(f *testing.F) {
	for _, s := range []string{
		`{"Operations":[{"op":"Replace","path":"active","value":"False"}]}`, `{"Operations":[{"op":"replace","value":{"active":false,"name.givenName":"x","id":"y"}}]}`,
		`{"Operations":[{"op":"Add","path":"emails[type eq \"work\"].value","value":"x"}]}`, `{"Operations":[{"op":"remove","path":"emails[primary eq true and type eq \"a\"]"}]}`,
		`{"operations":{"op":"add","path":"name","value":{"formatted":null}}}`, `{"Operations":[{"op":"remove","path":"members[value eq \"m1\"]"}]}`, `{"Operations":[{"op":"Remove","path":"members","value":[{"value":"m2","$ref":null}]}]}`,
		`{"Operations":[{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User:userName","value":["a"]}]}`, `[]`, `{"Operations":[{"op":"replace","path":"userName"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q := &request{body: body}
		operations, err := q.operations()
		if err != nil {
			return
		}
		v := auth.ProvisionedPerson{ID: "u1", UserName: "name", Version: 3, ProvisionedProfile: auth.ProvisionedProfile{Emails: []auth.ProvisionedEmail{{Value: "a", Type: "work", Primary: true}, {Value: "b"}}}}
		g := auth.ProvisionedGroup{Members: []auth.ProvisionedMember{{ID: "m1"}, {ID: "m2"}}}
		g.ID, g.Name = "g1", "group"
		failed := false
		for _, o := range operations {
			if o.each(userSchema, func(op string, at target, value any) error { return setAttribute(&v, op, at, value) }) != nil {
				failed = true
				break
			}
		}
		if !failed && (v.ID != "u1" || v.Version != 3 || v.Groups != nil || v.UserName == "") {
			t.Fatalf("%s made of a person %+v", body, v)
		}
		for _, o := range operations {
			if o.each(groupSchema, func(op string, at target, value any) error { return setGroupAttribute(&g, op, at, value) }) != nil {
				break
			}
		}
		if g.ID != "g1" {
			t.Fatalf("%s made of a group %+v", body, g)
		}
		if _, err := json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	})
}
