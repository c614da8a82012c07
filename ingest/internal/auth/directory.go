package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/directory"
	"github.com/sealdock/sealdock/proto/evidence"
)

// DirectoryLife is how long somebody of the directory stays signed in after it
// last confirmed them: who is disabled there is cut off here within this time,
// and who cannot be asked about too.
const DirectoryLife = 15 * time.Minute

// What somebody of an OpenID Connect provider showed, besides what package auth
// asks for itself.
const (
	Provider       = "provider"        // signed in there
	ProviderFactor = "provider+factor" // with a second factor, says a provider that is trusted with that
)

// The refusals of this file; their texts are for the person at the browser.
var (
	// ErrSignInDown is ErrSignIn while the directory does not answer.
	ErrSignInDown = fmt.Errorf("%w. The agency's directory does not answer at the moment: whoever is known only there can sign in when it does", ErrSignIn)
	// ErrDirectoryDown: the directory does not answer.
	ErrDirectoryDown = errors.New("the agency's directory does not answer at the moment: try again in a minute. An account of this server's own still signs in with its password")
	// ErrDirectoryPassword: there is no password here to change.
	ErrDirectoryPassword = errors.New("your password is kept by the agency's directory: change it there")
	// ErrNoProvider: there is none.
	ErrNoProvider = errors.New("no sign-in provider is set up on this server: sign in with name and password")
)

// PasswordDirectory checks names and passwords, as directory.LDAP does.
type PasswordDirectory interface {
	Check(ctx context.Context, login, password string) (*directory.Person, error)
	Decoy(ctx context.Context) error
	Look(ctx context.Context, id string) (*directory.Person, error)
}

// TokenDirectory signs people in at its own place, as directory.OIDC does.
type TokenDirectory interface {
	Issuer() string
	Begin(ctx context.Context, anew bool) (address string, a *directory.Attempt, err error)
	Finish(ctx context.Context, a *directory.Attempt, back url.Values) (*directory.Person, error)
	Again(ctx context.Context, id, refresh string) (*directory.Person, error)
}

// Directory is the agency's directory of people.
type Directory struct {
	Passwords    PasswordDirectory // nil: none
	Provider     TokenDirectory    // nil: none
	ProviderName string            // as people call it
	Appointments []directory.Appointment
	Recheck      time.Duration // how often people who are signed in are asked about; under DirectoryLife
}

// Check says what is wrong with d.
func (d *Directory) Check() error {
	if len(d.Appointments) == 0 {
		return errors.New("the directory: no group has a role here, so nobody of it would get in")
	}
	for _, a := range d.Appointments {
		if !knownRole(a.Role) {
			return fmt.Errorf("the directory: group %q is to have the role %q, which is unknown; there are %s", a.Group, a.Role, shippedIDs())
		}
	}
	if d.Recheck < time.Minute || d.Recheck > DirectoryLife-time.Minute {
		return fmt.Errorf("the directory: recheck is %s; 1m to 14m are allowed, so that whoever is disabled there is cut off within 15 minutes", d.Recheck)
	}
	return nil
}

// knownRole reports whether a group can be given a role: one that is shipped, since what
// an agency has made itself may be gone when somebody comes.
func knownRole(role string) bool { return isShipped(role) }

const ldapSource = "ldap"

func oidcSource(issuer string) string { return "oidc:" + issuer }

// byDirectory is who the directory is, in custody events.
func byDirectory() (evidence.Actor, Origin) {
	return evidence.Actor{Kind: "server", ID: "directory"}, Origin{Address: "local"}
}

// linkOf returns who the user is in the directory; nil for accounts of this server
// alone. Those have a password here, and people of the directory have none.
func (s *Service) linkOf(ctx context.Context, r *sqldb.Reader, user *catalog.User) (*catalog.DirectoryPerson, error) {
	if user.ID == "" || user.Password != "" {
		return nil, nil
	}
	link, err := r.DirectoryPerson(ctx, user.ID)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, nil
	}
	return link, err
}

// answer is what the directory said to a name and a password.
type answer struct {
	concerned bool // the name is no account of this server's own
	person    *directory.Person
	down      error // it does not answer
}

// askDirectory asks the directory about a name that is no account of this server's
// own and not locked. For the others it takes the same steps with a name of
// nobody, so that the time tells nothing. nil where there is no such directory.
func (s *Service) askDirectory(ctx context.Context, login string, user *catalog.User, password string) (*answer, error) {
	if s.directory.Passwords == nil {
		return nil, nil
	}
	link, err := s.linkOf(ctx, &s.catalog.Reader, user)
	if err != nil {
		return nil, unexpected("looking up an account", err)
	}
	locked, err := s.catalog.LoginLockedUntil(ctx, s.loginKey(login))
	if err != nil {
		return nil, unexpected("looking up an account", err)
	}
	a := &answer{concerned: user.ID == "" || link != nil && link.Source == ldapSource}
	if a.concerned && !locked.After(s.clock()) {
		a.person, err = s.directory.Passwords.Check(ctx, login, password)
	} else {
		err = s.directory.Passwords.Decoy(ctx)
	}
	switch {
	case errors.Is(err, directory.ErrUnavailable) && ctx.Err() == nil:
		a.down = err
	case err != nil && !errors.Is(err, directory.ErrRefused):
		return nil, unexpected("asking the directory", err)
	}
	return a, nil
}

// judgeAnswer is judge where there is a directory: it returns who signs in, or why
// nobody does, and whether that counts as a failure.
func (s *Service) judgeAnswer(ctx context.Context, tx *sqldb.Tx, login string, user *catalog.User, right bool, a *answer, from Origin) (who *catalog.User, reason string, counts bool, err error) {
	if a == nil || !a.concerned {
		reason, err = s.judge(ctx, tx, login, user, right, from)
		return user, reason, true, err
	}
	locked, err := tx.LoginLockedUntil(ctx, s.loginKey(login))
	switch {
	case err != nil:
		return user, "", true, err
	case locked.After(s.clock()):
		return user, "the account is locked", true, nil
	case a.down != nil:
		return user, clip(a.down.Error(), 500), false, nil
	case a.person == nil:
		return user, "unknown name or wrong password, says the directory", true, nil
	}
	who, reason, err = s.settle(ctx, tx, ldapSource, a.person)
	if err == nil && reason == "" && s.loginKey(who.Login) != s.loginKey(login) { // they type another name than the one that they have here
		err = tx.ClearLoginFailures(ctx, s.loginKey(login))
	}
	return who, reason, true, err
}

// settle brings the account of somebody whom the directory has just confirmed up
// to date, and makes it the first time. It returns the account, or why there is
// none to sign in to.
func (s *Service) settle(ctx context.Context, tx *sqldb.Tx, source string, p *directory.Person) (user *catalog.User, reason string, err error) {
	role := directory.RoleOf(p, s.directory.Appointments)
	link, err := tx.DirectoryPersonBy(ctx, source, p.ID)
	if errors.Is(err, catalog.ErrNotFound) {
		link, reason, err = s.provisionedLink(ctx, tx, source, p)
		if errors.Is(err, catalog.ErrNotFound) {
			return s.enlist(ctx, tx, source, p, role)
		}
	}
	if err != nil || reason != "" {
		return &catalog.User{}, reason, err
	}
	if user, err = tx.User(ctx, link.User); err != nil {
		return &catalog.User{}, "", err
	}
	if user.Agency != s.agency {
		return &catalog.User{}, "the account is another agency's", nil
	}
	name, keptOut := p.Name, ""
	switch row, err := tx.ProvisionedPerson(ctx, user.ID); {
	case err == nil: // its provisioner alone says what they are and are called
		name = user.Name
		if role, keptOut, err = s.provisionedRole(ctx, &tx.Reader, row); err != nil {
			return user, "", err
		}
	case !errors.Is(err, catalog.ErrNotFound):
		return user, "", err
	case role == "":
		keptOut = noRole
	}
	if keptOut != "" {
		return user, keptOut, s.cutOff(ctx, tx, user, link, keptOut)
	}
	if !user.DisabledAt.IsZero() && !user.DisabledAt.Equal(link.CutOffAt) {
		return user, disabledReason, nil
	}
	changed := map[string]string{}
	if user.Name != name {
		changed["name"], changed["former_name"], user.Name = name, user.Name, name
	}
	if user.Role != role {
		changed["role"], changed["former_role"], user.Role = role, user.Role, role
	}
	if !user.DisabledAt.IsZero() {
		changed["let_in"], user.DisabledAt, link.CutOffAt = "yes", time.Time{}, time.Time{}
	}
	if len(changed) > 0 {
		if err := tx.UpdateUser(ctx, user); err != nil {
			return user, "", err
		}
		if err := s.recordDirectory(ctx, tx, evidence.EventDirectoryChanged, user, "", changed); err != nil {
			return user, "", err
		}
	}
	if link.Refresh, err = s.sealRefresh(user.ID, p.Refresh); err != nil {
		return user, "", err
	}
	link.CheckedAt = s.clock()
	return user, "", tx.UpdateDirectoryPerson(ctx, link)
}

const noRole = "in no group of the directory that has a role here"

// provisionedLink gives somebody who signs in for the first time the account that was
// provisioned for them: the one whose external id is the directory's id of the person.
// Names say nothing. catalog.ErrNotFound where there is none.
func (s *Service) provisionedLink(ctx context.Context, tx *sqldb.Tx, source string, p *directory.Person) (link *catalog.DirectoryPerson, reason string, err error) {
	rows, err := tx.ProvisionedByExternalID(ctx, s.agency, p.Provisioned)
	switch {
	case err != nil:
		return nil, "", err
	case len(rows) == 0:
		return nil, "", catalog.ErrNotFound
	case len(rows) > 1:
		return nil, "two accounts were provisioned with the same externalId, which is the person's: remove one", nil
	}
	if link, err = tx.DirectoryPerson(ctx, rows[0].User); err != nil {
		return nil, "", err
	}
	if link.Source != provisionedSource {
		return nil, "the account that was provisioned with the person's externalId belongs to another sign-in", nil
	}
	link.Source, link.Subject = source, p.ID
	return link, "", tx.RelinkDirectoryPerson(ctx, link.User, source, p.ID)
}

// enlist makes the account of somebody new. An account that happens to have the
// same name is somebody else's, and stays so.
func (s *Service) enlist(ctx context.Context, tx *sqldb.Tx, source string, p *directory.Person, role string) (user *catalog.User, reason string, err error) {
	nobody := &catalog.User{}
	if role == "" {
		return nobody, noRole, nil
	}
	login := canonicalLogin(p.Login)
	if err := CheckLogin(login); err != nil {
		return nobody, fmt.Sprintf("the directory's sign-in name %q cannot be one here: %v", clip(p.Login, 100), err), nil
	}
	switch _, err := tx.UserByLogin(ctx, login); {
	case err == nil:
		return nobody, fmt.Sprintf("the sign-in name %s is that of another account here", login), nil
	case !errors.Is(err, catalog.ErrNotFound):
		return nobody, "", err
	}
	now := s.clock()
	user = &catalog.User{ID: newUserID(), Agency: s.agency, Login: login, Name: p.Name, Role: role, CreatedAt: now, PasswordChangedAt: now}
	if err := checkPersonName(user.Name); err != nil {
		return nobody, err.Error(), nil
	}
	if err := tx.InsertUser(ctx, user); err != nil {
		return nobody, "", err
	}
	refresh, err := s.sealRefresh(user.ID, p.Refresh)
	if err != nil {
		return nobody, "", err
	}
	if err := tx.InsertDirectoryPerson(ctx, &catalog.DirectoryPerson{User: user.ID, Source: source, Subject: p.ID, Refresh: refresh, CheckedAt: now}); err != nil {
		return nobody, "", err
	}
	details := map[string]string{"login": user.Login, "name": user.Name, "role": user.Role, "directory": source, "directory_id": p.ID}
	return user, "", s.recordDirectory(ctx, tx, evidence.EventUserCreated, user, "", details)
}

func (s *Service) recordDirectory(ctx context.Context, tx *sqldb.Tx, kind evidence.EventType, user *catalog.User, reason string, details map[string]string) error {
	by, from := byDirectory()
	e := s.event(kind, by, from, "user:"+user.ID, evidence.OutcomeDone)
	e.Reason, e.Details = reason, details
	_, err := tx.AppendEvent(ctx, e)
	return err
}

// sealed encrypts what a directory gave us, for one purpose, with AES-256-GCM
// under a key that is not in the database. Nothing stays nothing.
func (s *Service) sealed(purpose, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	aead, err := s.directoryKey()
	if err != nil {
		return "", err
	}
	return base64.RawStdEncoding.EncodeToString(aead.Seal(nil, nil, []byte(text), s.directoryPlace(purpose))), nil
}

// opened is the reverse of sealed.
func (s *Service) opened(purpose, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	aead, err := s.directoryKey()
	if err != nil {
		return "", err
	}
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err == nil {
		b, err = aead.Open(nil, nil, b, s.directoryPlace(purpose))
	}
	if err != nil {
		return "", fmt.Errorf("opening what the directory gave: it was stored under another pepper file, or is damaged: %w", err)
	}
	return string(b), nil
}

func (s *Service) directoryPlace(purpose string) []byte {
	return []byte("sealdock/directory/v1\n" + string(s.agency) + "\n" + purpose)
}

func (s *Service) directoryKey() (cipher.AEAD, error) {
	key, err := s.subkey("directory")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (s *Service) sealRefresh(user, token string) (string, error) {
	return s.sealed("refresh\n"+user, token)
}

// ownPassword is Verify for the password of an account, wherever it is kept.
// ErrDirectoryDown.
func (s *Service) ownPassword(ctx context.Context, user *catalog.User, password string) (bool, error) {
	right, err := s.hasher.Verify(ctx, user.Password, password)
	if right || err != nil || s.directory.Passwords == nil {
		return right, err
	}
	link, err := s.linkOf(ctx, &s.catalog.Reader, user)
	if err != nil || link == nil || link.Source != ldapSource {
		return false, unexpected("looking up an account", err)
	}
	locked, err := s.catalog.LoginLockedUntil(ctx, s.loginKey(user.Login))
	if err != nil || locked.After(s.clock()) {
		return false, unexpected("looking up an account", err)
	}
	now, err := s.directory.Passwords.Look(ctx, link.Subject) // they may be called otherwise by now
	if err == nil {
		now, err = s.directory.Passwords.Check(ctx, now.Login, password)
	}
	switch {
	case err == nil:
		return now.ID == link.Subject, nil
	case errors.Is(err, directory.ErrUnavailable) && ctx.Err() == nil:
		return false, ErrDirectoryDown
	case errors.Is(err, directory.ErrRefused), errors.Is(err, directory.ErrGone):
		return false, nil
	}
	return false, unexpected("asking the directory", err)
}
