package slapd

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// configuration is slapd.conf; %[1]s is the server's folder. Only who is encrypted
// may say anything at all.
const configuration = `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.782 NAME 'objectCategory' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL MAY ( sAMAccountName $ objectGUID $ userAccountControl $ accountExpires $ objectCategory ) )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile %[1]s/ca.pem
TLSCertificateFile %[1]s/cert.pem
TLSCertificateKeyFile %[1]s/key.pem
security tls=1
sizelimit size.soft=100 size.hard=100 size.pr=500 size.prtotal=unlimited
database mdb
maxsize 67108864
directory %[1]s/data
suffix "` + Base + `"
rootdn "` + manager + `"
rootpw "` + managerPass + `"
overlay memberof
memberof-refint true
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="` + Searcher + `" read by anonymous auth by * none
`

func entry(dn string, lines ...string) string {
	return "dn: " + dn + "\n" + strings.Join(lines, "\n") + "\n\n"
}

// DN is the full name of somebody by sign-in name.
func DN(login string) string { return "uid=" + login + "," + People }

// person is somebody as OpenLDAP has people.
func person(login, name string) string {
	return entry(DN(login), "objectClass: inetOrgPerson", "objectClass: shadowAccount", "uid: "+login, "cn: "+name, "sn: "+name, "userPassword: "+Password)
}

// AD is the full name of somebody in the shape of Active Directory.
func AD(login string) string { return "cn=" + login + ",ou=ad," + Base }

func adPerson(login, name string, guid byte) string {
	id := base64.StdEncoding.EncodeToString([]byte{guid, 0x28, 0x29, 0x2a, 0x5c, 0, 0xff, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	return entry(AD(login), "objectClass: user", "cn: "+login, "sn: "+login, "objectCategory: person",
		"sAMAccountName: "+login, "displayName: "+name, "objectGUID:: "+id, "userAccountControl: 512", "accountExpires: 9223372036854775807", "userPassword: "+Password)
}

func entries() string {
	var b strings.Builder
	b.WriteString(entry(Base, "objectClass: dcObject", "objectClass: organization", "dc: metro", "o: Metro"))
	b.WriteString(entry(Searcher, "objectClass: organizationalRole", "objectClass: simpleSecurityObject", "cn: searcher", "userPassword: "+SearcherPass))
	for _, ou := range []string{"people", "groups", "ad", "elsewhere"} {
		b.WriteString(entry("ou="+ou+","+Base, "objectClass: organizationalUnit", "ou: "+ou))
	}
	for login, name := range map[string]string{"a.moreno": "Alba Moreno", "b.okafor": "Bayo Okafor", "c.lind": "Cilla Lind", "star*": "Star (Literal)", "twin": "Twin One"} {
		b.WriteString(person(login, name))
	}
	b.WriteString(entry("cn=Twin Two,"+People, "objectClass: inetOrgPerson", "uid: twin", "cn: Twin Two", "sn: Two", "userPassword: "+Password))
	b.WriteString(adPerson("j.haas", "Jo Haas", 0x2a))
	for n := range 620 { // more than one page
		b.WriteString(entry(fmt.Sprintf("cn=choir-%d,%s", n, Groups), "objectClass: groupOfNames", fmt.Sprintf("cn: choir-%d", n), "member: "+DN("a.moreno")))
	}
	return b.String()
}

// groups are made in the running server, which then keeps memberOf.
func groups() map[string][]string {
	return map[string][]string{
		"cn=evidence-admins," + Groups:            {DN("a.moreno"), DN("star*")},
		"cn=evidence-operators," + Groups:         {DN("b.okafor"), DN("a.moreno"), AD("j.haas")},
		"cn=evidence-admins,ou=elsewhere," + Base: {DN("c.lind")}, // a namesake that must not count
	}
}
