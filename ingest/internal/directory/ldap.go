package directory

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// The kinds of LDAP directories whose usual attributes are known here.
const (
	ActiveDirectory = "active-directory"
	OpenLDAP        = "openldap"
)

// How groups are found.
const (
	GroupsBySearch   = "search"   // the groups that have the person as member; in Active Directory nested ones too
	GroupsByMemberOf = "memberof" // the attribute memberOf of the person
)

// LDAPConfig says how to ask an LDAP directory. What is empty of the attributes
// is as Kind has it.
type LDAPConfig struct {
	Kind             string
	Servers          []string // ldaps://host[:port], or ldap://host[:port] with StartTLS; the next is asked where one does not answer
	Authority        string   // file with the CA of their certificates; "": what this machine trusts
	BindDN           string   // the account that searches
	BindPasswordFile string
	Base             string // people are below it
	Filter           string // and fit this
	LoginAttribute   string
	IDAttribute      string
	NameAttribute    string
	GroupBase        string // groups count only below it
	GroupLookup      string
	Now              func() time.Time
}

const (
	ldapDial     = 3 * time.Second
	ldapPatience = 10 * time.Second // for everything that one connection is for
	ldapPause    = 10 * time.Second // before a directory that is down is asked again
	ldapMaxRead  = 16 << 20         // bytes of one connection
	ldapPage     = 500
	ldapPages    = 20
	maxPassword  = 512
)

// LDAP is a directory that speaks LDAP. Safe for concurrent use.
type LDAP struct {
	c        LDAPConfig
	trust    *tls.Config
	password string
	groups   *ldap.DN

	mu   sync.Mutex // guards the rest
	good int        // the server that answered last
	down time.Time  // until when none is asked
}

// NewLDAP checks the configuration. It asks nobody yet.
func NewLDAP(c LDAPConfig) (*LDAP, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	l := &LDAP{c: c}
	var err error
	if l.trust, err = tlsTo(c.Authority); err != nil {
		return nil, err
	}
	if l.password, err = secretFile("the password of the directory's search account", c.BindPasswordFile); err != nil {
		return nil, err
	}
	if l.groups, err = ldap.ParseDN(c.GroupBase); err != nil {
		return nil, fmt.Errorf("group_base: %q is no full name (DN) of LDAP: %w", c.GroupBase, err)
	}
	return l, nil
}

// fill sets what the kind of directory says of itself, and checks the rest.
func (c *LDAPConfig) fill() error {
	usual := map[string]LDAPConfig{
		ActiveDirectory: {LoginAttribute: "sAMAccountName", IDAttribute: "objectGUID", NameAttribute: "displayName", Filter: "(&(objectCategory=person)(objectClass=user))"},
		OpenLDAP:        {LoginAttribute: "uid", IDAttribute: "entryUUID", NameAttribute: "cn", Filter: "(objectClass=person)"},
	}
	u, ok := usual[c.Kind]
	if !ok {
		return fmt.Errorf("kind: %q is neither %s nor %s", c.Kind, ActiveDirectory, OpenLDAP)
	}
	for value, usual := range map[*string]string{
		&c.LoginAttribute: u.LoginAttribute, &c.IDAttribute: u.IDAttribute, &c.NameAttribute: u.NameAttribute, &c.Filter: u.Filter,
		&c.GroupBase: c.Base, &c.GroupLookup: GroupsBySearch,
	} {
		if *value == "" {
			*value = usual
		}
	}
	if len(c.Servers) == 0 || len(c.Servers) > 16 {
		return fmt.Errorf("servers: %d are named, 1 to 16 are needed, as in ldaps://dc1.example.org", len(c.Servers))
	}
	for _, s := range c.Servers {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "ldaps" && u.Scheme != "ldap" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return fmt.Errorf("servers: %q is no address like ldaps://dc1.example.org (TLS from the start) or ldap://dc1.example.org (StartTLS, always)", s)
		}
	}
	if _, err := ldap.ParseDN(c.Base); err != nil || c.Base == "" {
		return fmt.Errorf("base: %q is no full name (DN) of LDAP, as in ou=people,dc=example,dc=org", c.Base)
	}
	if c.BindDN == "" || c.BindPasswordFile == "" {
		return errors.New("bind_dn and bind_password_file are needed: an account of the directory that may search it and nothing else")
	}
	if _, err := ldap.CompileFilter(c.Filter); err != nil {
		return fmt.Errorf("filter: %q is no filter of LDAP: %w", c.Filter, err)
	}
	for _, a := range []string{c.LoginAttribute, c.IDAttribute, c.NameAttribute} {
		if strings.Trim(strings.ToLower(a), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Errorf("%q is no name of an attribute", a)
		}
	}
	if c.GroupLookup != GroupsBySearch && c.GroupLookup != GroupsByMemberOf {
		return fmt.Errorf("group_lookup: %q is neither %s nor %s", c.GroupLookup, GroupsBySearch, GroupsByMemberOf)
	}
	return nil
}

// Check returns who it is that types this name and password. ErrRefused for all
// that do not fit, for people who are disabled, and for an empty password;
// ErrUnavailable. A name that does not exist takes the same steps as one that does.
func (l *LDAP) Check(ctx context.Context, login, password string) (*Person, error) {
	if login == "" || password == "" || len(login) > maxText || len(password) > maxPassword || strings.ContainsRune(password, 0) || !printable(login) {
		return nil, ErrRefused
	}
	var p *Person
	err := l.with(ctx, func(c *ldap.Conn) error {
		entry, err := l.find(c, fmt.Sprintf("(%s=%s)", l.c.LoginAttribute, ldap.EscapeFilter(login)))
		if err != nil && !errors.Is(err, ErrGone) {
			return err
		}
		dn := "cn=" + rand.Text() + "," + l.c.Base // nobody's, to be refused
		if entry != nil {
			dn = entry.DN
		}
		switch bound := c.Bind(dn, password); {
		case bound != nil && refused(bound), bound == nil && entry == nil:
			return ErrRefused
		case bound != nil:
			return answer("checking a password", bound)
		}
		if err := l.bind(c); err != nil {
			return err
		}
		if l.disabled(entry) {
			return ErrRefused
		}
		p, err = l.person(c, entry)
		return err
	})
	return p, err
}

// Decoy takes the steps of Check for a name that does not exist, so that nobody
// can tell by the time which names this directory is asked about. It returns
// ErrRefused or ErrUnavailable.
func (l *LDAP) Decoy(ctx context.Context) error {
	_, err := l.Check(ctx, "-"+rand.Text(), rand.Text())
	return err
}

// Look returns a person by id as they are now. ErrGone when they are no longer
// there or were disabled; ErrUnavailable.
func (l *LDAP) Look(ctx context.Context, id string) (*Person, error) {
	value := ldap.EscapeFilter(id)
	if l.binaryID() {
		b, err := hex.DecodeString(id)
		if err != nil {
			return nil, fmt.Errorf("%w: %q is no id of this directory", ErrGone, id)
		}
		value = ""
		for _, one := range b {
			value += fmt.Sprintf("\\%02x", one)
		}
	}
	var p *Person
	err := l.with(ctx, func(c *ldap.Conn) error {
		entry, err := l.find(c, fmt.Sprintf("(%s=%s)", l.c.IDAttribute, value))
		if err != nil {
			return err
		}
		if l.disabled(entry) {
			return ErrGone
		}
		p, err = l.person(c, entry)
		return err
	})
	return p, err
}

// with does something on a connection of the first server that answers, bound as
// the account that searches.
func (l *LDAP) with(ctx context.Context, do func(*ldap.Conn) error) error {
	l.mu.Lock()
	first, down := l.good, l.down
	l.mu.Unlock()
	if l.c.Now().Before(down) {
		return fmt.Errorf("%w: it did not a moment ago, and is asked again soon", ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(ctx, ldapPatience)
	defer cancel()
	var all []error
	for i := range l.c.Servers {
		n := (first + i) % len(l.c.Servers)
		works, err := l.at(ctx, l.c.Servers[n], do)
		if works {
			l.mu.Lock()
			l.good, l.down = n, time.Time{}
			l.mu.Unlock()
			return err
		}
		all = append(all, fmt.Errorf("%s: %w", l.c.Servers[n], err))
	}
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) { // else it is the caller who left
		l.mu.Lock()
		l.down = l.c.Now().Add(ldapPause)
		l.mu.Unlock()
	}
	return errors.Join(all...)
}

// at does it at one server, and reports whether that one works, whatever it said:
// an entry that nothing can be made of is no outage for everybody.
func (l *LDAP) at(ctx context.Context, server string, do func(*ldap.Conn) error) (works bool, err error) {
	c, err := l.dial(ctx, server)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := l.bind(c); err != nil {
		return false, err
	}
	err = do(c)
	return !ldap.IsErrorAnyOf(err, ldap.ErrorNetwork, ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultTimeLimitExceeded), err
}

// dial returns a connection that is encrypted already.
func (l *LDAP) dial(ctx context.Context, server string) (*ldap.Conn, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldaps": "636", "ldap": "389"}[u.Scheme]
	}
	dialer := net.Dialer{Timeout: ldapDial}
	raw, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	if err := raw.SetDeadline(deadline); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	bounded := &boundedConn{Conn: raw, left: ldapMaxRead}
	trust := l.trust.Clone()
	trust.ServerName = u.Hostname()
	if u.Scheme == "ldaps" {
		over := tls.Client(bounded, trust)
		if err := over.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		c := ldap.NewConn(over, true)
		c.SetTimeout(ldapPatience)
		c.Start()
		return c, nil
	}
	c := ldap.NewConn(bounded, false)
	c.SetTimeout(ldapPatience)
	c.Start()
	if err := c.StartTLS(trust); err != nil {
		c.Close()
		return nil, fmt.Errorf("StartTLS: %w", err)
	}
	return c, nil
}

// boundedConn ends after so many bytes.
type boundedConn struct {
	net.Conn
	left int64 // of one reader at a time
}

func (b *boundedConn) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the directory sent too much")
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// bind makes the connection that of the account that searches.
func (l *LDAP) bind(c *ldap.Conn) error {
	if err := c.Bind(l.c.BindDN, l.password); err != nil {
		return fmt.Errorf("%w: it does not let in the account that searches, bind_dn %s: %w", ErrUnavailable, l.c.BindDN, err)
	}
	return nil
}

// refused reports whether a bind was answered with a no, and not with a fault.
func refused(err error) bool {
	return ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInappropriateAuthentication,
		ldap.LDAPResultConstraintViolation, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultInvalidDNSyntax)
}

// answer is what an error of a directory that was reached means.
func answer(doing string, err error) error {
	return fmt.Errorf("%w as it should: %s: %w", ErrUnavailable, doing, err)
}
