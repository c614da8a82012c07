package auth

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/directory"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Rechecked is what came of asking the directory again.
type Rechecked struct {
	Confirmed, CutOff, Ended int
	Down                     error // why the directory could not be asked, where it could not
}

// Recheck asks the directory about everybody of it who is signed in and whom it
// last confirmed Directory.Recheck ago or earlier. Who is gone there is cut off;
// whom nobody could be asked about for DirectoryLife is signed out. Call it every
// half minute or so.
func (s *Service) Recheck(ctx context.Context) (done Rechecked, err error) {
	every := s.directory.Recheck
	if every == 0 { // no directory any more: its people are signed out in time
		every = DirectoryLife
	}
	now := s.clock()
	due, err := s.catalog.DirectoryPeopleDue(ctx, s.agency, now.Add(-every))
	if err == nil && len(due) > 0 {
		err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error { // nobody is asked about for sessions that are over
			if _, err := tx.DeleteExpiredSessions(ctx, now, now.Add(-IdleLife)); err != nil {
				return err
			}
			due, err = tx.DirectoryPeopleDue(ctx, s.agency, now.Add(-every))
			return err
		})
	}
	if err != nil {
		return done, unexpected("looking up whom to ask the directory about", err)
	}
	for _, link := range due {
		if err := s.recheck(ctx, link.User, &done); err != nil {
			return done, unexpected("asking the directory again", err)
		}
	}
	return done, nil
}

// recheck asks about one person.
func (s *Service) recheck(ctx context.Context, user string, done *Rechecked) error {
	s.rechecking.Lock() // a refresh token is good for one use, as a rule
	defer s.rechecking.Unlock()
	link, err := s.catalog.DirectoryPerson(ctx, user)
	if err != nil {
		return err
	}
	asked := s.clock()
	if asked.Sub(link.CheckedAt) < time.Minute {
		return nil // it was just done
	}
	person, err := s.again(ctx, link)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	gone, down := errors.Is(err, directory.ErrGone), errors.Is(err, directory.ErrUnavailable)
	if err != nil && !gone && !down {
		return err
	}
	if down {
		done.Down = err
	}
	return s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		account, err := tx.User(ctx, user)
		if err != nil {
			return err
		}
		switch {
		case gone && link.Source == ldapSource:
			done.CutOff++
			return s.cutOff(ctx, tx, account, link, "no longer in the directory, or disabled there")
		case gone: // which may be no more than the end of a session there
			done.Ended++
			link.Refresh = ""
			if err := tx.UpdateDirectoryPerson(ctx, link); err != nil {
				return err
			}
			return s.endUnproven(ctx, tx, account, "the provider no longer answers for the person")
		case down && asked.Sub(link.CheckedAt) >= DirectoryLife:
			done.Ended++
			return s.endUnproven(ctx, tx, account, "the directory could not be asked about the person for 15 minutes")
		case down:
			return nil
		}
		_, reason, err := s.settle(ctx, tx, link.Source, person)
		if reason != "" {
			done.CutOff++
		} else {
			done.Confirmed++
		}
		return err
	})
}

// again asks the directory that a person is of. ErrGone, ErrUnavailable.
func (s *Service) again(ctx context.Context, link *catalog.DirectoryPerson) (*directory.Person, error) {
	switch d := s.directory; {
	case d.Passwords != nil && link.Source == ldapSource:
		return d.Passwords.Look(ctx, link.Subject)
	case d.Provider != nil && link.Source == oidcSource(d.Provider.Issuer()) && link.Refresh != "":
		token, err := s.opened("refresh\n"+link.User, link.Refresh)
		if err != nil {
			return nil, err
		}
		person, err := d.Provider.Again(ctx, link.Subject, token)
		if err == nil && person.Refresh == "" {
			person.Refresh = token
		}
		return person, err
	}
	return nil, fmt.Errorf("%w: there is nothing to ask it with", directory.ErrUnavailable)
}

// cutOff disables the account of somebody whom the directory no longer has, and
// ends what they had open.
func (s *Service) cutOff(ctx context.Context, tx *sqldb.Tx, user *catalog.User, link *catalog.DirectoryPerson, why string) error {
	ended, err := s.endAll(ctx, tx, user)
	if err != nil || !user.DisabledAt.IsZero() {
		return err
	}
	user.DisabledAt = s.clock()
	link.CutOffAt, link.Refresh = user.DisabledAt, ""
	if err := tx.UpdateUser(ctx, user); err != nil {
		return err
	}
	if _, err := tx.DeleteAPITokens(ctx, user.ID); err != nil {
		return err
	}
	if err := tx.UpdateDirectoryPerson(ctx, link); err != nil {
		return err
	}
	return s.recordDirectory(ctx, tx, evidence.EventDirectoryCutOff, user, why, map[string]string{"sessions_ended": ended})
}

// endUnproven signs somebody out of whom it is not known any more whether the
// directory still has them.
func (s *Service) endUnproven(ctx context.Context, tx *sqldb.Tx, user *catalog.User, why string) error {
	ended, err := s.endAll(ctx, tx, user)
	if err != nil {
		return err
	}
	return s.recordDirectory(ctx, tx, evidence.EventDirectoryUnproven, user, why, map[string]string{"sessions_ended": ended})
}

func (s *Service) endAll(ctx context.Context, tx *sqldb.Tx, user *catalog.User) (ended string, err error) {
	n, err := tx.DeleteUserSessions(ctx, user.ID, evidence.Digest{})
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(n, 10), tx.EndUserCeremonies(ctx, user.ID)
}

// standing returns ErrNoSession for somebody of the directory whom it has not
// confirmed for too long, whatever Recheck got to.
func (s *Service) standing(ctx context.Context, user *catalog.User) error {
	link, err := s.linkOf(ctx, &s.catalog.Reader, user)
	switch {
	case err != nil:
		return unexpected("looking up an account", err)
	case link != nil && s.clock().Sub(link.CheckedAt) >= DirectoryLife:
		return ErrNoSession
	}
	return nil
}

// errStanding: a passkey is not enough for who is of the directory.
var errStanding = errors.New("the directory does not confirm the person at the moment")

// confirmStanding asks the directory, if need be, about somebody who signs in
// without it.
func (s *Service) confirmStanding(ctx context.Context, user *catalog.User) error {
	link, err := s.linkOf(ctx, &s.catalog.Reader, user)
	if err != nil || link == nil {
		return err
	}
	if err := s.recheck(ctx, user.ID, &Rechecked{}); err != nil {
		return err
	}
	if err := s.standing(ctx, user); errors.Is(err, ErrNoSession) {
		return errStanding
	} else if err != nil {
		return err
	}
	return nil
}
