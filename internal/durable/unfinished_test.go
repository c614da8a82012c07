package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWhatACrashLeftIsRemoved(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "log", "tile")
	must(t, os.MkdirAll(filepath.Join(deep, TempPrefix+"folder"), 0o700))
	now := time.Now()
	left := filepath.Join(deep, TempPrefix+"LEFT")
	fresh := filepath.Join(dir, TempPrefix+"FRESH")
	other := filepath.Join(deep, "000")
	for path, age := range map[string]time.Duration{left: 2 * UnfinishedAge, fresh: 0, other: 2 * UnfinishedAge} {
		must(t, os.WriteFile(path, []byte("x"), 0o600))
		must(t, os.Chtimes(path, now.Add(-age), now.Add(-age)))
	}
	removed, err := RemoveUnfinished(t.Context(), dir, now.Add(-UnfinishedAge))
	if removed != 1 || err != nil {
		t.Errorf("%d files removed, %v; want 1", removed, err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a crash left is still there: %v", err)
	}
	for _, path := range []string{fresh, other, filepath.Join(deep, TempPrefix+"folder")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if removed, err := RemoveUnfinished(t.Context(), filepath.Join(dir, "missing"), now); removed != 0 || err != nil {
		t.Errorf("in a folder that is not there: %d, %v", removed, err)
	}
}
