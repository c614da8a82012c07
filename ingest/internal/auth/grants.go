package auth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

func newPowerID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// maxConditions bounds the networks of a grant, and the actions of a role.
const maxConditions = 64

// PutRole makes a role, with no id, or changes one: its name, what it is for, its
// actions. *PersonError, catalog.ErrNotFound, ErrForbidden, ErrBeyond, ErrLastManager.
func (k *Desk) PutRole(ctx context.Context, id, name, about string, actions []string) (string, error) {
	name, about = strings.TrimSpace(name), strings.TrimSpace(about)
	if err := checkRole(name, about, actions); err != nil && k.CanManage() {
		return "", err
	}
	made := id == ""
	if made {
		id = newPowerID()
	}
	err := k.changeAbout(ctx, evidence.EventRoleChanged, evidence.RoleObject(id), unless(made, evidence.RoleObject(id)), func(c *changing) error {
		before := c.roles[id]
		if before == nil && !made {
			return fmt.Errorf("role %q: %w", id, catalog.ErrNotFound)
		}
		if before == nil {
			before = &catalog.Role{}
		}
		role := &catalog.Role{Agency: k.s.agency, ID: id, Name: name, About: about, Actions: inOrder(actions), UpdatedAt: k.s.clock(), UpdatedBy: k.actor.User}
		added, removed := without(role.Actions, before.Actions), without(before.Actions, role.Actions)
		if c.same = !made && role.Name == before.Name && role.About == before.About && len(added)+len(removed) == 0; c.same {
			return nil
		}
		if err := k.beyond(added); err != nil {
			return err
		}
		if c.named(c.Roles, id, name) {
			return catalog.ErrExists
		}
		c.details = map[string]string{"name": name, "added": strings.Join(added, " "), "removed": strings.Join(removed, " ")}
		if before.Name != name && !made {
			c.details["name_before"] = before.Name
		}
		return c.PutRole(ctx, role)
	})
	if errors.Is(err, catalog.ErrExists) {
		err = &PersonError{"name", "another role has this name"}
	}
	return id, err
}

func checkRole(name, about string, actions []string) error {
	if err := errors.Join(checkWords("name", "the name", name, 1, 80), checkWords("about", "what it is for", about, 0, 300)); err != nil {
		return err
	}
	if len(actions) > maxConditions {
		return &PersonError{"actions", "more actions than there are"}
	}
	for _, a := range actions {
		if _, ok := known(a); !ok {
			return &PersonError{"actions", fmt.Sprintf("there is no action %.40q", a)}
		}
	}
	return nil
}

// named reports whether another role has a name; shipped ones have no row that could
// refuse it.
func (b *book) named(roles []catalog.Role, id, name string) bool {
	return slices.ContainsFunc(roles, func(r catalog.Role) bool { return r.ID != id && strings.EqualFold(r.Name, name) })
}

// inOrder is a set of actions in the order of Deeds, each once.
func inOrder(actions []string) []string {
	var all []string
	for _, d := range Deeds() {
		if slices.Contains(actions, string(d.Action)) {
			all = append(all, string(d.Action))
		}
	}
	return all
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

// RemoveRole takes a role away that nobody holds and no grant gives; shipped ones stay.
// *PersonError, catalog.ErrNotFound, ErrForbidden.
func (k *Desk) RemoveRole(ctx context.Context, id string) error {
	return k.change(ctx, evidence.EventRoleChanged, evidence.RoleObject(id), func(c *changing) error {
		role := c.roles[id]
		if role == nil {
			return fmt.Errorf("role %q: %w", id, catalog.ErrNotFound)
		}
		users, err := c.Users(ctx, k.s.agency)
		switch {
		case err != nil:
			return err
		case isShipped(id):
			return &PersonError{"role", "a role that is shipped stays; take its actions away instead"}
		case slices.ContainsFunc(users, func(u catalog.User) bool { return u.Role == id }):
			return &PersonError{"role", "somebody has this role; give them another one first"}
		case slices.ContainsFunc(c.Grants, func(g catalog.Grant) bool { return g.Role == id || g.Holder == catalog.ToRole && g.HolderID == id }):
			return &PersonError{"role", "a grant gives this role or gives to it; end the grant first"}
		}
		gone := *role
		gone.RemovedAt, gone.UpdatedAt, gone.UpdatedBy = k.s.clock(), k.s.clock(), k.actor.User
		c.details = map[string]string{"name": role.Name, "removed": strings.Join(role.Actions, " "), "role_removed": "yes"}
		return c.PutRole(ctx, &gone)
	})
}

// PutGroup makes a group, with no id, or gives one another name. *PersonError,
// catalog.ErrNotFound, ErrForbidden.
func (k *Desk) PutGroup(ctx context.Context, id, name string) (string, error) {
	name = strings.TrimSpace(name)
	if err := checkWords("name", "the name", name, 1, 80); err != nil && k.CanManage() {
		return "", err
	}
	made := id == ""
	if made {
		id = newPowerID()
	}
	err := k.changeAbout(ctx, evidence.EventGroupChanged, evidence.GroupObject(id), unless(made, evidence.GroupObject(id)), func(c *changing) error {
		group := catalog.Group{Agency: k.s.agency, ID: id, Name: name, MadeAt: k.s.clock(), MadeBy: k.actor.User}
		if !made {
			before := c.groups[id]
			if before == nil {
				return fmt.Errorf("group %q: %w", id, catalog.ErrNotFound)
			}
			if c.same = before.Name == name; c.same {
				return nil
			}
			c.details["name_before"] = before.Name
			group.MadeAt, group.MadeBy = before.MadeAt, before.MadeBy
		}
		c.details["name"] = name
		return c.PutGroup(ctx, &group)
	})
	if errors.Is(err, catalog.ErrExists) {
		err = &PersonError{"name", "another group has this name"}
	}
	return id, err
}

// RemoveGroup takes a group away that nobody is in and no grant names. *PersonError,
// catalog.ErrNotFound, ErrForbidden.
func (k *Desk) RemoveGroup(ctx context.Context, id string) error {
	return k.change(ctx, evidence.EventGroupChanged, evidence.GroupObject(id), func(c *changing) error {
		group := c.groups[id]
		switch {
		case group == nil:
			return fmt.Errorf("group %q: %w", id, catalog.ErrNotFound)
		case slices.ContainsFunc(c.Members, func(m catalog.Member) bool { return m.Group == id }):
			return &PersonError{"group", "there are people in this group; take them out first"}
		case slices.ContainsFunc(c.Grants, func(g catalog.Grant) bool {
			return g.Holder == catalog.ToGroup && g.HolderID == id || g.Scope == catalog.OnGroup && g.Value == id
		}):
			return &PersonError{"group", "a grant names this group; end the grant first"}
		}
		gone := *group
		gone.RemovedAt = k.s.clock()
		c.details = map[string]string{"name": group.Name, "group_removed": "yes"}
		return c.PutGroup(ctx, &gone)
	})
}

// SetMember puts a person into a group, or takes them out. catalog.ErrNotFound,
// ErrForbidden, ErrBeyond, ErrLastManager.
func (k *Desk) SetMember(ctx context.Context, group, user string, in bool) error {
	return k.change(ctx, evidence.EventGroupChanged, evidence.GroupObject(group), func(c *changing) error {
		g := c.groups[group]
		if g == nil {
			return fmt.Errorf("group %q: %w", group, catalog.ErrNotFound)
		}
		u, err := k.user(ctx, &c.Reader, user)
		if err != nil {
			return err
		}
		changed, err := c.Tx.SetMember(ctx, k.s.agency, catalog.Member{Group: group, User: u.ID}, in)
		if c.same = !changed; err != nil || !changed {
			return err
		}
		for _, given := range c.held[holder{catalog.ToGroup, group}] {
			if role := c.roles[given.Role]; in && role != nil {
				if err := k.beyond(role.Actions); err != nil {
					return err
				}
			}
		}
		c.details = map[string]string{"name": g.Name, "login": u.Login, "user": u.ID, "member": map[bool]string{true: "yes", false: "no"}[in]}
		return nil
	})
}

// Grant gives the actions of a role on a scope. Of g it takes holder, role, scope,
// conditions and reason. *PersonError, ErrForbidden, ErrBeyond.
func (k *Desk) Grant(ctx context.Context, g catalog.Grant) (id string, err error) {
	g.Agency, g.ID, g.MadeAt, g.EndedAt, g.EndedBy = k.s.agency, newPowerID(), k.s.clock(), time.Time{}, ""
	g.Value, g.Reason = strings.TrimSpace(g.Value), strings.TrimSpace(g.Reason)
	if k.actor != nil {
		g.MadeBy = k.actor.User
	}
	err = k.changeAbout(ctx, evidence.EventGrantMade, evidence.GrantObject(g.ID), "", func(c *changing) error {
		if err := k.checkGrant(ctx, c, &g); err != nil {
			return err
		}
		if err := k.beyond(c.roles[g.Role].Actions); err != nil {
			return err
		}
		c.details = grantDetails(&g)
		return c.InsertGrant(ctx, &g)
	})
	return g.ID, err
}

// checkGrant sees that all that a grant names is there.
func (k *Desk) checkGrant(ctx context.Context, c *changing, g *catalog.Grant) error {
	if err := checkWords("reason", "the reason", g.Reason, 0, 500); err != nil {
		return err
	}
	if c.roles[g.Role] == nil {
		return &PersonError{"role", "there is no such role; choose one of the list"}
	}
	switch g.Holder {
	case catalog.ToPerson:
		u, err := k.find(ctx, &c.Reader, g.HolderID)
		if errors.Is(err, catalog.ErrNotFound) {
			return &PersonError{"holder", "there is no such person; write the sign-in name"}
		} else if err != nil {
			return err
		}
		g.HolderID = u.ID
	case catalog.ToGroup:
		if c.groups[g.HolderID] == nil {
			return &PersonError{"holder", "there is no such group; choose one of the list"}
		}
	case catalog.ToRole:
		if c.roles[g.HolderID] == nil {
			return &PersonError{"holder", "there is no such role; choose one of the list"}
		}
	default:
		return &PersonError{"holder", "a grant is given to a person, a group or a role"}
	}
	if err := checkConditions(g, k.s.clock()); err != nil {
		return err
	}
	return k.checkScope(ctx, c, g)
}

func (k *Desk) checkScope(ctx context.Context, c *changing, g *catalog.Grant) error {
	switch g.Scope {
	case catalog.OnAgency, catalog.OnOwn:
		g.Value = ""
	case catalog.OnStation:
		stations, err := c.Stations(ctx, k.s.agency)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(stations, func(s catalog.Station) bool { return string(s.ID) == g.Value }) {
			return &PersonError{"value", "there is no such station; it is there from the first dock on that enrols for it"}
		}
	case catalog.OnGroup:
		if c.groups[g.Value] == nil {
			return &PersonError{"value", "there is no such group; choose one of the list"}
		}
	case catalog.OnCategory:
		return checkWords("value", "the category", g.Value, 1, 200)
	case catalog.OnCase:
		found, err := FindCase(ctx, &c.Reader, k.s.agency, g.Value)
		if errors.Is(err, catalog.ErrNotFound) {
			return &PersonError{"value", "there is no case with this number"}
		} else if err != nil {
			return err
		}
		g.Value = found.ID
	case catalog.OnItem:
		id, err := evidence.ParseEvidenceID(g.Value)
		if err != nil {
			return &PersonError{"value", "this is no id of a recording; it stands on the recording’s page"}
		}
		if _, err := c.ItemRow(ctx, k.s.agency, id); errors.Is(err, catalog.ErrNotFound) {
			return &PersonError{"value", "there is no recording with this id"}
		} else if err != nil {
			return err
		}
	default:
		return &PersonError{"scope", "a grant is on the agency, a station, a group, a category, the own recordings, a case, or one recording"}
	}
	return nil
}

// checkConditions brings a grant's conditions into their one form.
func checkConditions(g *catalog.Grant, now time.Time) error {
	g.Until = g.Until.UTC().Truncate(time.Microsecond)
	if !g.Until.IsZero() && (!g.Until.After(now) || g.Until.Year() > 2199) {
		return &PersonError{"until", "the end is not in the future"}
	}
	if len(g.Networks) > maxConditions || len(g.Clients) > maxConditions {
		return &PersonError{"networks", fmt.Sprintf("at most %d networks are taken", maxConditions)}
	}
	var networks []string
	for _, n := range g.Networks {
		p, err := netip.ParsePrefix(strings.TrimSpace(n))
		if err != nil {
			ip, bad := netip.ParseAddr(strings.TrimSpace(n))
			if bad != nil || ip.Zone() != "" {
				return &PersonError{"networks", fmt.Sprintf("%.60q is no network; write it as 192.0.2.0/24 or 2001:db8::/32", n)}
			}
			p = netip.PrefixFrom(ip, ip.BitLen())
		}
		networks = append(networks, p.Masked().String())
	}
	g.Networks = networks
	for _, c := range g.Clients {
		if c != string(Web) && c != string(API) && c != string(Mobile) {
			return &PersonError{"clients", "there are the clients web, api and mobile"}
		}
	}
	return nil
}

func grantDetails(g *catalog.Grant) map[string]string {
	details := map[string]string{"holder": string(g.Holder) + ":" + g.HolderID, "role": g.Role, "scope": string(g.Scope)}
	for name, text := range map[string]string{"value": g.Value, "networks": strings.Join(g.Networks, " "), "clients": strings.Join(g.Clients, " "), "for": g.Reason} {
		if text != "" {
			details[name] = text
		}
	}
	if !g.Until.IsZero() {
		details["until"] = g.Until.Format(time.RFC3339Nano)
	}
	if g.ViewOnly {
		details["view_only"] = "yes"
	}
	return details
}

// EndGrant takes a grant back, with effect on the next request. catalog.ErrNotFound,
// ErrForbidden, ErrLastManager.
func (k *Desk) EndGrant(ctx context.Context, id string) error {
	return k.change(ctx, evidence.EventGrantEnded, evidence.GrantObject(id), func(c *changing) error {
		i := slices.IndexFunc(c.Grants, func(g catalog.Grant) bool { return g.ID == id })
		if i < 0 {
			return fmt.Errorf("grant %q: %w", id, catalog.ErrNotFound)
		}
		g := c.Grants[i]
		c.details = grantDetails(&g)
		if g.MadeAt.IsZero() { // it is shipped, and gets its row now
			g.MadeAt, g.EndedAt, g.EndedBy = k.s.clock(), k.s.clock(), k.actor.User
			return c.InsertGrant(ctx, &g)
		}
		return c.Tx.EndGrant(ctx, k.s.agency, id, k.s.clock(), k.actor.User)
	})
}

// RestoreGrant lets a grant stand again that was ended. catalog.ErrNotFound,
// ErrConflict, ErrForbidden, ErrBeyond, *PersonError.
func (k *Desk) RestoreGrant(ctx context.Context, id string) error {
	return k.change(ctx, evidence.EventGrantMade, evidence.GrantObject(id), func(c *changing) error {
		g, err := c.Reader.Grant(ctx, k.s.agency, id)
		if err != nil {
			return err
		}
		if err := k.checkGrant(ctx, c, g); err != nil {
			return err
		}
		if err := k.beyond(c.roles[g.Role].Actions); err != nil {
			return err
		}
		c.details = grantDetails(g)
		return c.Tx.EndGrant(ctx, k.s.agency, id, time.Time{}, "")
	})
}

func unless(made bool, object string) string {
	if made {
		return ""
	}
	return object
}
