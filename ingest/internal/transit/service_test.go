package transit

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/bao"
)

var (
	plain = []byte("thirty-two bytes of a root key..")
	bound = []byte("bound")
)

func of(s *bao.Server) Service {
	return Service{URL: s.URL, Mount: bao.Mount, Authority: s.Authority}
}

// both runs a test against the service made here and against OpenBao.
func both(t *testing.T, test func(*testing.T, *bao.Server)) {
	t.Run("made here", func(t *testing.T) { test(t, bao.Fake(t)) })
	t.Run("OpenBao", func(t *testing.T) { test(t, bao.OpenBao(t)) })
}

func TestWhatTransitWrapsOpensOnlyThereAndInItsPlace(t *testing.T) {
	both(t, func(t *testing.T, s *bao.Server) {
		m, root := of(s), []byte(s.Root)
		for _, key := range []string{"root", "root", "another"} { // the second time it is there
			if err := m.Make(key, root); err != nil {
				t.Fatal(err)
			}
		}
		token, others := []byte(s.Token(t, "root")), s.Token(t, "another")
		if err := m.Make("root", token); err != nil {
			t.Errorf("making what is there, with a token that may not: %v", err)
		}
		wrapped, err := m.Wrap("root", token, plain, bound)
		if err != nil || !strings.HasPrefix(string(wrapped), "vault:v1:") {
			t.Fatalf("%q, %v", wrapped, err)
		}
		if again, err := m.Wrap("root", token, plain, bound); err != nil || bytes.Equal(again, wrapped) {
			t.Errorf("wrapped twice alike: %v", err)
		}
		opens := func(what string) {
			t.Helper()
			if got, err := m.Unwrap("root", token, wrapped, bound); err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%s: it does not come back: %q, %v", what, got, err)
			}
		}
		opens("at once")
		s.Rotate(t, "root")
		opens("after a rotation")
		if newest, err := m.Wrap("root", token, plain, bound); err != nil || !strings.HasPrefix(string(newest), "vault:v2:") {
			t.Errorf("after a rotation: %q, %v", newest, err)
		}

		changed := bytes.Clone(wrapped)
		if at := len("vault:v1:") + 20; changed[at] == 'A' { // it stays Base64
			changed[at] = 'B'
		} else {
			changed[at] = 'A'
		}
		later := bytes.Replace(wrapped, []byte("v1"), []byte("v2"), 1)
		elsewhere, mount := m, m
		elsewhere.URL, mount.Mount = "https://"+nobody(t), "elsewhere"
		stranger := m
		stranger.Authority = bao.Fake(t).Authority
		for what, c := range map[string]struct {
			service        Service
			key, token     string
			wrapped, bound []byte
			words          string
		}{
			"another key":            {m, "another", others, wrapped, bound, "does not open"},
			"another place":          {m, "root", string(token), wrapped, []byte("elsewhere"), "does not open"},
			"changed":                {m, "root", string(token), changed, bound, "does not open"},
			"another version":        {m, "root", string(token), later, bound, "does not open"},
			"cut":                    {m, "root", string(token), wrapped[:9], bound, "damaged"},
			"nothing to unwrap":      {m, "root", string(token), nil, bound, "damaged"},
			"no such key":            {m, "none", s.Root, wrapped, bound, "no key of that name"},
			"a key beside the API":   {m, "../sys/seal", s.Root, wrapped, bound, "no name of a key"},
			"a token of another key": {m, "root", others, wrapped, bound, "permission denied"},
			"no such token":          {m, "root", "s.nobodys", wrapped, bound, "permission denied"},
			"no token":               {m, "root", "", wrapped, bound, "token is no line"},
			"two lines as token":     {m, "root", "a\nb", wrapped, bound, "token is no line"},
			"no such mount":          {mount, "root", s.Root, wrapped, bound, "transit_mount"},
			"nobody there":           {elsewhere, "root", s.Root, wrapped, bound, "cannot be reached"},
			"another authority":      {stranger, "root", s.Root, wrapped, bound, "transit_authority"},
		} {
			got, err := c.service.Unwrap(c.key, []byte(c.token), c.wrapped, c.bound)
			if err == nil || !strings.Contains(err.Error(), c.words) || len(got) > 0 {
				t.Errorf("%s: %q, %v, want words like %q", what, got, err, c.words)
			}
			if err != nil && (c.token != "" && strings.Contains(err.Error(), c.token) || strings.Contains(err.Error(), string(plain))) {
				t.Errorf("%s: a secret is told: %v", what, err)
			}
		}
		// Encrypting with a key that is not there would make one: the token may not.
		if _, err := m.Wrap("none", []byte(s.Token(t, "none")), plain, bound); err == nil || !strings.Contains(err.Error(), "no key of that name") {
			t.Errorf("wrapped by a key that is not there: %v", err)
		}
		opens("after the refusals")

		if life, err := m.Renew(token); err != nil || life != 24*time.Hour {
			t.Errorf("renewed for %s, %v", life, err)
		}
		if _, err := m.Renew([]byte("s.nobodys")); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("nobody's token renewed: %v", err)
		}
		s.Seal(t)
		if _, err := m.Unwrap("root", token, wrapped, bound); err == nil || !strings.Contains(err.Error(), "it is sealed") {
			t.Errorf("sealed: %v", err)
		}
		if err := m.Make("root", token); err == nil || !strings.Contains(err.Error(), "it is sealed") {
			t.Errorf("sealed, making: %v", err)
		}
		s.Unseal(t)
		opens("unsealed again")
		s.Revoke(t, string(token))
		if _, err := m.Unwrap("root", token, wrapped, bound); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("revoked: %v", err)
		}
	})
}

// TestAKeyThatMayLeaveIsNotTaken: only OpenBao knows such keys.
func TestAKeyThatMayLeaveIsNotTaken(t *testing.T) {
	s := bao.OpenBao(t)
	m := of(s)
	for key, c := range map[string]struct {
		order map[string]any
		words string
	}{
		"exportable": {map[string]any{"type": keyType, "exportable": true}, "may be exported"},
		"backup":     {map[string]any{"type": keyType, "allow_plaintext_backup": true}, "may be exported"},
		"rsa":        {map[string]any{"type": "rsa-2048"}, "rsa-2048"},
		"deletable":  {map[string]any{"type": keyType}, "may be exported"},
	} {
		s.Do(t, bao.Mount+"/keys/"+key, c.order, nil)
		if key == "deletable" {
			s.Do(t, bao.Mount+"/keys/"+key+"/config", map[string]any{"deletion_allowed": true}, nil)
		}
		if err := m.Make(key, []byte(s.Root)); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want words like %q", key, err, c.words)
		}
	}
}

// TestAVersionThatIsDisallowedNoLongerOpens: what was wrapped anew before does.
func TestAVersionThatIsDisallowedNoLongerOpens(t *testing.T) {
	s := bao.OpenBao(t)
	m := of(s)
	s.MakeKey(t, "root")
	token := []byte(s.Token(t, "root"))
	older, err := m.Wrap("root", token, plain, bound)
	if err != nil {
		t.Fatal(err)
	}
	s.Rotate(t, "root")
	newer, err := m.Wrap("root", token, plain, bound)
	if err != nil {
		t.Fatal(err)
	}
	s.Do(t, bao.Mount+"/keys/root/config", map[string]any{"min_decryption_version": 2}, nil)
	if got, err := m.Unwrap("root", token, older, bound); err == nil || !strings.Contains(err.Error(), "too old") {
		t.Errorf("the older one: %q, %v", got, err)
	}
	if got, err := m.Unwrap("root", token, newer, bound); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("the newer one: %q, %v", got, err)
	}
}

// TestANamespaceIsAnotherPlace: keys of one name in two namespaces.
func TestANamespaceIsAnotherPlace(t *testing.T) {
	s := bao.OpenBao(t)
	s.Do(t, "sys/namespaces/police", map[string]any{}, nil)
	s.Do(t, "police/sys/mounts/"+bao.Mount, map[string]any{"type": "transit"}, nil)
	here, there := of(s), of(s)
	there.Namespace = "police"
	for _, m := range []Service{here, there} {
		if err := m.Make("root", []byte(s.Root)); err != nil {
			t.Fatal(err)
		}
	}
	wrapped, err := there.Wrap("root", []byte(s.Root), plain, bound)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := there.Unwrap("root", []byte(s.Root), wrapped, bound); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("in its namespace: %q, %v", got, err)
	}
	if got, err := here.Unwrap("root", []byte(s.Root), wrapped, bound); err == nil || !strings.Contains(err.Error(), "does not open") {
		t.Errorf("outside: %q, %v", got, err)
	}
}

func TestAServiceIsNamedInFull(t *testing.T) {
	good := Service{URL: "https://bao.example.org:8200", Mount: "transit"}
	for what, c := range map[string]struct {
		change func(*Service)
		ok     bool
	}{
		"as it should be":         {func(*Service) {}, true},
		"a slash at the end":      {func(s *Service) { s.URL += "/" }, true},
		"an agent here":           {func(s *Service) { s.URL = "http://127.0.0.1:8100" }, true},
		"an agent here, by IPv6":  {func(s *Service) { s.URL = "http://[::1]:8100" }, true},
		"a mount in a folder":     {func(s *Service) { s.Mount = "police/transit" }, true},
		"a namespace":             {func(s *Service) { s.Namespace = "police/springfield/" }, true},
		"no TLS":                  {func(s *Service) { s.URL = "http://bao.example.org:8200" }, false},
		"no TLS, nearly here":     {func(s *Service) { s.URL = "http://127.0.0.1.example.org" }, false},
		"another scheme":          {func(s *Service) { s.URL = "ftp://bao.example.org" }, false},
		"no scheme":               {func(s *Service) { s.URL = "bao.example.org" }, false},
		"nothing":                 {func(s *Service) { s.URL = "" }, false},
		"a password in it":        {func(s *Service) { s.URL = "https://a:b@bao.example.org" }, false},
		"a question in it":        {func(s *Service) { s.URL += "?x" }, false},
		"no mount":                {func(s *Service) { s.Mount = "" }, false},
		"a mount that climbs":     {func(s *Service) { s.Mount = "transit/../sys" }, false},
		"a mount with a question": {func(s *Service) { s.Mount = "transit?" }, false},
		"a namespace of lines":    {func(s *Service) { s.Namespace = "a\r\nb" }, false},
	} {
		s := good
		c.change(&s)
		if err := s.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
