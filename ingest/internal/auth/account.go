package auth

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Account is what a person may know of their own account.
type Account struct {
	PasswordChangedAt time.Time
	Factors           *Factors
	Sessions          []SessionInfo
	Required          bool // a second factor is
	Directory         bool // the agency's directory keeps the account; there is no password here
}

// Account returns what there is to know of the person's own account.
func (s *Service) Account(ctx context.Context, actor *Actor) (*Account, error) {
	user, err := s.catalog.User(ctx, actor.User)
	if err != nil {
		return nil, unexpected("looking up an account", err)
	}
	rule, err := s.rule(ctx, &s.catalog.Reader)
	if err != nil {
		return nil, unexpected("looking up settings", err)
	}
	required, err := s.requires(ctx, &s.catalog.Reader, rule, user)
	if err != nil {
		return nil, unexpected("looking up what a person may do", err)
	}
	a := &Account{PasswordChangedAt: user.PasswordChangedAt, Required: required, Directory: user.Password == ""}
	if a.Factors, err = s.Factors(ctx, actor); err != nil {
		return nil, err
	}
	a.Sessions, err = s.Sessions(ctx, actor)
	return a, err
}

// SessionInfo is one of a person's sessions, as it is shown to them.
type SessionInfo struct {
	ID         string // names it; lets nobody in
	Address    string
	Browser    string // as it calls itself; hostile text
	Factor     string
	CreatedAt  time.Time
	LastUsedAt time.Time // up to a minute early
	This       bool      // the one that asks
}

// sessionID names a session to its owner.
func sessionID(hash evidence.Digest) string {
	return evidence.SHA256(append([]byte("sealdock/session-id/v1\n"), hash[:]...)).String()[:32]
}

// Sessions returns the person's sessions that have not ended, last used first.
func (s *Service) Sessions(ctx context.Context, actor *Actor) ([]SessionInfo, error) {
	rows, err := s.liveSessions(ctx, &s.catalog.Reader, actor.User)
	if err != nil {
		return nil, unexpected("looking up sessions", err)
	}
	all := []SessionInfo{}
	for _, r := range rows {
		all = append(all, SessionInfo{sessionID(r.TokenHash), r.Address, r.Agent, r.Factor, r.CreatedAt, r.LastUsedAt, r.TokenHash == actor.Session})
	}
	return all, nil
}

func (s *Service) liveSessions(ctx context.Context, r *sqldb.Reader, user string) ([]catalog.Session, error) {
	rows, err := r.Sessions(ctx, user)
	now, idle := s.clock(), s.policy(ctx).Idle
	var live []catalog.Session
	for _, row := range rows {
		if now.Before(row.ExpiresAt) && now.Before(row.LastUsedAt.Add(idle)) {
			live = append(live, row)
		}
	}
	return live, err
}

// EndSession ends one of the person's sessions by its id, this one too, with
// effect on its next request. catalog.ErrNotFound.
func (s *Service) EndSession(ctx context.Context, actor *Actor, id string, from Origin) error {
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		rows, err := s.liveSessions(ctx, &tx.Reader, actor.User)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if sessionID(r.TokenHash) != id {
				continue
			}
			if err := tx.DeleteSession(ctx, r.TokenHash); err != nil {
				return err
			}
			return s.record(ctx, tx, evidence.EventSessionsEnded, actor, from, map[string]string{"sessions": "1", "address": r.Address, "browser": r.Agent})
		}
		return fmt.Errorf("a session of this id: %w", catalog.ErrNotFound)
	})
	return unexpected("ending a session", err)
}

// EndOtherSessions ends all of the person's sessions but the one that asks, and
// returns how many.
func (s *Service) EndOtherSessions(ctx context.Context, actor *Actor, from Origin) (ended int64, err error) {
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if ended, err = tx.DeleteUserSessions(ctx, actor.User, actor.Session); err != nil {
			return err
		}
		return s.record(ctx, tx, evidence.EventSessionsEnded, actor, from, map[string]string{"sessions": strconv.FormatInt(ended, 10)})
	})
	return ended, unexpected("ending sessions", err)
}

// ResetFactors takes all second factors and recovery codes of a sign-in name
// away, and ends its sessions and tokens: for somebody who lost them. by is who does it: a
// person whose role was checked with May, or {Kind: "server", ID: "local"} for
// the command line. catalog.ErrNotFound for an unknown name.
func (s *Service) ResetFactors(ctx context.Context, login string, by evidence.Actor, from Origin) error {
	user, err := s.catalog.UserByLogin(ctx, canonicalLogin(login))
	if err == nil && user.Agency != s.agency {
		err = catalog.ErrNotFound
	}
	if err != nil {
		return unexpected("taking second factors away", err)
	}
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		f, err := s.factors(ctx, &tx.Reader, user.ID)
		if err != nil {
			return err
		}
		for _, k := range f.Passkeys {
			if err := tx.DeletePasskey(ctx, user.ID, k.ID); err != nil {
				return err
			}
		}
		if f.App != nil {
			if err := tx.DeleteAuthenticator(ctx, user.ID); err != nil {
				return err
			}
		}
		if err := tx.DeletePhone(ctx, user.ID); err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		if err := s.revokeTokens(ctx, tx, user.ID, by, from, "second factors were taken away"); err != nil {
			return err
		}
		if err := errors.Join(tx.ReplaceRecoveryCodes(ctx, user.ID, nil, s.clock()), tx.EndUserCeremonies(ctx, user.ID), tx.ForgetPlaces(ctx, user.ID)); err != nil {
			return err
		}
		ended, err := tx.DeleteUserSessions(ctx, user.ID, evidence.Digest{})
		if err != nil {
			return err
		}
		e := s.event(evidence.EventFactorRemoved, by, from, "user:"+user.ID, evidence.OutcomeDone)
		e.Details = map[string]string{"factor": "all", "factors": strconv.Itoa(f.Count()), "sessions_ended": strconv.FormatInt(ended, 10)}
		_, err = tx.AppendEvent(ctx, e)
		return err
	})
	return unexpected("taking second factors away", err)
}

// ChangePassword sets a new password and ends all of the person's sessions; the
// one that asks goes on under a new token, which is returned. The old password
// is needed, and a wrong one counts like a refused sign-in: ErrFactor. The person's
// tokens end too, unless they are to be kept.
// ErrFreshFactor, *PersonError about the new one, and the errors of SignIn.
func (s *Service) ChangePassword(ctx context.Context, actor *Actor, old, password string, keepTokens bool, from Origin) (session string, err error) {
	if err := s.fresh(ctx, evidence.EventPasswordChanged, actor, from); err != nil {
		return "", err
	}
	if err := s.sources.admit(from.Address); err != nil {
		return "", err
	}
	user, err := s.catalog.User(ctx, actor.User)
	if err != nil {
		return "", unexpected("looking up an account", err)
	}
	if user.Password == "" {
		return "", s.recordRefused(ctx, evidence.EventPasswordChanged, actor, from, ErrDirectoryPassword, nil)
	}
	right, err := s.hasher.Verify(ctx, user.Password, old)
	if err != nil {
		return "", err
	}
	stored := ""
	if right {
		if old == password {
			return "", &PersonError{"password", "this is the password that you have already"}
		}
		words := append(strings.Fields(user.Name), user.Login, user.Name, string(s.agency))
		if err := s.policy(ctx).CheckPassword(password, words...); err != nil {
			return "", &PersonError{"password", err.Error()}
		}
		if err := s.reused(ctx, user.ID, password); errors.Is(err, ErrReused) {
			return "", &PersonError{"password", err.Error()}
		} else if err != nil {
			return "", err
		}
		if stored, err = s.hasher.Hash(ctx, password); err != nil {
			return "", err
		}
	}
	token, hash := newToken("")
	refused := false
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		reason, err := s.judge(ctx, tx, user.Login, user, right, from)
		if err != nil {
			return err
		}
		if refused = reason != ""; refused {
			return s.refuse(ctx, tx, user.Login, user, refusal{evidence.EventPasswordChanged, reason}, from)
		}
		if !keepTokens {
			if err := s.revokeTokens(ctx, tx, user.ID, actor.Custody(), from, "the password was changed"); err != nil {
				return err
			}
		}
		return s.setPassword(ctx, tx, actor, stored, hash, from)
	})
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return "", ErrNoSession
	case err != nil:
		return "", unexpected("changing a password", err)
	case refused:
		return "", ErrFactor
	}
	return token, nil
}

// setPassword keeps a new password, and goes on with the actor's session alone,
// under another token.
func (s *Service) setPassword(ctx context.Context, tx *sqldb.Tx, actor *Actor, stored string, next evidence.Digest, from Origin) error {
	now := s.clock()
	session, err := tx.Session(ctx, actor.Session)
	if err != nil {
		return err
	}
	user, err := tx.User(ctx, actor.User)
	if err != nil {
		return err
	}
	user.Password, user.PasswordChangedAt = stored, now
	if err := tx.UpdateUser(ctx, user); err != nil {
		return err
	}
	if err := s.keepPassword(ctx, tx, user); err != nil {
		return err
	}
	ended, err := tx.DeleteUserSessions(ctx, user.ID, evidence.Digest{})
	if err != nil {
		return err
	}
	if err := tx.EndUserCeremonies(ctx, user.ID); err != nil {
		return err
	}
	session.TokenHash, session.CreatedAt, session.LastUsedAt = next, now, now
	if err := tx.InsertSession(ctx, session); err != nil {
		return err
	}
	return s.record(ctx, tx, evidence.EventPasswordChanged, actor, from, map[string]string{"sessions_ended": strconv.FormatInt(ended-1, 10)})
}
