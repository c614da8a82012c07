package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// pairOffice is an office where managing people takes two, with two administrators
// besides the chief, and a page that disables accounts.
type pairOffice struct {
	*office
	asker, second     string // sessions
	askerID, secondID string
	victim            string // user id
	confirmed         int
	broken            error // what the page has against it
}

func newPair(t *testing.T, db *sqldb.DB) *pairOffice {
	t.Helper()
	o := &pairOffice{office: newOffice(t, db)}
	o.askerID, o.asker = o.joined("ada.asker", Administrator)
	o.secondID, o.second = o.joined("sam.second", Administrator)
	o.victim, _ = o.joined("vic", Officer)
	policy := DefaultPolicy()
	policy.TwoPeople = map[Action]bool{ManageAccount: true}
	o.decided = func(context.Context) Policy { return policy }
	o.Serve(DoorPage, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := o.broken
		if err == nil {
			err = o.Desk(Running(r.Context())).Disable(r.Context(), r.FormValue("person"))
		}
		if err != nil {
			TellRefusal(w, r, err.Error())
			w.WriteHeader(http.StatusConflict)
		}
	}))
	return o
}

// fresh is who is signed in, after they have shown a factor again.
func (o *pairOffice) fresh(session string) *Actor {
	o.Helper()
	a := o.actor(session)
	if Fresh(a, o.clock.Now()) != nil {
		o.confirmed++
		o.must(o.Confirm(o.Context(), a, Proof{Password: password}, Origin{Address: fmt.Sprintf("192.0.2.%d", 100+o.confirmed%100)}))
		a = o.actor(session)
	}
	return a
}

// ask asks to disable somebody, as a page would.
func (o *pairOffice) ask(session, person, device string) (*Request, error) {
	o.Helper()
	ctx := WithAsking(o.Context(), &Asking{Door: DoorPage, Method: http.MethodPost, URI: "/people/x/disable", Type: "application/x-www-form-urlencoded", Device: device,
		Body: func() ([]byte, error) { return []byte(url.Values{"person": {person}}.Encode()), nil }})
	err := o.Desk(o.fresh(session)).Disable(ctx, person)
	var waits *WaitingError
	if !errors.As(err, &waits) {
		return nil, err
	}
	v, err := o.Approvals(o.actor(session), "").Get(o.Context(), waits.ID)
	o.must(err)
	return v, nil
}

// asked is ask that waits.
func (o *pairOffice) asked() *Request {
	o.Helper()
	v, err := o.ask(o.asker, o.victim, "")
	o.must(err)
	return v
}

func (o *pairOffice) approve(session string, v *Request) error {
	o.Helper()
	return o.Approvals(o.fresh(session), "").Approve(o.Context(), v.ID, v.Digest)
}

func (o *pairOffice) disabled() bool {
	o.Helper()
	u, err := o.db.User(o.Context(), o.victim)
	o.must(err)
	return !u.DisabledAt.IsZero()
}

// stays sees that an approval is refused for that reason, and that nothing was done.
func (o *pairOffice) stays(what string, err, want error) {
	o.Helper()
	if !errors.Is(err, want) {
		o.Errorf("%s: %v", what, err)
	}
	if o.disabled() {
		o.Fatalf("%s: it was done", what)
	}
}

func TestASecondPersonHasItDone(t *testing.T) {
	engines(t, func(t *testing.T, db *sqldb.DB) {
		o := newPair(t, db)
		v := o.asked()
		again := o.asked()
		if o.disabled() || again.ID != v.ID {
			t.Fatalf("asking does it, or twice the same waits twice: %s %s", v.ID, again.ID)
		}
		if n := o.events(evidence.EventActRequested, evidence.OutcomeDone); n != 1 {
			t.Errorf("%d events of one request", n)
		}
		theirs, err := o.Approvals(o.fresh(o.second), "").Waiting(t.Context())
		if err != nil || len(theirs) != 1 || !theirs[0].MayDecide || theirs[0].What.Body != "person="+o.victim || theirs[0].By != "Person ada.asker" {
			t.Fatalf("%+v %v", theirs, err)
		}
		if n, err := o.Approvals(o.actor(o.asker), "").Count(t.Context()); n != 0 || err != nil {
			t.Errorf("%d wait for who asked: %v", n, err)
		}
		o.must(o.approve(o.second, v))
		if !o.disabled() {
			t.Fatal("it was not done")
		}
		rows, err := db.Events(t.Context(), catalog.EventFilter{Agency: metro, Object: evidence.UserObject(o.victim)}, 2)
		o.must(err)
		var done evidence.Event
		o.must(evidence.Decode(rows[0].JSON, &done))
		if rows[1].Type != evidence.EventActApproved || done.Type != evidence.EventUserDisabled || done.Actor.ID != o.askerID || done.Details["approved_by"] != o.secondID || done.Details["request"] != v.ID || done.Details["login"] != "vic" {
			t.Errorf("the record says %s, then %+v", rows[1].Type, done)
		}
		v, err = o.Approvals(o.actor(o.asker), "").Get(t.Context(), v.ID)
		if err != nil || v.State != catalog.RequestDone || v.Decider != "Person sam.second" {
			t.Errorf("%+v %v", v, err)
		}
	})
}

// What fails when it is done leaves nothing behind: no approval, no act, only the
// record of the try.
func TestAnApprovedActIsDoneWholeOrNotAtAll(t *testing.T) {
	engines(t, func(t *testing.T, db *sqldb.DB) {
		o := newPair(t, db)
		v := o.asked()
		o.broken = errors.New("the page does not want to")
		if err := o.approve(o.second, v); err == nil || !strings.Contains(err.Error(), "does not want to") {
			t.Errorf("%v", err)
		}
		o.broken = nil
		o.must(db.Update(t.Context(), func(tx *sqldb.Tx) error { // somebody was faster
			u, err := tx.User(t.Context(), o.victim)
			if err != nil {
				return err
			}
			u.DisabledAt = o.clock.Now()
			return tx.UpdateUser(t.Context(), u)
		}))
		if err := o.approve(o.second, v); !errors.Is(err, catalog.ErrConflict) || errors.Is(err, ErrDecided) {
			t.Errorf("%v", err)
		}
		v, err := o.Approvals(o.actor(o.asker), "").Get(t.Context(), v.ID)
		if err != nil || v.State != catalog.RequestWaits {
			t.Errorf("%+v %v", v, err)
		}
		if done, refused := o.events(evidence.EventActApproved, evidence.OutcomeDone), o.events(evidence.EventActApproved, evidence.OutcomeRefused); done != 0 || refused != 2 {
			t.Errorf("%d approvals and %d refused ones are on record", done, refused)
		}
	})
}

// Nobody fills the list, and what cannot wait is refused.
func TestRequestsAreBounded(t *testing.T) {
	o := newPair(t, openSQLite(t))
	for i := range maxRequests {
		if _, err := o.ask(o.asker, fmt.Sprintf("%032x", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.ask(o.asker, o.victim, ""); !errors.Is(err, ErrManyRequests) {
		t.Errorf("one more: %v", err)
	}
	if err := o.Desk(o.fresh(o.second)).Disable(t.Context(), o.victim); !errors.Is(err, ErrSecondPerson) || o.disabled() {
		t.Errorf("in a way in which it cannot wait: %v", err)
	}
}

// What changes who may do what wants a fresh factor, each of it; a token has none.
func TestChangesOfPowersWantAFreshFactor(t *testing.T) {
	o := newOffice(t, openSQLite(t))
	id, _ := o.joined("vic", Officer)
	group, err := o.Desk(o.actor(o.chief)).PutGroup(t.Context(), "", "Night")
	o.must(err)
	grant, err := o.Desk(o.actor(o.chief)).Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "vic", Role: string(Officer), Scope: catalog.OnAgency})
	o.must(err)
	stale, token := o.actor(o.chief), *o.actor(o.chief)
	token.Token = &TokenInfo{ID: "0123456789abcdef"}
	o.clock.Advance(FreshFor)
	acts := map[string]func(*Desk) error{
		"invite": func(k *Desk) error {
			_, _, err := k.Invite(t.Context(), NewPerson{Login: "zoe", Name: "Zoe", Role: Officer})
			return err
		},
		"invite again": func(k *Desk) error { _, err := k.InviteAgain(t.Context(), id); return err },
		"disable":      func(k *Desk) error { return k.Disable(t.Context(), id) },
		"enable":       func(k *Desk) error { return k.Enable(t.Context(), id) },
		"change":       func(k *Desk) error { return k.Change(t.Context(), id, Auditor, "") },
		"release":      func(k *Desk) error { return k.ReleaseLock(t.Context(), id) },
		"role": func(k *Desk) error {
			_, err := k.PutRole(t.Context(), "", "New", "", []string{string(ListItems)})
			return err
		},
		"role's actions": func(k *Desk) error {
			_, err := k.PutRole(t.Context(), string(Officer), "Officer", "", []string{string(ListItems)})
			return err
		},
		"role away":  func(k *Desk) error { return k.RemoveRole(t.Context(), string(Officer)) },
		"group":      func(k *Desk) error { _, err := k.PutGroup(t.Context(), group, "Day"); return err },
		"group away": func(k *Desk) error { return k.RemoveGroup(t.Context(), group) },
		"member":     func(k *Desk) error { return k.SetMember(t.Context(), group, id, true) },
		"grant": func(k *Desk) error {
			_, err := k.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "vic", Role: string(Officer), Scope: catalog.OnAgency})
			return err
		},
		"grant away":  func(k *Desk) error { return k.EndGrant(t.Context(), grant) },
		"grant again": func(k *Desk) error { return k.RestoreGrant(t.Context(), grant) },
	}
	for what, act := range acts {
		if err := act(o.Desk(stale)); !errors.Is(err, ErrFreshFactor) {
			t.Errorf("%s: %v", what, err)
		}
		if err := act(o.Desk(&token)); !errors.Is(err, ErrTokenAct) {
			t.Errorf("%s with a token: %v", what, err)
		}
	}
	refused := 0
	rows, err := o.db.Events(t.Context(), catalog.EventFilter{Agency: metro}, 500)
	o.must(err)
	for _, row := range rows {
		if row.Outcome == evidence.OutcomeRefused && slices.Contains([]evidence.EventType{evidence.EventUserInvited, evidence.EventUserDisabled, evidence.EventUserEnabled, evidence.EventUserChanged, evidence.EventAccountReleased,
			evidence.EventRoleChanged, evidence.EventGroupChanged, evidence.EventGrantMade, evidence.EventGrantEnded}, row.Type) {
			refused++
		}
	}
	if refused != 2*len(acts) {
		t.Errorf("%d refused acts are on record, want %d", refused, 2*len(acts))
	}
}
