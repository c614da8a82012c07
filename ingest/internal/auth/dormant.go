package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// disabledReason is why a disabled account takes no sign-in.
const disabledReason = "the account is disabled"

// DormantError is ErrSignIn for who has shown that the account is theirs, and whose
// account was disabled because nobody used it.
type DormantError struct {
	Ask []string // names of up to three people who can enable it
}

func (e *DormantError) Error() string {
	who := "whoever runs the server"
	if len(e.Ask) > 0 {
		who = strings.Join(e.Ask, " or ")
	}
	return "this account was disabled because nobody has used it for a long time. Ask " + who + " to enable it"
}

// Unwrap makes it an ErrSignIn.
func (e *DormantError) Unwrap() error { return ErrSignIn }

// dormant returns a DormantError where a sign-in of the user was refused for that.
func (s *Service) dormant(ctx context.Context, r *sqldb.Reader, user *catalog.User, reason string) (*DormantError, error) {
	if reason != disabledReason || user.DormantAt.IsZero() {
		return nil, nil
	}
	users, err := r.Users(ctx, s.agency)
	if err != nil {
		return nil, err
	}
	p, err := r.Powers(ctx, s.agency)
	if err != nil {
		return nil, err
	}
	b, told := newBook(merged(p, s.agency)), &DormantError{}
	for i := range users {
		if u := &users[i]; len(told.Ask) < 3 && b.canManage(u) {
			told.Ask = append(told.Ask, u.Name)
		}
	}
	return told, nil
}

// canManage reports whether somebody may sign in and manage people, at any time and
// from anywhere.
func (b *book) canManage(u *catalog.User) bool {
	return u.DisabledAt.IsZero() && b.of(u, circumstances{always: true}).reach(ManageAccount).All
}

// DisableDormant disables the accounts that nobody has used for as long as the agency
// says, each with its event, and returns how many. The one account of the server's own
// that is left to manage people stays, the one used last. Call it every hour or so.
func (s *Service) DisableDormant(ctx context.Context) (disabled int, err error) {
	after := s.policy(ctx).Dormant
	if after <= 0 {
		return 0, nil
	}
	due := func(u *catalog.User) bool { return u.DisabledAt.IsZero() && s.clock().Sub(u.UsedAt()) >= after }
	users, err := s.catalog.Users(ctx, s.agency)
	if err == nil && slices.ContainsFunc(users, func(u catalog.User) bool { return due(&u) }) {
		err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
			disabled = 0
			users, err := tx.Users(ctx, s.agency) // somebody may have come since
			if err != nil {
				return err
			}
			p, err := tx.Powers(ctx, s.agency)
			if err != nil {
				return err
			}
			b, left := newBook(merged(p, s.agency)), 0
			own := func(u *catalog.User) bool { return u.Password != "" && b.canManage(u) }
			for i := range users {
				if own(&users[i]) {
					left++
				}
			}
			slices.SortStableFunc(users, func(a, b catalog.User) int { return a.UsedAt().Compare(b.UsedAt()) })
			for i := range users {
				u := &users[i]
				if !due(u) || own(u) && left == 1 {
					continue
				}
				if own(u) {
					left--
				}
				if err := s.disableDormant(ctx, tx, u, after); err != nil {
					return err
				}
				disabled++
			}
			return nil
		})
	}
	return disabled, unexpected("disabling accounts that nobody uses", err)
}

func (s *Service) disableDormant(ctx context.Context, tx *sqldb.Tx, u *catalog.User, after time.Duration) error {
	used := u.UsedAt()
	u.DisabledAt = s.clock()
	u.DormantAt = u.DisabledAt
	ended, err := s.endAll(ctx, tx, u)
	if err != nil {
		return err
	}
	if err := tx.DropInvitations(ctx, u.ID); err != nil {
		return err
	}
	if err := tx.UpdateUser(ctx, u); err != nil {
		return err
	}
	e := s.event(evidence.EventUserDisabled, evidence.Actor{Kind: "server", ID: "accounts"}, Origin{Address: "local"}, evidence.UserObject(u.ID), evidence.OutcomeDone)
	e.Reason = fmt.Sprintf("nobody has used the account for %d days", int(after.Hours()/24))
	e.Details = map[string]string{"login": u.Login, "name": u.Name, "sessions": ended, "last_used_at": used.Format(time.RFC3339)}
	_, err = tx.AppendEvent(ctx, e)
	return err
}
