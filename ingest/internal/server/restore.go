package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/backup"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/durable"
)

// Restored is a server that was made of a backup.
type Restored struct {
	ConfigPath string
	Log        string              // the custody log's name by now
	Restart    *catalog.LogRestore // nil: nothing is lost, and the log goes on as it was
	Copied     backup.Copier
}

// BackupConfig reads the configuration of a backup, and refuses a folder that is none.
func BackupConfig(folder string) (Config, error) {
	if _, err := os.Lstat(filepath.Join(folder, backupMark)); errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("%s is no backup: name one of the folders that sealdock-ingest backup made", folder)
	} else if err != nil {
		return Config{}, err
	}
	return LoadConfig(filepath.Join(folder, ConfigName))
}

// Restore makes a server in a new folder of a backup, which stays as it is. Where last, the
// newest checkpoint that anybody has, shows that the backup has everything, the custody log
// goes on as it was; where it shows more, or is nil, the log goes on under its next name.
// prompt asks for the secret of the backup's root key, which its catalog is sealed under; it
// may be nil.
func Restore(ctx context.Context, from, to, reason string, last []byte, prompt func(string) ([]byte, error), log *slog.Logger, now func() time.Time) (r *Restored, err error) {
	if reason, err = reasonFor("a backup is restored", reason); err != nil {
		return nil, err
	}
	c, err := BackupConfig(from)
	if err != nil {
		return nil, err
	}
	if to, err = filepath.Abs(to); err != nil {
		return nil, err
	}
	if prompt != nil {
		c.Prompt = remember(prompt)
	}
	known := int64(0)
	whole := false
	if last != nil { // before anything is copied
		s, err := CompareLog(ctx, c, last, now)
		if err != nil {
			return nil, err
		}
		known, whole = s.Shown, s.Lacks() == 0
	}
	if there, err := os.ReadDir(to); err == nil && len(there) > 0 {
		return nil, fmt.Errorf("%s is not empty, it holds %s: nothing was changed. Choose a new folder", to, there[0].Name())
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r = &Restored{ConfigPath: filepath.Join(to, ConfigName), Copied: backup.Copier{From: c.DataDir, To: to}}
	own := map[string]bool{backupMark: true, ConfigName: true}
	if err := r.Copied.Tree(ctx, ".", false, func(path string) bool { return own[path] }); err != nil {
		return nil, fmt.Errorf("restoring into %s: %w. What was copied so far is of no use: delete the folder", to, err)
	}
	c.DataDir = to
	text, err := c.file()
	if err != nil {
		return nil, err
	}
	if !whole { // before the configuration, without which no server starts
		if r.Log, r.Restart, err = RestartLog(ctx, c, reason, known, log, now); err != nil {
			return nil, err
		}
	} else {
		r.Log = c.logOrigin()
	}
	return r, durable.WriteFile(r.ConfigPath, text, 0o600)
}
