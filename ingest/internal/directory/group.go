package directory

import (
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Appointment is what members of a group of the directory are here.
type Appointment struct {
	Group, Role string
}

// RoleOf returns the role of the first appointment whose group the person is in;
// "" when there is none, which is to say that they do not get in.
func RoleOf(p *Person, appointments []Appointment) string {
	in := map[string]bool{}
	for _, g := range p.Groups {
		in[groupKey(g)] = true
	}
	for _, a := range appointments {
		if in[groupKey(a.Group)] {
			return a.Role
		}
	}
	return ""
}

// groupKey is what names of groups are compared by: full names of LDAP whatever
// their spaces, all names whatever their case.
func groupKey(name string) string {
	if strings.Contains(name, "=") {
		if dn, err := ldap.ParseDN(name); err == nil {
			name = dn.String()
		}
	}
	return strings.ToLower(strings.TrimSpace(name))
}
