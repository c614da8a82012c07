package auth

import (
	"context"
	"errors"
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

// SignIn checks name and password and begins a session with a new token. former
// is the session token that the browser sent, if any; that session ends. All
// refusals are ErrSignIn, after the same work and with one custody event each;
// further errors are ErrBusy, *TooManyError, and ErrPepper, which counts as
// nobody's failure.
func (s *Service) SignIn(ctx context.Context, login, password, former string, from Origin) (session string, err error) {
	if err := s.sources.admit(from.Address); err != nil {
		return "", err
	}
	login = canonicalLogin(login)
	user, err := s.userByLogin(ctx, login)
	if err != nil {
		return "", err
	}
	// The slow work comes first and always: what is decided below takes the
	// same time whatever the answer is.
	right, err := s.hasher.Verify(ctx, user.Password, password)
	if err != nil {
		return "", err
	}
	session, row := s.newSession(user, from)
	refused := false
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		reason, err := s.judge(ctx, tx, login, user, right)
		if err != nil {
			return err
		}
		if refused = reason != ""; refused {
			return s.refuse(ctx, tx, login, user, reason, from)
		}
		if hash, ok := hashToken("", former); ok {
			if err := tx.DeleteSession(ctx, hash); err != nil {
				return err
			}
		}
		if err := tx.ClearLoginFailures(ctx, s.loginKey(login)); err != nil {
			return err
		}
		return s.insertSession(ctx, tx, user, row, from)
	})
	switch {
	case err != nil:
		return "", unexpected("signing in", err)
	case refused:
		return "", ErrSignIn
	}
	return session, nil
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
func (s *Service) judge(ctx context.Context, tx *sqldb.Tx, login string, user *catalog.User, right bool) (string, error) {
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
		return "the account is disabled", nil
	}
	return "", nil
}

// refuse records a refused sign-in and locks the name at the fifth within the
// window. Unknown names lock like known ones: nobody can tell them apart.
func (s *Service) refuse(ctx context.Context, tx *sqldb.Tx, login string, user *catalog.User, reason string, from Origin) error {
	key := s.loginKey(login)
	now := s.clock()
	if _, err := tx.DeleteLoginFailures(ctx, now.Add(-failureWindow)); err != nil {
		return err
	}
	if err := tx.InsertLoginFailure(ctx, &catalog.LoginFailure{Login: key, Address: from.Address, At: now}); err != nil {
		return err
	}
	by, object := evidence.Actor{Kind: "user", ID: "unknown"}, ""
	if user.ID != "" {
		by, object = evidence.Actor{Kind: "user", ID: user.ID, Name: user.Name}, "user:"+user.ID
	}
	e := s.event(evidence.EventSignInFailed, by, from, object, evidence.OutcomeRefused)
	e.Reason = reason
	if _, err := tx.AppendEvent(ctx, e); err != nil {
		return err
	}
	failures, err := tx.CountLoginFailures(ctx, key, "", now.Add(-failureWindow))
	if err != nil {
		return err
	}
	locked, err := tx.LoginLockedUntil(ctx, key)
	if err != nil || failures < maxFailures || locked.After(now) {
		return err
	}
	if err := tx.LockLogin(ctx, key, untilReleased()); err != nil {
		return err
	}
	e = s.event(evidence.EventAccountLocked, evidence.Actor{Kind: "server", ID: "server"}, from, object, evidence.OutcomeDone)
	e.Reason = "5 refused sign-ins within 15 minutes"
	_, err = tx.AppendEvent(ctx, e)
	return err
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
