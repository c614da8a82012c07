package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// TempPrefix begins the name of every unfinished file of [WriteFile].
const TempPrefix = ".durable-"

// WriteFile replaces the file at path by data, atomically: after a crash the
// path holds all of the old bytes or all of the new ones. The bytes go to a new
// file in the same directory, which is flushed and renamed over path; a symbolic
// link at path is replaced and not followed. perm is subject to the umask.
func WriteFile(path string, data []byte, perm fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	temp := filepath.Join(dir, TempPrefix+rand.Text())
	if err := writeTemp(temp, data, perm); err != nil {
		os.Remove(temp) // best effort: the name says that it is nobody's
		return fmt.Errorf("writing %s: %w", path, explain(err, dir))
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp)
		return fmt.Errorf("writing %s: %w", path, explain(err, dir))
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("writing %s: its directory entry may be lost: %w", path, err)
	}
	return nil
}

// writeTemp creates, fills, flushes and closes one new file.
func writeTemp(temp string, data []byte, perm fs.FileMode) (err error) {
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// Rename moves from over to and flushes the directories of both, that of to
// first: at no instant is the file without a durable name. The bytes of the file
// are not flushed; call [File.Sync] before.
func Rename(from, to string) error {
	fromDir, toDir := filepath.Dir(from), filepath.Dir(to)
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("renaming: %w", explain(err, toDir))
	}
	if err := syncDir(toDir); err != nil {
		return fmt.Errorf("renaming %s to %s: the new name may be lost: %w", from, to, err)
	}
	if fromDir == toDir {
		return nil
	}
	if err := syncDir(fromDir); err != nil {
		return fmt.Errorf("renaming %s to %s: the old name may come back: %w", from, to, err)
	}
	return nil
}

// MkdirAll makes the directory path and its missing parents durable. An existing
// directory is fine; an existing file is an error. perm is subject to the umask
// and applies to the directories that are made.
func MkdirAll(path string, perm fs.FileMode) error {
	path = filepath.Clean(path)
	parent := filepath.Dir(path)
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("making directory %s: a file of that name is in the way", path)
	case err == nil && parent == path:
		return nil // the root directory has no entry to flush
	case err == nil:
		return syncMade(path, parent)
	case !errors.Is(err, fs.ErrNotExist) || parent == path:
		return fmt.Errorf("making directory %s: %w", path, err)
	}
	if _, err := os.Stat(parent); err != nil {
		if err := MkdirAll(parent, perm); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making directory: %w", explain(err, parent))
	}
	if info, err := os.Stat(path); err != nil {
		return fmt.Errorf("making directory %s: %w", path, err)
	} else if !info.IsDir() {
		return fmt.Errorf("making directory %s: a file of that name is in the way", path)
	}
	return syncMade(path, parent)
}

// syncMade flushes the entry of path in parent. A parent that may be passed but
// not listed cannot be flushed from here, and so cannot have been filled from here.
func syncMade(path, parent string) error {
	err := syncDir(parent)
	if err == nil || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return fmt.Errorf("making directory %s: its entry may be lost: %w", path, err)
}

// Remove unlinks path and flushes its directory. A missing path is an error
// (fs.ErrNotExist).
func Remove(path string) error {
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("removing %s: it may come back: %w", path, err)
	}
	return nil
}

// SyncDir flushes the entries of the directory path.
func SyncDir(path string) error {
	return syncDir(path)
}
