package server

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/proto/evidence"
)

// asked is a request's body, with the given facts in it.
func asked(t *testing.T, facts map[string]any) string {
	t.Helper()
	text, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// with is who agrees, with a passphrase for an escrow.
func with(who Credentials) map[string]string {
	return map[string]string{"login": who.Login, "password": who.Password, "passphrase": held[who.Login]}
}

// TestTwoPeopleActUponKeysFromAfar plays escrow, drill, rotation, retirement, the loss of
// a key pair and its return, and the destruction of an item, over HTTPS while the server
// runs, with what is refused on the way.
func TestTwoPeopleActUponKeysFromAfar(t *testing.T) {
	r, d := storing(t)
	item := r.store(d, d.Record(t, "SECRET.MP4", footage(1000))).Evidence
	admin, operator := r.desk(alba), r.desk(oona)

	both := map[string]any{"password": alba.Password, "approver": map[string]string{"login": ben.Login, "password": ben.Password}}
	escrowed := map[string]any{"password": alba.Password, "passphrase": held[alba.Login], "approver": with(ben)}
	first, err := KeyStates(r.ctx, r.config, time.Now)
	r.must(err)
	for path, body := range map[string]map[string]any{
		"/api/v1/keys/escrow": escrowed, "/api/v1/keys/" + string(first[0].ID) + "/retire": both,
		"/api/v1/keys/drill":                          {"password": oona.Password, "escrow": "AAAA", "passphrases": map[string]string{"a": "b", "c": "d"}},
		"/api/v1/keys/restore":                        {"password": oona.Password, "approver": both["approver"], "escrow": "AAAA", "passphrases": map[string]string{"a": "b", "c": "d"}},
		"/api/v1/items/" + item.String() + "/destroy": {"password": oona.Password, "approver": both["approver"], "reason": "x"},
	} {
		if code := operator.call("POST", path, asked(t, body), nil); code != http.StatusForbidden {
			t.Errorf("an operator at %s: %d", path, code)
		}
		if code := admin.call("POST", path, `{"password":"x"}`, nil); code != http.StatusBadRequest {
			t.Errorf("half a request at %s: %d", path, code)
		}
	}

	admin.move()
	// Nobody alone, nobody with a wrong password, no passphrase that is worth nothing.
	wrong := func(change string, value any, want int) {
		t.Helper()
		body := map[string]any{}
		for name, v := range escrowed {
			body[name] = v
		}
		body[change] = value
		if code := admin.call("POST", "/api/v1/keys/escrow", asked(t, body), nil); code != want {
			t.Errorf("an escrow with %s %v: %d, want %d", change, value, code, want)
		}
	}
	wrong("approver", with(alba), 409)
	wrong("approver", with(Credentials{Login: oona.Login, Password: oona.Password}), 400) // has no passphrase
	wrong("approver", map[string]string{"login": ben.Login, "password": "not his", "passphrase": "six other words drawn by chance"}, 403)
	wrong("passphrase", "short", 409)
	if n := len(r.events(evidence.EventEscrowMade)); n != 0 {
		t.Fatalf("%d escrows are on record, none was made", n)
	}

	admin.move()
	file := admin.download("/api/v1/keys/escrow", asked(t, escrowed))
	opened, holders, err := keys.OpenEscrow(file, holder)
	if err != nil || holders != [2]string{alba.Login, ben.Login} || len(opened.Generations()) != 1 {
		t.Fatalf("the escrow: %v, %v", holders, err)
	}
	given := map[string]any{"password": alba.Password, "escrow": base64.StdEncoding.EncodeToString(file), "passphrases": held, "sample": 3}
	var played struct {
		Passed                bool
		KeyPairs              int `json:"key_pairs"`
		Stored, Drawn, Opened int
		Steps                 []struct{ What, Error string }
	}
	if code := admin.call("POST", "/api/v1/keys/drill", asked(t, given), &played); code != 200 || !played.Passed || played.Opened != 3 || played.KeyPairs != 1 || len(played.Steps) != 6 {
		t.Errorf("a drill: %d, %+v", code, played)
	}
	given["passphrases"] = map[string]string{"a.moreno": "not the passphrase of anybody", "b.lee": "nor this one is"}
	if code := admin.call("POST", "/api/v1/keys/drill", asked(t, given), &played); code != 200 || played.Passed || played.Steps[0].Error == "" {
		t.Errorf("a drill with wrong passphrases: %d, %+v", code, played)
	}

	admin.move()
	// Rotation, and the end of the former pair: not while a dock wraps to it.
	if code := admin.call("POST", "/api/v1/keys/rotate", asked(t, map[string]any{"password": alba.Password}), nil); code != 200 {
		t.Fatalf("rotating: %d", code)
	}
	retire := "/api/v1/keys/" + string(first[0].ID) + "/retire"
	if code := admin.call("POST", retire, asked(t, both), nil); code != http.StatusConflict {
		t.Errorf("a pair that a dock wraps to: %d", code)
	}
	if code := admin.call("POST", "/api/v1/keys/"+strings.Repeat("0", 32)+"/retire", asked(t, both), nil); code != http.StatusNotFound {
		t.Errorf("a pair that never was: %d", code)
	}

	admin.move()
	// The newest pair is lost from the folder, with the escrow that has it at hand.
	later := admin.download("/api/v1/keys/escrow", asked(t, escrowed))
	given = map[string]any{"password": alba.Password, "approver": both["approver"], "escrow": base64.StdEncoding.EncodeToString(later), "passphrases": held}
	if code := admin.call("POST", "/api/v1/keys/restore", asked(t, given), nil); code != http.StatusConflict {
		t.Errorf("nothing is missing: %d", code)
	}
	lost, err := filepath.Glob(filepath.Join(r.config.keyDir(), "agency-*.2-*.key"))
	if err != nil || len(lost) != 1 {
		t.Fatalf("%v, %v", lost, err)
	}
	was, err := os.ReadFile(lost[0])
	r.must(err)
	r.must(os.Remove(lost[0]))
	var back struct{ Restored []string }
	if code := admin.call("POST", "/api/v1/keys/restore", asked(t, given), &back); code != 200 || len(back.Restored) != 1 || !strings.Contains(lost[0], back.Restored[0]) {
		t.Fatalf("restoring: %d, %+v", code, back)
	}
	if again, err := os.ReadFile(lost[0]); err != nil || len(again) != len(was) {
		t.Errorf("the pair's file: %d bytes, %v, was %d", len(again), err, len(was))
	}

	admin.move()
	// An item is destroyed by two, for a reason.
	destroy := "/api/v1/items/" + item.String() + "/destroy"
	both["reason"] = " "
	if code := admin.call("POST", destroy, asked(t, both), nil); code != http.StatusConflict {
		t.Errorf("no reason: %d", code)
	}
	both["reason"] = "order of the county court"
	if code := admin.call("POST", "/api/v1/items/"+strings.Repeat("0", 32)+"/destroy", asked(t, both), nil); code != http.StatusNotFound {
		t.Errorf("no item: %d", code)
	}
	var done struct{ Path string }
	if code := admin.call("POST", destroy, asked(t, both), &done); code != 200 || done.Path != "SECRET.MP4" {
		t.Fatalf("destroying: %d, %+v", code, done)
	}
	if code := admin.call("POST", destroy, asked(t, both), nil); code != http.StatusConflict {
		t.Errorf("destroyed twice: %d", code)
	}
	delete(both, "reason")

	admin.move()
	// The dock is enrolled anew, so nothing stands on the first pair.
	r.enrol("front-desk")
	if code := admin.call("POST", retire, asked(t, both), nil); code != 200 {
		t.Errorf("retiring: %d", code)
	}
	for kind, want := range map[evidence.EventType]int{evidence.EventEscrowMade: 2, evidence.EventKeyRetired: 1, evidence.EventKeysRestored: 1, evidence.EventItemDestroyed: 1} {
		rows := r.events(kind)
		if len(rows) != want || !strings.Contains(string(rows[0].JSON), "B.LEE") || !strings.Contains(string(rows[0].JSON), `"source":"127.0.0.`) {
			t.Errorf("%s: %d events, want %d, of both people and from where", kind, len(rows), want)
		}
	}
	r.end()
	if _, found := r.problems(); found != "" {
		t.Error(found)
	}
}

// TestNothingIsKeptUnderARetiredKey: what was under way when a pair was retired cannot
// commit under it afterwards.
func TestNothingIsKeptUnderARetiredKey(t *testing.T) {
	r, _ := storing(t)
	_, err := RotateKeys(r.ctx, r.config, false, r.logger(), time.Now, nil)
	r.must(err)
	states, err := KeyStates(r.ctx, r.config, time.Now)
	r.must(err)
	again := r.enrol("front-desk")
	r.must(RetireKey(r.ctx, r.config, states[0].ID, alba, ben, time.Now))
	dock, err := r.catalog().Dock(r.ctx, "springfield", "front-desk")
	r.must(err)
	dock.AgencyKey = string(states[0].ID)
	err = r.catalog().Update(r.ctx, func(tx *sqldb.Tx) error { return tx.RegisterDock(r.ctx, dock) })
	if err == nil || !strings.Contains(fmt.Sprint(err), catalog.ErrRetired.Error()) {
		t.Errorf("a dock that was told the retired key at its enrolment: %v", err)
	}
	receipt := r.store(again, again.Record(t, "AFTER.MP4", footage(1000)))
	item, err := r.catalog().Item(r.ctx, "springfield", receipt.Evidence)
	r.must(err)
	key := catalog.WrappedKey{Agency: item.Agency, ID: item.ID, Attempt: item.Attempt, AgencyKey: item.AgencyKey, Wrapped: item.WrappedKey}
	err = r.catalog().Update(r.ctx, func(tx *sqldb.Tx) error {
		changed, err := tx.Rewrap(r.ctx, &key, string(states[0].ID), []byte("another"))
		if changed {
			t.Error("a key was wrapped to a retired one")
		}
		return err
	})
	r.must(err)
	r.end()
	r.clean(4)
}
