package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// ErrPoisoned is returned by every call on a [File] after one of its Syncs has
// failed. What was written since the last good Sync may be lost, and no later
// success can prove otherwise: close the file and write it anew from the source.
var ErrPoisoned = errors.New("an earlier flush of this file failed, its recent bytes may be lost: write it again from the source")

// File is a file whose Sync can be believed. All methods are safe for concurrent
// use; a Sync covers the writes that returned before it began.
type File struct {
	f        *os.File
	path     string
	poisoned atomic.Bool
	mu       sync.Mutex // one Sync at a time: the kernel tells a lost write to one caller only
	flush    func(*os.File) error
	medium   atomic.Bool  // reads come from the medium
	direct   atomic.Bool  // and past the page cache
	enter    func() error // flushes the directory entry, nil when that is done; guarded by mu
}

// CreateFile makes a new file, open for reading and writing, and flushes its
// directory entry. An existing path is an error (fs.ErrExist).
func CreateFile(path string, perm fs.FileMode) (*File, error) {
	return open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
}

// OpenFile opens an existing file for reading and writing and flushes its
// directory entry. A missing path is an error (fs.ErrNotExist).
func OpenFile(path string) (*File, error) {
	return open(path, os.O_RDWR, 0)
}

// OpenRead opens an existing file for reading only.
func OpenRead(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening: %w", err)
	}
	return newFile(f, path), nil
}

func open(path string, flag int, perm fs.FileMode) (*File, error) {
	dir := filepath.Dir(path)
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return nil, fmt.Errorf("opening: %w", explain(err, dir))
	}
	if err := syncDir(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: its directory entry may be lost: %w", path, err), f.Close())
	}
	return newFile(f, path), nil
}

func newFile(f *os.File, path string) *File {
	return &File{f: f, path: path, flush: flushData}
}

// ReadAt is io.ReaderAt. The end of the file is a bare io.EOF.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if err := f.check("reading"); err != nil {
		return 0, err
	}
	read := f.f.ReadAt
	if f.medium.Load() {
		read = f.readMedium
	}
	n, err := read(p, off)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("reading at %d: %w", off, explain(err, f.path))
	}
	return n, err
}

// WriteAt is io.WriterAt. The bytes are durable only after the next [File.Sync].
// After an error the bytes from off on are undefined; disk full (see [IsFull])
// does not poison the file, so the same write may be tried again.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	if err := f.check("writing"); err != nil {
		return 0, err
	}
	n, err := f.f.WriteAt(p, off)
	if err != nil {
		err = fmt.Errorf("writing %d bytes at %d: %w", len(p), off, explain(err, f.path))
	}
	return n, err
}

// Truncate cuts or extends the file to size bytes. Durable after the next Sync.
func (f *File) Truncate(size int64) error {
	if err := f.check("truncating"); err != nil {
		return err
	}
	if err := f.f.Truncate(size); err != nil {
		return fmt.Errorf("truncating to %d bytes: %w", size, explain(err, f.path))
	}
	return nil
}

// Size returns the length in bytes.
func (f *File) Size() (int64, error) {
	if err := f.check("sizing"); err != nil {
		return 0, err
	}
	info, err := f.f.Stat()
	if err != nil {
		return 0, fmt.Errorf("sizing: %w", err)
	}
	return info.Size(), nil
}

// Sync flushes the bytes and the length to the medium (fdatasync), and the
// directory entry where that is still to be done. The first failure poisons the
// file: that call and every later one return an error that is [ErrPoisoned].
func (f *File) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.flushBytes(); err != nil {
		return err
	}
	return f.enterOnce()
}

func (f *File) syncData() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.flushBytes()
}

func (f *File) flushBytes() error {
	if err := f.check("flushing"); err != nil {
		return err
	}
	if err := f.flush(f.f); err != nil {
		f.poisoned.Store(true)
		return fmt.Errorf("flushing: %w: %w", explain(err, f.path), ErrPoisoned)
	}
	return nil
}

// DropCache asks the kernel to forget the file's cached pages. Only flushed
// pages can be forgotten: call Sync first. Where the system offers no such call
// it does nothing.
func (f *File) DropCache() error {
	if err := f.check("dropping the cache"); err != nil {
		return err
	}
	if err := dropCache(f.f, 0, 0); err != nil {
		return fmt.Errorf("dropping the cache of %s: %w", f.path, err)
	}
	return nil
}

// Close releases the file. It flushes nothing. A poisoned file is released too,
// and says so.
func (f *File) Close() error {
	err := f.check("closing")
	if closeErr := f.f.Close(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("closing: %w", closeErr))
	}
	return err
}

func (f *File) check(doing string) error {
	if f.poisoned.Load() {
		return fmt.Errorf("%s %s: %w", doing, f.path, ErrPoisoned)
	}
	return nil
}
