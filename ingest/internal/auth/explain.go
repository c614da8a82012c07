package auth

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Standing is how an account stands.
type Standing string

// The standings of an account.
const (
	Active   Standing = "active"
	Invited  Standing = "invited" // no password was chosen yet
	Locked   Standing = "locked"  // takes no password, until it is released
	Disabled Standing = "disabled"
)

// Someone is a person of a list.
type Someone struct {
	catalog.User
	Standing Standing
	RoleName string
	Groups   []catalog.Group
	Dormant  bool // nobody has used it for as long as Policy.Dormant says, or it was disabled for that
	NoFactor bool // may sign in, and has no second factor
}

// People lists everybody, by sign-in name; with text those whose name, sign-in name,
// officer id or role holds it. ErrForbidden.
func (k *Desk) People(ctx context.Context, text string) ([]Someone, error) {
	b, err := k.look(ctx)
	if err != nil {
		return nil, err
	}
	users, err := k.s.catalog.Users(ctx, k.s.agency)
	if err != nil {
		return nil, err
	}
	locked, err := k.locked(ctx)
	if err != nil {
		return nil, err
	}
	without, err := k.s.catalog.WithoutFactor(ctx, k.s.agency)
	if err != nil {
		return nil, err
	}
	var all []Someone
	for i := range users {
		v := k.someone(ctx, b, &users[i], locked)
		v.NoFactor = slices.Contains(without, v.ID)
		if text == "" || strings.Contains(strings.ToLower(strings.Join([]string{v.Name, v.Login, v.OfficerID, v.RoleName}, "\n")), strings.ToLower(text)) {
			all = append(all, v)
		}
	}
	return all, nil
}

func (k *Desk) locked(ctx context.Context) (map[string]bool, error) {
	keys, err := k.s.catalog.LockedLogins(ctx, k.s.clock())
	set := map[string]bool{}
	for _, key := range keys {
		set[key] = true
	}
	return set, err
}

func (k *Desk) someone(ctx context.Context, b *book, u *catalog.User, locked map[string]bool) Someone {
	v := Someone{User: *u, Standing: Active, RoleName: b.roleName(u.Role)}
	switch {
	case !u.DisabledAt.IsZero():
		v.Standing = Disabled
	case u.Password == "" && u.LastSignInAt.IsZero(): // people of the directory have none here
		v.Standing = Invited
	case locked[k.s.loginKey(u.Login)]:
		v.Standing = Locked
	}
	after := k.s.policy(ctx).Dormant
	v.Dormant = v.Standing == Disabled && !u.DormantAt.IsZero() || v.Standing != Disabled && after > 0 && k.s.clock().Sub(u.UsedAt()) >= after
	v.Password = ""
	for _, id := range b.inGroups[u.ID] {
		v.Groups = append(v.Groups, *b.groups[id])
	}
	return v
}

func (b *book) roleName(id string) string {
	if r := b.roles[id]; r != nil {
		return r.Name
	}
	return "No role"
}

// Known is all that there is to say of one person here.
type Known struct {
	Someone
	Sessions int
	Gives    []Because // every grant that gives them something
	May      []Ability
}

// Ability is an action, and on what a person may do it.
type Ability struct {
	Deed
	On []string // in words; none: on nothing
}

// Because is a grant that gives something to somebody, in words.
type Because struct {
	Grant      catalog.Grant
	Role       string   // whose actions
	Through    string   // "" for the person alone, or which group or role of theirs
	To         string   // name of the holder
	On         string   // the scope
	Conditions []string // none: always
	Missing    string   // the condition that does not hold now; "": it gives
	Actions    []Deed   // that it gives
}

// Person returns one person, by sign-in name or id. catalog.ErrNotFound, ErrForbidden.
func (k *Desk) Person(ctx context.Context, name string) (*Known, error) {
	b, err := k.look(ctx)
	if err != nil {
		return nil, err
	}
	u, err := k.find(ctx, &k.s.catalog.Reader, name)
	if err != nil {
		return nil, err
	}
	locked, err := k.locked(ctx)
	if err != nil {
		return nil, err
	}
	sessions, err := k.s.catalog.Sessions(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	p := &Known{Someone: k.someone(ctx, b, u, locked)}
	now, idle := k.s.clock(), k.s.policy(ctx).Idle
	for _, s := range sessions {
		if now.Before(s.ExpiresAt) && now.Before(s.LastUsedAt.Add(idle)) {
			p.Sessions++
		}
	}
	names, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	b.grants(u, func(g *catalog.Grant) {
		w := k.because(ctx, b, names, g)
		if g.Scope == catalog.OnOwn && u.OfficerID == "" && w.Missing == "" {
			w.Missing = "the account names no officer id"
		}
		p.Gives = append(p.Gives, w)
	})
	for _, d := range Deeds() {
		a := Ability{Deed: d}
		for i := range p.Gives {
			if g := &p.Gives[i]; g.Missing == "" && slices.Contains(g.Actions, d) && !slices.Contains(a.On, g.On) {
				a.On = append(a.On, g.On)
			}
		}
		p.May = append(p.May, a)
	}
	return p, nil
}

// names are the people's, by id.
func (k *Desk) names(ctx context.Context) (map[string]string, error) {
	users, err := k.s.catalog.Users(ctx, k.s.agency)
	names := map[string]string{}
	for _, u := range users {
		names[u.ID] = u.Name
	}
	return names, err
}

// because puts a grant into words.
func (k *Desk) because(ctx context.Context, b *book, names map[string]string, g *catalog.Grant) Because {
	w := Because{Grant: *g, Role: b.roleName(g.Role)}
	for _, do := range b.gives(g) {
		d, _ := known(string(do)) // it is given
		w.Actions = append(w.Actions, d)
	}
	switch g.Holder {
	case catalog.ToGroup:
		if group := b.groups[g.HolderID]; group != nil {
			w.To, w.Through = group.Name, "the group "+group.Name
		}
	case catalog.ToRole:
		w.To = b.roleName(g.HolderID)
		w.Through = "the role " + w.To
	default:
		w.To = names[g.HolderID]
	}
	switch g.Scope {
	case catalog.OnAgency:
		w.On = "the whole agency"
	case catalog.OnStation:
		w.On = "station " + g.Value
	case catalog.OnGroup:
		w.On = "recordings of a group that was removed"
		if group := b.groups[g.Value]; group != nil {
			w.On = "recordings of the group " + group.Name
		}
	case catalog.OnCategory:
		w.On = "recordings of category " + g.Value
	case catalog.OnOwn:
		w.On = "their own recordings"
	case catalog.OnCase:
		w.On = "a case"
		if c, err := k.s.catalog.Case(ctx, k.s.agency, g.Value); err == nil {
			w.On = "case " + c.Number
		}
	case catalog.OnItem:
		w.On = "one recording"
		if id, err := evidence.ParseEvidenceID(g.Value); err == nil {
			if item, err := Find(ctx, &k.s.catalog.Reader, k.actor, ViewItem, k.s.agency, id); err == nil {
				w.On = "the recording " + path.Base(item.Path)
			}
		}
	}
	k.conditions(&w)
	return w
}

func (k *Desk) conditions(w *Because) {
	g := &w.Grant
	if !g.Until.IsZero() {
		w.Conditions = append(w.Conditions, "until "+g.Until.Format("2 Jan 2006 15:04 MST"))
		if !k.s.clock().Before(g.Until) {
			w.Missing = "it has run out"
		}
	}
	if g.ViewOnly {
		w.Conditions = append(w.Conditions, "only to look")
	}
	if len(g.Networks) > 0 {
		w.Conditions = append(w.Conditions, "from "+strings.Join(g.Networks, ", "))
	}
	if len(g.Clients) > 0 {
		w.Conditions = append(w.Conditions, "by "+strings.Join(g.Clients, ", "))
	}
}

// Why says through which grants a person sees an item: none means that they do not.
// catalog.ErrNotFound for the person or the item, ErrForbidden.
func (k *Desk) Why(ctx context.Context, name string, id evidence.EvidenceID) ([]Because, error) {
	b, err := k.look(ctx)
	if err != nil {
		return nil, err
	}
	u, err := k.find(ctx, &k.s.catalog.Reader, name)
	if err != nil {
		return nil, err
	}
	item, err := Find(ctx, &k.s.catalog.Reader, k.actor, ViewItem, k.s.agency, id)
	if err != nil {
		return nil, err
	}
	names, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	return k.why(ctx, b, names, u, item), nil
}

func (k *Desk) why(ctx context.Context, b *book, names map[string]string, u *catalog.User, item *catalog.Item) []Because {
	var all []Because
	if !u.DisabledAt.IsZero() {
		return nil
	}
	b.grants(u, func(g *catalog.Grant) {
		var r catalog.Reach
		b.on(g, u, &r)
		if !r.Holds(item) {
			return
		}
		w := k.because(ctx, b, names, g)
		if w.Missing == "" && slices.ContainsFunc(w.Actions, func(d Deed) bool { return d.Action == ViewItem || d.Action == ListItems }) {
			all = append(all, w)
		}
	})
	return all
}

// Seer is a person who sees an item.
type Seer struct {
	Someone
	Because []Because
}

// WhoSees lists who sees an item, by sign-in name, at most that many; more says that
// there are further ones. catalog.ErrNotFound, ErrForbidden.
func (k *Desk) WhoSees(ctx context.Context, id evidence.EvidenceID, most int) (all []Seer, more bool, err error) {
	b, err := k.look(ctx)
	if err != nil {
		return nil, false, err
	}
	item, err := Find(ctx, &k.s.catalog.Reader, k.actor, ViewItem, k.s.agency, id)
	if err != nil {
		return nil, false, err
	}
	users, err := k.s.catalog.Users(ctx, k.s.agency)
	if err != nil {
		return nil, false, err
	}
	names := map[string]string{}
	for _, u := range users {
		names[u.ID] = u.Name
	}
	for i := range users {
		why := k.why(ctx, b, names, &users[i], item)
		if len(why) == 0 {
			continue
		}
		if len(all) == most {
			return all, true, nil
		}
		all = append(all, Seer{k.someone(ctx, b, &users[i], nil), why})
	}
	return all, false, nil
}

// RoleView is a role of a list.
type RoleView struct {
	catalog.Role
	Shipped bool // with the program
	Holders int  // people whose account has it
	Gives   []Because
}

// Roles lists the roles by name, with the grants that give to them. ErrForbidden.
func (k *Desk) Roles(ctx context.Context) ([]RoleView, error) {
	b, err := k.look(ctx)
	if err != nil {
		return nil, err
	}
	users, err := k.s.catalog.Users(ctx, k.s.agency)
	if err != nil {
		return nil, err
	}
	holders := map[string]int{}
	for _, u := range users {
		holders[u.Role]++
	}
	var all []RoleView
	for _, r := range b.Roles {
		v := RoleView{Role: r, Shipped: isShipped(r.ID), Holders: holders[r.ID]}
		for _, g := range b.held[holder{catalog.ToRole, r.ID}] {
			v.Gives = append(v.Gives, k.because(ctx, b, nil, g))
		}
		all = append(all, v)
	}
	return all, nil
}

// GroupView is a group of a list.
type GroupView struct {
	catalog.Group
	Members []catalog.User // without passwords
	Gives   []Because
}

// Groups lists the groups by name. ErrForbidden.
func (k *Desk) Groups(ctx context.Context) ([]GroupView, error) {
	b, err := k.look(ctx)
	if err != nil {
		return nil, err
	}
	users, err := k.s.catalog.Users(ctx, k.s.agency)
	if err != nil {
		return nil, err
	}
	var all []GroupView
	for _, g := range b.Groups {
		v := GroupView{Group: g}
		for _, u := range users {
			if slices.Contains(b.inGroups[u.ID], g.ID) {
				u.Password = ""
				v.Members = append(v.Members, u)
			}
		}
		for _, given := range b.held[holder{catalog.ToGroup, g.ID}] {
			v.Gives = append(v.Gives, k.because(ctx, b, nil, given))
		}
		all = append(all, v)
	}
	return all, nil
}

// Grants lists the grants that stand, in words. ErrForbidden.
func (k *Desk) Grants(ctx context.Context) ([]Because, error) {
	b, err := k.look(ctx)
	if err != nil {
		return nil, err
	}
	names, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	var all []Because
	for i := range b.Grants {
		all = append(all, k.because(ctx, b, names, &b.Grants[i]))
	}
	return all, nil
}

// Ended returns a grant in words that was ended, to be let stand again.
// catalog.ErrNotFound, ErrForbidden.
func (k *Desk) Ended(ctx context.Context, id string) (*Because, error) {
	b, err := k.look(ctx)
	if err != nil {
		return nil, err
	}
	g, err := k.s.catalog.Grant(ctx, k.s.agency, id)
	if err != nil {
		return nil, err
	}
	names, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	if g.EndedAt.IsZero() {
		return nil, fmt.Errorf("grant %q stands: %w", id, catalog.ErrNotFound)
	}
	w := k.because(ctx, b, names, g)
	return &w, nil
}
