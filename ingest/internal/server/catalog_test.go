package server

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
)

func TestOnlyInitMakesACatalog(t *testing.T) {
	r := newServer(t)
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	r.config.Catalog = "sqlite:" + filepath.Join(nowhere, "x.db")
	for name, act := range map[string]func() error{
		"items": func() error {
			return Items(r.ctx, r.config, time.Now, func(*catalog.Item) error { return nil })
		},
		"dock-token": func() error {
			_, err := DockToken(r.ctx, r.config, "main", "front-desk", time.Hour, time.Now)
			return err
		},
		"run": func() error { return Run(r.ctx, r.config, "test", r.logger(), time.Now, nil) },
		"fsck": func() error {
			_, err := Check(r.ctx, r.config, true, time.Now, func(fsck.Finding) {})
			return err
		},
		"setup-link": func() error {
			_, err := SetupLink(r.ctx, r.config, false, time.Now)
			return err
		},
	} {
		if err := act(); err == nil || !strings.Contains(err.Error(), "there is no catalog at "+nowhere) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(nowhere); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s made something", name)
		}
	}
}

func TestInitWithoutACatalogLeavesNothing(t *testing.T) {
	used := newServer(t)
	for catalog, words := range map[string]string{
		"postgres://u:geheim@127.0.0.1:1/evidence": "127.0.0.1",
		used.config.catalogURL():                   "this catalog belongs to another server; make a new database",
	} {
		config := used.config
		config.DataDir, config.Catalog = filepath.Join(t.TempDir(), "other"), catalog
		if _, err := Init(used.ctx, config, used.logger(), time.Now); err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v", err)
		}
		if _, err := os.Stat(config.DataDir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a folder was left behind", catalog)
		}
	}
}
