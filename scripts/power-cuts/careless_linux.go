package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// errMaking means that a store could not be made: nothing was found out.
var errMaking = errors.New("making the store")

// flushes are the places of internal/durable that make files survive, and what stands
// there in a server that takes no care.
var flushes = []struct{ file, careful, careless string }{
	{"platform_linux.go", `return onDescriptor(f, "fdatasync", unix.Fdatasync)`, `return nil`},
	{"platform_unix.go", `err := d.Sync()`, `err := error(nil)`},
	{"durable.go", `return f.Sync()`, `return nil`},
}

// selfTest shows that the campaign finds a server out that syncs no file. Its database,
// which syncs by itself, is left as it is.
func (c *campaign) selfTest(ctx context.Context) (err error) {
	if c.careless, err = c.buildCareless(ctx); err != nil {
		return err
	}
	for _, kind := range c.kinds {
		for number := range 2 { // without and with a file system for the catalog
			on := *c
			on.rounds, on.counts = 2*perStore, map[string]int{}
			switch err := on.store(ctx, kind, number); {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, errMaking):
				return err
			case err == nil:
				return fmt.Errorf("%s: a server that syncs no file was not found out in %d cuts: the campaign shows nothing", kind, on.counts["cuts"])
			default:
				first, _, _ := strings.Cut(err.Error(), "\n")
				fmt.Printf("power-cuts: %s: a server that syncs no file is found out after %d cuts: %s\n", kind, on.counts["cuts"], first)
			}
		}
	}
	return os.RemoveAll(c.dir)
}

// buildCareless builds the server from sources in which the flushes are left out.
func (c *campaign) buildCareless(ctx context.Context) (program string, err error) {
	replaced := map[string]string{}
	for _, f := range flushes {
		original, err := filepath.Abs(filepath.Join("internal", "durable", f.file))
		if err != nil {
			return "", err
		}
		source, err := os.ReadFile(original)
		if err != nil {
			return "", fmt.Errorf("building a server that syncs nothing: run it from the top of the sources: %w", err)
		}
		if n := strings.Count(string(source), f.careful); n != 1 {
			return "", fmt.Errorf("building a server that syncs nothing: %q is %d times in %s, want once", f.careful, n, original)
		}
		changed := filepath.Join(c.dir, f.file)
		if err := os.WriteFile(changed, []byte(strings.Replace(string(source), f.careful, f.careless, 1)), 0o600); err != nil {
			return "", err
		}
		replaced[original] = changed
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", err
	}
	at := filepath.Join(c.dir, "overlay.json")
	if err := os.WriteFile(at, overlay, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(c.dir, "careless-ingest")
	return program, call(ctx, "go", "build", "-overlay", at, "-o", program, "./ingest")
}

// turnCareless goes on with the server that syncs nothing; what is there already is kept.
func (r *rig) turnCareless(ctx context.Context) error {
	if err := r.Ingest.Stop(ctx); err != nil {
		return err
	}
	unix.Sync()
	r.Programs.Ingest = r.careless
	return r.StartIngest(ctx)
}
