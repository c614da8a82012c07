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
	invitePrefix = "sdi1."
	// InviteLife is how long an invitation holds.
	InviteLife = 72 * time.Hour
)

// ErrInvitation: an invitation that does not hold.
var ErrInvitation = errors.New("this invitation was used, has expired, or never existed; whoever sent it can send a new one")

// NewPerson is who gets an account. The password is chosen by whoever opens the
// invitation.
type NewPerson struct {
	Login, Name string
	OfficerID   string // as cameras and assignments name the person; may be ""
	Role        Role
}

// Invite makes an account and the token of a one-time link,
// https://HOST/join?token=TOKEN, with which its person chooses a password. *PersonError,
// ErrForbidden, ErrBeyond.
func (k *Desk) Invite(ctx context.Context, p NewPerson) (id, token string, err error) {
	p.Login, p.Name, p.OfficerID = canonicalLogin(p.Login), strings.TrimSpace(p.Name), strings.TrimSpace(p.OfficerID)
	if k.CanManage() {
		if err := checkNewPerson(p); err != nil {
			return "", "", err
		}
	}
	now := k.s.clock()
	user := &catalog.User{ID: newUserID(), Agency: k.s.agency, Login: p.Login, Name: p.Name, OfficerID: p.OfficerID, Role: string(p.Role), CreatedAt: now}
	token, hash := newToken(invitePrefix)
	err = k.changeAbout(ctx, evidence.EventUserInvited, evidence.UserObject(user.ID), "", func(c *changing) error {
		role := c.roles[user.Role]
		if role == nil {
			return &PersonError{"role", "there is no such role; choose one of the list"}
		}
		if err := k.beyond(role.Actions); err != nil {
			return err
		}
		if err := c.InsertUser(ctx, user); err != nil {
			return err
		}
		c.details = map[string]string{"login": user.Login, "name": user.Name, "role": user.Role, "expires_at": now.Add(InviteLife).Format(time.RFC3339)}
		return c.InsertInvitation(ctx, k.invitation(hash, user.ID, now))
	})
	if errors.Is(err, catalog.ErrExists) {
		err = &PersonError{"login", "this sign-in name is taken"}
	}
	if err != nil {
		return "", "", err
	}
	return user.ID, token, nil
}

func checkNewPerson(p NewPerson) error {
	if err := checkPersonName(p.Name); err != nil {
		return &PersonError{"name", err.Error()}
	}
	if err := CheckLogin(p.Login); err != nil {
		return &PersonError{"login", err.Error()}
	}
	return checkWords("officer_id", "the officer id", p.OfficerID, 0, 200)
}

func (k *Desk) invitation(hash evidence.Digest, user string, now time.Time) *catalog.Invitation {
	return &catalog.Invitation{Hash: hash, Agency: k.s.agency, User: user, MadeAt: now, MadeBy: k.actor.User, ExpiresAt: now.Add(InviteLife)}
}

// InviteAgain makes a new link for a person who has not chosen a password yet; the
// former one holds no more. catalog.ErrNotFound, ErrConflict, ErrForbidden, ErrBeyond.
func (k *Desk) InviteAgain(ctx context.Context, id string) (token string, err error) {
	now := k.s.clock()
	token, hash := newToken(invitePrefix)
	err = k.change(ctx, evidence.EventUserInvited, evidence.UserObject(id), func(c *changing) error {
		u, err := k.user(ctx, &c.Reader, id)
		switch {
		case err != nil:
			return err
		case u.Password != "" || !u.DisabledAt.IsZero():
			return fmt.Errorf("inviting a person again: %w", catalog.ErrConflict)
		}
		if link, err := k.s.linkOf(ctx, &c.Reader, u); err != nil {
			return err
		} else if link != nil { // a password here would take the account out of the directory's hands
			return fmt.Errorf("inviting a person of the directory: %w", catalog.ErrConflict)
		}
		if err := k.beyondUser(c.book, u); err != nil {
			return err
		}
		c.details = map[string]string{"login": u.Login, "name": u.Name, "role": u.Role, "expires_at": now.Add(InviteLife).Format(time.RFC3339)}
		return c.InsertInvitation(ctx, k.invitation(hash, u.ID, now))
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// Invited returns whose invitation a token is. ErrInvitation.
func (s *Service) Invited(ctx context.Context, token string) (*catalog.User, error) {
	hash, ok := hashToken(invitePrefix, token)
	if !ok {
		return nil, ErrInvitation
	}
	v, err := s.catalog.Invitation(ctx, hash)
	if err == nil && (!v.UsedAt.IsZero() || !s.clock().Before(v.ExpiresAt)) {
		return nil, ErrInvitation
	}
	var u *catalog.User
	if err == nil {
		u, err = s.catalog.User(ctx, v.User)
	}
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return nil, ErrInvitation
	case err != nil:
		return nil, unexpected("looking up an invitation", err)
	case !u.DisabledAt.IsZero() || u.Agency != s.agency || u.Password != "":
		return nil, ErrInvitation
	}
	return u, nil
}

// Join gives the account of an invitation its password, once; the person then signs in.
// ErrInvitation, *PersonError, ErrBusy.
func (s *Service) Join(ctx context.Context, token, password string, from Origin) error {
	u, err := s.Invited(ctx, token)
	if err != nil {
		return err
	}
	if err := s.policy(ctx).CheckPassword(password, append(strings.Fields(u.Name), u.Login, u.Name, string(s.agency))...); err != nil {
		return &PersonError{"password", err.Error()}
	}
	stored, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	hash, _ := hashToken(invitePrefix, token) // checked
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		now := s.clock()
		if err := tx.UseInvitation(ctx, hash, now); err != nil {
			return err
		}
		u, err := tx.User(ctx, u.ID)
		if err != nil {
			return err
		}
		if !u.DisabledAt.IsZero() || u.Password != "" {
			return ErrInvitation
		}
		u.Password, u.PasswordChangedAt = stored, now
		if err := tx.UpdateUser(ctx, u); err != nil {
			return err
		}
		if err := s.keepPassword(ctx, tx, u); err != nil {
			return err
		}
		by := evidence.Actor{Kind: "user", ID: u.ID, Name: u.Name}
		_, err = tx.AppendEvent(ctx, s.event(evidence.EventUserJoined, by, from, evidence.UserObject(u.ID), evidence.OutcomeDone))
		return err
	})
	if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, catalog.ErrTokenUsed) || errors.Is(err, catalog.ErrTokenExpired) {
		return ErrInvitation
	}
	return unexpected("taking an account", err)
}

// Disable keeps a person out: sessions end at once, and the account takes no sign-in
// until Enable. catalog.ErrNotFound, ErrConflict, ErrForbidden, ErrOwn, ErrLastManager.
func (k *Desk) Disable(ctx context.Context, id string) error {
	return k.change(ctx, evidence.EventUserDisabled, evidence.UserObject(id), func(c *changing) error {
		u, err := k.user(ctx, &c.Reader, id)
		switch {
		case err != nil:
			return err
		case id == k.actor.User:
			return ErrOwn
		case !u.DisabledAt.IsZero():
			return fmt.Errorf("disabling an account: %w", catalog.ErrConflict)
		}
		u.DisabledAt = k.s.clock()
		ended, err := c.DeleteUserSessions(ctx, u.ID, evidence.Digest{})
		if err != nil {
			return err
		}
		tokens, err := c.DeleteAPITokens(ctx, u.ID)
		if err != nil {
			return err
		}
		c.details = map[string]string{"login": u.Login, "name": u.Name, "sessions": fmt.Sprint(ended), "tokens": fmt.Sprint(tokens)}
		return errors.Join(c.DropInvitations(ctx, u.ID), c.UpdateUser(ctx, u))
	})
}

// EndSessions ends all sessions of a person, who may sign in anew. Their tokens stay.
// catalog.ErrNotFound, ErrForbidden, ErrOwn.
func (k *Desk) EndSessions(ctx context.Context, id string) error {
	return k.change(ctx, evidence.EventUserSessionsEnded, evidence.UserObject(id), func(c *changing) error {
		u, err := k.user(ctx, &c.Reader, id)
		switch {
		case err != nil:
			return err
		case id == k.actor.User:
			return ErrOwn
		}
		ended, err := c.DeleteUserSessions(ctx, u.ID, evidence.Digest{})
		c.details = map[string]string{"login": u.Login, "name": u.Name, "sessions": fmt.Sprint(ended)}
		return err
	})
}

// Enable lets a disabled person in again, who signs in anew. Errors as Disable.
func (k *Desk) Enable(ctx context.Context, id string) error {
	return k.change(ctx, evidence.EventUserEnabled, evidence.UserObject(id), func(c *changing) error {
		u, err := k.user(ctx, &c.Reader, id)
		switch {
		case err != nil:
			return err
		case u.DisabledAt.IsZero():
			return fmt.Errorf("enabling an account: %w", catalog.ErrConflict)
		}
		u.DisabledAt, u.DormantAt, u.EnabledAt = time.Time{}, time.Time{}, k.s.clock()
		c.details = map[string]string{"login": u.Login, "name": u.Name}
		return c.UpdateUser(ctx, u)
	})
}

// Change gives a person another role or officer id; their name stays. *PersonError,
// catalog.ErrNotFound, ErrForbidden, ErrOwn, ErrBeyond, ErrLastManager.
func (k *Desk) Change(ctx context.Context, id string, role Role, officerID string) error {
	officerID = strings.TrimSpace(officerID)
	if err := checkWords("officer_id", "the officer id", officerID, 0, 200); err != nil && k.CanManage() {
		return err
	}
	return k.change(ctx, evidence.EventUserChanged, evidence.UserObject(id), func(c *changing) error {
		u, err := k.user(ctx, &c.Reader, id)
		if err != nil {
			return err
		}
		if c.same = u.Role == string(role) && u.OfficerID == officerID; c.same {
			return nil
		}
		to := c.roles[string(role)]
		switch {
		case id == k.actor.User:
			return ErrOwn
		case to == nil:
			return &PersonError{"role", "there is no such role; choose one of the list"}
		}
		c.details = map[string]string{"login": u.Login, "role_before": u.Role, "role": to.ID, "officer_id_before": u.OfficerID, "officer_id": officerID}
		u.Role, u.OfficerID = to.ID, officerID
		if err := errors.Join(k.beyond(to.Actions), k.beyondUser(c.book, u)); err != nil {
			return err
		}
		return c.UpdateUser(ctx, u)
	})
}

// ReleaseLock is Release for a person here. catalog.ErrNotFound, ErrForbidden.
func (k *Desk) ReleaseLock(ctx context.Context, id string) error {
	return k.change(ctx, evidence.EventAccountReleased, evidence.UserObject(id), func(c *changing) error {
		u, err := k.user(ctx, &c.Reader, id)
		if err != nil {
			return err
		}
		c.details = nil
		return c.ClearLoginFailures(ctx, k.s.loginKey(u.Login))
	})
}
