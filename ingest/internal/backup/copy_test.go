package backup

import (
	"os"
	"path/filepath"
	"testing"
)

// A tile of the custody log may become full while it is copied: its partial forms go,
// and the full one comes into a folder that was listed already.
func TestWhatComesInThePlaceOfSomethingIsCopied(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	write := func(path string) {
		t.Helper()
		path = filepath.Join(from, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(path), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("log/tile/0/000.p/244")
	write("log/tile/0/000.p/245")
	write("log/tile/1/000.p/1")
	c := Copier{From: from, To: to}
	grown := false
	err := c.Tree(t.Context(), "log", false, func(string) bool {
		if !grown {
			grown = true
			write("log/tile/0/000")
			if err := os.RemoveAll(filepath.Join(from, "log/tile/0/000.p")); err != nil {
				t.Fatal(err)
			}
		}
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"log/tile/0/000", "log/tile/1/000.p/1"} {
		if _, err := os.Stat(filepath.Join(to, path)); err != nil {
			t.Error(err)
		}
	}
	if c.Files != 2 {
		t.Errorf("%d files are counted, want 2", c.Files)
	}
}
