package reading

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
)

const (
	// MaxCount is up to where the items of a list are counted.
	MaxCount  = 1000
	countTime = 250 * time.Millisecond // for page and count
)

// Found is how many items a list has.
type Found struct {
	Items int64
	More  bool // there are more; how many was not counted
}

// ErrName: a search cannot be kept under this name.
var ErrName = errors.New("give the search a name of up to 60 characters that none of your other searches has")

// ErrManySearches: a person keeps as many as they may.
var ErrManySearches = fmt.Errorf("you keep %d searches, which is the most: delete one first", catalog.MaxSavedSearches)

// Search returns one page of a list in an order, and how many items it has over all.
func (s *Service) Search(ctx context.Context, actor *auth.Actor, f catalog.ItemFilter, order catalog.Order, cursor string, limit int) (catalog.ItemPage, Found, error) {
	if err := s.allow(actor, auth.ListItems); err != nil {
		return catalog.ItemPage{}, Found{}, err
	}
	f.Agency, f.Within = s.Agency, s.within(actor, auth.ListItems)
	page, n, counted, err := s.Catalog.ItemsCounted(ctx, f, order, cursor, limit, MaxCount+1, countTime)
	switch {
	case err != nil:
		return page, Found{}, err
	case !counted:
		return page, Found{Items: int64(len(page.Items)), More: true}, nil
	}
	return page, Found{Items: min(n, MaxCount), More: n > MaxCount}, nil
}

// Searches returns the searches that somebody keeps by name, and the one made last; ""
// for none.
func (s *Service) Searches(ctx context.Context, actor *auth.Actor) (kept []catalog.SavedSearch, last string, err error) {
	if err := s.allow(actor, auth.ListItems); err != nil {
		return nil, "", err
	}
	rows, err := s.Catalog.SavedSearches(ctx, actor.User)
	for _, row := range rows {
		if row.Name == "" {
			last = row.Query
		} else {
			kept = append(kept, row)
		}
	}
	return kept, last, err
}

const maxQuery = 4096 // bytes

// KeepSearch keeps a search under a name; "" is the search made last.
func (s *Service) KeepSearch(ctx context.Context, actor *auth.Actor, name, query string) error {
	kept, last, err := s.Searches(ctx, actor)
	switch {
	case err != nil:
		return err
	case name == "" && last == query:
		return nil
	case name != "" && len(kept) >= catalog.MaxSavedSearches:
		return ErrManySearches
	case utf8.RuneCountInString(name) > 60 || len(query) > maxQuery:
		return ErrName
	}
	for _, search := range kept {
		if search.Name == name {
			return ErrName
		}
	}
	return s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		return tx.SaveSearch(ctx, &catalog.SavedSearch{User: actor.User, Name: name, Query: query, At: s.clock()})
	})
}

// RenameSearch gives one of somebody's searches another name.
func (s *Service) RenameSearch(ctx context.Context, actor *auth.Actor, name, other string) error {
	if err := s.allow(actor, auth.ListItems); err != nil {
		return err
	}
	if name == "" || other == "" || utf8.RuneCountInString(other) > 60 {
		return ErrName
	}
	err := s.Catalog.Update(ctx, func(tx *sqldb.Tx) error { return tx.RenameSearch(ctx, actor.User, name, other) })
	if errors.Is(err, catalog.ErrExists) {
		return ErrName
	}
	return err
}

// DeleteSearch forgets one of somebody's searches.
func (s *Service) DeleteSearch(ctx context.Context, actor *auth.Actor, name string) error {
	if err := s.allow(actor, auth.ListItems); err != nil {
		return err
	}
	return s.Catalog.Update(ctx, func(tx *sqldb.Tx) error { return tx.DeleteSearch(ctx, actor.User, name) })
}
