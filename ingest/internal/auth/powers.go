package auth

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Client is a kind of program that people act with.
type Client string

// The kinds of client.
const (
	Web    Client = "web"
	API    Client = "api"
	Mobile Client = "mobile"
)

// Powers are on what a person may do what, at one moment, from where they are. They
// are not changed once made, and may be shared.
type Powers struct {
	reaches map[Action]*catalog.Reach
}

func (p *Powers) reach(do Action) *catalog.Reach {
	if r := p.reaches[do]; r != nil {
		return r
	}
	return &catalog.Reach{}
}

// circumstances are what conditions of grants look at.
type circumstances struct {
	at      time.Time
	address string
	client  Client
	always  bool // only what holds at any time, from anywhere, in a browser
}

// holds reports whether a grant's conditions hold.
func (c *circumstances) holds(g *catalog.Grant) bool {
	if c.always && (!g.Until.IsZero() || len(g.Networks) > 0) || !g.Until.IsZero() && !c.at.Before(g.Until) {
		return false
	}
	client := c.client
	if client == "" {
		client = Web
	}
	if len(g.Clients) > 0 && !slices.Contains(g.Clients, string(client)) {
		return false
	}
	return len(g.Networks) == 0 || inside(c.address, g.Networks)
}

// inside reports whether an address is in any of the networks. What cannot be read
// is in none.
func inside(address string, networks []string) bool {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(n string) bool {
		p, err := netip.ParsePrefix(n)
		return err == nil && p.Contains(ip)
	})
}

// book is who may do what in an agency, indexed. It is not changed once made.
type book struct {
	*catalog.Powers
	roles    map[string]*catalog.Role
	groups   map[string]*catalog.Group
	inGroups map[string][]string // group ids by user id
	members  map[string][]string // officer ids by group id
	held     map[holder][]*catalog.Grant
	actions  map[bundle][]Action
}

// bundle is what grants of the same kind give.
type bundle struct {
	role     string
	viewOnly bool
}

type holder struct {
	kind catalog.Holder
	id   string
}

// newBook indexes what merged returned.
func newBook(p *catalog.Powers) *book {
	b := &book{Powers: p, roles: map[string]*catalog.Role{}, groups: map[string]*catalog.Group{}, inGroups: map[string][]string{}, members: map[string][]string{}, held: map[holder][]*catalog.Grant{}, actions: map[bundle][]Action{}}
	for i := range p.Roles {
		role := &p.Roles[i]
		b.roles[role.ID] = role
		for _, name := range role.Actions {
			deed, ok := known(name)
			if ok {
				b.actions[bundle{role.ID, false}] = append(b.actions[bundle{role.ID, false}], deed.Action)
			}
			if ok && deed.Looks {
				b.actions[bundle{role.ID, true}] = append(b.actions[bundle{role.ID, true}], deed.Action)
			}
		}
	}
	for i := range p.Groups {
		b.groups[p.Groups[i].ID] = &p.Groups[i]
	}
	for _, m := range p.Members {
		if b.groups[m.Group] == nil {
			continue // it was removed
		}
		b.inGroups[m.User] = append(b.inGroups[m.User], m.Group)
		if officer := p.Officers[m.User]; officer != "" {
			b.members[m.Group] = append(b.members[m.Group], officer)
		}
	}
	for i := range p.Grants {
		g := &p.Grants[i]
		b.held[holder{g.Holder, g.HolderID}] = append(b.held[holder{g.Holder, g.HolderID}], g)
	}
	return b
}

// grants calls each for every grant that gives something to a user, whatever its
// conditions.
func (b *book) grants(user *catalog.User, each func(*catalog.Grant)) {
	for _, g := range b.held[holder{catalog.ToPerson, user.ID}] {
		each(g)
	}
	for _, group := range b.inGroups[user.ID] {
		for _, g := range b.held[holder{catalog.ToGroup, group}] {
			each(g)
		}
	}
	if b.roles[user.Role] != nil {
		for _, g := range b.held[holder{catalog.ToRole, user.Role}] {
			each(g)
		}
	}
}

// gives returns the actions that a grant gives. It is not to be changed.
func (b *book) gives(g *catalog.Grant) []Action {
	return b.actions[bundle{g.Role, g.ViewOnly}]
}

// on adds what a grant names to a reach of the user.
func (b *book) on(g *catalog.Grant, user *catalog.User, r *catalog.Reach) {
	switch g.Scope {
	case catalog.OnAgency:
		r.All = true
	case catalog.OnStation:
		r.Stations = append(r.Stations, evidence.StationID(g.Value))
	case catalog.OnCategory:
		if g.Value != "" {
			r.Categories = append(r.Categories, g.Value)
		}
	case catalog.OnGroup:
		r.Officers = append(r.Officers, b.members[g.Value]...)
	case catalog.OnOwn:
		if user.OfficerID != "" {
			r.Officers = append(r.Officers, user.OfficerID)
		}
	case catalog.OnCase:
		if g.Value != "" {
			r.Cases = append(r.Cases, g.Value)
		}
	case catalog.OnItem:
		if id, err := evidence.ParseEvidenceID(g.Value); err == nil {
			r.Items = append(r.Items, id)
		}
	}
}

// of compiles the powers of a user.
func (b *book) of(user *catalog.User, c circumstances) *Powers {
	together := map[bundle]*catalog.Reach{}
	b.grants(user, func(g *catalog.Grant) {
		if !c.holds(g) {
			return
		}
		r := together[bundle{g.Role, g.ViewOnly}]
		if r == nil {
			r = &catalog.Reach{}
			together[bundle{g.Role, g.ViewOnly}] = r
		}
		b.on(g, user, r)
	})
	p := &Powers{reaches: map[Action]*catalog.Reach{}}
	for given, r := range together {
		for _, do := range b.actions[given] {
			if p.reaches[do] != nil {
				r = p.reaches[do].With(r)
			}
			p.reaches[do] = r
			r = together[given]
		}
	}
	return p
}

// shelf keeps the book of the version that was last in force.
type shelf struct {
	mu   sync.Mutex
	book *book
}

// bookAt returns the book of a version, reading it where another one was kept.
func (s *Service) bookAt(ctx context.Context, version int64) (*book, error) {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	if b := s.shelf.book; b != nil && b.Version == version {
		return b, nil
	}
	p, err := s.catalog.Powers(ctx, s.agency)
	if err != nil {
		return nil, err
	}
	s.shelf.book = newBook(merged(p, s.agency))
	return s.shelf.book, nil
}

// empower gives an actor the powers that are in force for the user at this moment.
func (s *Service) empower(ctx context.Context, a *Actor, user *catalog.User, version int64) (*Actor, error) {
	b, err := s.bookAt(ctx, version)
	if err != nil {
		return nil, unexpected("looking up what a person may do", err)
	}
	a.service, a.RoleName = s, b.roleName(user.Role)
	a.Powers = b.of(user, circumstances{at: s.clock(), address: a.Origin.Address, client: a.Client}).limited(a, s.policy(ctx).Clients.of(a.Role, a.Client))
	return a, nil
}

// book returns what is in force now.
func (s *Service) book(ctx context.Context) (*book, error) {
	p, err := s.catalog.Powers(ctx, s.agency)
	if err != nil {
		return nil, unexpected("looking up who may do what", err)
	}
	return newBook(merged(p, s.agency)), nil
}

// roleIDs names the roles that there are.
func (b *book) roleIDs() string {
	var ids []string
	for _, r := range b.Roles {
		ids = append(ids, r.ID)
	}
	return strings.Join(ids, ", ")
}
