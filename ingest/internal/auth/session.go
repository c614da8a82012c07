package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// CJIS Security Policy 6.0, AC-11 and IA-11.
const (
	IdleLife     = 30 * time.Minute
	AbsoluteLife = 12 * time.Hour
)

// touchEvery bounds how often a session's use is written down; a session may
// end so much earlier than IdleLife after its last use.
const touchEvery = time.Minute

// CookieName names the session cookie. The prefix makes browsers hold it to
// Secure, Path=/ and this host alone (RFC 6265bis section 4.1.3).
const CookieName = "__Host-sealdock"

// newSession draws a session for user that is not stored yet.
func (s *Service) newSession(ctx context.Context, user *catalog.User, from Origin) (token string, row *catalog.Session) {
	token, hash := newToken("")
	now := s.clock()
	return token, &catalog.Session{
		TokenHash: hash, User: user.ID, CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(s.policy(ctx).Absolute),
		Address: from.Address, Agent: clip(from.Browser, 300),
	}
}

// insertSession stores a session with its event, and clears away ended ones.
func (s *Service) insertSession(ctx context.Context, tx *sqldb.Tx, user *catalog.User, row *catalog.Session, from Origin) error {
	now := s.clock()
	if _, err := tx.DeleteExpiredSessions(ctx, now, now.Add(-s.policy(ctx).Idle)); err != nil {
		return err
	}
	if err := tx.InsertSession(ctx, row); err != nil {
		return err
	}
	signedIn := *user
	signedIn.LastSignInAt = now
	if err := tx.UpdateUser(ctx, &signedIn); err != nil {
		return err
	}
	e := s.event(evidence.EventSignedIn, evidence.Actor{Kind: "user", ID: user.ID, Name: user.Name}, from, "user:"+user.ID, evidence.OutcomeDone)
	e.Details = map[string]string{"factor": row.Factor}
	if from.Notice != "" {
		e.Details["notice_sha256"] = from.Notice
	}
	_, err := tx.AppendEvent(ctx, e)
	return err
}

// Actor returns who is signed in with token, and counts the request as a use.
// ErrNoSession when nobody is, ErrMustEnrol when the session is for Owner alone.
func (s *Service) Actor(ctx context.Context, token string, from Origin) (*Actor, error) {
	return restricted(s.actor(ctx, token, from, true))
}

// Peek is Actor for what a browser asks on its own, which is no use.
func (s *Service) Peek(ctx context.Context, token string, from Origin) (*Actor, error) {
	return restricted(s.actor(ctx, token, from, false))
}

// Owner is Actor for what people do with their own account, which is all that a
// session may do until there is a second factor where one is required.
func (s *Service) Owner(ctx context.Context, token string, from Origin) (*Actor, error) {
	return s.actor(ctx, token, from, true)
}

func restricted(a *Actor, err error) (*Actor, error) {
	if err == nil && a.MustEnrol {
		return nil, ErrMustEnrol
	}
	return a, err
}

func (s *Service) actor(ctx context.Context, token string, from Origin, use bool) (*Actor, error) {
	hash, ok := hashToken("", token)
	if !ok {
		return nil, ErrNoSession
	}
	row, err := s.catalog.Session(ctx, hash)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, ErrNoSession
	} else if err != nil {
		return nil, unexpected("looking up a session", err)
	}
	now := s.clock()
	policy := s.policy(ctx)
	if !now.Before(row.ExpiresAt) || !now.Before(row.CreatedAt.Add(policy.Absolute)) || !now.Before(row.LastUsedAt.Add(policy.Idle)) {
		return nil, ErrNoSession
	}
	user, version, err := s.catalog.UserStanding(ctx, row.User)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, ErrNoSession
	} else if err != nil {
		return nil, unexpected("looking up an account", err)
	}
	if !user.DisabledAt.IsZero() || user.Agency != s.agency || user.PasswordChangedAt.After(row.CreatedAt) {
		return nil, ErrNoSession
	}
	if !policy.Networks.Allow(Role(user.Role), from.Address) {
		return nil, s.refusePlace(ctx, user, from)
	}
	if err := s.standing(ctx, user); err != nil {
		return nil, err
	}
	if use && now.Sub(row.LastUsedAt) >= touchEvery {
		err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error { return tx.TouchSession(ctx, hash, now) })
		if errors.Is(err, catalog.ErrNotFound) {
			return nil, ErrNoSession
		} else if err != nil {
			return nil, unexpected("noting the use of a session", err)
		}
	}
	a := &Actor{User: user.ID, Agency: user.Agency, Login: user.Login, Name: user.Name, Role: Role(user.Role), Origin: from, Session: hash,
		Factor: row.Factor, FactorAt: row.FactorAt, MustEnrol: row.MustEnrol}
	return s.empower(ctx, a, user, version)
}

// SignOut ends the session of token, with its event. A session that has ended
// already is no error.
func (s *Service) SignOut(ctx context.Context, token string, from Origin) error {
	actor, err := s.actor(ctx, token, from, false)
	if errors.Is(err, ErrNoSession) {
		return nil
	} else if err != nil {
		return err
	}
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.DeleteSession(ctx, actor.Session); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, s.event(evidence.EventSignedOut, actor.Custody(), from, "user:"+actor.User, evidence.OutcomeDone))
		return err
	})
	return unexpected("signing out", err)
}

// Cookie carries a session token. It lives as long as the browser, at most.
func Cookie(token string) *http.Cookie {
	return &http.Cookie{Name: CookieName, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

// NoCookie makes the browser forget the session token.
func NoCookie() *http.Cookie {
	c := Cookie("")
	c.MaxAge = -1
	return c
}

// Token returns the session token of a request, "" when there is none or more
// than one.
func Token(r *http.Request) string {
	cookies := r.CookiesNamed(CookieName)
	if len(cookies) != 1 {
		return ""
	}
	return cookies[0].Value
}

// OriginOf returns where a request came from: its connection's address. Headers
// that claim another one are not believed.
func OriginOf(r *http.Request) Origin {
	address := r.RemoteAddr
	if i := strings.LastIndexByte(address, ':'); i > 0 {
		address = strings.Trim(address[:i], "[]")
	}
	return Origin{Address: address, Browser: clip(r.UserAgent(), 300)}
}

// clip bounds hostile text and drops what is not text.
func clip(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
