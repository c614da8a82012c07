package sqldb

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// within adds that an item is in a reach, as catalog.Reach.Holds says it.
func within(w *where, reach *catalog.Reach) {
	if reach == nil || reach.All {
		return
	}
	var either []string
	var args []any
	if n := len(reach.Stations); n > 0 {
		either = append(either, amongOf("station", n))
		for _, s := range reach.Stations {
			args = append(args, clean(string(s)))
		}
	}
	if n := len(reach.Categories); n > 0 {
		either = append(either, "category <> '' AND "+amongOf("category", n))
		for _, c := range reach.Categories {
			args = append(args, clean(c))
		}
	}
	if n := len(reach.Officers); n > 0 {
		either = append(either, "wearer_id <> '' AND "+amongOf("wearer_id", n), "wearer_id = '' AND wearer = '' AND officer_id <> '' AND "+amongOf("officer_id", n))
		for range 2 {
			for _, id := range reach.Officers {
				args = append(args, clean(id))
			}
		}
	}
	if n := len(reach.Items); n > 0 {
		either = append(either, amongOf("id", n), "original <> '"+evidence.EvidenceID{}.String()+"' AND "+amongOf("original", n))
		for range 2 {
			for _, id := range reach.Items {
				args = append(args, id.String())
			}
		}
	}
	if n := len(reach.Cases); n > 0 {
		either = append(either, inCases(n))
		for range 2 {
			for _, id := range reach.Cases {
				args = append(args, clean(id))
			}
		}
	}
	if len(either) == 0 {
		w.and("1 = 0")
		return
	}
	w.and("("+strings.Join(either, " OR ")+")", args...)
}

// amongOf says that a column is one of n values.
func amongOf(column string, n int) string {
	return column + " IN (" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")"
}

// inCases says that an item was put into any of n cases, or was made of one that was;
// the cases are asked for twice. $1 is the agency.
func inCases(n int) string {
	of := "(SELECT item FROM case_items WHERE agency = $1 AND " + amongOf("case_id", n) + ")"
	return "(id IN " + of + " OR original IN " + of + ")"
}

// withinStations adds that something is of a station in a reach, as
// catalog.Reach.HoldsStation says it.
func withinStations(w *where, reach *catalog.Reach) {
	if reach == nil || reach.All {
		return
	}
	var args []any
	for _, s := range reach.Stations {
		args = append(args, clean(string(s)))
	}
	if len(args) == 0 {
		w.and("1 = 0")
		return
	}
	w.and("station <> '' AND station IN ("+strings.TrimSuffix(strings.Repeat("?, ", len(args)), ", ")+")", args...)
}

// UserStanding returns a user, and which version of the agency's powers is in force.
// catalog.ErrNotFound.
func (r *Reader) UserStanding(ctx context.Context, id string) (*catalog.User, int64, error) {
	var version int64
	user, err := get(ctx, r, "a user", func(s scanner, u *catalog.User) error { return scanUser(withLast{s, &version}, u) },
		"SELECT "+userColumns+", coalesce((SELECT version FROM powers_state p WHERE p.agency = users.agency), 0) FROM users WHERE id = $1", clean(id))
	return user, version, err
}

// Powers returns who may do what in an agency. What it holds is at least as new as
// its version says.
func (r *Reader) Powers(ctx context.Context, agency evidence.AgencyID) (*catalog.Powers, error) {
	p := &catalog.Powers{Officers: map[string]string{}}
	versions, err := list(ctx, r, "the version of the powers", func(s scanner, n *int64) error { return s.Scan(n) }, "SELECT version FROM powers_state WHERE agency = $1", agency)
	if err != nil {
		return nil, err
	}
	if len(versions) > 0 {
		p.Version = versions[0]
	}
	if p.Roles, err = list(ctx, r, "roles", scanRole, "SELECT "+roleColumns+" FROM roles WHERE agency = $1 ORDER BY name_key, id", agency); err != nil {
		return nil, err
	}
	if p.Groups, err = list(ctx, r, "groups", scanGroup, "SELECT "+groupColumns+" FROM people_groups WHERE agency = $1 AND removed_at = 0 ORDER BY name_key, id", agency); err != nil {
		return nil, err
	}
	if p.Members, err = list(ctx, r, "members of groups", func(s scanner, m *catalog.Member) error { return s.Scan(&m.Group, &m.User) },
		"SELECT group_id, user_id FROM group_members WHERE agency = $1 ORDER BY group_id, user_id", agency); err != nil {
		return nil, err
	}
	if p.Grants, err = list(ctx, r, "grants", scanGrant, "SELECT "+grantColumns+" FROM grants WHERE agency = $1 AND (ended_at = 0 OR id LIKE 'shipped.%') ORDER BY made_at, id", agency); err != nil {
		return nil, err
	}
	return p, r.each(ctx, "officers", func(s scanner) error {
		var user, officer string
		err := s.Scan(&user, &officer)
		p.Officers[user] = officer
		return err
	}, "SELECT id, officer_id FROM users WHERE agency = $1 AND officer_id <> ''", agency)
}

// PowersChanged counts the version of an agency's powers up. Everything that changes
// them calls it in the same transaction.
func (tx *Tx) PowersChanged(ctx context.Context, agency evidence.AgencyID) error {
	_, err := tx.change(ctx, "noting a change of powers", `INSERT INTO powers_state (agency, version) VALUES ($1, 1)
		ON CONFLICT (agency) DO UPDATE SET version = powers_state.version + 1`, agency)
	return err
}

const roleColumns = "agency, id, name, about, actions, removed_at, updated_at, updated_by"

func scanRole(s scanner, v *catalog.Role) error {
	var actions []byte
	if err := s.Scan(&v.Agency, &v.ID, &v.Name, &v.About, &actions, timeInto{&v.RemovedAt}, timeInto{&v.UpdatedAt}, &v.UpdatedBy); err != nil {
		return err
	}
	return unlisted(actions, &v.Actions, "the actions of role "+v.ID)
}

// PutRole keeps a role, new or changed. catalog.ErrExists when another one has its name.
func (tx *Tx) PutRole(ctx context.Context, v *catalog.Role) error {
	_, err := tx.change(ctx, "keeping a role", "INSERT INTO roles ("+roleColumns+`, name_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (agency, id) DO UPDATE SET name = excluded.name, about = excluded.about, actions = excluded.actions, removed_at = excluded.removed_at,
		updated_at = excluded.updated_at, updated_by = excluded.updated_by, name_key = excluded.name_key`,
		v.Agency, clean(v.ID), clean(v.Name), clean(v.About), listed(v.Actions), micros(v.RemovedAt), micros(v.UpdatedAt), clean(v.UpdatedBy), strings.ToLower(clean(v.Name)))
	return err
}

const groupColumns = "agency, id, name, made_at, made_by, removed_at"

func scanGroup(s scanner, v *catalog.Group) error {
	return s.Scan(&v.Agency, &v.ID, &v.Name, timeInto{&v.MadeAt}, &v.MadeBy, timeInto{&v.RemovedAt})
}

// PutGroup keeps a group, new or changed. catalog.ErrExists when another one has its name.
func (tx *Tx) PutGroup(ctx context.Context, v *catalog.Group) error {
	_, err := tx.change(ctx, "keeping a group", "INSERT INTO people_groups ("+groupColumns+`, name_key) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (agency, id) DO UPDATE SET name = excluded.name, removed_at = excluded.removed_at, name_key = excluded.name_key`,
		v.Agency, clean(v.ID), clean(v.Name), micros(v.MadeAt), clean(v.MadeBy), micros(v.RemovedAt), strings.ToLower(clean(v.Name)))
	return err
}

// SetMember puts a person into a group or takes them out; what is so already is no
// error. It returns whether anything changed.
func (tx *Tx) SetMember(ctx context.Context, agency evidence.AgencyID, m catalog.Member, in bool) (bool, error) {
	if in {
		n, err := tx.change(ctx, "putting a person into a group", "INSERT INTO group_members (agency, group_id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			agency, clean(m.Group), clean(m.User))
		return n > 0, err
	}
	n, err := tx.change(ctx, "taking a person out of a group", "DELETE FROM group_members WHERE agency = $1 AND group_id = $2 AND user_id = $3", agency, clean(m.Group), clean(m.User))
	return n > 0, err
}

const grantColumns = "agency, id, holder, holder_id, role, scope, value, until_at, view_only, networks, clients, reason, made_at, made_by, ended_at, ended_by"

func scanGrant(s scanner, v *catalog.Grant) error {
	var viewOnly int64
	var networks, clients []byte
	if err := s.Scan(&v.Agency, &v.ID, &v.Holder, &v.HolderID, &v.Role, &v.Scope, &v.Value, timeInto{&v.Until}, &viewOnly, &networks, &clients,
		&v.Reason, timeInto{&v.MadeAt}, &v.MadeBy, timeInto{&v.EndedAt}, &v.EndedBy); err != nil {
		return err
	}
	v.ViewOnly = viewOnly == 1
	if err := unlisted(networks, &v.Networks, "the networks of grant "+v.ID); err != nil {
		return err
	}
	return unlisted(clients, &v.Clients, "the clients of grant "+v.ID)
}

// Grant returns a grant, ended or not. catalog.ErrNotFound.
func (r *Reader) Grant(ctx context.Context, agency evidence.AgencyID, id string) (*catalog.Grant, error) {
	return get(ctx, r, "a grant", scanGrant, "SELECT "+grantColumns+" FROM grants WHERE agency = $1 AND id = $2", agency, clean(id))
}

// InsertGrant keeps a new grant.
func (tx *Tx) InsertGrant(ctx context.Context, v *catalog.Grant) error {
	_, err := tx.change(ctx, "keeping a grant", "INSERT INTO grants ("+grantColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
		v.Agency, clean(v.ID), v.Holder, clean(v.HolderID), clean(v.Role), v.Scope, clean(v.Value), micros(v.Until), flag(v.ViewOnly), listed(v.Networks), listed(v.Clients),
		clean(v.Reason), micros(v.MadeAt), clean(v.MadeBy), micros(v.EndedAt), clean(v.EndedBy))
	return err
}

// EndGrant ends a grant that stands; or with the zero time lets one stand again.
// catalog.ErrConflict when it is so already, or is not there.
func (tx *Tx) EndGrant(ctx context.Context, agency evidence.AgencyID, id string, at time.Time, by string) error {
	stands := "ended_at = 0"
	if at.IsZero() {
		stands = "ended_at > 0"
	}
	return tx.exec(ctx, "ending a grant", catalog.ErrConflict, "UPDATE grants SET ended_at = $3, ended_by = $4 WHERE agency = $1 AND id = $2 AND "+stands, agency, clean(id), micros(at), clean(by))
}

func listed(all []string) string {
	if all == nil {
		all = []string{}
	}
	b, _ := json.Marshal(all) // strings always marshal
	return clean(string(b))
}

func unlisted(text []byte, into *[]string, what string) error {
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s cannot be read: %w", what, err)
	}
	if len(*into) == 0 {
		*into = nil
	}
	return nil
}

const invitationColumns = "hash, agency, user_id, made_at, made_by, expires_at, used_at"

func scanInvitation(s scanner, v *catalog.Invitation) error {
	return s.Scan(hexInto(v.Hash[:]), &v.Agency, &v.User, timeInto{&v.MadeAt}, &v.MadeBy, timeInto{&v.ExpiresAt}, timeInto{&v.UsedAt})
}

// Invitation returns an invitation. catalog.ErrNotFound.
func (r *Reader) Invitation(ctx context.Context, hash evidence.Digest) (*catalog.Invitation, error) {
	return get(ctx, r, "an invitation", scanInvitation, "SELECT "+invitationColumns+" FROM invitations WHERE hash = $1", hash.String())
}

// InsertInvitation keeps a new invitation; unused ones of the same person are dropped.
func (tx *Tx) InsertInvitation(ctx context.Context, v *catalog.Invitation) error {
	if err := tx.DropInvitations(ctx, v.User); err != nil {
		return err
	}
	_, err := tx.change(ctx, "keeping an invitation", "INSERT INTO invitations ("+invitationColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7)",
		v.Hash.String(), v.Agency, clean(v.User), micros(v.MadeAt), clean(v.MadeBy), micros(v.ExpiresAt), micros(v.UsedAt))
	return err
}

// DropInvitations takes the unused invitations of a person back.
func (tx *Tx) DropInvitations(ctx context.Context, user string) error {
	_, err := tx.change(ctx, "taking invitations back", "DELETE FROM invitations WHERE user_id = $1 AND used_at = 0", clean(user))
	return err
}

// UseInvitation marks an invitation used, once.
// catalog.ErrNotFound, ErrTokenUsed, ErrTokenExpired.
func (tx *Tx) UseInvitation(ctx context.Context, hash evidence.Digest, at time.Time) error {
	v, err := tx.Invitation(ctx, hash)
	if err != nil {
		return err
	}
	if err := usable("an invitation", v.UsedAt, v.ExpiresAt, at); err != nil {
		return err
	}
	return tx.exec(ctx, "using an invitation", catalog.ErrTokenUsed, "UPDATE invitations SET used_at = $2 WHERE hash = $1 AND used_at = 0", hash.String(), micros(at))
}

// LockedLogins returns the logins that are refused at a time.
func (r *Reader) LockedLogins(ctx context.Context, at time.Time) ([]string, error) {
	return list(ctx, r, "locked logins", func(s scanner, login *string) error { return s.Scan(login) }, "SELECT login_key FROM login_locks WHERE locked_until > $1", micros(at))
}

// withLast scans one more column than it is asked for.
type withLast struct {
	scanner
	last *int64
}

// Scan implements scanner.
func (s withLast) Scan(dst ...any) error { return s.scanner.Scan(append(dst, s.last)...) }
