package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ErrBeyondCase: others would get more of a recording than who puts it into a case has.
// Its text is for people.
var ErrBeyondCase = errors.New("others would get more of this recording than you have")

// FindCase looks a case up by its id, or else by its number. catalog.ErrNotFound.
func FindCase(ctx context.Context, r *sqldb.Reader, agency evidence.AgencyID, name string) (*catalog.Case, error) {
	c, err := r.Case(ctx, agency, name)
	if errors.Is(err, catalog.ErrNotFound) {
		return r.CaseNumbered(ctx, agency, strings.TrimSpace(name))
	}
	return c, err
}

// onItems are the actions that a grant on a case gives on what is in it.
var onItems = []Action{ListItems, ViewItem, PlayItem, OpenReceipt, DownloadItem, EditItem, FreezeEvidence, UnfreezeEvidence}

// CaseSeers lists who may do something with the recordings of a case because of grants on
// it, by sign-in name: who gets to see what is put into it. For who manages the case, or
// sees who may do what. ErrForbidden.
func (s *Service) CaseSeers(ctx context.Context, actor *Actor, id string) ([]Seer, error) {
	k := s.Desk(actor)
	if !k.CanList() && !May(actor, ManageCases, Object{Agency: s.agency, Case: id}) {
		return nil, ErrForbidden
	}
	b, err := s.book(ctx)
	if err != nil {
		return nil, err
	}
	users, err := s.catalog.Users(ctx, s.agency)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, u := range users {
		names[u.ID] = u.Name
	}
	var all []Seer
	for i := range users {
		if !users[i].DisabledAt.IsZero() {
			continue
		}
		var why []Because
		b.grants(&users[i], func(g *catalog.Grant) {
			if g.Scope != catalog.OnCase || g.Value != id || len(b.givesOnItems(g)) == 0 {
				return
			}
			if w := k.because(ctx, b, names, g); w.Missing == "" {
				why = append(why, w)
			}
		})
		if len(why) > 0 {
			all = append(all, Seer{k.someone(ctx, b, &users[i], nil), why})
		}
	}
	return all, nil
}

func (b *book) givesOnItems(g *catalog.Grant) []Action {
	return slices.DeleteFunc(slices.Clone(b.gives(g)), func(do Action) bool { return !slices.Contains(onItems, do) })
}

// BeyondCase refuses to put an item into a case where a grant on the case gives somebody
// an action on it that the person has not themselves. ErrBeyondCase.
func (s *Service) BeyondCase(ctx context.Context, tx *sqldb.Tx, actor *Actor, id string, item *catalog.Item) error {
	p, err := tx.Powers(ctx, s.agency)
	if err != nil {
		return err
	}
	b := newBook(merged(p, s.agency))
	now := s.clock()
	for i := range b.Grants {
		g := &b.Grants[i]
		if g.Scope != catalog.OnCase || g.Value != id || !g.Until.IsZero() && !now.Before(g.Until) {
			continue
		}
		for _, do := range b.givesOnItems(g) {
			if !May(actor, do, ItemObject(item)) {
				return fmt.Errorf("%w: a grant on this case gives them “%s”; ask somebody who may do that to put it in", ErrBeyondCase, strings.ToLower(Words(do)))
			}
		}
	}
	return nil
}
