package enrol

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/enrol/enroltest"
)

func request(s *enroltest.Server, data string) Request {
	return Request{Server: s.URL, Token: s.Token, Data: data, Now: time.Now}
}

func TestAnEnrolledDockFindsEverythingAgain(t *testing.T) {
	s, data := enroltest.New(t, "riverton"), t.TempDir()
	if _, err := Load(data); !errors.Is(err, ErrNotEnrolled) {
		t.Fatalf("before: %v", err)
	}
	e, err := Enrol(t.Context(), request(s, data))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Load(data)
	if err != nil {
		t.Fatal(err)
	}
	if got.Agency != "riverton" || got.Station != "north" || got.Dock != "front-desk" || got.Server != "localhost:4433" || got.ServerName != "localhost" {
		t.Errorf("loaded %+v", got.record)
	}
	if !got.Certificate.Equal(e.Certificate) || !got.StatementKey.Public().Equal(s.Statement) || len(got.Trust.LogPublicKey) != 32 {
		t.Error("certificate or keys are other ones")
	}
	for _, secret := range []string{"tls.key", "statement.key", "enrolment.json"} {
		if info, err := os.Stat(filepath.Join(folder(data), secret)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", secret, info, err)
		}
	}
}

func TestEnrolledAnewKeepsTheStatementKey(t *testing.T) {
	s, data := enroltest.New(t, "riverton"), t.TempDir()
	first, err := Enrol(t.Context(), request(s, data))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Enrol(t.Context(), request(s, data))
	if err != nil {
		t.Fatal(err)
	}
	if !first.StatementKey.Public().Equal(second.StatementKey.Public()) || first.Certificate.Equal(second.Certificate) {
		t.Error("the statement key changed, or the certificate did not")
	}
	other := enroltest.New(t, "elsewhere")
	if _, err := Enrol(t.Context(), request(other, data)); err == nil || !strings.Contains(err.Error(), "agencies never mix") {
		t.Fatalf("a token of another agency: %v", err)
	}
	if got, err := Load(data); err != nil || !got.Certificate.Equal(second.Certificate) {
		t.Fatalf("the refused enrolment changed something: %v", err)
	}
}

func TestAServerOtherThanTheTokensIsNotAsked(t *testing.T) {
	real, fake := enroltest.New(t, "riverton"), enroltest.New(t, "riverton")
	r := request(fake, t.TempDir())
	r.Token = real.Token
	if _, err := Enrol(t.Context(), r); err == nil || fake.Statement != nil {
		t.Fatalf("a server without the token's authority was told the token: %v", err)
	}
}

func TestFalseAnswersLeaveTheDockUnenrolled(t *testing.T) {
	cases := map[string]func(a map[string]any){
		"agency":       func(a map[string]any) { a["agency"] = "elsewhere" },
		"dock":         func(a map[string]any) { a["dock"] = "back-desk" },
		"station":      func(a map[string]any) { a["station"] = "../etc" },
		"certificate":  func(a map[string]any) { a["certificate"] = a["authority"] },
		"authority":    func(a map[string]any) { a["authority"] = a["certificate"] },
		"no authority": func(a map[string]any) { a["authority"] = "" },
		"agency key":   func(a map[string]any) { a["agency_key"] = []byte("short") },
		"trust":        func(a map[string]any) { a["trust"].(map[string]any)["log_public_key"] = "" },
		"trust agency": func(a map[string]any) { a["trust"].(map[string]any)["agency"] = "elsewhere" },
		"upload port":  func(a map[string]any) { a["upload_port"] = "99999" },
		"length":       func(a map[string]any) { a["padding"] = string(bytes.Repeat([]byte("x"), maxAnswer)) },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			s, data := enroltest.New(t, "riverton"), t.TempDir()
			s.Spoil = spoil
			if _, err := Enrol(t.Context(), request(s, data)); err == nil {
				t.Fatal("taken")
			}
			if _, err := Load(data); !errors.Is(err, ErrNotEnrolled) {
				t.Fatalf("enrolled after all: %v", err)
			}
		})
	}
}

func TestWhoAnswersIsSaidApartFromNobody(t *testing.T) {
	s, other := enroltest.New(t, "riverton"), enroltest.New(t, "riverton")
	plain, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	go func() {
		for {
			conn, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("220 mail.example.org ESMTP\r\n"))
			conn.Close()
		}
	}()
	cases := map[string]struct {
		server, token, want string
	}{
		"nobody":            {"https://localhost:1", s.Token, "not reached; check address, port and network: dial tcp"},
		"another authority": {other.URL, s.Token, "a server answers, and nothing was sent to it: the server does not know the authority of the enrolment token"},
		"another name":      {strings.Replace(s.URL, "localhost", "127.0.0.1", 1), s.Token, "does not know this server by this name"},
		"no TLS":            {"https://" + plain.Addr().String(), s.Token, "does not speak TLS"},
	}
	for name, c := range cases {
		r := request(s, t.TempDir())
		r.Server, r.Token = c.server, c.token
		_, err := Enrol(t.Context(), r)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "Post ") {
			t.Errorf("%s: %v", name, err)
		}
		if reached := strings.Contains(fmt.Sprint(err), "not reached"); reached != (name == "nobody") {
			t.Errorf("%s counts as not reached: %v", name, err)
		}
	}
}

func TestRefusalsAndSlipsAreSaidPlainly(t *testing.T) {
	s := enroltest.New(t, "riverton")
	s.Refuse = "this token was used already: make a new one"
	cases := map[string]struct {
		change func(*Request)
		want   string
	}{
		"used token":     {func(r *Request) {}, "used already"},
		"no token":       {func(r *Request) { r.Token = "hello" }, "not an enrolment token"},
		"plain http":     {func(r *Request) { r.Server = "http://localhost:1" }, "https://host:port"},
		"nobody there":   {func(r *Request) { r.Server = "https://localhost:1" }, "not reached"},
		"with a path":    {func(r *Request) { r.Server = s.URL + "/dashboard" }, "https://host:port"},
		"with a newline": {func(r *Request) { r.Token += "\n" }, "used already"},
	}
	for name, c := range cases {
		r := request(s, t.TempDir())
		c.change(&r)
		if _, err := Enrol(t.Context(), r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
