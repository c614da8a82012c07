package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// What can be shown in a session.
const (
	Password         = "password"
	PasswordCode     = "password+code"     // of an authenticator app
	PasswordRecovery = "password+recovery" // one of the recovery codes
	Passkey          = "passkey"
)

// FreshFor is how long what was shown in a session is good for administrative
// acts.
const FreshFor = 5 * time.Minute

// The refusals of this file; their texts are for the person at the browser.
var (
	// ErrFreshFactor: Confirm first.
	ErrFreshFactor = errors.New("this needs you to show once more that it is you: what you showed last is more than 5 minutes old")
	// ErrFactor is the one answer to every refused factor, whatever the cause.
	ErrFactor = errors.New("that does not fit, was used already, or the account is locked after 5 failures; whoever runs the server can release it")
	// ErrSecondFactor: a password alone does not do.
	ErrSecondFactor = errors.New("a second factor is needed: a code of the authenticator app, or a recovery code")
	// ErrMustEnrol: before anything else, a second factor is to be set up.
	ErrMustEnrol = errors.New("your role needs a second factor: set up a passkey or an authenticator app first")
	// ErrLastFactor: it must not go.
	ErrLastFactor = errors.New("this is your only second factor, and your role needs one: add another one first")
)

// Fresh returns ErrFreshFactor when it is too long ago that the person showed
// who they are, and ErrTokenAct of a token, which cannot. Services ask it before administrative acts.
func Fresh(a *Actor, now time.Time) error {
	if a != nil && a.Token != nil {
		return ErrTokenAct
	}
	if a == nil || a.FactorAt.IsZero() || now.Sub(a.FactorAt).Abs() >= FreshFor {
		return ErrFreshFactor
	}
	return nil
}

// FreshNow is Fresh at the service's own time.
func (s *Service) FreshNow(a *Actor) error { return Fresh(a, s.clock()) }

// Factors are what a person can show besides a password.
type Factors struct {
	Passkeys      []PasskeyFactor
	App           *AppFactor   // nil: no authenticator app
	Phone         *PhoneFactor // nil: no codes by phone
	RecoveryCodes int64        // that were not used yet; they stand in for a factor and are none
}

// PasskeyFactor is a passkey, without what proves it.
type PasskeyFactor struct {
	ID, Name              string
	CreatedAt, LastUsedAt time.Time
}

// AppFactor is an authenticator app.
type AppFactor struct{ CreatedAt, LastUsedAt time.Time }

// Any reports whether there is a second factor.
func (f *Factors) Any() bool { return f.Count() > 0 }

// Count is how many there are.
func (f *Factors) Count() int {
	n := len(f.Passkeys)
	if f.App != nil {
		n++
	}
	if f.Phone != nil {
		n++
	}
	return n
}

func (s *Service) factors(ctx context.Context, r *sqldb.Reader, user string) (*Factors, error) {
	keys, err := r.Passkeys(ctx, user)
	if err != nil {
		return nil, err
	}
	f := &Factors{}
	for _, k := range keys {
		f.Passkeys = append(f.Passkeys, PasskeyFactor{k.ID, k.Name, k.CreatedAt, k.LastUsedAt})
	}
	app, err := r.Authenticator(ctx, user)
	switch {
	case err == nil:
		f.App = &AppFactor{app.CreatedAt, app.LastUsedAt}
	case !errors.Is(err, catalog.ErrNotFound):
		return nil, err
	}
	phone, err := s.phone(ctx, r, user)
	if err == nil && phone != nil {
		f.Phone, err = s.phoneFactor(phone)
	}
	if err != nil {
		return nil, err
	}
	f.RecoveryCodes, err = r.CountRecoveryCodes(ctx, user)
	return f, err
}

// Factors returns what the person can show besides a password.
func (s *Service) Factors(ctx context.Context, actor *Actor) (*Factors, error) {
	f, err := s.factors(ctx, &s.catalog.Reader, actor.User)
	return f, unexpected("looking up factors", err)
}

// Proof is what somebody who is signed in types to show who they are.
type Proof struct {
	Password string // counts where the person has no second factor
	Code     string // of the authenticator app, by phone, or a recovery code
}

// Confirm makes what was shown in the actor's session fresh. Refusals are
// ErrFactor, count like those of sign-ins, and are events; further errors are
// those of SignIn.
func (s *Service) Confirm(ctx context.Context, actor *Actor, proof Proof, from Origin) error {
	if err := s.sources.admit(from.Address); err != nil {
		return err
	}
	user, err := s.catalog.User(ctx, actor.User)
	if err != nil {
		return unexpected("looking up an account", err)
	}
	right := false
	if proof.Code == "" {
		if right, err = s.ownPassword(ctx, user, proof.Password); err != nil {
			return err
		}
	}
	refused := false
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		reason, err := s.judge(ctx, tx, user.Login, user, proof.Code != "" || right, from)
		if err != nil {
			return err
		}
		factor := Password
		switch {
		case reason != "":
		case proof.Code != "":
			factor, reason, err = s.takeCode(ctx, tx, user, actor.Session, phoneConfirm, proof.Code, from)
		default:
			var f *Factors
			if f, err = s.factors(ctx, &tx.Reader, user.ID); err == nil && f.Any() {
				reason = "a password, where there is a second factor"
			}
		}
		if err != nil {
			return err
		}
		if refused = reason != ""; refused {
			return s.refuse(ctx, tx, user.Login, user, refusal{evidence.EventConfirmed, reason}, from)
		}
		return s.confirmed(ctx, tx, actor, factor, from)
	})
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return ErrNoSession
	case err != nil:
		return unexpected("confirming who is there", err)
	case refused:
		return ErrFactor
	}
	return nil
}

// confirmed notes what was shown in the actor's session, with its event.
func (s *Service) confirmed(ctx context.Context, tx *sqldb.Tx, actor *Actor, factor string, from Origin) error {
	if err := tx.SetSessionFactor(ctx, actor.Session, factor, s.clock()); err != nil {
		return err
	}
	return s.record(ctx, tx, evidence.EventConfirmed, actor, from, map[string]string{"factor": factor})
}

// record appends an event of what somebody did with their own account.
func (s *Service) record(ctx context.Context, tx *sqldb.Tx, kind evidence.EventType, actor *Actor, from Origin, details map[string]string) error {
	e := s.event(kind, actor.Custody(), from, "user:"+actor.User, evidence.OutcomeDone)
	e.Details = details
	_, err := tx.AppendEvent(ctx, e)
	return err
}

// recordRefused appends an event of what was refused, on its own.
func (s *Service) recordRefused(ctx context.Context, kind evidence.EventType, actor *Actor, from Origin, why error, details map[string]string) error {
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		e := s.event(kind, actor.Custody(), from, "user:"+actor.User, evidence.OutcomeRefused)
		e.Reason, e.Details = why.Error(), details
		_, err := tx.AppendEvent(ctx, e)
		return err
	})
	if err != nil {
		return unexpected("recording a refusal", err)
	}
	return why
}

// fresh is Fresh, with an event of a refusal.
func (s *Service) fresh(ctx context.Context, kind evidence.EventType, actor *Actor, from Origin) error {
	if err := Fresh(actor, s.clock()); err != nil {
		return s.recordRefused(ctx, kind, actor, from, err, nil)
	}
	return nil
}

// added keeps what follows from a first second factor: sessions that waited for
// one are open to everything.
func (s *Service) added(ctx context.Context, tx *sqldb.Tx, actor *Actor, from Origin, kind, name string) error {
	if err := tx.OpenSessions(ctx, actor.User); err != nil {
		return err
	}
	return s.record(ctx, tx, evidence.EventFactorAdded, actor, from, map[string]string{"factor": kind, "name": name})
}

// RemoveFactor takes a passkey away by its id, the authenticator app ("app") or the
// phone ("phone").
// catalog.ErrNotFound, ErrFreshFactor, ErrLastFactor. With the last factor the
// recovery codes go.
func (s *Service) RemoveFactor(ctx context.Context, actor *Actor, id string, from Origin) error {
	if err := s.fresh(ctx, evidence.EventFactorRemoved, actor, from); err != nil {
		return err
	}
	last := false
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		last = false
		user, err := tx.User(ctx, actor.User)
		if err != nil {
			return err
		}
		rule, err := s.rule(ctx, &tx.Reader)
		if err != nil {
			return err
		}
		f, err := s.factors(ctx, &tx.Reader, actor.User)
		if err != nil {
			return err
		}
		kind, name, ok := f.find(id)
		if !ok {
			return fmt.Errorf("a factor of this id: %w", catalog.ErrNotFound)
		}
		required, err := s.requires(ctx, &tx.Reader, rule, user)
		if err != nil {
			return err
		}
		if last = f.Count() == 1 && required; last {
			return nil
		}
		switch kind {
		case "app":
			err = tx.DeleteAuthenticator(ctx, actor.User)
		case "phone":
			err = tx.DeletePhone(ctx, actor.User)
		default:
			err = tx.DeletePasskey(ctx, actor.User, id)
		}
		if err != nil {
			return err
		}
		if f.Count() == 1 {
			if err := tx.ReplaceRecoveryCodes(ctx, actor.User, nil, s.clock()); err != nil {
				return err
			}
		}
		return s.record(ctx, tx, evidence.EventFactorRemoved, actor, from, map[string]string{"factor": kind, "name": name})
	})
	if err == nil && last {
		return s.recordRefused(ctx, evidence.EventFactorRemoved, actor, from, ErrLastFactor, nil)
	}
	return unexpected("removing a factor", err)
}

func (f *Factors) find(id string) (kind, name string, ok bool) {
	switch {
	case id == "app":
		return "app", "", f.App != nil
	case id == "phone" && f.Phone != nil:
		return "phone", f.Phone.Number, true
	}
	for _, k := range f.Passkeys {
		if k.ID == id {
			return "passkey", k.Name, true
		}
	}
	return "", "", false
}
