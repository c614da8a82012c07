package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sealdock/sealdock/internal/durable"
)

// marks are names of which at least one is in every data folder that was used.
var marks = []string{"identity", "agent.toml", "journal.db", "lock"}

func (m Machine) makeFolder(data string) step {
	return step{
		what: "make the data folder " + data + " (0700)",
		done: func() (bool, error) {
			info, err := os.Lstat(m.at(data))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return false, nil
			case err != nil:
				return false, err
			case !info.IsDir():
				return false, fmt.Errorf("%s is there and is no folder", data)
			}
			return info.Mode().Perm() == 0o700, m.ownFolder(data)
		},
		do: func(context.Context) error {
			if err := durable.MkdirAll(m.at(data), 0o700); err != nil {
				return err
			}
			return os.Chmod(m.at(data), 0o700)
		},
	}
}

// ownFolder refuses a folder that holds something else than an agent's data: all
// in it is about to get another owner.
func (m Machine) ownFolder(data string) error {
	entries, err := os.ReadDir(m.at(data))
	if err != nil || len(entries) == 0 {
		return err
	}
	for _, mark := range marks {
		if _, err := os.Lstat(filepath.Join(m.at(data), mark)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s is not empty and is no agent's data folder: choose another with --data", data)
}

func (m Machine) giveFolder(data string) step {
	return step{
		what: "give the data folder and all in it to " + Name,
		done: func() (bool, error) {
			uid, gid, err := m.IDs(Name)
			if err != nil {
				return false, nil // a step before this one makes the user
			}
			if _, err := os.Lstat(m.at(data)); errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			strangers := 0
			err = eachStranger(m.at(data), uid, gid, func(*os.Root, string) error { strangers++; return nil })
			return strangers == 0, err
		},
		do: func(context.Context) error {
			uid, gid, err := m.IDs(Name)
			if err != nil {
				return err
			}
			return eachStranger(m.at(data), uid, gid, func(root *os.Root, path string) error { return root.Lchown(path, uid, gid) })
		},
	}
}

// HandOver gives all in a data folder to the owner of the folder: what root wrote
// there for an agent that runs as another user.
func HandOver(data string) error {
	info, err := os.Lstat(data)
	if err != nil {
		return fmt.Errorf("giving %s to its owner: %w", data, err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 || os.Geteuid() != 0 {
		return nil
	}
	uid, gid := int(owner.Uid), int(owner.Gid)
	err = eachStranger(data, uid, gid, func(root *os.Root, path string) error { return root.Lchown(path, uid, gid) })
	if err != nil {
		return fmt.Errorf("giving %s to its owner: %w", data, err)
	}
	return nil
}

// eachStranger visits the folder and all below it that belongs to another. It
// never follows a link out of the folder, and passes by files with several names,
// since one of those may be elsewhere.
func eachStranger(dir string, uid, gid int, visit func(root *os.Root, path string) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := root.Lstat(path)
		if err != nil {
			return err
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok || int(owner.Uid) == uid && int(owner.Gid) == gid || !info.IsDir() && owner.Nlink > 1 {
			return nil
		}
		return visit(root, path)
	})
}
