package keys

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keeper is a Keeper of one's own making; what is nil does nothing.
type keeper struct {
	wrap   func(plain, bound []byte) ([]byte, error)
	unwrap func(wrapped, bound []byte) ([]byte, error)
}

func (k keeper) Make(string, []byte) error { return nil }

func (k keeper) Wrap(_ string, _, plain, bound []byte) ([]byte, error) { return k.wrap(plain, bound) }

func (k keeper) Unwrap(_ string, _, wrapped, bound []byte) ([]byte, error) {
	return k.unwrap(wrapped, bound)
}

// honest encrypts with a key of its own.
func honest() keeper {
	r := newLocalRoot()
	return keeper{
		func(plain, bound []byte) ([]byte, error) { return r.wrap("test\n", bound, plain) },
		func(wrapped, bound []byte) ([]byte, error) { return r.unwrap("test\n", bound, wrapped) },
	}
}

func TestARootKeyIsHandedOnlyToAKeeperThatGivesItBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	_, err := Create(dir, "springfield")
	must(t, err)
	before, err := os.ReadFile(filepath.Join(dir, rootName))
	must(t, err)
	blind, loses, exchanges, refuses, long := honest(), honest(), honest(), honest(), honest()
	inner := blind
	blind.wrap = func(plain, _ []byte) ([]byte, error) { return inner.wrap(plain, nil) }
	blind.unwrap = func(wrapped, _ []byte) ([]byte, error) { return inner.unwrap(wrapped, nil) }
	loses.unwrap = func([]byte, []byte) ([]byte, error) { return nil, errors.New("no such key") }
	exchanges.unwrap = func(_, bound []byte) ([]byte, error) {
		if string(bound) == "elsewhere" {
			return nil, errors.New("no")
		}
		return make([]byte, rootSize), nil
	}
	refuses.wrap = func([]byte, []byte) ([]byte, error) { return nil, errors.New("it is sealed") }
	long.wrap = func([]byte, []byte) ([]byte, error) { return make([]byte, maxFile), nil }
	for what, c := range map[string]struct {
		keeper Keeper
		key    string
		words  string
	}{
		"nobody":                        {nil, "root", "transit_url"},
		"no key":                        {honest(), "", "1 to 64 bytes"},
		"a name without end":            {honest(), strings.Repeat("k", maxHolder+1), "1 to 64 bytes"},
		"one that binds to nothing":     {blind, "root", "without what it was bound to"},
		"one that loses it":             {loses, "root", "no such key"},
		"one that gives another":        {exchanges, "root", "does not come back"},
		"one that does not take it":     {refuses, "root", "it is sealed"},
		"one that makes much out of it": {long, "root", "at most"},
	} {
		err := Protect(dir, Guard{}, Target{Protection: Transit, Keeper: c.keeper, Key: c.key})
		if err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want words like %q", what, err, c.words)
		}
		if after, err := os.ReadFile(filepath.Join(dir, rootName)); err != nil || !bytes.Equal(after, before) {
			t.Fatalf("%s: the root key's file was changed: %v", what, err)
		}
	}
}

func TestARootKeyUnderAKeeperOpensInItsPlaceOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	_, err := Create(dir, "springfield")
	must(t, err)
	k := honest()
	must(t, Protect(dir, Guard{}, Target{Protection: Transit, Keeper: k, Key: "root"}))
	guard := Guard{Ask: say("token"), Keepers: map[Protection]Keeper{Transit: k, PKCS11: k}}
	if p, err := ProtectionOf(dir); p != Transit || err != nil {
		t.Errorf("protection %q, %v", p, err)
	}
	if _, err := OpenGuarded(dir, guard); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenGuarded(dir, Guard{Keepers: guard.Keepers}); !errors.Is(err, ErrLocked) {
		t.Errorf("without a token: %v, want ErrLocked", err)
	}
	path := filepath.Join(dir, rootName)
	whole, err := os.ReadFile(path)
	must(t, err)
	for what, c := range map[string]struct{ was, is, words string }{
		"of another kind":     {"/transit/", "/pkcs11/", "authentication failed"}, // the same key, bound to another kind
		"another key's name":  {`"root"`, `"r00t"`, "authentication failed"},
		"a blank more":        {`{"key"`, `{ "key"`, "authentication failed"},
		"no name":             {`"root"`, `""`, "second line"},
		"a number":            {`"root"`, `7`, "second line"},
		"a name without end":  {`"root"`, `"` + strings.Repeat("k", maxHolder+1) + `"`, "second line"},
		"a line without end":  {`{"key"`, strings.Repeat(" ", maxHeaderLine) + `{"key"`, "second line"},
		"one line":            {"}\n", "}", "second line"},
		"no file of this now": {"/v1\n", "/v9\n", "bytes, want 32"},
	} {
		must(t, os.WriteFile(path, bytes.Replace(whole, []byte(c.was), []byte(c.is), 1), 0o600))
		if _, err := OpenGuarded(dir, guard); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want words like %q", what, err, c.words)
		}
	}
}
