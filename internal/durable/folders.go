package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Folders makes many files in few folders at a time: callers who wait for the
// same folder share one flush of it, which begins after the last of them came.
// The number of flushes grows with the batches and not with the files. The zero
// value is ready; all methods are safe for concurrent use.
type Folders struct {
	mu    sync.Mutex // guards known
	known map[string]*folder
}

// folder is one folder's flushes.
type folder struct {
	turn sync.Mutex // held while the folder is flushed
	next *flushing  // not begun yet: who comes now joins it; guarded by Folders.mu
}

// flushing is one flush and those who wait for it.
type flushing struct {
	done chan struct{} // closed at the end; then err is set
	err  error
}

// Sync flushes the entries of a folder. When that fails, all who share the
// flush are told.
func (d *Folders) Sync(path string) error {
	d.mu.Lock()
	f := d.known[path]
	if f == nil {
		if d.known == nil {
			d.known = map[string]*folder{}
		}
		f = &folder{}
		d.known[path] = f
	}
	mine := f.next
	if mine != nil {
		d.mu.Unlock()
		<-mine.done
		return mine.err
	}
	mine = &flushing{done: make(chan struct{})}
	f.next = mine
	d.mu.Unlock()

	f.turn.Lock()
	defer f.turn.Unlock()
	d.mu.Lock()
	f.next = nil // who comes from here on may have changed what this flush does not see
	d.mu.Unlock()
	mine.err = syncDir(path)
	close(mine.done)
	return mine.err
}

// CreateFile is like the function CreateFile, but leaves the directory entry to
// the first [File.Sync] or to Place.
func (d *Folders) CreateFile(path string, perm fs.FileMode) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, fmt.Errorf("opening: %w", explain(err, filepath.Dir(path)))
	}
	file := newFile(f, path)
	file.enter = func() error { return d.Sync(filepath.Dir(path)) }
	return file, nil
}

// Place flushes the bytes of a file and moves it to its final path; then it
// flushes both folders, that of to first. When it fails after the bytes were
// flushed, the file may have either name. The File may only be read and closed
// afterwards.
func (d *Folders) Place(file *File, to string) error {
	if err := file.syncData(); err != nil {
		return err
	}
	fromDir, toDir := filepath.Dir(file.path), filepath.Dir(to)
	if err := os.Rename(file.path, to); err != nil {
		return fmt.Errorf("renaming: %w", explain(err, toDir))
	}
	if err := d.Sync(toDir); err != nil {
		return fmt.Errorf("renaming %s to %s: the new name may be lost: %w", file.path, to, err)
	}
	if fromDir == toDir {
		return nil
	}
	if err := d.Sync(fromDir); err != nil {
		return fmt.Errorf("renaming %s to %s: the old name may come back: %w", file.path, to, err)
	}
	return nil
}

// enterOnce flushes the directory entry of a file that Folders made.
func (f *File) enterOnce() error {
	if f.enter == nil {
		return nil
	}
	if err := f.enter(); err != nil {
		f.poisoned.Store(true)
		return errors.Join(fmt.Errorf("flushing the directory entry of %s: %w", f.path, err), ErrPoisoned)
	}
	f.enter = nil
	return nil
}
