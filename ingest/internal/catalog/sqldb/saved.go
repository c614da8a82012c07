package sqldb

import (
	"context"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// SavedSearches returns the searches that a person keeps, by name. Under the name "" is
// the one made last.
func (r *Reader) SavedSearches(ctx context.Context, user string) ([]catalog.SavedSearch, error) {
	return list(ctx, r, "saved searches", func(s scanner, v *catalog.SavedSearch) error {
		return s.Scan(&v.User, &v.Name, &v.Query, timeInto{&v.At})
	}, fmt.Sprintf("SELECT user_id, name, query, at FROM saved_searches WHERE user_id = $1 ORDER BY name LIMIT %d", catalog.MaxSavedSearches+1), user)
}

// SaveSearch keeps a search under its name, instead of the one that has it.
func (tx *Tx) SaveSearch(ctx context.Context, s *catalog.SavedSearch) error {
	_, err := tx.change(ctx, "saving a search", `INSERT INTO saved_searches (user_id, name, query, at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id, name) DO UPDATE SET query = excluded.query, at = excluded.at`, s.User, clean(s.Name), clean(s.Query), micros(s.At))
	return err
}

// RenameSearch gives a search another name. catalog.ErrNotFound; catalog.ErrExists when
// another search has it.
func (tx *Tx) RenameSearch(ctx context.Context, user, name, other string) error {
	return tx.exec(ctx, "renaming a search", catalog.ErrNotFound, "UPDATE saved_searches SET name = $3 WHERE user_id = $1 AND name = $2", user, clean(name), clean(other))
}

// DeleteSearch forgets a search. catalog.ErrNotFound.
func (tx *Tx) DeleteSearch(ctx context.Context, user, name string) error {
	return tx.exec(ctx, "deleting a search", catalog.ErrNotFound, "DELETE FROM saved_searches WHERE user_id = $1 AND name = $2", user, clean(name))
}
