package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The errors of a Desk that callers tell apart. Their texts are for people.
var (
	// ErrLastManager: nobody would be left who can manage people.
	ErrLastManager = errors.New("nobody would be left who can manage people: let another person do that first, at any time and from anywhere")
	// ErrBeyond: more would be handed out than the person has.
	ErrBeyond = errors.New("you can hand out only what you may do yourself, in the whole agency")
	// ErrOwn: the own account.
	ErrOwn = errors.New("this is your own account: another person who manages people has to do it")
)

// Desk is where one person sees and changes who may do what. Everything asks for
// ListAccounts or ManageAccount in the whole agency; every change, and every refused
// one, is a custody event.
type Desk struct {
	s     *Service
	actor *Actor
}

// Desk returns the Desk of a signed-in person.
func (s *Service) Desk(actor *Actor) *Desk { return &Desk{s, actor} }

// CanManage reports whether the person may change anything here.
func (k *Desk) CanManage() bool { return May(k.actor, ManageAccount, Object{Agency: k.s.agency}) }

// CanList reports whether the person may see who may do what.
func (k *Desk) CanList() bool {
	return k.CanManage() || May(k.actor, ListAccounts, Object{Agency: k.s.agency})
}

// look returns what is in force, for a person who may see it.
func (k *Desk) look(ctx context.Context) (*book, error) {
	if !k.CanList() {
		return nil, ErrForbidden
	}
	return k.s.book(ctx)
}

// changing is a change under way.
type changing struct {
	*sqldb.Tx
	*book   // as it was before
	details map[string]string
	same    bool // nothing changes, so there is no event
}

// change does something and records it, both or neither. Nobody hands out what they
// have not, and somebody who manages people remains.
func (k *Desk) change(ctx context.Context, kind evidence.EventType, object string, do func(*changing) error) error {
	return k.changeAbout(ctx, kind, object, object, do)
}

// changeAbout is change of what is named "" before it is made. Changes want a fresh
// factor, and a second person where the agency says so.
func (k *Desk) changeAbout(ctx context.Context, kind evidence.EventType, object, before string, do func(*changing) error) error {
	if k.actor == nil {
		return ErrForbidden
	}
	err := ErrForbidden
	if k.CanManage() {
		err = Clear(ctx, k.actor, Act{Do: ManageAccount, On: []Object{{Agency: k.s.agency}}, About: before, Kind: kind, Later: kind == evidence.EventUserInvited})
	}
	if err == nil {
		err = k.s.catalog.Update(ctx, func(tx *sqldb.Tx) error { return k.changeIn(ctx, tx, kind, object, do) })
	}
	if errors.Is(err, ErrForbidden) || errors.Is(err, ErrBeyond) || errors.Is(err, ErrLastManager) || errors.Is(err, ErrOwn) || errors.Is(err, ErrFreshFactor) || errors.Is(err, ErrTokenAct) {
		refused := k.s.event(kind, k.actor.Custody(), k.actor.Origin, object, evidence.OutcomeRefused)
		refused.Reason = err.Error()
		if errors.Is(err, ErrForbidden) {
			refused.Reason = Refusal(err, ManageAccount)
		}
		if failed := k.s.catalog.Update(ctx, func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, refused); return err }); failed != nil {
			return errors.Join(err, unexpected("recording a refused act", failed))
		}
	}
	return err
}

func (k *Desk) changeIn(ctx context.Context, tx *sqldb.Tx, kind evidence.EventType, object string, do func(*changing) error) error {
	before, err := k.managed(ctx, tx)
	if err != nil {
		return err
	}
	c := &changing{Tx: tx, details: map[string]string{}}
	p, err := tx.Powers(ctx, k.s.agency)
	if err != nil {
		return err
	}
	c.book = newBook(merged(p, k.s.agency))
	if err := k.still(ctx, c); err != nil {
		return err
	}
	if err := do(c); err != nil || c.same {
		return err
	}
	if err := tx.PowersChanged(ctx, k.s.agency); err != nil {
		return err
	}
	if after, err := k.managed(ctx, tx); err != nil {
		return err
	} else if before && !after {
		return ErrLastManager
	}
	e := k.s.event(kind, k.actor.Custody(), k.actor.Origin, object, evidence.OutcomeDone)
	e.Details = c.details
	_, err = tx.AppendEvent(ctx, e)
	return err
}

// still sees that who acts may do so in this very transaction, however long ago the
// request began.
func (k *Desk) still(ctx context.Context, c *changing) error {
	u, err := c.User(ctx, k.actor.User)
	if errors.Is(err, catalog.ErrNotFound) {
		return ErrForbidden
	}
	if err != nil {
		return err
	}
	now := circumstances{at: k.s.clock(), address: k.actor.Origin.Address, client: k.actor.Client}
	if !u.DisabledAt.IsZero() || !c.of(u, now).reach(ManageAccount).All {
		return ErrForbidden
	}
	return nil
}

// managed reports whether somebody can sign in and manage people, at any time and
// from anywhere.
func (k *Desk) managed(ctx context.Context, tx *sqldb.Tx) (bool, error) {
	p, err := tx.Powers(ctx, k.s.agency)
	if err != nil {
		return false, err
	}
	users, err := tx.Users(ctx, k.s.agency)
	if err != nil {
		return false, err
	}
	b := newBook(merged(p, k.s.agency))
	for i := range users {
		u := &users[i]
		if u.Password != "" && b.canManage(u) {
			return true, nil
		}
	}
	return false, nil
}

// beyond refuses to hand out actions that the person has not.
func (k *Desk) beyond(actions []string) error {
	for _, name := range actions {
		if deed, ok := known(name); ok && !May(k.actor, deed.Action, Object{Agency: k.s.agency}) {
			return fmt.Errorf("%w: %q is not among it", ErrBeyond, strings.ToLower(deed.Words))
		}
	}
	return nil
}

// beyondUser is beyond for all that a user is given.
func (k *Desk) beyondUser(b *book, user *catalog.User) error {
	var err error
	b.grants(user, func(g *catalog.Grant) {
		if role := b.roles[g.Role]; role != nil && err == nil {
			err = k.beyond(role.Actions)
		}
	})
	return err
}

// user returns a person of this agency, by id. catalog.ErrNotFound.
func (k *Desk) user(ctx context.Context, r *sqldb.Reader, id string) (*catalog.User, error) {
	u, err := r.User(ctx, id)
	if err == nil && u.Agency != k.s.agency {
		return nil, fmt.Errorf("a person of another agency: %w", catalog.ErrNotFound)
	}
	return u, err
}

// find returns a person of this agency, by sign-in name or id. catalog.ErrNotFound.
func (k *Desk) find(ctx context.Context, r *sqldb.Reader, name string) (*catalog.User, error) {
	u, err := r.UserByLogin(ctx, canonicalLogin(name))
	if errors.Is(err, catalog.ErrNotFound) {
		return k.user(ctx, r, name)
	}
	if err == nil && u.Agency != k.s.agency {
		return nil, fmt.Errorf("a person of another agency: %w", catalog.ErrNotFound)
	}
	return u, err
}

// checkWords refuses text that is missing, too long, or holds control characters.
func checkWords(field, what, text string, least, most int) error {
	if len(text) < least || len(text) > most {
		return &PersonError{field, fmt.Sprintf("%s has %d bytes, %d to %d are taken", what, len(text), least, most)}
	}
	for _, r := range text {
		if r < 0x20 || r == 0x7f || r == '\uFFFD' {
			return &PersonError{field, what + " holds a control or broken character"}
		}
	}
	return nil
}
