package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// UnfinishedAge is how old a file of [WriteFile] is at least that nobody works on any more.
const UnfinishedAge = time.Minute

// RemoveUnfinished removes what a crash has left of [WriteFile] in dir and below: files
// of its temporary names that were last written before the given time. A caller that is
// not alone in dir gives a time at least [UnfinishedAge] ago. Of what cannot be removed,
// the rest is removed all the same. A dir that is not there is empty.
func RemoveUnfinished(ctx context.Context, dir string, before time.Time) (removed int, err error) {
	var kept []error
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, failed error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(failed, fs.ErrNotExist):
			return nil // gone meanwhile
		case failed != nil:
			return failed
		case !entry.Type().IsRegular() || !strings.HasPrefix(entry.Name(), TempPrefix):
			return nil
		}
		info, failed := entry.Info()
		if failed == nil && info.ModTime().Before(before) {
			if failed = os.Remove(path); failed == nil { // one that comes back is removed another time
				removed++
			}
		}
		if failed != nil && !errors.Is(failed, fs.ErrNotExist) {
			kept = append(kept, failed)
		}
		return nil
	})
	if err = errors.Join(append(kept, err)...); err != nil {
		return removed, fmt.Errorf("removing what a crash left unfinished in %s: %w", dir, err)
	}
	return removed, nil
}
