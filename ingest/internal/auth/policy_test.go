package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

func TestAnAgencysPolicyIsFollowed(t *testing.T) {
	p := DefaultPolicy()
	p.MinPassword, p.Classes, p.OwnWords = 18, 3, []string{"riverside"}
	for password, want := range map[string]string{
		"ferry Lantern 9wh":            "at least 18 are needed",
		"ferry lantern wheat orbit":    "3 kinds of characters",
		"Riverside riverside 12345678": "little more than",
		"Ferry lantern wheat 4 orbits": "",
	} {
		if err := p.CheckPassword(password); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", password, err, want)
		}
	}
	d := newDesk(t)
	d.setUp()
	by := evidence.Actor{Kind: "server", ID: "local"}
	first := "quarry thimble maple dusk"
	var refused *PersonError
	if err := d.SetPassword(t.Context(), "a.moreno", password, by, Origin{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "before") {
		t.Errorf("the same password again: %v", err)
	}
	d.wait(time.Second)
	if err := d.SetPassword(t.Context(), "a.moreno", first, by, Origin{}); err != nil {
		t.Fatal(err)
	}
	d.wait(time.Second)
	if err := d.SetPassword(t.Context(), "a.moreno", password, by, Origin{}); !errors.As(err, &refused) {
		t.Errorf("the password before the last: %v", err)
	}
	if _, err := d.signIn("a.moreno", first); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestALockByMinutesEnds(t *testing.T) {
	d := newDesk(t)
	d.setUp()
	p := DefaultPolicy()
	p.Failures, p.Lock = 3, 20*time.Minute
	d.decided = func(context.Context) Policy { return p }
	for range 3 {
		d.signIn("a.moreno", "not the password at all")
	}
	if _, err := d.signIn("a.moreno", password); !errors.Is(err, ErrSignIn) {
		t.Fatalf("the fourth try with the right password: %v", err)
	}
	d.wait(19 * time.Minute)
	if _, err := d.signIn("a.moreno", password); !errors.Is(err, ErrSignIn) {
		t.Errorf("before the end: %v", err)
	}
	d.wait(time.Minute)
	if _, err := d.signIn("a.moreno", password); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

func TestARoleFromOutsideIsAnsweredLikeAWrongPassword(t *testing.T) {
	d := newDesk(t)
	session := d.setUp()
	p := DefaultPolicy()
	p.Networks.Roles = map[Role][]netip.Prefix{Administrator: {netip.MustParsePrefix("192.0.2.0/24")}}
	d.decided = func(context.Context) Policy { return p }
	if _, err := d.SignIn(t.Context(), "a.moreno", password, "", Origin{Address: "203.0.113.9"}); !errors.Is(err, ErrSignIn) {
		t.Errorf("from outside: %v", err)
	}
	if _, err := d.Actor(t.Context(), session, Origin{Address: "203.0.113.9"}); !errors.Is(err, ErrPlace) {
		t.Errorf("a session carried outside: %v", err)
	}
	if _, err := d.Actor(t.Context(), session, Origin{Address: "::ffff:192.0.2.7"}); err != nil {
		t.Errorf("from inside: %v", err)
	}
	if d.count(evidence.EventPlaceRefused) != 1 || d.count(evidence.EventSignInFailed) != 1 {
		t.Error("a refusal without its event")
	}
	p.Absolute = time.Hour // those that have begun end by it too
	d.wait(20 * time.Minute)
	d.Actor(t.Context(), session, Origin{Address: "192.0.2.7"})
	d.wait(25 * time.Minute)
	d.Actor(t.Context(), session, Origin{Address: "192.0.2.7"})
	d.wait(20 * time.Minute)
	if _, err := d.Actor(t.Context(), session, Origin{Address: "192.0.2.7"}); !errors.Is(err, ErrNoSession) {
		t.Errorf("after the new end: %v", err)
	}
}
