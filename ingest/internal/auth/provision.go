package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/directory"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ProvisionedPerson is somebody as a provisioner says them (RFC 7643 section 4.1, as far
// as it is of use here). What is not named is not kept.
type ProvisionedPerson struct {
	ID, UserName, ExternalID, DisplayName string
	Active                                bool
	ProvisionedProfile

	MadeAt, ChangedAt time.Time
	Version           int64
	Groups            []catalog.ProvisionedGroup // that they are in; by Person alone
}

// ProvisionedProfile is what is kept of a person for the directory's sake alone.
type ProvisionedProfile struct {
	Formatted  string             `json:"formatted,omitempty"`
	GivenName  string             `json:"given_name,omitempty"`
	FamilyName string             `json:"family_name,omitempty"`
	Emails     []ProvisionedEmail `json:"emails,omitempty"`
}

// ProvisionedEmail is an address of a person.
type ProvisionedEmail struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

const maxEmails = 10

// provisionedSource is where the link of somebody comes from who was provisioned and
// has not signed in yet.
const provisionedSource = "provisioned"

const noProvisionedRole = "provisioned, and in no group that has a role here"

// check says what is wrong with a person, and completes their name.
func (v *ProvisionedPerson) check() error {
	v.UserName = strings.TrimSpace(v.UserName)
	if err := CheckLogin(canonicalLogin(v.UserName)); err != nil {
		return &PersonError{"userName", fmt.Sprintf("userName %q cannot be a sign-in name here: %v", clip(v.UserName, 100), err)}
	}
	for field, text := range map[string]string{"externalId": v.ExternalID, "displayName": v.DisplayName, "name.formatted": v.Formatted, "name.givenName": v.GivenName, "name.familyName": v.FamilyName} {
		if err := checkProvisioned(field, text, 200); err != nil {
			return err
		}
	}
	if len(v.Emails) > maxEmails {
		return &PersonError{"emails", fmt.Sprintf("%d emails, %d are taken", len(v.Emails), maxEmails)}
	}
	for _, e := range v.Emails {
		if err := errors.Join(checkProvisioned("emails.value", e.Value, 254), checkProvisioned("emails.type", e.Type, 40)); err != nil {
			return &PersonError{"emails", err.Error()}
		}
	}
	return nil
}

// shownName is how the person is called here.
func (v *ProvisionedPerson) shownName() string {
	for _, name := range []string{v.DisplayName, strings.TrimSpace(v.GivenName + " " + v.FamilyName), v.Formatted, v.UserName} {
		if name = strings.TrimSpace(name); checkPersonName(name) == nil {
			return name
		}
	}
	return v.UserName
}

func (v *ProvisionedPerson) email() string {
	for _, e := range v.Emails {
		if e.Primary || len(v.Emails) == 1 {
			return e.Value
		}
	}
	return ""
}

// described makes of a row what a provisioner sees. An account that people here have
// disabled is not active, whatever the directory wants.
func described(row *catalog.ProvisionedPerson, user *catalog.User, link *catalog.DirectoryPerson) (*ProvisionedPerson, error) {
	v := &ProvisionedPerson{ID: row.User, UserName: row.UserName, ExternalID: row.ExternalID, DisplayName: row.DisplayName, Active: row.Active && !disabledHere(user, link),
		MadeAt: row.MadeAt, ChangedAt: row.ChangedAt, Version: row.Version}
	if err := json.Unmarshal([]byte(row.Profile), &v.ProvisionedProfile); err != nil {
		return nil, fmt.Errorf("the profile of provisioned person %s: %w", row.User, err)
	}
	return v, nil
}

// disabledHere reports whether people here keep the person out, and not the directory.
func disabledHere(user *catalog.User, link *catalog.DirectoryPerson) bool {
	return !user.DisabledAt.IsZero() && !user.DisabledAt.Equal(link.CutOffAt)
}

// own returns what the provisioner provisioned of a user and still has.
// catalog.ErrNotFound.
func (p *Provisioner) own(ctx context.Context, r *sqldb.Reader, id string) (*catalog.ProvisionedPerson, *catalog.User, *catalog.DirectoryPerson, error) {
	row, err := r.ProvisionedPerson(ctx, id)
	if err == nil && (row.Agency != p.s.agency || row.Provisioner != p.row.Name || !row.RemovedAt.IsZero()) {
		err = fmt.Errorf("a person that %s provisioned: %w", p.row.Name, catalog.ErrNotFound)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	user, err := r.User(ctx, id)
	if err != nil {
		return nil, nil, nil, err
	}
	link, err := r.DirectoryPerson(ctx, id)
	return row, user, link, err
}

// Person returns one of its people. catalog.ErrNotFound.
func (p *Provisioner) Person(ctx context.Context, id string) (*ProvisionedPerson, error) {
	return p.person(ctx, &p.s.catalog.Reader, id)
}

func (p *Provisioner) person(ctx context.Context, r *sqldb.Reader, id string) (*ProvisionedPerson, error) {
	row, user, link, err := p.own(ctx, r, id)
	if err != nil {
		return nil, err
	}
	v, err := described(row, user, link)
	if err == nil {
		v.Groups, err = r.ProvisionedGroupsOf(ctx, id)
	}
	return v, err
}

// People returns those of its people who fit, after the first skip, and how many there are.
func (p *Provisioner) People(ctx context.Context, f catalog.ProvisionedFilter, skip, limit int) (some []*ProvisionedPerson, all int64, err error) {
	f.Agency, f.Provisioner = p.s.agency, p.row.Name
	rows, all, err := p.s.catalog.ProvisionedPeople(ctx, f, skip, limit)
	for i := range rows {
		v, err := p.person(ctx, &p.s.catalog.Reader, rows[i].User)
		if errors.Is(err, catalog.ErrNotFound) { // removed since
			continue
		} else if err != nil {
			return nil, 0, err
		}
		some = append(some, v)
	}
	return some, all, unexpected("looking up provisioned people", err)
}

// Create makes an account for somebody new; one that this provisioner removed and that
// has the same name and id of the directory is taken up again, with its history.
// *PersonError, ErrTaken.
func (p *Provisioner) Create(ctx context.Context, v ProvisionedPerson) (made *ProvisionedPerson, err error) {
	if err := v.check(); err != nil {
		return nil, errors.Join(err, p.refused(ctx, "", err.Error()))
	}
	login := canonicalLogin(v.UserName)
	err = p.act(ctx, "", func(tx *acting) error {
		if v.ExternalID != "" {
			same, _, err := tx.ProvisionedPeople(ctx, catalog.ProvisionedFilter{Agency: p.s.agency, Provisioner: p.row.Name, ExternalID: v.ExternalID}, 0, 1)
			if err != nil {
				return err
			}
			if len(same) > 0 {
				return fmt.Errorf("%w: externalId %q is that of another person", ErrTaken, clip(v.ExternalID, 100))
			}
		}
		user, err := tx.UserByLogin(ctx, login)
		switch {
		case errors.Is(err, catalog.ErrNotFound):
			v.ID, err = p.enlist(ctx, tx, &v, login)
		case err == nil:
			v.ID, err = p.takeUp(ctx, tx, user, &v)
		}
		if err == nil {
			made, err = p.person(ctx, &tx.Reader, v.ID)
		}
		return err
	})
	return made, err
}

// enlist makes the account of somebody new. Before a group gives them a role, nobody
// signs in to it.
func (p *Provisioner) enlist(ctx context.Context, tx *acting, v *ProvisionedPerson, login string) (id string, err error) {
	now := p.s.clock()
	user := &catalog.User{ID: newUserID(), Agency: p.s.agency, Login: login, Name: v.shownName(), Email: v.email(), CreatedAt: now, PasswordChangedAt: now, DisabledAt: now}
	row, err := v.row(p, user.ID, now)
	if err != nil {
		return "", err
	}
	if err := errors.Join(tx.InsertUser(ctx, user), tx.InsertProvisionedPerson(ctx, row),
		tx.InsertDirectoryPerson(ctx, &catalog.DirectoryPerson{User: user.ID, Source: provisionedSource, Subject: user.ID, CutOffAt: now})); err != nil {
		return "", err
	}
	details := map[string]string{"login": user.Login, "name": user.Name, "role": "", "directory": "provisioner:" + p.row.Name, "directory_id": v.ExternalID, "active": fmt.Sprint(v.Active)}
	return user.ID, p.record(ctx, tx, evidence.EventUserCreated, evidence.UserObject(user.ID), "", details)
}

func (v *ProvisionedPerson) row(p *Provisioner, id string, now time.Time) (*catalog.ProvisionedPerson, error) {
	profile, err := json.Marshal(v.ProvisionedProfile)
	return &catalog.ProvisionedPerson{User: id, Provisioner: p.row.Name, Agency: p.s.agency, UserName: v.UserName, ExternalID: v.ExternalID, DisplayName: v.DisplayName,
		Profile: string(profile), Active: v.Active, MadeAt: now, ChangedAt: now, Version: 1}, err
}

// takeUp goes on with the account of somebody whom this provisioner removed, if it is
// the same person; every other account of the name is somebody else's, and stays so.
func (p *Provisioner) takeUp(ctx context.Context, tx *acting, user *catalog.User, v *ProvisionedPerson) (id string, err error) {
	taken := fmt.Errorf("%w: userName %s is that of another account here", ErrTaken, user.Login)
	former, err := tx.ProvisionedPerson(ctx, user.ID)
	if errors.Is(err, catalog.ErrNotFound) {
		return "", taken
	} else if err != nil {
		return "", err
	}
	if former.Agency != p.s.agency || former.Provisioner != p.row.Name || former.RemovedAt.IsZero() || former.ExternalID == "" || former.ExternalID != v.ExternalID {
		return "", taken
	}
	link, err := tx.DirectoryPerson(ctx, user.ID)
	if err != nil {
		return "", err
	}
	former.RemovedAt = time.Time{}
	v.Active = v.Active && !disabledHere(user, link)
	return user.ID, p.apply(ctx, tx, former, user, link, v, map[string]string{"taken_up": "yes"})
}

// Change lets change work on one of its people and keeps what it came to. match is
// the version that it must have, 0 for any. catalog.ErrNotFound, ErrStale, *PersonError,
// ErrTaken, ErrNotProvisioned, ErrLastManager, and what change returned.
func (p *Provisioner) Change(ctx context.Context, id string, match int64, change func(*ProvisionedPerson) error) (now *ProvisionedPerson, err error) {
	err = p.act(ctx, evidence.UserObject(id), func(tx *acting) error {
		row, user, link, err := p.own(ctx, &tx.Reader, id)
		if err != nil {
			return err
		}
		if match != 0 && match != row.Version {
			return ErrStale
		}
		v, err := described(row, user, link)
		if err != nil {
			return err
		}
		was := v.Active
		if err := change(v); err != nil {
			return err
		}
		if err := v.check(); err != nil {
			return err
		}
		if v.Active && !was && disabledHere(user, link) {
			return fmt.Errorf("%w: the account was disabled by people here, who alone enable it again", ErrNotProvisioned)
		}
		if err := p.apply(ctx, tx, row, user, link, v, map[string]string{}); err != nil {
			return err
		}
		now, err = p.person(ctx, &tx.Reader, id)
		return err
	})
	return now, err
}

// apply keeps what v says of a person, and lets the account follow it.
func (p *Provisioner) apply(ctx context.Context, tx *acting, row *catalog.ProvisionedPerson, user *catalog.User, link *catalog.DirectoryPerson, v *ProvisionedPerson, changed map[string]string) error {
	if login := canonicalLogin(v.UserName); login != user.Login {
		if err := tx.RenameUser(ctx, user.ID, login); errors.Is(err, catalog.ErrExists) {
			return fmt.Errorf("%w: userName %s is that of another account here", ErrTaken, login)
		} else if err != nil {
			return err
		}
		changed["login"], changed["former_login"], user.Login = login, user.Login, login
	}
	if v.ExternalID != row.ExternalID { // it says whose sign-in opens the account
		if link.Source != provisionedSource {
			return fmt.Errorf("%w: externalId cannot change any more, the person has signed in as %q", ErrNotProvisioned, clip(row.ExternalID, 100))
		}
		changed["directory_id"], changed["former_directory_id"] = v.ExternalID, row.ExternalID
	}
	next, err := v.row(p, user.ID, row.MadeAt)
	if err != nil {
		return err
	}
	next.ChangedAt, next.RemovedAt, next.Version = row.ChangedAt, row.RemovedAt, row.Version
	if disabledHere(user, link) {
		next.Active = row.Active && v.Active
	}
	if *next != *row || len(changed) > 0 {
		next.ChangedAt, next.Version = p.s.clock(), row.Version+1
		if err := tx.UpdateProvisionedPerson(ctx, next); err != nil {
			return err
		}
	}
	if name := v.shownName(); name != user.Name {
		changed["name"], changed["former_name"], user.Name = name, user.Name, name
	}
	user.Email = v.email()
	return p.follow(ctx, tx, next, user, link, changed)
}

// Remove ends the provisioning of one of its people: the account is disabled and stays
// on record with all its history. Errors as Change.
func (p *Provisioner) Remove(ctx context.Context, id string, match int64) error {
	return p.act(ctx, evidence.UserObject(id), func(tx *acting) error {
		row, user, link, err := p.own(ctx, &tx.Reader, id)
		if err != nil {
			return err
		}
		if match != 0 && match != row.Version {
			return ErrStale
		}
		groups, err := tx.ProvisionedGroupsOf(ctx, id)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if err := tx.DropProvisionedMember(ctx, g.ID, id); err != nil {
				return err
			}
		}
		row.RemovedAt, row.ChangedAt, row.Version = p.s.clock(), p.s.clock(), row.Version+1
		if err := tx.UpdateProvisionedPerson(ctx, row); err != nil {
			return err
		}
		return p.follow(ctx, tx, row, user, link, map[string]string{"removed": "yes"})
	})
}

// provisionedRole is the role that a provisioned person has by their groups, and why
// they do not get in, "" where they do.
func (s *Service) provisionedRole(ctx context.Context, r *sqldb.Reader, row *catalog.ProvisionedPerson) (role, keptOut string, err error) {
	groups, err := r.ProvisionedGroupsOf(ctx, row.User)
	if err != nil {
		return "", "", err
	}
	var who directory.Person
	for _, g := range groups {
		if g.Agency != s.agency || g.Provisioner != row.Provisioner {
			continue
		}
		who.Groups = append(who.Groups, g.Name)
		if g.ExternalID != "" {
			who.Groups = append(who.Groups, g.ExternalID)
		}
	}
	role = directory.RoleOf(&who, s.directory.Appointments)
	switch {
	case !row.RemovedAt.IsZero():
		return role, "removed by the directory", nil
	case !row.Active:
		return role, "disabled by the directory", nil
	case role == "":
		return role, noProvisionedRole, nil
	}
	return role, "", nil
}

// follow makes the account of a provisioned person be what its rows say, at once:
// who is out is signed out in this transaction. changed is what there is to tell already.
func (p *Provisioner) follow(ctx context.Context, tx *acting, row *catalog.ProvisionedPerson, user *catalog.User, link *catalog.DirectoryPerson, changed map[string]string) error {
	managed := tx.manages(user)
	role, keptOut, err := p.s.provisionedRole(ctx, &tx.Reader, row)
	if err != nil {
		return err
	}
	if role != "" && role != user.Role {
		changed["role"], changed["former_role"], user.Role = role, user.Role, role
	}
	cut := keptOut != "" && user.DisabledAt.IsZero()
	ended := "0"
	switch {
	case cut:
		user.DisabledAt = p.s.clock()
		link.CutOffAt, link.Refresh = user.DisabledAt, ""
		if ended, err = p.s.endAll(ctx, tx.Tx, user); err != nil {
			return err
		}
	case keptOut == "" && !user.DisabledAt.IsZero() && !disabledHere(user, link):
		changed["let_in"], user.DisabledAt, link.CutOffAt, user.EnabledAt = "yes", time.Time{}, time.Time{}, p.s.clock()
	}
	if err := errors.Join(tx.UpdateUser(ctx, user), tx.UpdateDirectoryPerson(ctx, link)); err != nil {
		return err
	}
	if managed && !tx.manages(user) {
		users, err := tx.Users(ctx, p.s.agency)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(users, func(u catalog.User) bool { return tx.manages(&u) }) {
			return ErrLastManager
		}
	}
	if len(changed) > 0 {
		if err := p.record(ctx, tx, evidence.EventDirectoryChanged, evidence.UserObject(user.ID), "", changed); err != nil {
			return err
		}
	}
	if cut {
		return p.record(ctx, tx, evidence.EventDirectoryCutOff, evidence.UserObject(user.ID), keptOut, map[string]string{"sessions_ended": ended})
	}
	return nil
}
