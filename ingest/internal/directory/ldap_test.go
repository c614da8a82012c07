package directory

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/sealdock/sealdock/internal/testkit/slapd"
)

func openLDAP(t *testing.T, s *slapd.Server, adjust ...func(*LDAPConfig)) *LDAP {
	t.Helper()
	c := LDAPConfig{
		Kind: OpenLDAP, Servers: []string{s.LDAPS}, Authority: s.Authority, BindDN: slapd.Searcher, BindPasswordFile: s.PasswordFile,
		Base: slapd.People, GroupBase: slapd.Groups, Now: time.Now,
	}
	for _, a := range adjust {
		a(&c)
	}
	l, err := NewLDAP(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPeopleOfOpenLDAPAreKnownByNameAndPassword(t *testing.T) {
	s := slapd.Start(t)
	for name, adjust := range map[string]func(*LDAPConfig){
		"ldaps":    func(*LDAPConfig) {},
		"starttls": func(c *LDAPConfig) { c.Servers = []string{s.LDAP} },
		"memberof": func(c *LDAPConfig) { c.GroupLookup = GroupsByMemberOf },
		"second":   func(c *LDAPConfig) { c.Servers = []string{"ldaps://127.0.0.1:1", s.LDAPS} },
	} {
		t.Run(name, func(t *testing.T) {
			l := openLDAP(t, s, adjust)
			p, err := l.Check(t.Context(), "A.Moreno", slapd.Password)
			if err != nil {
				t.Fatal(err)
			}
			if p.Login != "a.moreno" || p.Name != "Alba Moreno" || len(p.ID) != 36 {
				t.Errorf("the directory knows %+v", p)
			}
			want := []string{"evidence-admins", "evidence-operators", "cn=evidence-admins," + slapd.Groups}
			if name != "memberof" { // which the choirs were made without
				want = append(want, "choir-0", "choir-619")
			}
			for _, group := range want {
				if !slices.Contains(p.Groups, group) {
					t.Errorf("%s is not among the %d groups", group, len(p.Groups))
				}
			}
			again, err := l.Look(t.Context(), p.ID)
			if err != nil || again.Login != p.Login || len(again.Groups) != len(p.Groups) {
				t.Errorf("by id it is %+v, %v", again, err)
			}
		})
	}
}

func TestWhatDoesNotFitIsRefusedByOpenLDAP(t *testing.T) {
	s := slapd.Start(t)
	l := openLDAP(t, s)
	for _, try := range [][2]string{
		{"a.moreno", "wrong"}, {"a.moreno", ""}, {"", slapd.Password}, {"nobody", slapd.Password}, {"a.moreno", slapd.Password + "\x00"},
		{"*", slapd.Password}, {"a.mor*", slapd.Password}, {"a.moreno)(uid=*", slapd.Password}, {"*)(objectClass=*", slapd.Password}, {"a.moreno))(|(uid=*", slapd.Password},
		{"twin", slapd.Password}, {"searcher", slapd.SearcherPass}, {slapd.DN("a.moreno"), slapd.Password}, {"a.moreno\x00", slapd.Password}, {strings.Repeat("a", 600), slapd.Password},
		{"\\2a", slapd.Password}, {"a.moreno", strings.Repeat("x", 513)},
	} {
		if p, err := l.Check(t.Context(), try[0], try[1]); !errors.Is(err, ErrRefused) {
			t.Errorf("%q with %q: %+v, %v", try[0], try[1], p, err)
		}
	}
	odd := openLDAP(t, s, func(c *LDAPConfig) { c.IDAttribute = "description" })
	if p, err := odd.Check(t.Context(), "c.lind", slapd.Password); !errors.Is(err, ErrUnavailable) {
		t.Errorf("somebody without an id: %+v, %v", p, err)
	}
	s.Set(t, slapd.DN("a.moreno"), "description", "7")
	if _, err := odd.Check(t.Context(), "a.moreno", slapd.Password); err != nil {
		t.Errorf("keeps the others out: %v", err)
	}
	if err := l.Decoy(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("the decoy: %v", err)
	}
	p, err := l.Check(t.Context(), "star*", slapd.Password) // who is really called so
	if err != nil || p.Name != "Star (Literal)" {
		t.Errorf("star*: %+v, %v", p, err)
	}
	p, err = l.Check(t.Context(), "c.lind", slapd.Password)
	if err != nil || len(p.Groups) != 0 {
		t.Errorf("a group of the same name elsewhere counts: %+v, %v", p, err)
	}
}

func TestWhoIsDisabledInOpenLDAPIsGone(t *testing.T) {
	s := slapd.Start(t)
	l := openLDAP(t, s, func(c *LDAPConfig) { c.Filter = "(&(objectClass=person)(!(employeeType=left)))" })
	gone := func(what string, want error) {
		t.Helper()
		p, err := l.Check(t.Context(), "b.okafor", slapd.Password)
		if (want == nil) != (err == nil) || want != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: signing in gives %+v, %v", what, p, err)
		}
	}
	p, err := l.Check(t.Context(), "b.okafor", slapd.Password)
	if err != nil {
		t.Fatal(err)
	}
	look := func(what string, want error) {
		t.Helper()
		if _, err := l.Look(t.Context(), p.ID); !errors.Is(err, want) {
			t.Errorf("%s: looking gives %v", what, err)
		}
		gone(what, want)
	}
	look("as ever", nil)
	s.Set(t, slapd.DN("b.okafor"), "shadowExpire", "1")
	look("expired", ErrGone)
	s.Set(t, slapd.DN("b.okafor"), "shadowExpire", "99999")
	look("expires in 2243", nil)
	s.Set(t, slapd.DN("b.okafor"), "employeeType", "left")
	look("filtered", ErrGone)
	s.Set(t, slapd.DN("b.okafor"), "employeeType")
	s.Do(t, func(c *ldap.Conn) error {
		return c.ModifyDN(ldap.NewModifyDNRequest(slapd.DN("b.okafor"), "uid=bayo", true, ""))
	})
	if now, err := l.Look(t.Context(), p.ID); err != nil || now.Login != "bayo" || !slices.Contains(now.Groups, "evidence-operators") {
		t.Errorf("renamed: %+v, %v", now, err)
	}
	s.Do(t, func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest("uid=bayo,"+slapd.People, nil)) })
	look("deleted", ErrGone)
}

// The shape of people is Active Directory's, the server is not.
func TestPeopleInTheShapeOfActiveDirectory(t *testing.T) {
	s := slapd.Start(t)
	l := openLDAP(t, s, func(c *LDAPConfig) {
		c.Kind, c.Base, c.GroupLookup = ActiveDirectory, "ou=ad,"+slapd.Base, GroupsByMemberOf
	})
	p, err := l.Check(t.Context(), "J.Haas", slapd.Password)
	if err != nil {
		t.Fatal(err)
	}
	if p.ID != "2a28292a5c00ff0708090a0b0c0d0e0f" || p.Name != "Jo Haas" || !slices.Contains(p.Groups, "evidence-operators") {
		t.Errorf("the directory knows %+v", p)
	}
	look := func(what string, want error) {
		t.Helper()
		if _, err := l.Look(t.Context(), p.ID); !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	look("as ever", nil)
	s.Set(t, slapd.AD("j.haas"), "userAccountControl", "514")
	look("disabled", ErrGone)
	if _, err := l.Check(t.Context(), "j.haas", slapd.Password); !errors.Is(err, ErrRefused) {
		t.Errorf("disabled, and signs in: %v", err)
	}
	s.Set(t, slapd.AD("j.haas"), "userAccountControl", "512")
	s.Set(t, slapd.AD("j.haas"), "accountExpires", "132539328000000000") // the first of January 2021
	look("expired", ErrGone)
	s.Set(t, slapd.AD("j.haas"), "accountExpires", "0")
	look("never expires", nil)
}

func TestALDAPDirectoryThatIsDownIsNobodysFailure(t *testing.T) {
	s := slapd.Start(t)
	var mu sync.Mutex
	at := time.Now()
	l := openLDAP(t, s, func(c *LDAPConfig) {
		c.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	})
	p, err := l.Check(t.Context(), "a.moreno", slapd.Password)
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	for range 2 {
		if _, err := l.Check(t.Context(), "a.moreno", slapd.Password); !errors.Is(err, ErrUnavailable) {
			t.Errorf("down: %v", err)
		}
	}
	if _, err := l.Look(t.Context(), p.ID); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrGone) {
		t.Errorf("down: %v", err)
	}
	s.Restart(t)
	if _, err := l.Look(t.Context(), p.ID); !errors.Is(err, ErrUnavailable) {
		t.Errorf("it is asked again at once: %v", err)
	}
	mu.Lock()
	at = at.Add(ldapPause)
	mu.Unlock()
	if _, err := l.Look(t.Context(), p.ID); err != nil {
		t.Errorf("up again: %v", err)
	}
	for name, adjust := range map[string]func(*LDAPConfig){
		"a certificate of nobody":             func(c *LDAPConfig) { c.Authority = "" },
		"a search account that is not let in": func(c *LDAPConfig) { c.BindDN = slapd.DN("c.lind") },
		"a base that is not there":            func(c *LDAPConfig) { c.Base = "ou=nowhere," + slapd.Base },
	} {
		_, err := openLDAP(t, s, adjust).Check(t.Context(), "a.moreno", slapd.Password)
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A server between us that answers StartTLS with a no, or with bytes without end,
// gets no password.
func TestNoPasswordGoesWithoutTLS(t *testing.T) {
	s := slapd.Start(t)
	for name, reply := range map[string]string{
		"a no":         "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00",
		"a yes, clear": "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
		"a flood":      "\x30\x84\x7f\xff\xff\xff" + strings.Repeat("x", 1<<16),
		"nothing":      "",
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			got := make(chan string, 1)
			go func() {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				b := make([]byte, 4096)
				n, _ := c.Read(b)
				c.Write([]byte(reply))
				c.(*net.TCPConn).CloseWrite()
				m, _ := c.Read(b[n:])
				got <- string(b[:n+m])
			}()
			l := openLDAP(t, s, func(c *LDAPConfig) { c.Servers = []string{"ldap://" + listener.Addr().String()} })
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, err := l.Check(ctx, "a.moreno", slapd.Password); !errors.Is(err, ErrUnavailable) {
				t.Errorf("it is %v", err)
			}
			if said := <-got; strings.Contains(said, slapd.Password) || strings.Contains(said, slapd.SearcherPass) {
				t.Errorf("a password went over the wire in clear: %q", said)
			}
		})
	}
}

func TestALDAPConfigurationThatCannotWorkIsRefused(t *testing.T) {
	good := LDAPConfig{Kind: OpenLDAP, Servers: []string{"ldaps://dc1.example.org"}, BindDN: "cn=s,dc=x", BindPasswordFile: "p", Base: "dc=x", Now: time.Now}
	for word, adjust := range map[string]func(*LDAPConfig){
		"kind":           func(c *LDAPConfig) { c.Kind = "novell" },
		"servers":        func(c *LDAPConfig) { c.Servers = nil },
		"http://x":       func(c *LDAPConfig) { c.Servers = []string{"http://x"} },
		"ldapi":          func(c *LDAPConfig) { c.Servers = []string{"ldapi:///var/run/slapd"} },
		"base":           func(c *LDAPConfig) { c.Base = "metro" },
		"bind_dn":        func(c *LDAPConfig) { c.BindDN = "" },
		"filter":         func(c *LDAPConfig) { c.Filter = "(uid=*" },
		"name of an att": func(c *LDAPConfig) { c.LoginAttribute = "uid)(x" },
		"group_lookup":   func(c *LDAPConfig) { c.GroupLookup = "guess" },
		"no such file":   func(*LDAPConfig) {},
	} {
		c := good
		adjust(&c)
		if _, err := NewLDAP(c); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", word, err)
		}
	}
}

func TestTheFirstGroupThatFitsSaysTheRole(t *testing.T) {
	p := &Person{Groups: []string{"Evidence-Admins", "cn=operators,ou=groups,dc=x"}}
	for want, all := range map[string][]Appointment{
		"administrator": {{"evidence-admins", "administrator"}, {"CN=Operators, OU=Groups, DC=X", "operator"}},
		"operator":      {{"choir", "administrator"}, {"CN=Operators, OU=Groups, DC=X", "operator"}, {"evidence-admins", "administrator"}},
		"":              {{"operators", "administrator"}, {"evidence", "administrator"}, {"cn=operators,dc=x", "administrator"}},
	} {
		if got := RoleOf(p, all); got != want {
			t.Errorf("%v: %q", all, got)
		}
	}
}
