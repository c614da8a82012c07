package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealdock/sealdock/internal/durable"
)

// Copier copies files from one folder to another. Not safe for concurrent use.
type Copier struct {
	From, To string
	Before   string // the copy made before, on the file system of To; "": none

	Files, Linked int   // so far
	Bytes         int64 // written, so far
}

// Tree copies what is under a folder, given by its path below From. A folder that is not
// there is left out. leave, where it is set, says which files are not wanted, by their
// path below From. Files may come and go meanwhile, one in the place of others: it is
// gone over until there is nothing new.
func (c *Copier) Tree(ctx context.Context, path string, link bool, leave func(path string) bool) error {
	for before := -1; before < c.Files; {
		before = c.Files
		if err := c.tree(ctx, path, link, leave); err != nil {
			return err
		}
	}
	return nil
}

// tree copies what is there and was not copied.
func (c *Copier) tree(ctx context.Context, path string, link bool, leave func(path string) bool) error {
	root := filepath.Join(c.From, path)
	err := filepath.WalkDir(root, func(at string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile, or never there
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || entry.IsDir() {
			return err
		}
		below, err := filepath.Rel(c.From, at)
		if err != nil || !entry.Type().IsRegular() || leave != nil && leave(below) {
			return err
		}
		if _, err := os.Lstat(filepath.Join(c.To, below)); err == nil {
			return nil // an earlier pass copied it
		}
		err = c.File(below, link)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("copying %s: %w", root, err)
	}
	return nil
}

// File copies one file, given by its path below From.
func (c *Copier) File(path string, link bool) (err error) {
	from, to := filepath.Join(c.From, path), filepath.Join(c.To, path)
	if err := durable.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	c.Files++
	if link && c.Before != "" && same(filepath.Join(c.Before, path), info) {
		if err := os.Link(filepath.Join(c.Before, path), to); err == nil {
			c.Linked++
			return durable.SyncDir(filepath.Dir(to))
		}
	}
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(target, source)
	c.Bytes += n
	if err == nil {
		err = os.Chtimes(to, info.ModTime(), info.ModTime())
	}
	return errors.Join(err, target.Sync(), target.Close(), durable.SyncDir(filepath.Dir(to)))
}

// same says whether the file of the copy before is the one that info is of.
func same(before string, info fs.FileInfo) bool {
	was, err := os.Lstat(before)
	return err == nil && was.Mode().IsRegular() && was.Size() == info.Size() && was.ModTime().Equal(info.ModTime())
}
