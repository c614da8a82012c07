package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Approvals is where one person decides on what others ask for, and sees what became of
// what they asked.
type Approvals struct {
	s      *Service
	actor  *Actor
	device string // token of the browser's device cookie
}

// Approvals returns those of a signed-in person at a browser, or with "" at none.
func (s *Service) Approvals(actor *Actor, device string) *Approvals {
	return &Approvals{s, actor, device}
}

// Request is a request for an act, as one person sees it.
type Request struct {
	catalog.ActRequest
	What      Asked
	By        string // name of who asked
	Decider   string // name of who decided; "": nobody
	Own       bool
	MayDecide bool // it waits, and the person may approve or refuse it
	Lapsed    bool
	Usable    bool // it is approved, and the person may do it now
}

// Waiting are the requests that wait and that the person asked for, or may decide on.
// ErrForbidden for who may do nothing that can take two people.
func (p *Approvals) Waiting(ctx context.Context) ([]Request, error) {
	if !p.concerned() {
		return nil, ErrForbidden
	}
	rows, err := p.s.catalog.WaitingRequests(ctx, p.s.agency, p.s.clock())
	if err != nil {
		return nil, unexpected("looking up requests", err)
	}
	return p.shown(ctx, rows)
}

// Past are the newest ones that wait no more, of those that the person may see.
func (p *Approvals) Past(ctx context.Context, limit int) ([]Request, error) {
	if !p.concerned() {
		return nil, ErrForbidden
	}
	rows, err := p.s.catalog.PastRequests(ctx, p.s.agency, p.s.clock(), limit)
	if err != nil {
		return nil, unexpected("looking up requests", err)
	}
	return p.shown(ctx, rows)
}

// concerned reports whether the person may do anything that can take two people.
func (p *Approvals) concerned() bool {
	return slices.ContainsFunc(TwoPeopleActions(), func(d Deed) bool { return MaySome(p.actor, d.Action, p.s.agency) })
}

// About are the requests about an object that wait or may be used, of those that the
// person may see.
func (p *Approvals) About(ctx context.Context, object string) ([]Request, error) {
	rows, err := p.s.catalog.RequestsAbout(ctx, p.s.agency, object, p.s.clock())
	if err != nil {
		return nil, unexpected("looking up requests", err)
	}
	return p.shown(ctx, rows)
}

// Count is how many wait for the person.
func (p *Approvals) Count(ctx context.Context) (n int, err error) {
	rows, err := p.s.catalog.WaitingRequests(ctx, p.s.agency, p.s.clock())
	if err != nil {
		return 0, unexpected("looking up requests", err)
	}
	for i := range rows {
		if rows[i].User == p.actor.User {
			continue
		}
		may, err := p.s.mayOn(ctx, &p.s.catalog.Reader, p.actor, &rows[i])
		if err != nil {
			return n, err
		}
		if may {
			n++
		}
	}
	return n, nil
}

// Get returns a request that the person may see. catalog.ErrNotFound.
func (p *Approvals) Get(ctx context.Context, id string) (*Request, error) {
	row, err := p.s.catalog.ActRequest(ctx, p.s.agency, id)
	if err != nil {
		return nil, err
	}
	all, err := p.shown(ctx, []catalog.ActRequest{*row})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("a request out of reach: %w", catalog.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

// shown leaves those out that the person has nothing to do with.
func (p *Approvals) shown(ctx context.Context, rows []catalog.ActRequest) ([]Request, error) {
	if p.actor == nil {
		return nil, ErrForbidden
	}
	var all []Request
	for _, row := range rows {
		v := Request{ActRequest: row, Own: row.User == p.actor.User, Lapsed: row.State == catalog.RequestWaits && !p.s.clock().Before(row.Lapses)}
		if err := json.Unmarshal(row.Asked, &v.What); err != nil {
			v.What = Asked{Action: Action(row.Action)} // deciding on it says what is wrong
		}
		may, err := p.s.mayOn(ctx, &p.s.catalog.Reader, p.actor, &row)
		if err != nil {
			return nil, err
		}
		if !v.Own && !may {
			continue
		}
		v.MayDecide = may && !v.Own && row.State == catalog.RequestWaits && !v.Lapsed && p.actor.Token == nil
		v.Usable = v.Own && row.State == catalog.RequestApproved && p.s.clock().Before(row.UseUntil)
		names := map[string]*string{row.User: &v.By, row.DecidedBy: &v.Decider}
		for id, name := range names {
			if id == "" {
				continue
			}
			u, err := p.s.catalog.User(ctx, id)
			if err != nil && !errors.Is(err, catalog.ErrNotFound) {
				return nil, unexpected("looking up an account", err)
			}
			if err == nil {
				*name = u.Name
			}
		}
		if row.DecidedBy == row.User {
			v.Decider = v.By
		}
		all = append(all, v)
	}
	return all, nil
}

// mayOn reports whether a person may do what a request asks for on all that it is about.
func (s *Service) mayOn(ctx context.Context, r *sqldb.Reader, a *Actor, row *catalog.ActRequest) (bool, error) {
	var objects []objectOf
	if err := json.Unmarshal([]byte(row.Objects), &objects); err != nil || len(objects) == 0 {
		return false, nil
	}
	if May(a, Action(row.Action), Object{Agency: s.agency}) {
		return true, nil // on everything, and there may be a thousand
	}
	for _, o := range objects {
		on := Object{Agency: s.agency, Station: o.Station, Case: o.Case}
		if o.Item != "" {
			id, err := evidence.ParseEvidenceID(o.Item)
			if err != nil {
				return false, nil
			}
			item, err := r.ItemRow(ctx, s.agency, id)
			if errors.Is(err, catalog.ErrNotFound) {
				return false, nil
			} else if err != nil {
				return false, unexpected("looking up an item", err)
			}
			on = ItemObject(item)
		}
		if !May(a, Action(row.Action), on) {
			return false, nil
		}
	}
	return true, nil
}
