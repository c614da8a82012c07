package hsm

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/internal/testkit/softhsm"
)

func TestWhatAnHSMWrapsOpensOnlyThereAndInItsPlace(t *testing.T) {
	m := Module{Path: softhsm.Start(t), Token: softhsm.Token}
	pin := []byte(softhsm.PIN)
	for range 2 { // the second time it is there
		if err := m.Make("root", pin); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Make("another", pin); err != nil {
		t.Fatal(err)
	}
	plain, bound := []byte("thirty-two bytes of a root key.."), []byte("bound")
	wrapped, err := m.Wrap("root", pin, plain, bound)
	if err != nil || bytes.Contains(wrapped, plain) {
		t.Fatal(err)
	}
	if again, err := m.Wrap("root", pin, plain, bound); err != nil || bytes.Equal(again, wrapped) {
		t.Errorf("wrapped twice alike: %v", err)
	}
	got, err := m.Unwrap("root", pin, wrapped, bound)
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("it does not come back: %q, %v", got, err)
	}
	changed := bytes.Clone(wrapped)
	changed[len(changed)-1] ^= 1
	for what, c := range map[string]struct {
		module         Module
		key, pin       string
		wrapped, bound []byte
		words          string
	}{
		"another key":       {m, "another", softhsm.PIN, wrapped, bound, ""},
		"another place":     {m, "root", softhsm.PIN, wrapped, []byte("elsewhere"), ""},
		"changed":           {m, "root", softhsm.PIN, changed, bound, ""},
		"cut":               {m, "root", softhsm.PIN, wrapped[:27], bound, "cut short"},
		"no such key":       {m, "none", softhsm.PIN, wrapped, bound, `0 keys named "none"`},
		"a wrong PIN":       {m, "root", "000000", wrapped, bound, "PIN"},
		"no such token":     {Module{m.Path, "none"}, "root", softhsm.PIN, wrapped, bound, "token"},
		"no such library":   {Module{"/nowhere.so", softhsm.Token}, "root", softhsm.PIN, wrapped, bound, "/nowhere.so"},
		"nothing to unwrap": {m, "root", softhsm.PIN, nil, bound, "cut short"},
	} {
		if got, err := c.module.Unwrap(c.key, []byte(c.pin), c.wrapped, c.bound); err == nil || !strings.Contains(err.Error(), c.words) || len(got) > 0 {
			t.Errorf("%s: %q, %v, want words like %q", what, got, err, c.words)
		}
	}
	if got, err := m.Unwrap("root", pin, wrapped, bound); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("after the refusals: %v", err)
	}
}
