package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// CJIS Security Policy 6.0, AC-7: five failures within 15 minutes lock the
// account until an administrator releases it.
const (
	maxFailures   = 5
	failureWindow = 15 * time.Minute
)

// Entry is how far somebody came in signing in: Session is the token of the new
// session, or Pending that of a sign-in that still wants a second factor.
type Entry struct {
	Session string
	Pending string
	Device  string // token of the device, for it to be known again

	MustEnrol bool    // with Session: it is for the own account alone
	Factors   Factors // with Pending: what can be shown
}

// SignIn is PasswordStep for who has no second factor: ErrSecondFactor where one
// is wanted. former is the session token that the browser sent, if any.
func (s *Service) SignIn(ctx context.Context, login, password, former string, from Origin) (session string, err error) {
	e, err := s.PasswordStep(ctx, login, password, Browser{Session: former}, from)
	switch {
	case err != nil:
		return "", err
	case e.Pending != "":
		return "", ErrSecondFactor
	}
	return e.Session, nil
}

// SignInWithCode is PasswordStep and, where a second factor is wanted, CodeStep:
// for command lines. ErrSecondFactor where code is empty then.
func (s *Service) SignInWithCode(ctx context.Context, login, password, code string, from Origin) (session string, err error) {
	e, err := s.PasswordStep(ctx, login, password, Browser{}, from)
	switch {
	case err != nil:
		return "", err
	case e.Pending == "":
		return e.Session, nil
	case code == "":
		return "", ErrSecondFactor
	}
	if e, err = s.CodeStep(ctx, e.Pending, code, Browser{}, from); err != nil {
		return "", err
	}
	return e.Session, nil
}

// PasswordStep checks name and password. Where that is enough it begins a
// session with a new token, and the browser's former session ends. Where a
// second factor is wanted (the person has one, and the agency wants it each
// time, for the role, or at a new place), the sign-in waits for it for 5 minutes.
//
// All refusals are ErrSignIn, after the same work and with one custody event
// each; further errors are ErrBusy, *TooManyError, and ErrPepper, which counts
// as nobody's failure.
func (s *Service) PasswordStep(ctx context.Context, login, password string, b Browser, from Origin) (*Entry, error) {
	if err := errors.Join(s.sources.admit(from.Address), s.Admit(ctx, from)); err != nil {
		return nil, err
	}
	login = canonicalLogin(login)
	user, err := s.userByLogin(ctx, login)
	if err != nil {
		return nil, err
	}
	// The slow work comes first and always: what is decided below takes the
	// same time whatever the answer is.
	right, err := s.hasher.Verify(ctx, user.Password, password)
	if err != nil {
		return nil, err
	}
	asked, err := s.askDirectory(ctx, login, user, password)
	if err != nil {
		return nil, err
	}
	var e *Entry
	var unused *DormantError
	refused := false
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		who, reason, counts, err := s.judgeAnswer(ctx, tx, login, user, right, asked, from)
		if err != nil {
			return err
		}
		if unused, err = s.dormant(ctx, &tx.Reader, who, reason); err != nil {
			return err
		}
		if refused = reason != ""; refused && !counts {
			return s.recordFailed(ctx, tx, who, refusal{evidence.EventSignInFailed, reason}, from)
		} else if refused {
			return s.refuse(ctx, tx, login, who, refusal{evidence.EventSignInFailed, reason}, from)
		}
		e, err = s.afterFirst(ctx, tx, who, Password, b, from)
		return err
	})
	switch {
	case err != nil:
		return nil, unexpected("signing in", err)
	case unused != nil:
		return nil, unused
	case refused && asked != nil && asked.down != nil:
		return nil, ErrSignInDown
	case refused:
		return nil, ErrSignIn
	}
	return e, nil
}

// afterFirst goes on where the first thing shown was right: a password, or the
// word of a provider.
func (s *Service) afterFirst(ctx context.Context, tx *sqldb.Tx, user *catalog.User, first string, b Browser, from Origin) (*Entry, error) {
	f, err := s.factors(ctx, &tx.Reader, user.ID)
	if err != nil {
		return nil, err
	}
	rule, err := s.rule(ctx, &tx.Reader)
	if err != nil {
		return nil, err
	}
	where, err := s.placeOf(ctx, &tx.Reader, user.ID, b, from)
	if err != nil {
		return nil, err
	}
	required, err := s.requires(ctx, &tx.Reader, rule, user)
	if err != nil {
		return nil, err
	}
	if !f.Any() || !rule.always() && !required && !where.new() {
		return s.enter(ctx, tx, user, first, where, b, from)
	}
	if err := s.recordPlace(ctx, tx, user, where, from); err != nil {
		return nil, err
	}
	token, row := s.newCeremony(ceremonySecond, user.ID, first+"\n"+from.Notice)
	return &Entry{Pending: token, Factors: *f}, tx.InsertCeremony(ctx, row)
}

// PendingFactors returns what can be shown in a sign-in that waits. ErrPending.
func (s *Service) PendingFactors(ctx context.Context, pending string) (*Factors, error) {
	row, err := s.ceremony(ctx, &s.catalog.Reader, ceremonySecond, pending)
	if err != nil {
		return nil, err
	}
	f, err := s.factors(ctx, &s.catalog.Reader, row.User)
	return f, unexpected("looking up factors", err)
}

// CodeStep ends a sign-in that waits for a second factor, with a code of the
// authenticator app or a recovery code. A refusal is ErrFactor, counts towards
// the lock of the account, and is an event; after the lock the sign-in is over.
// ErrPending, *TooManyError.
func (s *Service) CodeStep(ctx context.Context, pending, code string, b Browser, from Origin) (*Entry, error) {
	if err := errors.Join(s.sources.admit(from.Address), s.Admit(ctx, from)); err != nil {
		return nil, err
	}
	var e *Entry
	refused := false
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		row, err := s.ceremony(ctx, &tx.Reader, ceremonySecond, pending)
		if err != nil {
			return err
		}
		user, err := tx.User(ctx, row.User)
		if err != nil {
			return err
		}
		factor := ""
		reason, err := s.judge(ctx, tx, user.Login, user, true, from)
		if err == nil && reason == "" {
			factor, reason, err = s.takeCode(ctx, tx, user, row.TokenHash, phoneSignIn, code, from)
		}
		if err != nil {
			return err
		}
		if refused = reason != ""; refused {
			return s.refuse(ctx, tx, user.Login, user, refusal{evidence.EventSignInFailed, reason}, from)
		}
		if err := tx.EndCeremony(ctx, row.TokenHash); err != nil {
			return err
		}
		where, err := s.placeOf(ctx, &tx.Reader, user.ID, b, from)
		if err != nil {
			return err
		}
		where.newDevice, where.newNetwork = false, false // was recorded at the password
		first, notice, _ := strings.Cut(row.Data, "\n")
		from.Notice = notice // was accepted with the first step
		e, err = s.enter(ctx, tx, user, shown(first, factor), where, b, from)
		return err
	})
	switch {
	case errors.Is(err, ErrPending):
		return nil, ErrPending
	case err != nil:
		return nil, unexpected("signing in", err)
	case refused:
		return nil, ErrFactor
	}
	return e, nil
}

// enter begins a session, with its event. factor is what was shown.
func (s *Service) enter(ctx context.Context, tx *sqldb.Tx, user *catalog.User, factor string, where place, b Browser, from Origin) (*Entry, error) {
	if hash, ok := hashToken("", b.Session); ok {
		if err := tx.DeleteSession(ctx, hash); err != nil {
			return nil, err
		}
	}
	if factor != Passkey { // which goes past the lock, and so does not end it
		if err := tx.ClearLoginFailures(ctx, s.loginKey(user.Login)); err != nil {
			return nil, err
		}
	}
	if err := s.dropPhone(ctx, tx, user, from); err != nil {
		return nil, err
	}
	f, err := s.factors(ctx, &tx.Reader, user.ID)
	if err != nil {
		return nil, err
	}
	rule, err := s.rule(ctx, &tx.Reader)
	if err != nil {
		return nil, err
	}
	e := &Entry{Device: b.Device}
	if where.device == "" {
		if e.Device, err = s.newDevice(); err != nil {
			return nil, err
		}
	}
	var row *catalog.Session
	e.Session, row = s.newSession(ctx, user, from)
	row.Factor = factor
	if factor != Password && factor != Provider || !f.Any() { // the best that the person has
		row.FactorAt = row.CreatedAt
	}
	required, err := s.requires(ctx, &tx.Reader, rule, user)
	if err != nil {
		return nil, err
	}
	row.MustEnrol = factor != ProviderFactor && !f.Any() && required && !s.clock().Before(user.CreatedAt.Add(rule.grace()))
	e.MustEnrol = row.MustEnrol
	if err := s.recordPlace(ctx, tx, user, where, from); err != nil {
		return nil, err
	}
	if err := s.notePlace(ctx, tx, user.ID, e.Device, from); err != nil {
		return nil, err
	}
	return e, s.insertSession(ctx, tx, user, row, from)
}

// recordPlace appends an event of a new place. The first sign-in of all is none.
func (s *Service) recordPlace(ctx context.Context, tx *sqldb.Tx, user *catalog.User, where place, from Origin) error {
	if !where.new() || user.LastSignInAt.IsZero() || where.network == "" {
		return nil
	}
	e := s.event(evidence.EventNewPlace, evidence.Actor{Kind: "user", ID: user.ID, Name: user.Name}, from, "user:"+user.ID, evidence.OutcomeDone)
	e.Details = map[string]string{"new": where.text()}
	_, err := tx.AppendEvent(ctx, e)
	return err
}

// userByLogin returns the user, or an empty one for an unknown name.
func (s *Service) userByLogin(ctx context.Context, login string) (*catalog.User, error) {
	if CheckLogin(login) != nil {
		return &catalog.User{}, nil
	}
	user, err := s.catalog.UserByLogin(ctx, login)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return &catalog.User{}, nil
	case err != nil:
		return nil, unexpected("looking up an account", err)
	case user.Agency != s.agency:
		return &catalog.User{}, nil
	}
	return user, nil
}

// judge returns why the sign-in is refused, for the record, or "".
func (s *Service) judge(ctx context.Context, tx *sqldb.Tx, login string, user *catalog.User, right bool, from Origin) (string, error) {
	locked, err := tx.LoginLockedUntil(ctx, s.loginKey(login))
	if err != nil {
		return "", err
	}
	switch {
	case locked.After(s.clock()):
		return "the account is locked", nil
	case user.ID == "":
		return "unknown name", nil
	case !right:
		return "wrong password", nil
	case !user.DisabledAt.IsZero():
		return disabledReason, nil
	case !s.policy(ctx).Networks.Allow(Role(user.Role), from.Address):
		return "this network is not allowed for the role", nil
	}
	return "", nil
}

// refusal is what was refused, and why.
type refusal struct {
	kind   evidence.EventType
	reason string
}

// refuse records a refused sign-in or confirmation and locks the name at the
// fifth within the window, which also ends the user's sign-ins that wait.
// Unknown names lock like known ones: nobody can tell them apart.
func (s *Service) refuse(ctx context.Context, tx *sqldb.Tx, login string, user *catalog.User, what refusal, from Origin) error {
	key := s.loginKey(login)
	now, policy := s.clock(), s.policy(ctx)
	if _, err := tx.DeleteLoginFailures(ctx, now.Add(-policy.Window)); err != nil {
		return err
	}
	if err := tx.InsertLoginFailure(ctx, &catalog.LoginFailure{Login: key, Address: from.Address, At: now}); err != nil {
		return err
	}
	if err := s.recordFailed(ctx, tx, user, what, from); err != nil {
		return err
	}
	failures, err := tx.CountLoginFailures(ctx, key, "", now.Add(-policy.Window))
	if err != nil {
		return err
	}
	locked, err := tx.LoginLockedUntil(ctx, key)
	if err != nil || failures < int64(policy.Failures) || locked.After(now) {
		return err
	}
	if err := tx.LockLogin(ctx, key, policy.lockedUntil(now)); err != nil {
		return err
	}
	if user.ID != "" {
		if err := errors.Join(tx.EndUserCeremonies(ctx, user.ID), tx.DropPhoneCodes(ctx, user.ID)); err != nil {
			return err
		}
	}
	_, object := whoTried(user)
	e := s.event(evidence.EventAccountLocked, evidence.Actor{Kind: "server", ID: "server"}, from, object, evidence.OutcomeDone)
	e.Reason = fmt.Sprintf("%d refused sign-ins within %d minutes", policy.Failures, int(policy.Window.Minutes()))
	_, err = tx.AppendEvent(ctx, e)
	return err
}

// lockedUntil is when a lock that begins now ends.
func (p Policy) lockedUntil(now time.Time) time.Time {
	if p.Lock == 0 {
		return untilReleased()
	}
	return now.Add(p.Lock)
}

// recordFailed appends the event of a refusal.
func (s *Service) recordFailed(ctx context.Context, tx *sqldb.Tx, user *catalog.User, what refusal, from Origin) error {
	by, object := whoTried(user)
	e := s.event(what.kind, by, from, object, evidence.OutcomeRefused)
	e.Reason = what.reason
	_, err := tx.AppendEvent(ctx, e)
	return err
}

func whoTried(user *catalog.User) (by evidence.Actor, object string) {
	if user.ID == "" {
		return evidence.Actor{Kind: "user", ID: "unknown"}, ""
	}
	return evidence.Actor{Kind: "user", ID: user.ID, Name: user.Name}, "user:" + user.ID
}

// untilReleased is the end of a lock that only Release ends.
func untilReleased() time.Time { return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }

// Release unlocks a sign-in name after failures. by is who does it: a person
// whose role was checked with May, or {Kind: "server", ID: "local"} for the
// command line. A name that is not locked is no error; an unknown one is
// catalog.ErrNotFound.
func (s *Service) Release(ctx context.Context, login string, by evidence.Actor, from Origin) error {
	user, err := s.catalog.UserByLogin(ctx, canonicalLogin(login))
	if err != nil {
		return unexpected("releasing an account", err)
	}
	if user.Agency != s.agency {
		return unexpected("releasing an account", catalog.ErrNotFound)
	}
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.ClearLoginFailures(ctx, s.loginKey(login)); err != nil {
			return err
		}
		e := s.event(evidence.EventAccountReleased, by, from, "user:"+user.ID, evidence.OutcomeDone)
		_, err := tx.AppendEvent(ctx, e)
		return err
	})
	return unexpected("releasing an account", err)
}
