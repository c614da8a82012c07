package directory

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// find returns the one person whom the filter fits. ErrGone where there is none.
func (l *LDAP) find(c *ldap.Conn, filter string) (*ldap.Entry, error) {
	attributes := []string{l.c.LoginAttribute, l.c.IDAttribute, l.c.NameAttribute, "memberOf",
		"userAccountControl", "accountExpires", "pwdAccountLockedTime", "nsAccountLock", "loginDisabled", "shadowExpire"}
	request := ldap.NewSearchRequest(l.c.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2, int(ldapPatience.Seconds()), false,
		"(&"+l.c.Filter+filter+")", attributes, nil)
	result, err := c.Search(request)
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded):
		return nil, fmt.Errorf("%w: more than one person fits %s", ErrGone, filter)
	case err != nil:
		return nil, answer("looking for a person below "+l.c.Base, err)
	case len(result.Entries) == 0:
		return nil, ErrGone
	case len(result.Entries) > 1:
		return nil, fmt.Errorf("%w: more than one person fits %s", ErrGone, filter)
	}
	return result.Entries[0], nil
}

// disabled reports whether the directory keeps the person out.
func (l *LDAP) disabled(e *ldap.Entry) bool {
	now := l.c.Now()
	if control, err := strconv.ParseInt(e.GetEqualFoldAttributeValue("userAccountControl"), 10, 64); err == nil && control&2 != 0 { // ACCOUNTDISABLE
		return true
	}
	// In 100 ns since 1601; 0 and the highest number mean never.
	if n, err := strconv.ParseInt(e.GetEqualFoldAttributeValue("accountExpires"), 10, 64); err == nil && n > 0 && n < 1<<62 {
		if !now.Before(time.Unix(n/1e7-11644473600, 0)) {
			return true
		}
	}
	// Locked for good by an administrator (draft-behera-ldap-password-policy section 5.3.3).
	if e.GetEqualFoldAttributeValue("pwdAccountLockedTime") == "000001010000Z" {
		return true
	}
	if days, err := strconv.ParseInt(e.GetEqualFoldAttributeValue("shadowExpire"), 10, 32); err == nil && days >= 0 && now.Unix() >= days*86400 {
		return true
	}
	return strings.EqualFold(e.GetEqualFoldAttributeValue("nsAccountLock"), "true") || strings.EqualFold(e.GetEqualFoldAttributeValue("loginDisabled"), "true")
}

// person reads an entry, and the groups of who it is.
func (l *LDAP) person(c *ldap.Conn, e *ldap.Entry) (*Person, error) {
	p := &Person{ID: e.GetEqualFoldAttributeValue(l.c.IDAttribute), Login: e.GetEqualFoldAttributeValue(l.c.LoginAttribute), Name: e.GetEqualFoldAttributeValue(l.c.NameAttribute)}
	if l.binaryID() {
		p.ID = hex.EncodeToString([]byte(p.ID))
	}
	p.Provisioned = p.ID
	var full []string
	if l.c.GroupLookup == GroupsByMemberOf {
		full = e.GetEqualFoldAttributeValues("memberOf")
	} else {
		var err error
		if full, err = l.memberships(c, e, p.Login); err != nil {
			return nil, err
		}
	}
	for _, name := range full {
		dn, err := ldap.ParseDN(name)
		if err != nil || !l.groups.AncestorOfFold(dn) {
			continue
		}
		p.Groups = append(p.Groups, dn.String(), dn.RDNs[0].Attributes[0].Value)
	}
	return p, p.check()
}

// memberships searches the groups that have the person as a member.
func (l *LDAP) memberships(c *ldap.Conn, e *ldap.Entry, login string) ([]string, error) {
	dn := ldap.EscapeFilter(e.DN)
	filter := fmt.Sprintf("(&(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))(|(member=%s)(uniqueMember=%s)(memberUid=%s)))", dn, dn, ldap.EscapeFilter(login))
	if l.c.Kind == ActiveDirectory { // LDAP_MATCHING_RULE_IN_CHAIN: groups in groups too
		filter = fmt.Sprintf("(&(objectClass=group)(member:1.2.840.113556.1.4.1941:=%s))", dn)
	}
	paging := ldap.NewControlPaging(ldapPage)
	request := ldap.NewSearchRequest(l.c.GroupBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, int(ldapPatience.Seconds()), false, filter, []string{"cn"}, []ldap.Control{paging})
	var names []string
	for range ldapPages {
		result, err := c.Search(request)
		if err != nil {
			return nil, answer("looking for groups below "+l.c.GroupBase, err)
		}
		for _, g := range result.Entries {
			names = append(names, g.DN)
		}
		next, ok := ldap.FindControl(result.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(next.Cookie) == 0 {
			return names, nil
		}
		paging.SetCookie(next.Cookie)
	}
	return nil, fmt.Errorf("%w: one person is in more than %d groups", ErrUnavailable, ldapPages*ldapPage)
}

// binaryID: Active Directory's objectGUID is 16 bytes, and no text.
func (l *LDAP) binaryID() bool { return strings.EqualFold(l.c.IDAttribute, "objectGUID") }
