package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/internal/testkit/slapd"
	"github.com/sealdock/sealdock/proto/evidence"
)

// scim sends a request as the directory's program does.
func (r *running) scim(c *http.Client, token, method, path, body string) (code int, answer map[string]any) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.ctx, method, "https://"+r.ready.HTTPS.String()+"/scim/v2"+path, bytes.NewReader([]byte(body)))
	r.must(err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/scim+json")
	response, err := c.Do(request)
	r.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	r.must(err)
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			r.t.Fatalf("%s %s: %d %q", method, path, response.StatusCode, text)
		}
	}
	return response.StatusCode, answer
}

// TestProvisioningAtTheServer is the whole way: token of the command line, account and
// group by SCIM over TLS, sign-in with the directory's password, and out within a second.
func TestProvisioningAtTheServer(t *testing.T) {
	s := slapd.Start(t)
	r := newServer(t)
	if _, _, err := AddProvisioner(r.ctx, r.config, auth.NewProvisioner{Name: "entra", Life: time.Hour}, time.Now); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("without a directory: %v", err)
	}
	r.must(r.directed(ofLDAP(s)))
	address, token, err := AddProvisioner(r.ctx, r.config, auth.NewProvisioner{Name: "entra", Life: time.Hour, Networks: []string{"127.0.0.0/8"}}, time.Now)
	r.must(err)
	if !strings.HasPrefix(address, "https://") || !strings.HasSuffix(address, "/scim/v2") {
		t.Errorf("the address is %q", address)
	}
	r.start()
	r.requireFactor("nobody")
	officer := r.desk(Credentials{Login: "b.okafor", Password: slapd.Password}) // comes by LDAP alone, and is no business of the provisioner's
	if code, answer := r.scim(officer.client, token, "POST", "/Users", `{"userName":"b.okafor","externalId":"x"}`); code != http.StatusConflict {
		t.Errorf("somebody who is there: %d %v", code, answer)
	}
	id := ""
	r.must(r.config.withAccounts(r.ctx, time.Now, func(*auth.Service) error {
		d, err := r.config.openDirectory(time.Now)
		if err == nil {
			who, wrong := d.Passwords.Check(r.ctx, "c.lind", slapd.Password) // in no group of LDAP
			r.must(wrong)
			id = who.ID
		}
		return err
	}))
	code, made := r.scim(officer.client, token, "POST", "/Users", `{"userName":"carla@metro.example","externalId":"`+id+`","displayName":"Carla Lind","active":true}`)
	if code != http.StatusCreated || !strings.HasPrefix(made["meta"].(map[string]any)["location"].(string), address) {
		t.Fatalf("made: %d %v", code, made)
	}
	user := made["id"].(string)
	if code, answer := r.scim(officer.client, token, "POST", "/Groups", `{"displayName":"evidence-operators","members":[{"value":"`+user+`"}]}`); code != http.StatusCreated {
		t.Fatalf("group: %d %v", code, answer)
	}
	carla := r.desk(Credentials{Login: "c.lind", Password: slapd.Password})
	if code := carla.call("GET", "/api/v1/items", "", nil); code != http.StatusOK {
		t.Errorf("provisioned and signed in: %d", code)
	}
	began := time.Now()
	if code, answer := r.scim(officer.client, token, "PATCH", "/Users/"+user, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`); code != http.StatusOK || answer["active"] != false {
		t.Errorf("disabled: %d %v", code, answer)
	}
	if code := carla.call("GET", "/api/v1/items", "", nil); code != http.StatusUnauthorized || time.Since(began) > time.Second {
		t.Errorf("after it: %d, %s later", code, time.Since(began))
	}
	r.must(RevokeProvisioner(r.ctx, r.config, "entra", time.Now))
	if code, _ := r.scim(officer.client, token, "GET", "/Users", ""); code != http.StatusUnauthorized {
		t.Errorf("revoked while the server runs: %d", code)
	}
	all, err := Provisioners(r.ctx, r.config, time.Now)
	if err != nil || len(all) != 1 || all[0].EndedAt.IsZero() || all[0].LastUsedAt.IsZero() {
		t.Errorf("listed: %+v %v", all, err)
	}
	if n := len(r.events(evidence.EventDirectoryGroup)); n != 1 {
		t.Errorf("%d changes of groups on record", n)
	}
}
