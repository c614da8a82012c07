package sqldb

import (
	"context"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const directoryColumns = "user_id, source, subject, refresh, checked_at, cut_off_at"

func scanDirectoryPerson(s scanner, p *catalog.DirectoryPerson) error {
	return s.Scan(&p.User, &p.Source, &p.Subject, &p.Refresh, timeInto{&p.CheckedAt}, timeInto{&p.CutOffAt})
}

// DirectoryPerson returns who a user is in the directory. catalog.ErrNotFound for
// users who are of this server alone.
func (r *Reader) DirectoryPerson(ctx context.Context, user string) (*catalog.DirectoryPerson, error) {
	return get(ctx, r, "a person of the directory", scanDirectoryPerson, "SELECT "+directoryColumns+" FROM directory_people WHERE user_id = $1", clean(user))
}

// DirectoryPersonBy returns whom the directory knows by an id. catalog.ErrNotFound.
func (r *Reader) DirectoryPersonBy(ctx context.Context, source, subject string) (*catalog.DirectoryPerson, error) {
	return get(ctx, r, "a person of the directory", scanDirectoryPerson, "SELECT "+directoryColumns+" FROM directory_people WHERE source = $1 AND subject = $2",
		indexed(clean(source)), indexed(clean(subject)))
}

// DirectoryPeopleDue returns up to 1,000 people of an agency who have sessions or
// tokens, and whom the directory last confirmed at a time or before, the longest waiting first.
func (r *Reader) DirectoryPeopleDue(ctx context.Context, agency evidence.AgencyID, at time.Time) ([]catalog.DirectoryPerson, error) {
	return list(ctx, r, "people of the directory to ask for again", scanDirectoryPerson, "SELECT "+directoryColumns+` FROM directory_people WHERE checked_at <= $1
		AND (EXISTS (SELECT 1 FROM sessions WHERE sessions.user_id = directory_people.user_id)
			OR cut_off_at = 0 AND EXISTS (SELECT 1 FROM api_tokens WHERE api_tokens.user_id = directory_people.user_id))
		AND EXISTS (SELECT 1 FROM users WHERE users.id = directory_people.user_id AND users.agency = $2)
		ORDER BY checked_at, user_id LIMIT 1000`, micros(at), agency)
}

// InsertDirectoryPerson links a user. catalog.ErrExists when the user is linked
// already, or somebody else is to the same person.
func (tx *Tx) InsertDirectoryPerson(ctx context.Context, p *catalog.DirectoryPerson) error {
	_, err := tx.change(ctx, "linking a user to the directory", "INSERT INTO directory_people ("+directoryColumns+") VALUES ($1, $2, $3, $4, $5, $6)",
		clean(p.User), indexed(clean(p.Source)), indexed(clean(p.Subject)), p.Refresh, micros(p.CheckedAt), micros(p.CutOffAt))
	return err
}

// UpdateDirectoryPerson keeps Refresh, CheckedAt and CutOffAt. catalog.ErrNotFound.
func (tx *Tx) UpdateDirectoryPerson(ctx context.Context, p *catalog.DirectoryPerson) error {
	return tx.exec(ctx, "noting what the directory said", catalog.ErrNotFound,
		"UPDATE directory_people SET refresh = $2, checked_at = $3, cut_off_at = $4 WHERE user_id = $1", clean(p.User), p.Refresh, micros(p.CheckedAt), micros(p.CutOffAt))
}
