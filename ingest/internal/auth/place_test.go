package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// At a known place the password is enough where the agency wants it so; a new
// network or a new device asks for the factor all the same.
func TestANewPlaceAsksForTheFactor(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	secret := d.app(actor)
	d.set(settingWhen, "new-place")
	step := func(b Browser, address string) *Entry {
		t.Helper()
		d.wait(4 * time.Second)
		e, err := d.PasswordStep(t.Context(), "a.moreno", password, b, Origin{Address: address})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	through := func(e *Entry, b Browser, address string) *Entry {
		t.Helper()
		d.wait(codePeriod * time.Second)
		e, err := d.CodeStep(t.Context(), e.Pending, d.code(secret), b, Origin{Address: address})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	first := step(Browser{}, "192.0.2.1")
	if first.Pending == "" {
		t.Fatal("a new device came in by password")
	}
	known := Browser{Device: through(first, Browser{}, "192.0.2.1").Device}
	if e := step(known, "192.0.2.77"); e.Session == "" {
		t.Error("a known device in a known network is asked")
	} else if a := d.actor(e.Session); Fresh(a, d.now()) == nil {
		t.Error("a password alone is fresh although there is a second factor")
	}
	for what, e := range map[string]*Entry{
		"another network": step(known, "198.51.100.7"), "no device": step(Browser{}, "192.0.2.1"), "another device's forged token": step(Browser{Device: forged(known.Device)}, "192.0.2.1"),
	} {
		if e.Pending == "" {
			t.Errorf("%s came in by password", what)
		}
	}
	if n := d.count(evidence.EventNewPlace); n != 4 {
		t.Errorf("%d new places on record, want 4", n)
	}
	through(step(known, "2001:db8::1"), known, "2001:db8::1")
	if e := step(known, "2001:db8::ffff"); e.Session == "" {
		t.Error("a network that is known now is asked")
	}
	d.set(settingRequired, "administrators")
	if e := step(known, "192.0.2.1"); e.Pending == "" {
		t.Error("a role that needs a factor came in by password")
	}
}

func forged(token string) string {
	last := token[len(token)-2]
	swapped := byte('A')
	if last == 'A' {
		swapped = 'B'
	}
	return token[:len(token)-2] + string(swapped) + token[len(token)-1:]
}

func TestADeviceIsKnownToWhoSignedInWithIt(t *testing.T) {
	d := newDesk(t)
	d.setUp()
	d.wait(time.Minute)
	e, err := d.PasswordStep(t.Context(), "a.moreno", password, Browser{}, home)
	if err != nil || e.Device == "" {
		t.Fatal(e, err)
	}
	before := d.count(evidence.EventNewPlace)
	again, err := d.PasswordStep(t.Context(), "a.moreno", password, Browser{Device: e.Device}, home)
	if err != nil || again.Device != e.Device || d.count(evidence.EventNewPlace) != before {
		t.Errorf("a known device: %+v, %v, %d events", again, err, d.count(evidence.EventNewPlace)-before)
	}
	if _, err := d.AddUser(t.Context(), Person{Login: "o.perez", Name: "Oona Perez", Password: password}, Operator, evidence.Actor{Kind: "server", ID: "local"}, Origin{Address: "local"}); err != nil {
		t.Fatal(err)
	}
	where, err := d.placeOf(t.Context(), &d.db.Reader, "another user", Browser{Device: e.Device}, home)
	if err != nil || !where.newDevice || !where.newNetwork {
		t.Errorf("for another user: %+v, %v", where, err)
	}
}

func FuzzDeviceTokens(f *testing.F) {
	d := &Service{pepper: make([]byte, PepperSize), agency: "metro-pd"}
	good, err := d.newDevice()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{good, "", devicePrefix, good + "A", strings.ToUpper(good), good[:len(good)-1] + "="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		known, err := d.deviceOf(s)
		if err != nil || known != "" && s != good {
			t.Errorf("%q is a device: %q, %v", s, known, err)
		}
	})
}
