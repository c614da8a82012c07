package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

// sound looks at what is there at this instant; cut says that a cut was just before.
func (r *rig) sound(ctx context.Context, cut bool) error {
	broken, err := r.Violations(ctx)
	if err != nil {
		return err
	}
	rows, err := r.Rows(ctx)
	if err != nil {
		return err
	}
	if broken = append(broken, r.seen.gone(rows)...); len(broken) > 0 {
		return fmt.Errorf("promises are broken:\n%s", strings.Join(broken, "\n"))
	}
	if out, err := r.Fsck(ctx); err != nil {
		return fmt.Errorf("fsck: %w\n%s", err, out)
	}
	if cut {
		r.met(rows)
	}
	return nil
}

// met counts in what state a cut has left what was docked.
func (r *rig) met(rows []station.Row) {
	found := map[string]bool{}
	for _, row := range rows {
		switch {
		case !row.Camera.Plugged || row.Recording.Deleted:
		case row.Item == nil:
			found["met recordings that the server has not heard of"] = true
		case row.Receipt == nil:
			found["met recordings that are "+row.Item.State] = true
		default:
			found["met recordings with a receipt, not erased"] = true
		}
	}
	if len(found) == 0 {
		found["met nothing under way"] = true
	}
	for what := range found {
		r.counts[what]++
	}
}

// drained waits until every docked camera is empty, which it is without hands.
func (r *rig) drained(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return station.Wait(ctx, func() (bool, string) {
		o, err := r.Oracle()
		if err != nil {
			return false, err.Error()
		}
		left := 0
		for _, camera := range o.Cameras {
			for _, recording := range camera.Recordings {
				if camera.Plugged && !recording.Deleted {
					left++
				}
			}
		}
		return left == 0, fmt.Sprintf("%d recordings are still on docked cameras", left)
	})
}

// settled looks whether everything came to its end without hands.
func (r *rig) settled(ctx context.Context) error {
	if err := r.drained(ctx); err != nil {
		return err
	}
	rows, err := r.Rows(ctx)
	if err != nil {
		return err
	}
	ended := 0
	for _, row := range rows {
		untouched := !row.Camera.Plugged && !row.Recording.Deleted && row.Item == nil // not docked yet
		if untouched {
			continue
		}
		if row.Receipt == nil || row.Item.State != "stored" || !row.Recording.Deleted {
			return fmt.Errorf("%s %s did not come to its end: %+v", row.Camera.Serial, row.Recording.Path, row.Item)
		}
		ended++
	}
	if err := r.sound(ctx, false); err != nil {
		return err
	}
	broken, err := r.Checkpoints(ctx, r.seen.published())
	if err != nil {
		return err
	}
	if len(broken) > 0 {
		return fmt.Errorf("checkpoints that were published before do not hold: %v", broken)
	}
	if err := errors.Join(r.alerts(ctx), r.panics(), r.leftovers(ctx)); err != nil {
		return err
	}
	r.counts["recordings stored and erased"] += ended - r.ended
	r.counts["checkpoints seen"] += len(r.seen.published()) - r.published
	r.ended, r.published = ended, len(r.seen.published())
	return nil
}

// alerts finds any: whatever a cut does comes right by itself, and nobody is told otherwise.
func (r *rig) alerts(ctx context.Context) error {
	out, err := r.Operate(ctx, "alerts", "list", "--all", "--json")
	if err == nil && strings.TrimSpace(out) != "" {
		err = fmt.Errorf("a false alarm:\n%s", out)
	}
	return err
}

// panics looks whether a program fell over a file system that was taken away from it.
func (r *rig) panics() error {
	for _, p := range []*station.Process{r.Ingest, r.Agent} {
		text, err := os.ReadFile(p.Log)
		if err != nil {
			return err
		}
		// A fault in memory that is mapped from the file system is the cut's doing.
		if at := strings.Index(string(text), "\npanic: "); at >= 0 {
			return fmt.Errorf("%s fell over:\n%.2000s", p.Name, text[at+1:])
		}
	}
	return nil
}

// leftovers waits until no unfinished file is left.
func (r *rig) leftovers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return station.Wait(ctx, func() (bool, string) {
		found, err := unfinished(r.Options.IngestDir, r.Options.AgentDir)
		if err != nil {
			return false, err.Error()
		}
		return len(found) == 0, "unfinished files are left: " + strings.Join(found, " ")
	})
}

// unfinished are files that were never part of anything, partial recordings, and
// recordings in the spool although no camera waits for them.
func unfinished(roots ...string) (found []string, err error) {
	for _, root := range roots {
		err = errors.Join(err, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone meanwhile
			}
			in := filepath.Base(filepath.Dir(path))
			if err == nil && !d.IsDir() && (temporary(path) || strings.HasSuffix(path, ".floe") && (in == "recordings" || strings.Contains(path, "/partial/"))) {
				found = append(found, path)
			}
			return err
		}))
	}
	return found, err
}

func temporary(path string) bool {
	return strings.HasPrefix(filepath.Base(path), durable.TempPrefix)
}

// age has what a cut left of files that were being written look as old as it is when a
// power cut was a real one: the next start removes it.
func (r *rig) age(roots ...string) error {
	found, err := unfinished(roots...)
	before := time.Now().Add(-2 * durable.UnfinishedAge)
	for _, path := range found {
		if temporary(path) {
			r.counts["unfinished files left by a cut"]++
			err = errors.Join(err, os.Chtimes(path, before, before))
		}
	}
	return err
}

// backups verifies what was made; one that a cut met is no backup.
func (r *rig) backups(ctx context.Context) error {
	all, err := filepath.Glob(filepath.Join(r.server[0].at, "backups", "2*"))
	if err != nil || len(all) == 0 {
		return err
	}
	for _, dir := range all {
		cmd := exec.CommandContext(ctx, r.programs.Ingest, "verify-backup", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("backup %s: %w\n%s", dir, err, out)
		}
		r.counts["backups verified"]++
	}
	return nil
}
