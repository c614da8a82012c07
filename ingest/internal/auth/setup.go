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

const (
	setupPrefix  = "sds1."
	forcedPrefix = "sdf1."
	setupLife    = 24 * time.Hour
)

// Person is what an account is made of.
type Person struct {
	Login, Name, Password string
}

// NewSetupToken makes the one-time token with which the first administrator is
// made, valid for 24 hours; a former unused one is dropped. The link is
// https://HOST/setup?token=TOKEN. When somebody has an account it is ErrAccounts.
func (s *Service) NewSetupToken(ctx context.Context) (string, error) {
	text, hash := newToken(setupPrefix)
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if n, err := tx.CountUsers(ctx); err != nil {
			return err
		} else if n > 0 {
			return fmt.Errorf("%w (%d)", ErrAccounts, n)
		}
		now := s.clock()
		return tx.InsertSetupToken(ctx, &catalog.SetupToken{Hash: hash, CreatedAt: now, ExpiresAt: now.Add(setupLife)})
	})
	if err != nil {
		return "", unexpected("making a set-up link", err)
	}
	return text, nil
}

// ForceSetupToken is NewSetupToken for a server that has accounts, none of which
// can be used any more; by is who does it. It is recorded, and no other unused
// link holds afterwards.
func (s *Service) ForceSetupToken(ctx context.Context, by evidence.Actor, from Origin) (string, error) {
	text, drawn := newToken(forcedPrefix)
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		now := s.clock()
		token := &catalog.SetupToken{Hash: forcedHash(drawn), CreatedAt: now, ExpiresAt: now.Add(setupLife)}
		if err := tx.InsertSetupToken(ctx, token); err != nil {
			return err
		}
		e := s.event(evidence.EventSetupForced, by, from, "", evidence.OutcomeDone)
		e.Details = map[string]string{"expires_at": token.ExpiresAt.Format(time.RFC3339)}
		_, err := tx.AppendEvent(ctx, e)
		return err
	})
	if err != nil {
		return "", unexpected("making a set-up link", err)
	}
	return text, nil
}

// forcedHash keeps an ordinary link from being passed off as a forced one.
func forcedHash(drawn evidence.Digest) evidence.Digest {
	return evidence.SHA256(append([]byte("sealdock/forced-setup/v1\n"), drawn[:]...))
}

// readSetupToken returns under what hash a link's token is stored, and whether
// it holds beside other accounts.
func readSetupToken(token string) (hash evidence.Digest, forced, ok bool) {
	if drawn, ok := hashToken(forcedPrefix, token); ok {
		return forcedHash(drawn), true, true
	}
	hash, ok = hashToken(setupPrefix, token)
	return hash, false, ok
}

// CheckSetup reports ErrSetup when SetUp would not take the token.
func (s *Service) CheckSetup(ctx context.Context, token string) error {
	hash, forced, ok := readSetupToken(token)
	if !ok {
		return ErrSetup
	}
	t, err := s.catalog.SetupToken(ctx, hash)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return ErrSetup
	case err != nil:
		return unexpected("looking up a set-up link", err)
	case !t.UsedAt.IsZero() || !s.clock().Before(t.ExpiresAt):
		return ErrSetup
	case forced:
		return nil
	}
	n, err := s.catalog.CountUsers(ctx)
	if err == nil && n > 0 {
		return ErrSetup
	}
	return unexpected("looking up a set-up link", err)
}

// SetUp makes the first administrator, or with a forced link a further one, and
// signs them in. The token works once. It returns a *PersonError for what the
// person can put right.
func (s *Service) SetUp(ctx context.Context, token string, p Person, from Origin) (session string, err error) {
	e, err := s.SetUpStep(ctx, token, p, Browser{}, from)
	if err != nil {
		return "", err
	}
	return e.Session, nil
}

// SetUpStep is SetUp for a browser.
func (s *Service) SetUpStep(ctx context.Context, token string, p Person, b Browser, from Origin) (e *Entry, err error) {
	if err := s.CheckSetup(ctx, token); err != nil {
		return nil, err
	}
	user, err := s.newUser(ctx, p, Administrator)
	if err != nil {
		return nil, err
	}
	hash, forced, _ := readSetupToken(token) // checked
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if n, err := tx.CountUsers(ctx); err != nil {
			return err
		} else if n > 0 && !forced {
			return ErrSetup
		}
		if err := tx.ConsumeSetupToken(ctx, hash, s.clock()); err != nil {
			return err
		}
		by := evidence.Actor{Kind: "user", ID: user.ID, Name: user.Name}
		if err := s.insertUser(ctx, tx, user, by, from); err != nil {
			return err
		}
		where := place{}
		if where.device, err = s.deviceOf(b.Device); err != nil {
			return err
		}
		e, err = s.enter(ctx, tx, user, Password, where, b, from)
		return err
	})
	switch {
	case errors.Is(err, catalog.ErrNotFound), errors.Is(err, catalog.ErrTokenUsed), errors.Is(err, catalog.ErrTokenExpired):
		return nil, ErrSetup
	case err != nil:
		return nil, unexpected("making the first administrator", err)
	}
	return e, nil
}

// AddUser makes a further account. by is who does it: a person whose role was
// checked with May, or {Kind: "server", ID: "local"} for the command line.
func (s *Service) AddUser(ctx context.Context, p Person, role Role, by evidence.Actor, from Origin) (id string, err error) {
	if b, err := s.book(ctx); err != nil {
		return "", err
	} else if b.roles[string(role)] == nil {
		return "", fmt.Errorf("adding an account: role %q is unknown; there are %s", role, b.roleIDs())
	}
	user, err := s.newUser(ctx, p, role)
	if err != nil {
		return "", err
	}
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error { return s.insertUser(ctx, tx, user, by, from) })
	if errors.Is(err, catalog.ErrExists) {
		return "", &PersonError{Field: "login", Text: "this sign-in name is taken"}
	}
	return user.ID, unexpected("adding an account", err)
}

// PersonError says what is wrong with a Person, in words to show.
type PersonError struct {
	Field string // "login", "name" or "password"
	Text  string
}

func (e *PersonError) Error() string { return e.Text }

// newUser checks a person and hashes the password.
func (s *Service) newUser(ctx context.Context, p Person, role Role) (*catalog.User, error) {
	p.Login, p.Name = canonicalLogin(p.Login), strings.TrimSpace(p.Name)
	if err := checkPersonName(p.Name); err != nil {
		return nil, &PersonError{"name", err.Error()}
	}
	if err := CheckLogin(p.Login); err != nil {
		return nil, &PersonError{"login", err.Error()}
	}
	words := append(strings.Fields(p.Name), p.Login, p.Name, string(s.agency))
	if err := s.policy(ctx).CheckPassword(p.Password, words...); err != nil {
		return nil, &PersonError{"password", err.Error()}
	}
	stored, err := s.hasher.Hash(ctx, p.Password)
	if err != nil {
		return nil, err
	}
	now := s.clock()
	return &catalog.User{
		ID: newUserID(), Agency: s.agency, Login: p.Login, Name: p.Name, Password: stored,
		Role: string(role), CreatedAt: now, PasswordChangedAt: now,
	}, nil
}

func (s *Service) insertUser(ctx context.Context, tx *sqldb.Tx, user *catalog.User, by evidence.Actor, from Origin) error {
	if err := errors.Join(tx.InsertUser(ctx, user), s.keepPassword(ctx, tx, user)); err != nil {
		return err
	}
	e := s.event(evidence.EventUserCreated, by, from, "user:"+user.ID, evidence.OutcomeDone)
	e.Details = map[string]string{"login": user.Login, "name": user.Name, "role": user.Role}
	_, err := tx.AppendEvent(ctx, e)
	return err
}
