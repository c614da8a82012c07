package auth

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The doors that people ask at.
const (
	DoorPage = "page"
	DoorAPI  = "api"
)

const (
	// UseTime is how long an approved act that takes long may be begun by whoever asked.
	UseTime = 15 * time.Minute
	// DefaultRequestLife is how long a request waits where the agency has not said.
	DefaultRequestLife = 72 * time.Hour

	maxRequests = 100      // of one person that wait
	maxAsked    = 64 << 10 // bytes of what is asked
)

// WaitingError says that an act was not done: it waits for a second person.
type WaitingError struct {
	ID     string
	Lapses time.Time
}

func (e *WaitingError) Error() string {
	return "this takes a second person: it is not done yet, and waits as request " + e.ID
}

// FreshError is ErrFreshFactor, and says before what.
type FreshError struct{ Act Act }

func (e *FreshError) Error() string { return ErrFreshFactor.Error() }

func (e *FreshError) Unwrap() error { return ErrFreshFactor }

var (
	// ErrSecondPerson: it was asked in a way in which it cannot wait.
	ErrSecondPerson = errors.New("the agency wants a second person for this: ask for it on its page, or over the API")
	// ErrManyRequests: a person has as many as they may.
	ErrManyRequests = fmt.Errorf("%d acts of yours wait for a second person, which is the most: withdraw one, or have one decided", maxRequests)
)

// Act is what somebody is about to do, where May has said yes.
type Act struct {
	Do     Action
	On     []Object           // on each of which whoever approves must be allowed to do it
	About  string             // the same as custody events name it; "": it is only made
	Kind   evidence.EventType // that it will be
	Later  bool               // it takes long, or shows a secret once: who asked does it, once it is approved
	Always bool               // the rule itself is at stake: it takes two, whatever the agency has decided
}

// Clear is asked before every act that changes or takes away, where May has said yes: it
// wants a fresh factor where one is due, and a second person where the agency says so.
// ErrFreshFactor, ErrTokenAct, *WaitingError, ErrSecondPerson, ErrManyRequests.
func Clear(ctx context.Context, a *Actor, act Act) error {
	if a == nil || a.service == nil {
		return nil // nobody who came through the door: the program itself
	}
	return a.service.clear(ctx, a, act)
}

func (s *Service) clear(ctx context.Context, a *Actor, act Act) error {
	if run, ok := ctx.Value(runKey{}).(*run); ok {
		return run.clear(a, act)
	}
	policy := s.policy(ctx)
	if err := s.freshFor(a, act.Do, policy); errors.Is(err, ErrFreshFactor) {
		return &FreshError{act}
	} else if err != nil {
		return err
	}
	if !act.Always && !policy.TwoPeople[act.Do] {
		return nil
	}
	asked, err := askedFor(ctx, a, act)
	if err != nil {
		return err
	}
	if act.Later {
		used, err := s.use(ctx, a, asked.digest())
		if err != nil || used {
			return err
		}
	}
	return s.file(ctx, a, act, asked)
}

// What an agency can want before something is taken away.
const (
	ExportFree     = "off"
	ExportPeople   = "people"   // a fresh factor of people; tokens go by their scopes
	ExportNoTokens = "everyone" // and nothing by tokens, which have no factor
)

// freshFor wants a fresh factor before what changes who may do what, and before exports
// as the agency has decided.
func (s *Service) freshFor(a *Actor, do Action, policy Policy) error {
	switch {
	case do == ManageAccount:
		return Fresh(a, s.clock())
	case do != DownloadItem && do != ExportAudit, policy.ExportFactor == ExportFree, a.Token != nil && policy.ExportFactor != ExportNoTokens:
		return nil
	}
	return Fresh(a, s.clock())
}

// Asking is a request of a browser or a program, by which an act can be asked for again.
type Asking struct {
	Door   string
	Method string
	URI    string
	Type   string                 // media type of the body
	Body   func() ([]byte, error) // all of it, as it came
	Device string                 // token of the browser's device cookie
}

type askingKey struct{}

// WithAsking notes in a context what is being asked.
func WithAsking(ctx context.Context, asking *Asking) context.Context {
	return context.WithValue(sqldb.Marked(ctx, &sqldb.Marks{}), askingKey{}, asking)
}

// Asked is what was asked, all of it; its JSON is the one form that is approved.
type Asked struct {
	Version int                `json:"v"`
	Agency  evidence.AgencyID  `json:"agency"`
	User    string             `json:"user"`
	Token   string             `json:"token,omitempty"`
	Action  Action             `json:"action"`
	Kind    evidence.EventType `json:"kind"`
	About   string             `json:"about"`
	Objects []objectOf         `json:"objects"`
	Door    string             `json:"door"`
	Method  string             `json:"method"`
	URI     string             `json:"uri"`
	Type    string             `json:"type,omitempty"`
	Body    string             `json:"body,omitempty"`

	device string // under which the browser is known
	text   []byte // the JSON
}

// objectOf is an Object, without what is known of it.
type objectOf struct {
	Station evidence.StationID `json:"station,omitempty"`
	Case    string             `json:"case,omitempty"`
	Item    string             `json:"item,omitempty"`
}

func objectsOf(all []Object) []objectOf {
	list := []objectOf{}
	for _, o := range all {
		v := objectOf{Station: o.Station, Case: o.Case}
		if o.Item != nil {
			v = objectOf{Item: o.Item.ID.String()}
		}
		list = append(list, v)
	}
	return list
}

func (a *Asked) digest() evidence.Digest { return evidence.SHA256(a.text) }

// askedFor brings what is being asked into its one form. ErrSecondPerson.
func askedFor(ctx context.Context, a *Actor, act Act) (*Asked, error) {
	asking, _ := ctx.Value(askingKey{}).(*Asking)
	if asking == nil {
		return nil, ErrSecondPerson
	}
	body, err := asking.Body()
	if err != nil {
		return nil, err
	}
	v := &Asked{Version: 1, Agency: a.Agency, User: a.User, Action: act.Do, Kind: act.Kind, About: act.About, Objects: objectsOf(act.On),
		Door: asking.Door, Method: asking.Method, URI: asking.URI, Type: asking.Type}
	if a.Token != nil {
		v.Token = a.Token.ID
	}
	if v.Body, err = oneForm(v.Type, body); err != nil {
		return nil, err
	}
	if v.device, err = a.service.deviceOf(asking.Device); err != nil {
		return nil, err
	}
	if v.text, err = json.Marshal(v); err != nil {
		return nil, err
	}
	if len(v.text) > maxAsked {
		return nil, fmt.Errorf("%w: it is too long to wait", ErrSecondPerson)
	}
	return v, nil
}

// oneForm is a body in the one form of all that mean the same.
func oneForm(kind string, body []byte) (string, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return "", nil
	}
	if strings.HasPrefix(kind, "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		return form.Encode(), err
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return "", err
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// file keeps a request, and returns that it waits. The same that waits already is not
// kept twice.
func (s *Service) file(ctx context.Context, a *Actor, act Act, asked *Asked) error {
	now, digest := s.clock(), asked.digest()
	var waits *WaitingError
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		waits = nil
		former, err := tx.RequestOf(ctx, s.agency, a.User, digest, catalog.RequestWaits)
		if err == nil && now.Before(former.Lapses) {
			waits = &WaitingError{former.ID, former.Lapses}
			return nil
		}
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		waiting, err := tx.WaitingRequests(ctx, s.agency, now)
		if err != nil {
			return err
		}
		own := 0
		for i := range waiting {
			if waiting[i].User == a.User {
				own++
			}
		}
		if own >= maxRequests {
			return ErrManyRequests
		}
		var id [8]byte
		rand.Read(id[:])
		objects, err := json.Marshal(asked.Objects)
		if err != nil {
			return err
		}
		row := &catalog.ActRequest{Agency: s.agency, ID: hex.EncodeToString(id[:]), User: a.User, Action: string(act.Do), Objects: string(objects), About: asked.About, Asked: asked.text, Digest: digest,
			Device: asked.device, Later: act.Later, AskedAt: now, Lapses: now.Add(cmp.Or(s.policy(ctx).RequestLife, DefaultRequestLife)), State: catalog.RequestWaits}
		e := s.event(evidence.EventActRequested, a.Custody(), a.Origin, asked.About, evidence.OutcomeDone)
		e.Details = map[string]string{"request": row.ID, "action": row.Action, "act": string(act.Kind), "digest": digest.String(), "lapses": row.Lapses.Format(time.RFC3339)}
		if row.Event, err = tx.AppendEvent(ctx, e); err != nil {
			return err
		}
		waits = &WaitingError{row.ID, row.Lapses}
		return tx.InsertActRequest(ctx, row)
	})
	switch {
	case errors.Is(err, ErrManyRequests):
		return err
	case err != nil:
		return unexpected("keeping a request", err)
	}
	return waits
}

// use takes up what was approved for later, once, and has the events that follow name
// both people.
func (s *Service) use(ctx context.Context, a *Actor, digest evidence.Digest) (used bool, err error) {
	now := s.clock()
	var row *catalog.ActRequest
	var approver *catalog.User
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if row, err = tx.RequestOf(ctx, s.agency, a.User, digest, catalog.RequestApproved); err != nil {
			return err
		}
		if !now.Before(row.UseUntil) {
			return catalog.ErrNotFound
		}
		if approver, err = tx.User(ctx, row.DecidedBy); err != nil {
			return err
		}
		if !approver.DisabledAt.IsZero() {
			return catalog.ErrNotFound // what they let through is let through no more
		}
		done := *row
		done.State = catalog.RequestDone
		return tx.DecideActRequest(ctx, &done, catalog.RequestApproved)
	})
	switch {
	case errors.Is(err, catalog.ErrNotFound), errors.Is(err, catalog.ErrConflict):
		return false, nil
	case err != nil:
		return false, unexpected("taking up what was approved", err)
	}
	sqldb.Mark(ctx, marksOf(row.ID, approver))
	return true, nil
}

func marksOf(request string, approver *catalog.User) map[string]string {
	return map[string]string{"request": request, "approved_by": approver.ID, "approved_by_name": approver.Name}
}

// TwoPeopleActions are the actions for which an agency can want a second person.
func TwoPeopleActions() (all []Deed) {
	for _, d := range Deeds() {
		if !d.Looks && d.Action != ManageKeys {
			all = append(all, d)
		}
	}
	return all
}
