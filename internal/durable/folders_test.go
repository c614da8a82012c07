package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestFilesMadeTogetherAreAllPlaced(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "from"), 0o700))
	must(t, os.Mkdir(filepath.Join(dir, "to"), 0o700))
	var folders Folders
	var running sync.WaitGroup
	const files = 32
	for i := range files {
		running.Go(func() {
			f, err := folders.CreateFile(filepath.Join(dir, "from", fmt.Sprint(i)), 0o600)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if _, err := f.WriteAt([]byte("data"), 0); err != nil {
				t.Error(err)
			}
			if i%2 == 0 {
				if err := f.Sync(); err != nil {
					t.Error(err)
				}
			}
			if err := folders.Place(f, filepath.Join(dir, "to", fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	for name, want := range map[string]int{"from": 0, "to": files} {
		if left, err := os.ReadDir(filepath.Join(dir, name)); err != nil || len(left) != want {
			t.Errorf("%s holds %d files, want %d: %v", name, len(left), want, err)
		}
	}
}

// TestAFlushIsSharedOnlyByThoseWhoCameBeforeIt: who comes while a folder is
// flushed is served by the next flush, together with all others who come then.
func TestAFlushIsSharedOnlyByThoseWhoCameBeforeIt(t *testing.T) {
	dir := t.TempDir()
	var folders Folders
	must(t, folders.Sync(dir))
	f := folders.known[dir]
	f.turn.Lock() // as if one was going on
	ended := make(chan error)
	const waiting = 8
	for range waiting {
		go func() { ended <- folders.Sync(dir) }()
	}
	select {
	case err := <-ended:
		t.Fatalf("a flush that came late ended before its turn: %v", err)
	default:
	}
	must(t, os.Remove(dir))
	f.turn.Unlock()
	for range waiting {
		if err := <-ended; err == nil {
			t.Error("somebody was not told of the failure")
		}
	}
}

func TestAFileWhoseEntryCannotBeFlushedIsPoisoned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	must(t, os.Mkdir(dir, 0o700))
	var folders Folders
	f, err := folders.CreateFile(filepath.Join(dir, "x"), 0o600)
	must(t, err)
	must(t, os.RemoveAll(dir))
	if err := f.Sync(); err == nil {
		t.Error("an entry that is gone was flushed")
	}
	if err := f.Sync(); err == nil {
		t.Error("a later flush succeeded")
	}
	f.Close()
	if _, err := folders.CreateFile(filepath.Join(dir, "x"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
}
