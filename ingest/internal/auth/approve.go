package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// DecisionError is why a request is not decided as somebody wants; its text is for
// people.
type DecisionError struct{ text string }

func (e *DecisionError) Error() string { return e.text }

// The decisions that are refused whoever it is about.
var (
	ErrOwnRequest  = &DecisionError{"you asked for this yourself: another person has to approve it"}
	ErrSamePerson  = &DecisionError{"you and whoever asked are one person by what the accounts say (the same e-mail address, directory identity or officer id): another person has to approve it"}
	ErrSameBrowser = &DecisionError{"it was asked for with this very browser: approve it with another one, so that it takes two people"}
	ErrLapsed      = &DecisionError{"nobody decided on it in time, and it has lapsed: it has to be asked for again"}
	ErrDecided     = &DecisionError{"it does not wait any more: somebody decided on it, or it was withdrawn"}
	ErrNotSeen     = &DecisionError{"what you looked at is not what is asked now: open the request again and read it"}
	ErrEdited      = &DecisionError{"what is stored is not what was asked for, as the custody record has it: it is not done. Somebody changed the database by other means"}
	ErrAskerGone   = &DecisionError{"whoever asked may not do this any more, or is disabled: it is not done"}
)

// Withdraw takes an own request back that waits, or that was approved and not used.
// catalog.ErrNotFound, *DecisionError.
func (p *Approvals) Withdraw(ctx context.Context, id string) error {
	return p.decide(ctx, id, evidence.EventActWithdrawn, func(tx *sqldb.Tx, row *catalog.ActRequest) (catalog.RequestState, error) {
		switch {
		case row.User != p.actor.User:
			return "", fmt.Errorf("a request of somebody else: %w", catalog.ErrNotFound)
		case row.State == catalog.RequestApproved:
			return catalog.RequestWithdrawn, nil
		}
		return catalog.RequestWithdrawn, p.waits(row)
	}, "")
}

// Refuse refuses a request, for good. catalog.ErrNotFound, ErrForbidden, ErrFreshFactor,
// ErrTokenAct, *DecisionError, *PersonError.
func (p *Approvals) Refuse(ctx context.Context, id, reason string) error {
	reason = strings.TrimSpace(reason)
	if err := checkWords("reason", "the reason", reason, 0, 500); err != nil {
		return err
	}
	return p.decide(ctx, id, evidence.EventActRefused, func(tx *sqldb.Tx, row *catalog.ActRequest) (catalog.RequestState, error) {
		if row.User == p.actor.User {
			return "", &DecisionError{"you asked for this yourself: withdraw it"}
		}
		if err := p.decider(ctx, tx, row); err != nil {
			return "", err
		}
		return catalog.RequestRefused, p.waits(row)
	}, reason)
}

// decide moves a request to where judge says, with its event; a refused try is one too.
func (p *Approvals) decide(ctx context.Context, id string, kind evidence.EventType, judge func(*sqldb.Tx, *catalog.ActRequest) (catalog.RequestState, error), reason string) error {
	if p.actor == nil {
		return ErrForbidden
	}
	var row *catalog.ActRequest
	err := p.s.catalog.Update(ctx, func(tx *sqldb.Tx) (err error) {
		if row, err = tx.ActRequest(ctx, p.s.agency, id); err != nil {
			return err
		}
		from := row.State
		if row.State, err = judge(tx, row); err != nil {
			return err
		}
		row.DecidedBy, row.DecidedAt, row.Reason = p.actor.User, p.s.clock(), reason
		if err := tx.DecideActRequest(ctx, row, from); err != nil {
			return err
		}
		_, err = tx.AppendEvent(ctx, p.event(kind, row, evidence.OutcomeDone, reason))
		return err
	})
	return p.refused(ctx, kind, row, err)
}

func (p *Approvals) event(kind evidence.EventType, row *catalog.ActRequest, outcome evidence.Outcome, reason string) evidence.Event {
	e := p.s.event(kind, p.actor.Custody(), p.actor.Origin, row.About, outcome)
	e.Reason = reason
	e.Details = map[string]string{"request": row.ID, "action": row.Action, "digest": row.Digest.String(), "requested_by": row.User}
	return e
}

// refused records that somebody wanted to decide and may not, and returns why.
func (p *Approvals) refused(ctx context.Context, kind evidence.EventType, row *catalog.ActRequest, err error) error {
	var decision *DecisionError
	if !errors.As(err, &decision) && errors.Is(err, catalog.ErrConflict) {
		err = ErrDecided // somebody was faster
	}
	if row == nil || !errors.As(err, &decision) && !errors.Is(err, ErrForbidden) && !errors.Is(err, ErrFreshFactor) && !errors.Is(err, ErrTokenAct) && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	e := p.event(kind, row, evidence.OutcomeRefused, "")
	e.Reason = clip(err.Error(), 1000)
	if failed := p.s.catalog.Update(ctx, func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, e); return err }); failed != nil {
		return errors.Join(err, unexpected("recording a refused decision", failed))
	}
	return err
}

func (p *Approvals) waits(row *catalog.ActRequest) error {
	switch {
	case row.State != catalog.RequestWaits:
		return ErrDecided
	case !p.s.clock().Before(row.Lapses):
		return ErrLapsed
	}
	return nil
}

// decider sees, in the transaction, that the person may decide on a request: they could
// do it themselves, at this moment, and are not who asked.
func (p *Approvals) decider(ctx context.Context, tx *sqldb.Tx, row *catalog.ActRequest) error {
	now, err := p.s.actorNow(ctx, tx, p.actor)
	if err != nil {
		return err
	}
	may, err := p.s.mayOn(ctx, &tx.Reader, now, row)
	switch {
	case err != nil:
		return err
	case !may && row.User != p.actor.User:
		return fmt.Errorf("a request out of reach: %w", catalog.ErrNotFound)
	case !may:
		return ErrForbidden
	}
	return Fresh(p.actor, p.s.clock())
}

// actorNow is an actor with what they may do in this very transaction. ErrForbidden for
// who may not come in any more.
func (s *Service) actorNow(ctx context.Context, tx *sqldb.Tx, a *Actor) (*Actor, error) {
	u, err := tx.User(ctx, a.User)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, ErrForbidden
	} else if err != nil {
		return nil, err
	}
	p, err := tx.Powers(ctx, s.agency)
	if err != nil {
		return nil, err
	}
	policy := s.policy(ctx)
	if !u.DisabledAt.IsZero() || u.Agency != s.agency || !policy.Networks.Allow(Role(u.Role), a.Origin.Address) {
		return nil, ErrForbidden
	}
	b, now := newBook(merged(p, s.agency)), *a
	now.service, now.Login, now.Name, now.Role, now.RoleName = s, u.Login, u.Name, Role(u.Role), b.roleName(u.Role)
	now.Powers = b.of(u, circumstances{at: s.clock(), address: a.Origin.Address, client: a.Client}).limited(&now, policy.Clients.of(now.Role, a.Client))
	return &now, nil
}

// asker is who asked for a request, as they stand now. ErrAskerGone.
func (s *Service) asker(ctx context.Context, tx *sqldb.Tx, row *catalog.ActRequest, asked *Asked, told *evidence.Event) (*Actor, error) {
	now := s.clock()
	a := &Actor{User: row.User, Agency: s.agency, Origin: Origin{Address: told.Source, Browser: told.Actor.Client}}
	if asked.Token == "" {
		a.FactorAt = now // it was shown when it was asked for, where it was due
	} else {
		rows, err := tx.APITokens(ctx, row.User)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(rows, func(r catalog.APIToken) bool { return r.ID == asked.Token })
		if i < 0 || !now.Before(rows[i].ExpiresAt) {
			return nil, ErrAskerGone
		}
		info := tokenInfo(&rows[i], now)
		a.Client, a.Token = API, &info
		_, a.Origin.Browser, _ = strings.Cut(told.Actor.Client, "; ")
	}
	a, err := s.actorNow(ctx, tx, a)
	if errors.Is(err, ErrForbidden) {
		return nil, ErrAskerGone
	} else if err != nil {
		return nil, err
	}
	may, err := s.mayOn(ctx, &tx.Reader, a, row)
	if err == nil && !may {
		err = ErrAskerGone
	}
	return a, err
}

// OnePerson reports whether two accounts are of one person, by e-mail address, identity in
// the directory or officer id.
func (s *Service) OnePerson(ctx context.Context, one, other string) (bool, error) {
	return s.onePerson(ctx, &s.catalog.Reader, one, other)
}

// StillMay sees, in the transaction of an act, that a person may do it in the whole
// agency by now. ErrForbidden.
func (s *Service) StillMay(ctx context.Context, tx *sqldb.Tx, a *Actor, do Action) error {
	now, err := s.actorNow(ctx, tx, a)
	if err == nil && !May(now, do, Object{Agency: s.agency}) {
		err = ErrForbidden
	}
	return err
}

// onePerson reports whether two accounts are of one person, by what they say.
func (s *Service) onePerson(ctx context.Context, r *sqldb.Reader, one, other string) (bool, error) {
	marks := [2]map[string]bool{}
	for i, id := range []string{one, other} {
		marks[i] = map[string]bool{}
		note := func(kind string, values ...string) {
			for _, v := range values {
				if v = strings.ToLower(strings.TrimSpace(v)); v != "" {
					marks[i][kind+" "+v] = true
				}
			}
		}
		u, err := r.User(ctx, id)
		if err != nil {
			return false, err
		}
		note("mail", u.Email)
		if strings.Contains(u.Login, "@") {
			note("mail", u.Login)
		}
		note("officer", u.OfficerID)
		link, err := r.DirectoryPerson(ctx, id)
		if err == nil {
			note("directory", link.Subject)
		} else if !errors.Is(err, catalog.ErrNotFound) {
			return false, err
		}
		given, err := r.ProvisionedPerson(ctx, id)
		if err == nil {
			note("directory", given.ExternalID)
			var profile ProvisionedPerson
			if json.Unmarshal([]byte(given.Profile), &profile) == nil {
				for _, mail := range profile.Emails {
					note("mail", mail.Value)
				}
			}
		} else if !errors.Is(err, catalog.ErrNotFound) {
			return false, err
		}
	}
	for mark := range marks[0] {
		if marks[1][mark] {
			return true, nil
		}
	}
	return false, nil
}

// Approve approves a request, of which the person has seen what has this digest. What
// was asked is done at once, as whoever asked, in one transaction with the approval; what
// is for later may be done by them for UseTime. catalog.ErrNotFound, ErrForbidden,
// ErrFreshFactor, ErrTokenAct, *DecisionError; catalog.ErrFrozen.
func (p *Approvals) Approve(ctx context.Context, id string, seen evidence.Digest) error {
	if p.actor == nil {
		return ErrForbidden
	}
	ctx = context.WithoutCancel(ctx)
	var row *catalog.ActRequest
	var rest sqldb.Rest
	err := p.s.catalog.Update(ctx, func(tx *sqldb.Tx) (err error) {
		rest = sqldb.Rest{}
		if row, err = tx.ActRequest(ctx, p.s.agency, id); err != nil {
			return err
		}
		asker, asked, err := p.approvable(ctx, tx, row, seen)
		if err != nil {
			return err
		}
		approver, err := tx.User(ctx, p.actor.User)
		if err != nil {
			return err
		}
		row.State, row.DecidedBy, row.DecidedAt = catalog.RequestDone, approver.ID, p.s.clock()
		if row.Later {
			row.State, row.UseUntil = catalog.RequestApproved, row.DecidedAt.Add(UseTime)
		}
		if err := tx.DecideActRequest(ctx, row, catalog.RequestWaits); err != nil {
			return err
		}
		e := p.event(evidence.EventActApproved, row, evidence.OutcomeDone, "")
		if row.Later {
			e.Details["use_until"] = row.UseUntil.Format(time.RFC3339)
		}
		if _, err := tx.AppendEvent(ctx, e); err != nil || row.Later {
			return err
		}
		r := &run{row: row, actor: asker}
		inner := sqldb.Marked(context.WithValue(ctx, runKey{}, r), &sqldb.Marks{Details: marksOf(row.ID, approver)})
		rest, err = tx.Within(inner, p.s.catalog, func(ctx context.Context) error { return p.s.do(ctx, asked, r) })
		return err
	})
	if err == nil {
		rest.Done(ctx)
	} else if failed := rest.Failed(ctx); failed != nil {
		return errors.Join(err, unexpected("recording a refused act", failed))
	}
	return p.refused(ctx, evidence.EventActApproved, row, err)
}

// approvable sees, in the transaction, that a request can be approved by the person, and
// returns who asked for what.
func (p *Approvals) approvable(ctx context.Context, tx *sqldb.Tx, row *catalog.ActRequest, seen evidence.Digest) (*Actor, *Asked, error) {
	if err := p.decider(ctx, tx, row); err != nil {
		return nil, nil, err
	}
	if err := p.waits(row); err != nil {
		return nil, nil, err
	}
	if row.User == p.actor.User {
		return nil, nil, ErrOwnRequest
	}
	device, err := p.s.deviceOf(p.device)
	if err != nil {
		return nil, nil, err
	}
	if device != "" && device == row.Device {
		return nil, nil, ErrSameBrowser
	}
	if one, err := p.s.onePerson(ctx, &tx.Reader, row.User, p.actor.User); err != nil {
		return nil, nil, err
	} else if one {
		return nil, nil, ErrSamePerson
	}
	event, err := tx.Event(ctx, p.s.agency, row.Event)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return nil, nil, err
	}
	var told evidence.Event
	var asked Asked
	whole := err == nil && evidence.Decode(event.JSON, &told) == nil && json.Unmarshal(row.Asked, &asked) == nil &&
		told.Type == evidence.EventActRequested && told.Actor.ID == row.User && told.Details["request"] == row.ID && told.Details["digest"] == row.Digest.String() &&
		evidence.SHA256(row.Asked) == row.Digest && asked.User == row.User && string(asked.Action) == row.Action && asked.About == row.About && asked.Agency == p.s.agency
	if objects, err := json.Marshal(asked.Objects); err != nil || !whole || string(objects) != row.Objects {
		return nil, nil, ErrEdited
	}
	if seen != row.Digest {
		return nil, nil, ErrNotSeen
	}
	asker, err := p.s.asker(ctx, tx, row, &asked, &told)
	return asker, &asked, err
}
