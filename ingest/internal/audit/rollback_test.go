package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
)

// backup copies the catalog as it is and returns how to bring it back.
func (w *world) backup() (restore func()) {
	w.Helper()
	path := filepath.Join(w.TempDir(), "backup.db")
	_, err := catalogtest.Raw(w, w.url).ExecContext(w.Context(), "VACUUM INTO '"+path+"'")
	w.must(err)
	return func() {
		w.must(w.db.Close())
		w.url = "sqlite:" + path
		w.db = w.openDB()
	}
}

func (w *world) refused(words string) {
	w.Helper()
	before, err := os.ReadFile(filepath.Join(w.dir, "checkpoint"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.Fatal(err)
	}
	_, err = audit.Open(w.Context(), w.config())
	if !errors.Is(err, audit.ErrRolledBack) || !strings.Contains(err.Error(), words) {
		w.Errorf("got %v, want a refusal with %q", err, words)
	}
	if after, _ := os.ReadFile(filepath.Join(w.dir, "checkpoint")); string(after) != string(before) {
		w.Error("a refused log published something")
	}
}

func (w *world) sequenced(n int) {
	w.Helper()
	w.append(n)
	w.open()
}

func TestACatalogFromABackupIsRefused(t *testing.T) {
	for name, forget := range map[string][]string{
		"all files there":            nil,
		"the checkpoint was lost":    {"checkpoint"},
		"the note was lost":          {"signed-size"},
		"the tiles were lost":        {"tile"},
		"the tiles and note as well": {"tile", "signed-size"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time goes into flushing
			w := newWorld(t)
			w.sequenced(5)
			restore := w.backup()
			w.sequenced(5)
			restore()
			for _, f := range forget {
				w.must(os.RemoveAll(filepath.Join(w.dir, f)))
			}
			w.refused("restored from an older backup")
			w.append(20) // other events in the place of those that were signed
			w.refused("restored from an older backup")
		})
	}
}

func TestAnEmptyCatalogBesideAnOldLogIsRefused(t *testing.T) {
	w := newWorld(t)
	w.sequenced(5)
	w.must(w.db.Close())
	w.url += ".new"
	w.db = w.openDB()
	w.refused("belongs to another server")
}

// What was signed once can never be signed differently, not even when the
// catalog lost only what was assigned but not saved.
func TestAnotherHistoryOfTheSameLengthIsRefused(t *testing.T) {
	w := newWorld(t)
	w.sequenced(5)
	restore := w.backup()
	w.sequenced(2)
	restore()
	// Somebody gives two new events the indices by hand.
	w.append(2)
	state, err := w.db.LogState(t.Context())
	w.must(err)
	_, err = w.db.AssignIndices(t.Context(), state.Holder, 1, 10)
	w.must(err)
	if _, err := audit.Open(t.Context(), w.config()); !errors.Is(err, audit.ErrRolledBack) {
		t.Fatalf("got %v", err)
	}
}

func TestLostOrDamagedTilesAreWrittenAnew(t *testing.T) {
	flip := func(w *world, path string) {
		data, err := os.ReadFile(filepath.Join(w.dir, path))
		w.must(err)
		data[len(data)-1] ^= 1
		w.must(os.WriteFile(filepath.Join(w.dir, path), data, 0o600))
	}
	for name, damage := range map[string]func(w *world){
		"all lost":                  func(w *world) { w.must(os.RemoveAll(filepath.Join(w.dir, "tile"))) },
		"the last tile lost":        func(w *world) { w.must(os.RemoveAll(filepath.Join(w.dir, "tile/0/001.p"))) },
		"the last bundle lost":      func(w *world) { w.must(os.RemoveAll(filepath.Join(w.dir, "tile/entries/001.p"))) },
		"a bit of the last tile":    func(w *world) { flip(w, "tile/0/001.p/44") },
		"a bit of the last bundle":  func(w *world) { flip(w, "tile/entries/001.p/44") },
		"a bit of the tile above":   func(w *world) { flip(w, "tile/1/000.p/1") },
		"the log's folder was lost": func(w *world) { w.must(os.RemoveAll(w.dir)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time goes into flushing
			w := newWorld(t)
			w.sequenced(100)
			w.sequenced(200)
			w.published()
			damage(w)
			w.append(1)
			w.check(w.open(), 301)
		})
	}
}

func TestALogFolderFromABackupIsWrittenUp(t *testing.T) {
	w := newWorld(t)
	w.sequenced(100)
	old := filepath.Join(t.TempDir(), "log")
	w.must(os.CopyFS(old, os.DirFS(w.dir)))
	w.sequenced(200)
	w.published()
	w.dir = old
	w.check(w.open(), 300)
}

func TestEditedRowsAreNotSigned(t *testing.T) {
	for name, edit := range map[string]string{
		"an event that is not signed yet is gone": "DROP TRIGGER events_never_deleted; DELETE FROM events WHERE log_index = 6",
		"the size":           "UPDATE log_state SET size = 4",
		"the root":           "UPDATE log_state SET root = zeroblob(32)",
		"the checkpoint":     "UPDATE log_state SET checkpoint = NULL",
		"assigned goes back": "UPDATE log_state SET assigned = 4, size = 4, checkpoint = NULL, root = NULL",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time goes into flushing
			w := newWorld(t)
			w.sequenced(5)
			w.append(3)
			_, err := w.db.AssignIndices(t.Context(), "node-a#x", 1, 10)
			w.must(err)
			_, err = catalogtest.Raw(t, w.url).ExecContext(t.Context(), edit)
			w.must(err)
			if _, err := audit.Open(t.Context(), w.config()); !errors.Is(err, audit.ErrRolledBack) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestAnotherKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	w.sequenced(5)
	config := w.config()
	config.Origin = "example.org/other"
	if _, err := audit.Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), "checkpoint key") {
		t.Fatalf("got %v", err)
	}
}

func TestADamagedNoteIsRefused(t *testing.T) {
	for _, text := range []string{"", "x", "sealdock/signed-size/v1\n-1\n\n", "sealdock/signed-size/v1\n05\nAAAA\n", "sealdock/signed-size/v1\n5\nAAAA\n"} {
		w := newWorld(t)
		w.sequenced(5)
		w.must(os.WriteFile(filepath.Join(w.dir, "signed-size"), []byte(text), 0o600))
		if _, err := audit.Open(t.Context(), w.config()); err == nil || !strings.Contains(err.Error(), "signed-size") {
			t.Errorf("note %q: %v", text, err)
		}
	}
}

func TestAChangedLogOriginIsNamedAsThePossibleCause(t *testing.T) {
	w := newWorld(t)
	w.sequenced(1)
	config := w.config()
	config.Origin = "example.org/renamed"
	if _, err := audit.Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), "log_origin was changed") {
		t.Errorf("got %v", err)
	}
}
