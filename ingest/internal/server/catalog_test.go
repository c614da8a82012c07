package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/proto/evidence"
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

// A running server gives items their slots. Ids and times are those of an import.
func TestAServerPreparesItemsForSearches(t *testing.T) {
	r := newServer(t)
	db := r.catalog()
	const block = 4096
	if err := db.Update(r.ctx, func(tx *sqldb.Tx) error {
		for n := range block {
			sum := evidence.SHA256(fmt.Append(nil, n))
			i := &catalog.Item{Agency: r.config.agency(), ID: evidence.EvidenceID(sum[:16]), Attempt: 1, Dock: "main", Station: "front-desk", Camera: "CAM-1", Path: fmt.Sprint(n), Kind: evidence.KindVideo,
				SHA256: sum, MerkleRoot: sum, ManifestDigest: sum, OfferedAt: time.Now().Add(-2 * time.Hour)}
			if err := tx.InsertItem(r.ctx, i); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	r.start()
	raw := catalogtest.Raw(t, r.config.catalogURL(), r.catalogSecret())
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for slots := 0; slots < block; {
		if err := raw.QueryRowContext(r.ctx, "SELECT count(*) FROM items WHERE slot > 0").Scan(&slots); err != nil {
			t.Fatal(err)
		}
		select {
		case <-again.C:
		case <-r.ctx.Done():
			t.Fatalf("%d items have slots", slots)
		}
	}
	page, n, counted, err := db.ItemsCounted(r.ctx, catalog.ItemFilter{Agency: r.config.agency(), Camera: "CAM-1"}, catalog.NewestArrival, "", 50, 1001, time.Minute)
	if err != nil || len(page.Items) != 50 || n != 1001 || !counted {
		t.Errorf("%d items, %d counted: %v", len(page.Items), n, err)
	}
}
