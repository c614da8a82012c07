package keys

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The catalog's key comes back from folder and escrow, under another root too, and is
// neither replaced nor taken from another server.
func TestTheCatalogsKeyIsKept(t *testing.T) {
	dir, key := filepath.Join(t.TempDir(), "keys"), NewCatalogKey()
	ring, err := Create(dir, "springfield")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.CatalogKey(); !errors.Is(err, ErrNoCatalogKey) {
		t.Errorf("without one: %v", err)
	}
	if err := ring.KeepCatalogKey(key[1:]); err == nil {
		t.Error("a short key was kept")
	}
	if err := ring.KeepCatalogKey(key); err != nil {
		t.Fatal(err)
	}
	if err := ring.KeepCatalogKey(NewCatalogKey()); err == nil {
		t.Error("a key was replaced")
	}
	if back, err := ring.CatalogKey(); err != nil || !bytes.Equal(back, key) {
		t.Errorf("%x, %v", back, err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "catalog.key"))
	if err != nil || bytes.Contains(file, key) {
		t.Errorf("its file: %v", err)
	}

	escrow, err := ring.Escrow("springfield", time.Now(), map[string][]byte{"keys/pepper.key": []byte("p")})
	if err != nil {
		t.Fatal(err)
	}
	if back, err := escrow.Ring().CatalogKey(); err != nil || !bytes.Equal(back, key) {
		t.Errorf("from an escrow in memory: %x, %v", back, err)
	}
	again := filepath.Join(t.TempDir(), "keys")
	if err := escrow.Restore(again, nil); err != nil {
		t.Fatal(err)
	}
	other, err := Open(again)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := other.CatalogKey(); err != nil || !bytes.Equal(back, key) {
		t.Errorf("from an escrow: %x, %v", back, err)
	}
	if err := os.WriteFile(filepath.Join(again, "catalog.key"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := other.CatalogKey(); err == nil {
		t.Error("another server's key was taken")
	}
	if _, err := ring.Escrow("springfield", time.Now(), map[string][]byte{"keys/catalog.key": file}); err == nil {
		t.Error("an escrow took its file")
	}
}
