package sqldb

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const provisionerColumns = "id, agency, name, token_hash, networks, made_at, made_by, expires_at, ended_at, last_used_at"

func scanProvisioner(s scanner, p *catalog.Provisioner) error {
	var networks string
	if err := s.Scan(&p.ID, &p.Agency, &p.Name, hexInto(p.TokenHash[:]), &networks, timeInto{&p.MadeAt}, &p.MadeBy, timeInto{&p.ExpiresAt}, timeInto{&p.EndedAt}, timeInto{&p.LastUsedAt}); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(networks), &p.Networks); err != nil {
		return fmt.Errorf("the networks of provisioner %s: %w", p.ID, err)
	}
	return nil
}

// Provisioner returns who holds a token, by its hash, whether they stand or not.
// catalog.ErrNotFound.
func (r *Reader) Provisioner(ctx context.Context, hash evidence.Digest) (*catalog.Provisioner, error) {
	return get(ctx, r, "a provisioner", scanProvisioner, "SELECT "+provisionerColumns+" FROM provisioners WHERE token_hash = $1", hash.String())
}

// Provisioners returns those of an agency, by name, also those that have ended.
func (r *Reader) Provisioners(ctx context.Context, agency evidence.AgencyID) ([]catalog.Provisioner, error) {
	return list(ctx, r, "provisioners", scanProvisioner, "SELECT "+provisionerColumns+" FROM provisioners WHERE agency = $1 ORDER BY name, made_at, id LIMIT 1000", agency)
}

// InsertProvisioner keeps a new provisioner. catalog.ErrExists where one of the name stands.
func (tx *Tx) InsertProvisioner(ctx context.Context, p *catalog.Provisioner) error {
	networks, err := json.Marshal(append([]string{}, p.Networks...))
	if err != nil {
		return err
	}
	_, err = tx.change(ctx, "keeping a provisioner", "INSERT INTO provisioners ("+provisionerColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		clean(p.ID), p.Agency, clean(p.Name), p.TokenHash.String(), string(networks), micros(p.MadeAt), clean(p.MadeBy), micros(p.ExpiresAt), micros(p.EndedAt), micros(p.LastUsedAt))
	return err
}

// EndProvisioner ends a provisioner that stands. catalog.ErrNotFound.
func (tx *Tx) EndProvisioner(ctx context.Context, id string, at time.Time) error {
	return tx.exec(ctx, "ending a provisioner", catalog.ErrNotFound, "UPDATE provisioners SET ended_at = $2 WHERE id = $1 AND ended_at = 0", clean(id), micros(at))
}

// TouchProvisioner notes that a provisioner came.
func (tx *Tx) TouchProvisioner(ctx context.Context, id string, at time.Time) error {
	_, err := tx.change(ctx, "noting the use of a provisioner", "UPDATE provisioners SET last_used_at = $2 WHERE id = $1", clean(id), micros(at))
	return err
}

const provisionedColumns = "user_id, provisioner, agency, user_name, external_id, display_name, profile, active, made_at, changed_at, removed_at, version"

func scanProvisioned(s scanner, p *catalog.ProvisionedPerson) error {
	return s.Scan(&p.User, &p.Provisioner, &p.Agency, &p.UserName, &p.ExternalID, &p.DisplayName, &p.Profile, &p.Active, timeInto{&p.MadeAt}, timeInto{&p.ChangedAt}, timeInto{&p.RemovedAt}, &p.Version)
}

// ProvisionedPerson returns what was provisioned of a user, also where it was
// removed. catalog.ErrNotFound for users who were not.
func (r *Reader) ProvisionedPerson(ctx context.Context, user string) (*catalog.ProvisionedPerson, error) {
	return get(ctx, r, "a provisioned person", scanProvisioned, "SELECT "+provisionedColumns+" FROM provisioned_people WHERE user_id = $1", clean(user))
}

// ProvisionedByExternalID returns up to two people of an agency whom provisioners
// gave an id that is not empty, and have not removed.
func (r *Reader) ProvisionedByExternalID(ctx context.Context, agency evidence.AgencyID, id string) ([]catalog.ProvisionedPerson, error) {
	return list(ctx, r, "provisioned people by the directory's id", scanProvisioned,
		"SELECT "+provisionedColumns+" FROM provisioned_people WHERE agency = $1 AND external_id = $2 AND external_id <> '' AND removed_at = 0 ORDER BY user_id LIMIT 2", agency, indexed(clean(id)))
}

func provisionedWhere(f *catalog.ProvisionedFilter, id, display string, people bool) *where {
	w := &where{}
	w.and("agency = ?", f.Agency)
	w.and("provisioner = ?", clean(f.Provisioner))
	w.and("removed_at = 0")
	if f.ID != "" {
		w.and(id+" = ?", clean(f.ID))
	}
	if f.ExternalID != "" {
		w.and("external_id = ?", indexed(clean(f.ExternalID)))
	}
	if f.DisplayName != "" {
		w.and(display+" = ?", indexed(loginKey(f.DisplayName)))
	}
	if f.UserName != "" {
		if people {
			w.and("user_name_key = ?", indexed(loginKey(f.UserName)))
		} else {
			w.and("1 = 0")
		}
	}
	if f.Member != "" {
		if people {
			w.and("1 = 0")
		} else {
			w.and("EXISTS (SELECT 1 FROM provisioned_members m WHERE m.group_id = provisioned_groups.id AND m.user_id = ?)", clean(f.Member))
		}
	}
	return w
}

// window adds which part of a list is wanted, and returns what says so.
func (w *where) window(skip, limit int) string {
	w.args = append(w.args, page(limit), max(skip, 0))
	return fmt.Sprintf(" LIMIT $%d OFFSET $%d", len(w.args)-1, len(w.args))
}

// ProvisionedPeople returns up to limit people after the first skip, the oldest
// first, and how many there are in all.
func (r *Reader) ProvisionedPeople(ctx context.Context, f catalog.ProvisionedFilter, skip, limit int) (some []catalog.ProvisionedPerson, all int64, err error) {
	w := provisionedWhere(&f, "user_id", "display_key", true)
	if err := r.one(ctx, "the number of provisioned people", func(s scanner) error { return s.Scan(&all) }, "SELECT count(*) FROM provisioned_people"+w.String(), w.args...); err != nil || limit == 0 {
		return nil, all, err
	}
	some, err = list(ctx, r, "provisioned people", scanProvisioned, "SELECT "+provisionedColumns+" FROM provisioned_people"+w.String()+" ORDER BY made_at, user_id"+w.window(skip, limit), w.args...)
	return some, all, err
}

// InsertProvisionedPerson keeps what was provisioned of a user. catalog.ErrExists.
func (tx *Tx) InsertProvisionedPerson(ctx context.Context, p *catalog.ProvisionedPerson) error {
	_, err := tx.change(ctx, "keeping a provisioned person", "INSERT INTO provisioned_people ("+provisionedColumns+", user_name_key, display_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
		clean(p.User), clean(p.Provisioner), p.Agency, clean(p.UserName), indexed(clean(p.ExternalID)), clean(p.DisplayName), clean(p.Profile), flag(p.Active),
		micros(p.MadeAt), micros(p.ChangedAt), micros(p.RemovedAt), p.Version, indexed(loginKey(p.UserName)), indexed(loginKey(p.DisplayName)))
	return err
}

// UpdateProvisionedPerson changes all but user, provisioner, agency and MadeAt.
// catalog.ErrNotFound.
func (tx *Tx) UpdateProvisionedPerson(ctx context.Context, p *catalog.ProvisionedPerson) error {
	return tx.exec(ctx, "changing a provisioned person", catalog.ErrNotFound, `UPDATE provisioned_people SET user_name = $2, user_name_key = $3, external_id = $4, display_name = $5, display_key = $6,
		profile = $7, active = $8, changed_at = $9, removed_at = $10, version = $11 WHERE user_id = $1`,
		clean(p.User), clean(p.UserName), indexed(loginKey(p.UserName)), indexed(clean(p.ExternalID)), clean(p.DisplayName), indexed(loginKey(p.DisplayName)),
		clean(p.Profile), flag(p.Active), micros(p.ChangedAt), micros(p.RemovedAt), p.Version)
}

const provisionedGroupColumns = "id, provisioner, agency, name, external_id, made_at, changed_at, removed_at, version"

func scanProvisionedGroup(s scanner, g *catalog.ProvisionedGroup) error {
	return s.Scan(&g.ID, &g.Provisioner, &g.Agency, &g.Name, &g.ExternalID, timeInto{&g.MadeAt}, timeInto{&g.ChangedAt}, timeInto{&g.RemovedAt}, &g.Version)
}

// ProvisionedGroup returns a group, also one that was removed. catalog.ErrNotFound.
func (r *Reader) ProvisionedGroup(ctx context.Context, id string) (*catalog.ProvisionedGroup, error) {
	return get(ctx, r, "a provisioned group", scanProvisionedGroup, "SELECT "+provisionedGroupColumns+" FROM provisioned_groups WHERE id = $1", clean(id))
}

// ProvisionedGroups is ProvisionedPeople for groups.
func (r *Reader) ProvisionedGroups(ctx context.Context, f catalog.ProvisionedFilter, skip, limit int) (some []catalog.ProvisionedGroup, all int64, err error) {
	w := provisionedWhere(&f, "id", "name_key", false)
	if err := r.one(ctx, "the number of provisioned groups", func(s scanner) error { return s.Scan(&all) }, "SELECT count(*) FROM provisioned_groups"+w.String(), w.args...); err != nil || limit == 0 {
		return nil, all, err
	}
	some, err = list(ctx, r, "provisioned groups", scanProvisionedGroup, "SELECT "+provisionedGroupColumns+" FROM provisioned_groups"+w.String()+" ORDER BY made_at, id"+w.window(skip, limit), w.args...)
	return some, all, err
}

// ProvisionedGroupsOf returns the groups that a user is in, by name.
func (r *Reader) ProvisionedGroupsOf(ctx context.Context, user string) ([]catalog.ProvisionedGroup, error) {
	return list(ctx, r, "the groups of a provisioned person", scanProvisionedGroup, "SELECT "+provisionedGroupColumns+` FROM provisioned_groups WHERE removed_at = 0
		AND id IN (SELECT group_id FROM provisioned_members WHERE user_id = $1) ORDER BY name_key, id`, clean(user))
}

// ProvisionedMembers returns the ids of who is in a group.
func (r *Reader) ProvisionedMembers(ctx context.Context, group string) ([]string, error) {
	return list(ctx, r, "members of a provisioned group", func(s scanner, id *string) error { return s.Scan(id) }, "SELECT user_id FROM provisioned_members WHERE group_id = $1 ORDER BY user_id", clean(group))
}

// InsertProvisionedGroup keeps a new group. catalog.ErrExists where its provisioner
// has one of the name.
func (tx *Tx) InsertProvisionedGroup(ctx context.Context, g *catalog.ProvisionedGroup) error {
	_, err := tx.change(ctx, "keeping a provisioned group", "INSERT INTO provisioned_groups ("+provisionedGroupColumns+", name_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		clean(g.ID), clean(g.Provisioner), g.Agency, clean(g.Name), indexed(clean(g.ExternalID)), micros(g.MadeAt), micros(g.ChangedAt), micros(g.RemovedAt), g.Version, indexed(loginKey(g.Name)))
	return err
}

// UpdateProvisionedGroup changes all but id, provisioner, agency and MadeAt.
// catalog.ErrNotFound, ErrExists.
func (tx *Tx) UpdateProvisionedGroup(ctx context.Context, g *catalog.ProvisionedGroup) error {
	return tx.exec(ctx, "changing a provisioned group", catalog.ErrNotFound,
		"UPDATE provisioned_groups SET name = $2, name_key = $3, external_id = $4, changed_at = $5, removed_at = $6, version = $7 WHERE id = $1",
		clean(g.ID), clean(g.Name), indexed(loginKey(g.Name)), indexed(clean(g.ExternalID)), micros(g.ChangedAt), micros(g.RemovedAt), g.Version)
}

// AddProvisionedMember puts a user into a group; catalog.ErrExists who is in it.
func (tx *Tx) AddProvisionedMember(ctx context.Context, group, user string) error {
	_, err := tx.change(ctx, "adding a member to a provisioned group", "INSERT INTO provisioned_members (group_id, user_id) VALUES ($1, $2)", clean(group), clean(user))
	return err
}

// DropProvisionedMember takes a user out of a group; one who is not in it is no error.
func (tx *Tx) DropProvisionedMember(ctx context.Context, group, user string) error {
	_, err := tx.change(ctx, "taking a member out of a provisioned group", "DELETE FROM provisioned_members WHERE group_id = $1 AND user_id = $2", clean(group), clean(user))
	return err
}

// RenameUser gives a user another login. catalog.ErrNotFound, ErrExists.
func (tx *Tx) RenameUser(ctx context.Context, id, login string) error {
	return tx.exec(ctx, "renaming a user", catalog.ErrNotFound, "UPDATE users SET login = $2, login_key = $3 WHERE id = $1", clean(id), clean(login), loginKey(login))
}

// RelinkDirectoryPerson says by which directory and id a linked user is known from
// now on. catalog.ErrNotFound, ErrExists.
func (tx *Tx) RelinkDirectoryPerson(ctx context.Context, user, source, subject string) error {
	return tx.exec(ctx, "linking a user anew", catalog.ErrNotFound, "UPDATE directory_people SET source = $2, subject = $3 WHERE user_id = $1", clean(user), indexed(clean(source)), indexed(clean(subject)))
}
