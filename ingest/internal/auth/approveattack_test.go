package auth

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestAttack55NobodyApprovesTheirOwn(t *testing.T) {
	engines(t, func(t *testing.T, db *sqldb.DB) {
		o := newPair(t, db)
		v := o.asked()
		o.stays("their own", o.approve(o.asker, v), ErrOwnRequest)
		change := func(user string, edit func(*catalog.User)) {
			o.must(db.Update(t.Context(), func(tx *sqldb.Tx) error {
				u, err := tx.User(t.Context(), user)
				if err != nil {
					return err
				}
				edit(u)
				return tx.UpdateUser(t.Context(), u)
			}))
		}
		for what, edit := range map[string]func(*catalog.User){
			"the same e-mail address": func(u *catalog.User) {
				u.Email = map[string]string{o.askerID: "ada@metro.example", o.secondID: " ADA@metro.example"}[u.ID]
			},
			"the same officer id": func(u *catalog.User) { u.OfficerID = map[string]string{o.askerID: "B-17", o.secondID: "b-17"}[u.ID] },
		} {
			change(o.askerID, edit)
			change(o.secondID, edit)
			o.stays(what, o.approve(o.second, v), ErrSamePerson)
			for _, user := range []string{o.askerID, o.secondID} {
				change(user, func(u *catalog.User) { u.Email, u.OfficerID = "", "" })
			}
		}
		o.must(db.Update(t.Context(), func(tx *sqldb.Tx) error { // one identity, by two of the directory's ways
			return errors.Join(tx.InsertDirectoryPerson(t.Context(), &catalog.DirectoryPerson{User: o.askerID, Source: "ldap", Subject: "uuid-17", CheckedAt: o.clock.Now()}),
				tx.InsertDirectoryPerson(t.Context(), &catalog.DirectoryPerson{User: o.secondID, Source: "oidc:https://id.example", Subject: "UUID-17", CheckedAt: o.clock.Now()}))
		}))
		o.stays("the same directory identity", o.approve(o.second, v), ErrSamePerson)

		device, err := o.newDevice()
		o.must(err)
		other, err := o.newDevice()
		o.must(err)
		third, _ := o.joinedBefore("tom", Administrator)
		v, err = o.ask(o.asker, third, device)
		o.must(err)
		if err := o.Approvals(o.fresh(o.chief), device).Approve(t.Context(), v.ID, v.Digest); !errors.Is(err, ErrSameBrowser) {
			t.Errorf("the same browser: %v", err)
		}
		o.must(o.Approvals(o.fresh(o.chief), other).Approve(t.Context(), v.ID, v.Digest))
		if n := o.events(evidence.EventActApproved, evidence.OutcomeRefused); n != 5 {
			t.Errorf("%d refused approvals are on record", n)
		}
	})
}

// joinedBefore is joined while one person is enough.
func (o *pairOffice) joinedBefore(login string, role Role) (id, session string) {
	o.Helper()
	decided := o.decided
	defer func() { o.decided = decided }()
	o.decided = nil
	o.fresh(o.chief)
	return o.joined(login, role)
}

func TestAttack55OnlyWhoMayDoItDecides(t *testing.T) {
	engines(t, func(t *testing.T, db *sqldb.DB) {
		o := newPair(t, db)
		v := o.asked()
		_, officer := o.joinedBefore("olga", Officer)
		_, auditor := o.joinedBefore("audrey", Auditor)
		for _, session := range []string{officer, auditor} {
			o.stays("without the power", o.approve(session, v), catalog.ErrNotFound)
			if err := o.Approvals(o.fresh(session), "").Refuse(t.Context(), v.ID, ""); !errors.Is(err, catalog.ErrNotFound) {
				t.Errorf("refusing without the power: %v", err)
			}
			if all, err := o.Approvals(o.actor(session), "").Waiting(t.Context()); !errors.Is(err, ErrForbidden) || len(all) != 0 {
				t.Errorf("sees %+v %v", all, err)
			}
		}
		stale := o.fresh(o.second)
		o.clock.Advance(FreshFor)
		o.stays("without a fresh factor", o.Approvals(stale, "").Approve(t.Context(), v.ID, v.Digest), ErrFreshFactor)
		token := *o.fresh(o.second)
		token.Token = &TokenInfo{ID: "0123456789abcdef", Scopes: []Action{ManageAccount}}
		o.stays("with a token", o.Approvals(&token, "").Approve(t.Context(), v.ID, v.Digest), catalog.ErrNotFound)
		o.stays("who is nobody", o.Approvals(nil, "").Approve(t.Context(), v.ID, v.Digest), ErrForbidden)
		if err := o.Approvals(o.fresh(o.second), "").Withdraw(t.Context(), v.ID); !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("withdrawing somebody else's: %v", err)
		}
		o.must(o.Approvals(o.fresh(o.second), "").Refuse(t.Context(), v.ID, "ask the captain first"))
		o.stays("after a refusal", o.approve(o.chief, v), ErrDecided)
		v = o.asked()
		o.must(o.Approvals(o.fresh(o.asker), "").Withdraw(t.Context(), v.ID))
		o.stays("after it was withdrawn", o.approve(o.chief, v), ErrDecided)
	})
}

func TestAttack55WhoLostTheRoleHasNothingDone(t *testing.T) {
	engines(t, func(t *testing.T, db *sqldb.DB) {
		o := newPair(t, db)
		edit := func(user string, edit func(*catalog.User)) {
			o.must(db.Update(t.Context(), func(tx *sqldb.Tx) error {
				u, err := tx.User(t.Context(), user)
				if err != nil {
					return err
				}
				edit(u)
				return errors.Join(tx.UpdateUser(t.Context(), u), tx.PowersChanged(t.Context(), metro))
			}))
		}
		v := o.asked()
		for what, change := range map[string]func(*catalog.User){
			"disabled": func(u *catalog.User) { u.DisabledAt = o.clock.Now() }, "another role": func(u *catalog.User) { u.Role = string(Auditor) },
		} {
			edit(o.askerID, change)
			o.stays("who asked: "+what, o.approve(o.second, v), ErrAskerGone)
			back := func(u *catalog.User) { u.DisabledAt, u.Role = time.Time{}, string(Administrator) }
			edit(o.askerID, back)
			approver := o.fresh(o.second) // their request has begun, and then they lose it
			edit(o.secondID, change)
			err := o.Approvals(approver, "").Approve(t.Context(), v.ID, v.Digest)
			if !errors.Is(err, ErrForbidden) && !errors.Is(err, catalog.ErrNotFound) {
				t.Errorf("who approves: %s: %v", what, err)
			}
			o.stays("who approves: "+what, err, err)
			edit(o.secondID, back)
		}
		o.clock.Advance(DefaultRequestLife - time.Minute)
		_, o.second = "", o.signedInAgain("sam.second")
		if _, err := o.Approvals(o.fresh(o.second), "").Get(t.Context(), v.ID); err != nil {
			t.Errorf("a minute before: %v", err)
		}
		o.clock.Advance(time.Minute)
		o.stays("lapsed", o.approve(o.second, v), ErrLapsed)
		if all, err := o.Approvals(o.actor(o.second), "").Waiting(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("what lapsed waits: %+v %v", all, err)
		}
	})
}

func (o *pairOffice) signedInAgain(login string) string {
	o.Helper()
	session, err := o.SignIn(o.Context(), login, password, "", Origin{Address: "192.0.2.77"})
	o.must(err)
	return session
}

// Whoever can write the database, but not the record, gets nothing else done than was
// asked.
func TestAttack55WhatWasAskedIsWhatIsDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	db, err := sqldb.Open(t.Context(), "sqlite:"+path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	o := newPair(t, db)
	v := o.asked()
	o.stays("a page that was drawn before", o.Approvals(o.fresh(o.second), "").Approve(t.Context(), v.ID, evidence.SHA256([]byte("another"))), ErrNotSeen)
	raw, err := sql.Open("sqlite3", path)
	o.must(err)
	defer raw.Close()
	otherText := strings.Replace(string(v.Asked), o.victim, o.secondID, 1)
	var v2 Asked
	o.must(json.Unmarshal([]byte(otherText), &v2))
	for _, edit := range []struct {
		what, set string
		args      []any
	}{
		{"the text", "asked = ?", []any{[]byte(otherText)}},
		{"text and digest", "asked = ?, digest = ?", []any{[]byte(otherText), evidence.SHA256([]byte(otherText)).String()}},
		{"the action", "action = 'evidence.download'", nil},
		{"the object", "objects = '[{\"station\":\"north\"}]'", nil},
		{"what it is about", "about = 'user:x'", nil},
		{"who asked", "user_id = ?", []any{o.Desk(o.actor(o.chief)).actor.User}},
		{"the event that it points to", "event = 1", nil},
	} {
		if _, err := raw.ExecContext(t.Context(), "UPDATE act_requests SET "+edit.set+" WHERE id = '"+v.ID+"'", edit.args...); err != nil {
			t.Fatal(err)
		}
		row, err := db.ActRequest(t.Context(), metro, v.ID)
		o.must(err)
		err = o.Approvals(o.fresh(o.second), "").Approve(t.Context(), v.ID, row.Digest)
		if !errors.Is(err, ErrEdited) {
			t.Errorf("%s: %v", edit.what, err)
		}
		o.stays(edit.what, err, err)
		if u, err := db.User(t.Context(), o.secondID); err != nil || !u.DisabledAt.IsZero() {
			t.Fatalf("%s: another one was disabled: %v", edit.what, err)
		}
		if _, err := raw.ExecContext(t.Context(), "UPDATE act_requests SET asked = ?, digest = ?, action = ?, objects = ?, about = ?, user_id = ?, event = ? WHERE id = ?",
			v.Asked, v.Digest.String(), v.Action, v.Objects, v.ActRequest.About, v.User, v.Event, v.ID); err != nil {
			t.Fatal(err)
		}
	}
	o.must(o.approve(o.second, v))
	if !o.disabled() {
		t.Error("as it was asked it is not done")
	}
}

func TestAttack55ApprovedAtOnceByManyItIsDoneOnce(t *testing.T) {
	engines(t, func(t *testing.T, db *sqldb.DB) {
		o := newPair(t, db)
		v := o.asked()
		approvers := []*Actor{o.fresh(o.second), o.fresh(o.chief)}
		var wg sync.WaitGroup
		results := make([]error, 16)
		for i := range results {
			wg.Go(func() { results[i] = o.Approvals(approvers[i%2], "").Approve(t.Context(), v.ID, v.Digest) })
		}
		wg.Wait()
		done := 0
		for _, err := range results {
			switch {
			case err == nil:
				done++
			case !errors.Is(err, ErrDecided):
				t.Errorf("%v", err)
			}
		}
		if n := o.events(evidence.EventUserDisabled, evidence.OutcomeDone); done != 1 || n != 1 || o.events(evidence.EventActApproved, evidence.OutcomeDone) != 1 {
			t.Errorf("%d approvals, done %d times", done, n)
		}
		if err := o.approve(o.second, v); !errors.Is(err, ErrDecided) {
			t.Errorf("once more: %v", err)
		}
	})
}

// What is for later is done by who asked, once, the very same, and soon.
func TestAttack55AnApprovalIsUsedOnceForTheVerySame(t *testing.T) {
	engines(t, func(t *testing.T, db *sqldb.DB) {
		o := newPair(t, db)
		invite := func(session, login string) error {
			ctx := WithAsking(t.Context(), &Asking{Door: DoorPage, Method: http.MethodPost, URI: "/people", Type: "application/x-www-form-urlencoded",
				Body: func() ([]byte, error) { return []byte(url.Values{"login": {login}}.Encode()), nil }})
			_, _, err := o.Desk(o.fresh(session)).Invite(ctx, NewPerson{Login: login, Name: "New " + login, Role: Officer})
			return err
		}
		approved := func(login string) *Request {
			var waits *WaitingError
			if err := invite(o.asker, login); !errors.As(err, &waits) {
				t.Fatalf("inviting %s: %v", login, err)
			}
			v, err := o.Approvals(o.actor(o.second), "").Get(t.Context(), waits.ID)
			o.must(err)
			o.must(o.approve(o.second, v))
			return v
		}
		here := func(login string) bool {
			_, err := db.UserByLogin(t.Context(), login)
			return err == nil
		}
		first := approved("nora")
		if here("nora") {
			t.Fatal("an invitation is sent by who approves: its link would be theirs")
		}
		var waits *WaitingError
		if err := invite(o.asker, "nick"); !errors.As(err, &waits) || here("nick") {
			t.Errorf("another person: %v", err)
		}
		if err := invite(o.second, "nora"); !errors.As(err, &waits) || here("nora") {
			t.Errorf("by somebody else: %v", err)
		}
		o.fresh(o.asker)
		var wg sync.WaitGroup
		results := make([]error, 8)
		for i := range results {
			wg.Go(func() { results[i] = invite(o.asker, "nora") })
		}
		wg.Wait()
		worked := 0
		for _, err := range results {
			if err == nil {
				worked++
			}
		}
		if worked != 1 || !here("nora") {
			t.Errorf("it worked %d times", worked)
		}
		rows, err := db.Events(t.Context(), catalog.EventFilter{Agency: metro, Type: evidence.EventUserInvited}, 1)
		o.must(err)
		if !strings.Contains(string(rows[0].JSON), `"approved_by":"`+o.secondID+`"`) || !strings.Contains(string(rows[0].JSON), first.ID) {
			t.Errorf("the record: %s", rows[0].JSON)
		}
		approved("nils")
		o.clock.Advance(UseTime)
		if err := invite(o.asker, "nils"); !errors.As(err, &waits) || here("nils") {
			t.Errorf("after %s: %v", UseTime, err)
		}
		o.must(o.Approvals(o.actor(o.asker), "").Withdraw(t.Context(), approved("nell").ID))
		if err := invite(o.asker, "nell"); !errors.As(err, &waits) || here("nell") {
			t.Errorf("withdrawn: %v", err)
		}
	})
}
