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

// ProvisionedGroup is a group as a provisioner says it, with who is in it (RFC 7643
// section 4.2).
type ProvisionedGroup struct {
	catalog.ProvisionedGroup
	Members []ProvisionedMember
}

// ProvisionedMember is somebody who is in a group.
type ProvisionedMember struct{ ID, Name string }

// MaxMembers bounds a group.
const MaxMembers = 20_000

func (g *ProvisionedGroup) check() error {
	g.Name = strings.TrimSpace(g.Name)
	if g.Name == "" {
		return &PersonError{"displayName", "a group needs a displayName"}
	}
	if len(g.Members) > MaxMembers {
		return &PersonError{"members", fmt.Sprintf("the group would have %d members, %d are taken", len(g.Members), MaxMembers)}
	}
	return errors.Join(checkProvisioned("displayName", g.Name, 200), checkProvisioned("externalId", g.ExternalID, 200))
}

func (p *Provisioner) ownGroup(ctx context.Context, r *sqldb.Reader, id string) (*catalog.ProvisionedGroup, error) {
	row, err := r.ProvisionedGroup(ctx, id)
	if err == nil && (row.Agency != p.s.agency || row.Provisioner != p.row.Name || !row.RemovedAt.IsZero()) {
		err = fmt.Errorf("a group that %s provisioned: %w", p.row.Name, catalog.ErrNotFound)
	}
	return row, err
}

// Group returns one of its groups; without its members where they are not wanted.
// catalog.ErrNotFound.
func (p *Provisioner) Group(ctx context.Context, id string, members bool) (*ProvisionedGroup, error) {
	row, err := p.ownGroup(ctx, &p.s.catalog.Reader, id)
	if err != nil {
		return nil, err
	}
	return p.group(ctx, &p.s.catalog.Reader, row, members)
}

func (p *Provisioner) group(ctx context.Context, r *sqldb.Reader, row *catalog.ProvisionedGroup, members bool) (*ProvisionedGroup, error) {
	g := &ProvisionedGroup{ProvisionedGroup: *row}
	if !members {
		return g, nil
	}
	ids, err := r.ProvisionedMembers(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		user, err := r.User(ctx, id)
		if err != nil {
			return nil, err
		}
		g.Members = append(g.Members, ProvisionedMember{id, user.Name})
	}
	return g, nil
}

// Groups is People for groups.
func (p *Provisioner) Groups(ctx context.Context, f catalog.ProvisionedFilter, skip, limit int, members bool) (some []*ProvisionedGroup, all int64, err error) {
	f.Agency, f.Provisioner = p.s.agency, p.row.Name
	rows, all, err := p.s.catalog.ProvisionedGroups(ctx, f, skip, limit)
	for i := range rows {
		g, err := p.group(ctx, &p.s.catalog.Reader, &rows[i], members)
		if err != nil {
			return nil, 0, err
		}
		some = append(some, g)
	}
	return some, all, unexpected("looking up provisioned groups", err)
}

// CreateGroup makes a group. *PersonError, ErrTaken, ErrNotProvisioned.
func (p *Provisioner) CreateGroup(ctx context.Context, g ProvisionedGroup) (made *ProvisionedGroup, err error) {
	if err := g.check(); err != nil {
		return nil, errors.Join(err, p.refused(ctx, "", err.Error()))
	}
	now := p.s.clock()
	row := &catalog.ProvisionedGroup{ID: newUserID(), Provisioner: p.row.Name, Agency: p.s.agency, Name: g.Name, ExternalID: g.ExternalID, MadeAt: now, ChangedAt: now, Version: 1}
	err = p.act(ctx, "", func(tx *acting) error {
		if err := tx.InsertProvisionedGroup(ctx, row); errors.Is(err, catalog.ErrExists) {
			return fmt.Errorf("%w: there is a group %s", ErrTaken, g.Name)
		} else if err != nil {
			return err
		}
		if err := p.settleGroup(ctx, tx, row, nil, g.Members, false, map[string]string{"made": "yes"}); err != nil {
			return err
		}
		made, err = p.group(ctx, &tx.Reader, row, true)
		return err
	})
	return made, err
}

// ChangeGroup is Change for a group.
func (p *Provisioner) ChangeGroup(ctx context.Context, id string, match int64, change func(*ProvisionedGroup) error) (now *ProvisionedGroup, err error) {
	err = p.act(ctx, evidence.DirectoryGroupObject(id), func(tx *acting) error {
		row, err := p.ownGroup(ctx, &tx.Reader, id)
		if err != nil {
			return err
		}
		if match != 0 && match != row.Version {
			return ErrStale
		}
		g, err := p.group(ctx, &tx.Reader, row, true)
		if err != nil {
			return err
		}
		former := slices.Clone(g.Members)
		if err := change(g); err != nil {
			return err
		}
		if err := g.check(); err != nil {
			return err
		}
		details := map[string]string{}
		if g.Name != row.Name {
			details["name"], details["former_name"] = g.Name, row.Name
		}
		if g.ExternalID != row.ExternalID {
			details["directory_id"], details["former_directory_id"] = g.ExternalID, row.ExternalID
		}
		renamed := len(details) > 0
		row.Name, row.ExternalID = g.Name, g.ExternalID
		if err := p.settleGroup(ctx, tx, row, former, g.Members, renamed, details); errors.Is(err, catalog.ErrExists) {
			return fmt.Errorf("%w: there is a group %s", ErrTaken, g.Name)
		} else if err != nil {
			return err
		}
		now, err = p.group(ctx, &tx.Reader, row, true)
		return err
	})
	return now, err
}

// RemoveGroup removes a group: who was in it loses what it gave. Errors as Change.
func (p *Provisioner) RemoveGroup(ctx context.Context, id string, match int64) error {
	return p.act(ctx, evidence.DirectoryGroupObject(id), func(tx *acting) error {
		row, err := p.ownGroup(ctx, &tx.Reader, id)
		if err != nil {
			return err
		}
		if match != 0 && match != row.Version {
			return ErrStale
		}
		g, err := p.group(ctx, &tx.Reader, row, true)
		if err != nil {
			return err
		}
		row.RemovedAt = p.s.clock()
		return p.settleGroup(ctx, tx, row, g.Members, nil, false, map[string]string{"removed": "yes"})
	})
}

// settleGroup keeps a group and who is in it, and lets the accounts follow of all whom
// that concerns: who went in or out and, where the group is called otherwise, all.
func (p *Provisioner) settleGroup(ctx context.Context, tx *acting, row *catalog.ProvisionedGroup, former, next []ProvisionedMember, all bool, details map[string]string) error {
	was, is := ids(former), ids(next)
	var concerned, added, dropped []string
	for id := range is {
		if !was[id] {
			added = append(added, id)
		} else if all {
			concerned = append(concerned, id)
		}
	}
	for id := range was {
		if !is[id] {
			dropped = append(dropped, id)
		}
	}
	slices.Sort(added)
	slices.Sort(dropped)
	if len(details)+len(added)+len(dropped) == 0 {
		return nil
	}
	for _, id := range added {
		if _, _, _, err := p.own(ctx, &tx.Reader, id); errors.Is(err, catalog.ErrNotFound) {
			return fmt.Errorf("%w: member %q is nobody that was provisioned by the same client", ErrNotProvisioned, clip(id, 100))
		} else if err != nil {
			return err
		}
		if err := tx.AddProvisionedMember(ctx, row.ID, id); err != nil {
			return err
		}
	}
	for _, id := range dropped {
		if err := tx.DropProvisionedMember(ctx, row.ID, id); err != nil {
			return err
		}
	}
	if details["made"] == "" {
		row.ChangedAt, row.Version = p.s.clock(), row.Version+1
		if err := tx.UpdateProvisionedGroup(ctx, row); err != nil {
			return err
		}
	}
	if details["name"] == "" {
		details["group"] = row.Name
	}
	for what, who := range map[string][]string{"added": added, "taken_out": dropped} {
		if len(who) > 0 {
			details[what], details[what+"_count"] = clip(strings.Join(who, " "), 4000), fmt.Sprint(len(who))
		}
	}
	if err := p.record(ctx, tx, evidence.EventDirectoryGroup, evidence.DirectoryGroupObject(row.ID), "", details); err != nil {
		return err
	}
	concerned = append(append(concerned, added...), dropped...)
	slices.Sort(concerned)
	for _, id := range concerned {
		person, err := tx.ProvisionedPerson(ctx, id)
		if err != nil {
			return err
		}
		user, err := tx.User(ctx, id)
		if err != nil {
			return err
		}
		link, err := tx.DirectoryPerson(ctx, id)
		if err != nil {
			return err
		}
		if err := p.follow(ctx, tx, person, user, link, map[string]string{}); err != nil {
			return err
		}
	}
	return nil
}

func ids(members []ProvisionedMember) map[string]bool {
	set := map[string]bool{}
	for _, m := range members {
		set[m.ID] = true
	}
	return set
}
