package keys

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

func wrapFor(t *testing.T, ring *Ring, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32) (seal.Key, []byte) {
	t.Helper()
	public, err := ring.Public(agency)
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := seal.Wrap(public, key, seal.AAD(agency, id, attempt))
	if err != nil {
		t.Fatal(err)
	}
	return key, wrapped
}

func TestKeysSurviveARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	ring, err := Create(dir, "springfield")
	if err != nil {
		t.Fatal(err)
	}
	id := evidence.NewEvidenceID()
	key, wrapped := wrapFor(t, ring, "springfield", id, 1)
	again, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Unwrap("springfield", id, 1, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if got != key {
		t.Fatal("the unwrapped key is another one")
	}
}

func TestAWrappedKeyOpensOnlyInItsPlace(t *testing.T) {
	ring, err := Create(t.TempDir(), "springfield")
	if err != nil {
		t.Fatal(err)
	}
	id := evidence.NewEvidenceID()
	_, wrapped := wrapFor(t, ring, "springfield", id, 1)
	if _, err := ring.Unwrap("springfield", id, 2, wrapped); !errors.Is(err, seal.ErrUnwrap) {
		t.Errorf("another attempt: %v, want ErrUnwrap", err)
	}
	if _, err := ring.Unwrap("springfield", evidence.NewEvidenceID(), 1, wrapped); !errors.Is(err, seal.ErrUnwrap) {
		t.Errorf("another item: %v, want ErrUnwrap", err)
	}
	if _, err := ring.Unwrap("shelbyville", id, 1, wrapped); !errors.Is(err, ErrNoKey) {
		t.Errorf("another agency: %v, want ErrNoKey", err)
	}
}

func TestARootKeyIsNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir, "springfield"); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, rootName))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, "springfield"); err == nil {
		t.Fatal("a second Create succeeded")
	}
	after, err := os.ReadFile(filepath.Join(dir, rootName))
	if err != nil || !bytes.Equal(before, after) {
		t.Fatalf("the root key changed: %v", err)
	}
}

func TestDamagedOrMisplacedKeyFilesAreRefused(t *testing.T) {
	cases := map[string]func(t *testing.T, dir string){
		"root key readable by others": func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, rootName), 0o644)) },
		"root key missing":            func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, rootName))) },
		"root key cut":                func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, rootName), 31)) },
		"root key of another server": func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, rootName), make([]byte, rootSize), 0o600))
		},
		"agency key cut": func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, "agency-springfield.key"), 60)) },
		"agency key under another name": func(t *testing.T, dir string) {
			must(t, os.Rename(filepath.Join(dir, "agency-springfield.key"), filepath.Join(dir, "agency-shelbyville.key")))
		},
		"agency key changed": func(t *testing.T, dir string) {
			b, err := os.ReadFile(filepath.Join(dir, "agency-springfield.key"))
			must(t, err)
			b[len(b)-1] ^= 1
			must(t, os.WriteFile(filepath.Join(dir, "agency-springfield.key"), b, 0o600))
		},
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := Create(dir, "springfield"); err != nil {
				t.Fatal(err)
			}
			damage(t, dir)
			if _, err := Open(dir); err == nil {
				t.Fatal("it opened")
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
