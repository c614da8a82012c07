package cases

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ErrClosed: a closed case stays as it is. Its text is for people.
var ErrClosed = errors.New("this case is closed: reopen it first")

// Config is what a Service works with; all of it is required.
type Config struct {
	Catalog *sqldb.DB
	Auth    *auth.Service
	Agency  evidence.AgencyID
	Now     func() time.Time
	Log     *slog.Logger
}

// Service knows an agency's cases. A Desk is what acts.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service { return &Service{c} }

// Desk is the Service as one person may use it.
type Desk struct {
	*Service
	actor *auth.Actor
}

// For returns the Desk of a signed-in person.
func (s *Service) For(actor *auth.Actor) *Desk { return &Desk{s, actor} }

// Bounds of what people write, in bytes.
const (
	MaxNumber = 60
	MaxTitle  = 200
	MaxNote   = 4000
)

// Draft is what people say of a case.
type Draft struct {
	Number string // the agency's own, unique whatever its case
	Title  string
	Note   string
	Lead   string // sign-in name or id of who leads it; may be left out
}

// CanOpen reports whether the person may open cases: who manages cases in the whole agency.
func (d *Desk) CanOpen() bool {
	return auth.May(d.actor, auth.ManageCases, auth.Object{Agency: d.Agency})
}

// CanManage reports whether the person may change a case, and what is in it.
func (d *Desk) CanManage(c *catalog.Case) bool { return d.may(auth.ManageCases, c.ID) }

func (d *Desk) may(do auth.Action, id string) bool {
	return auth.May(d.actor, do, auth.Object{Agency: d.Agency, Case: id})
}

// List returns a page of the cases that the person may see. auth.ErrForbidden,
// catalog.ErrCursor.
func (d *Desk) List(ctx context.Context, f catalog.CaseFilter, order catalog.CaseOrder, cursor string, limit int) (catalog.CasePage, error) {
	if !auth.MaySome(d.actor, auth.ListCases, d.Agency) {
		return catalog.CasePage{}, auth.ErrForbidden
	}
	f.Agency, f.Within = d.Agency, auth.ReachOf(d.actor, auth.ListCases, d.Agency)
	return d.Catalog.Cases(ctx, f, order, cursor, limit)
}

// Find returns a case by id or number. catalog.ErrNotFound, also for what the person may
// not see; auth.ErrForbidden for who may see none.
func (d *Desk) Find(ctx context.Context, name string) (*catalog.Case, error) {
	if !auth.MaySome(d.actor, auth.ListCases, d.Agency) {
		return nil, auth.ErrForbidden
	}
	c, err := auth.FindCase(ctx, &d.Catalog.Reader, d.Agency, name)
	if err == nil && !d.may(auth.ListCases, c.ID) {
		err = fmt.Errorf("case %q is out of reach: %w", c.ID, catalog.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Of returns the cases that an item was put into itself, as far as the person may see
// them. catalog.ErrNotFound for the item, auth.ErrForbidden.
func (d *Desk) Of(ctx context.Context, item evidence.EvidenceID) ([]catalog.Case, error) {
	if !auth.MaySome(d.actor, auth.ListCases, d.Agency) {
		return nil, auth.ErrForbidden
	}
	if _, err := auth.Find(ctx, &d.Catalog.Reader, d.actor, auth.ViewItem, d.Agency, item); err != nil {
		return nil, err
	}
	p, err := d.List(ctx, catalog.CaseFilter{Item: item}, catalog.CaseNumber, "", 0)
	return p.Cases, err
}

// Names returns what people are called, by user id; "" for nobody.
func (s *Service) Names(ctx context.Context) func(string) string {
	known := map[string]string{"": ""}
	return func(id string) string {
		name, ok := known[id]
		if !ok {
			name = "somebody without an account here"
			if u, err := s.Catalog.User(ctx, id); err == nil && u.Agency == s.Agency {
				name = u.Name
			}
			known[id] = name
		}
		return name
	}
}

// Seers lists who sees what is in a case because of grants on it. auth.ErrForbidden,
// catalog.ErrNotFound.
func (d *Desk) Seers(ctx context.Context, name string) ([]auth.Seer, error) {
	c, err := d.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	return d.Auth.CaseSeers(ctx, d.actor, c.ID)
}

// Open opens a case and returns its id. *auth.PersonError, auth.ErrForbidden.
func (d *Desk) Open(ctx context.Context, draft Draft) (string, error) {
	var b [8]byte
	rand.Read(b[:])
	id := hex.EncodeToString(b[:])
	if !d.CanOpen() {
		return "", d.refuse(ctx, evidence.EventCaseOpened, evidence.CaseObject("new"), auth.ErrForbidden, map[string]string{"number": clip(draft.Number)})
	}
	if err := d.clear(ctx, evidence.EventCaseOpened, ""); err != nil {
		return "", err
	}
	c := &catalog.Case{Agency: d.Agency, ID: id, OpenedAt: d.instant(), OpenedBy: d.actor.User}
	return id, d.keep(ctx, evidence.EventCaseOpened, c, draft)
}

// Change changes what a case is called, and who leads it. *auth.PersonError,
// auth.ErrForbidden, catalog.ErrNotFound, ErrClosed.
func (d *Desk) Change(ctx context.Context, name string, draft Draft) error {
	c, err := d.managed(ctx, evidence.EventCaseChanged, name)
	if err != nil {
		return err
	}
	if c.Closed() {
		return d.refuse(ctx, evidence.EventCaseChanged, evidence.CaseObject(c.ID), ErrClosed, map[string]string{"number": c.Number})
	}
	return d.keep(ctx, evidence.EventCaseChanged, c, draft)
}

// keep checks a draft and keeps the case.
func (d *Desk) keep(ctx context.Context, kind evidence.EventType, c *catalog.Case, draft Draft) error {
	before := *c
	c.Number, c.Title, c.Note = strings.TrimSpace(draft.Number), strings.TrimSpace(draft.Title), strings.TrimSpace(strings.ReplaceAll(draft.Note, "\r\n", "\n"))
	if err := errors.Join(checkText("number", "the number", c.Number, 1, MaxNumber, ""), checkText("title", "the title", c.Title, 1, MaxTitle, ""), checkText("note", "the note", c.Note, 0, MaxNote, "\n")); err != nil {
		return err
	}
	err := d.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		lead, err := d.lead(ctx, tx, strings.TrimSpace(draft.Lead))
		if err != nil {
			return err
		}
		c.Lead = lead
		if c.Number == before.Number && c.Title == before.Title && c.Note == before.Note && c.Lead == before.Lead {
			return nil
		}
		if now, err := tx.Case(ctx, d.Agency, c.ID); err == nil && now.Closed() {
			return ErrClosed
		} else if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		if err := tx.PutCase(ctx, c); err != nil {
			return err
		}
		details := map[string]string{"number": c.Number, "title": c.Title}
		for field, was := range map[string][2]string{"number_before": {before.Number, c.Number}, "title_before": {before.Title, c.Title}} {
			if was[0] != "" && was[0] != was[1] {
				details[field] = was[0]
			}
		}
		if c.Lead != before.Lead {
			details["lead"] = c.Lead
		}
		if c.Note != before.Note {
			details["note_sha256"] = evidence.SHA256([]byte(c.Note)).String()
		}
		return d.append(ctx, tx, kind, evidence.CaseObject(c.ID), details)
	})
	if errors.Is(err, catalog.ErrExists) {
		return &auth.PersonError{Field: "number", Text: "another case has this number"}
	}
	return err
}

// lead is who leads a case, by sign-in name or id; "": nobody is named.
func (d *Desk) lead(ctx context.Context, tx *sqldb.Tx, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	u, err := tx.UserByLogin(ctx, strings.ToLower(name))
	if errors.Is(err, catalog.ErrNotFound) {
		u, err = tx.User(ctx, name)
	}
	if errors.Is(err, catalog.ErrNotFound) || err == nil && u.Agency != d.Agency {
		return "", &auth.PersonError{Field: "lead", Text: "there is nobody with this sign-in name"}
	} else if err != nil {
		return "", err
	}
	return u.ID, nil
}

// Close closes a case: nothing is put into it and taken out of it any more, and who was
// let in stays in. auth.ErrForbidden, catalog.ErrNotFound, catalog.ErrConflict.
func (d *Desk) Close(ctx context.Context, name string) error {
	return d.end(ctx, evidence.EventCaseClosed, name, d.instant(), d.actor)
}

// Reopen opens a closed case again. Errors as of Close.
func (d *Desk) Reopen(ctx context.Context, name string) error {
	return d.end(ctx, evidence.EventCaseReopened, name, time.Time{}, nil)
}

func (d *Desk) end(ctx context.Context, kind evidence.EventType, name string, at time.Time, by *auth.Actor) error {
	c, err := d.managed(ctx, kind, name)
	if err != nil {
		return err
	}
	who := ""
	if by != nil {
		who = by.User
	}
	return d.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.EndCase(ctx, d.Agency, c.ID, at, who); err != nil {
			return err
		}
		return d.append(ctx, tx, kind, evidence.CaseObject(c.ID), map[string]string{"number": c.Number, "title": c.Title})
	})
}

// managed returns a case that the person manages. That they do not is an event; a case
// that they do not even see is catalog.ErrNotFound.
func (d *Desk) managed(ctx context.Context, kind evidence.EventType, name string) (*catalog.Case, error) {
	c, err := d.manages(ctx, name)
	if err != nil {
		return nil, d.refuse(ctx, kind, evidence.CaseObject(clip(name)), err, nil)
	}
	return c, d.clear(ctx, kind, c.ID)
}

// clear has an act on a case, "" for one that is only opened, wait for a second person
// where the agency says so.
func (d *Desk) clear(ctx context.Context, kind evidence.EventType, id string) error {
	act := auth.Act{Do: auth.ManageCases, On: []auth.Object{{Agency: d.Agency, Case: id}}, Kind: kind}
	if id != "" {
		act.About = evidence.CaseObject(id)
	}
	return auth.Clear(ctx, d.actor, act)
}

func (d *Desk) manages(ctx context.Context, name string) (*catalog.Case, error) {
	if !auth.MaySome(d.actor, auth.ManageCases, d.Agency) {
		return nil, auth.ErrForbidden
	}
	c, err := auth.FindCase(ctx, &d.Catalog.Reader, d.Agency, name)
	switch {
	case err != nil:
		return nil, err
	case d.may(auth.ManageCases, c.ID):
		return c, nil
	case d.may(auth.ListCases, c.ID):
		return nil, auth.ErrForbidden
	}
	return nil, fmt.Errorf("case %q is out of reach: %w", c.ID, catalog.ErrNotFound)
}

// refuse records that an act was refused, and returns why.
func (d *Desk) refuse(ctx context.Context, kind evidence.EventType, object string, why error, details map[string]string) error {
	if d.actor == nil || !refusal(why) {
		return why
	}
	e := d.event(kind, object, details)
	e.Outcome, e.Reason = evidence.OutcomeRefused, why.Error()
	switch {
	case errors.Is(why, catalog.ErrNotFound):
		e.Reason = "no such case or recording is within reach"
	case errors.Is(why, auth.ErrForbidden):
		e.Reason = "no grant allows " + string(auth.ManageCases)
	}
	if err := d.Catalog.Update(ctx, func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, e); return err }); err != nil {
		d.Log.ErrorContext(ctx, "a refused act could not be recorded", "act", string(kind), "error", err)
	}
	return why
}

func refusal(err error) bool {
	return errors.Is(err, auth.ErrForbidden) || errors.Is(err, catalog.ErrNotFound) || errors.Is(err, auth.ErrBeyondCase) || errors.Is(err, ErrClosed)
}

func (d *Desk) event(kind evidence.EventType, object string, details map[string]string) evidence.Event {
	return evidence.Event{Version: 1, Agency: d.Agency, Type: kind, At: d.instant(), Actor: d.actor.Custody(), Source: d.actor.Origin.Address, Object: object, Outcome: evidence.OutcomeDone, Details: details}
}

func (d *Desk) append(ctx context.Context, tx *sqldb.Tx, kind evidence.EventType, object string, details map[string]string) error {
	_, err := tx.AppendEvent(ctx, d.event(kind, object, details))
	return err
}

func (s *Service) instant() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// checkText refuses text that is missing, too long, or holds control characters but those
// allowed.
func checkText(field, what, text string, least, most int, allowed string) error {
	if len(text) < least || len(text) > most {
		return &auth.PersonError{Field: field, Text: fmt.Sprintf("%s has %d bytes, %d to %d are taken", what, len(text), least, most)}
	}
	for _, r := range text {
		if (r < 0x20 || r == 0x7f || r == '\uFFFD') && !strings.ContainsRune(allowed, r) {
			return &auth.PersonError{Field: field, Text: what + " holds a control or broken character"}
		}
	}
	return nil
}

// clip bounds what somebody asked about, for an event.
func clip(s string) string {
	if len(s) > 80 {
		s = s[:80]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
