package sqldb_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

const readable = "Grace Müller" // who wore the cameras of catalogtest

// inClear makes a catalog as earlier programs did.
func inClear(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "catalog.db")
	db, err := sqldb.Open(t.Context(), "sqlite:"+path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(t.Context(), func(tx *sqldb.Tx) error {
		for n := range 200 {
			if err := tx.InsertItem(t.Context(), catalogtest.NewItem(n, time.Now())); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return path
}

func record(ctx context.Context) func(*sqldb.Tx) error {
	return func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, evidence.Event{Version: 1, Agency: catalogtest.Agency, Type: evidence.EventCatalogSealed, At: time.Now().UTC().Truncate(time.Microsecond),
			Actor: evidence.Actor{Kind: "server", ID: "local"}, Source: "local", Object: evidence.KeyObject("catalog"), Outcome: evidence.OutcomeDone})
		return err
	}
}

func readableIn(t *testing.T, dir string) (found []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(readable)) {
			found = append(found, filepath.Base(path))
		}
	}
	return found
}

// sealedWhole opens the sealed catalog and finds everything in it, the record once.
func sealedWhole(t *testing.T, path string) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), "sqlite:"+path, time.Now, sqldb.Sealed(catalogtest.Key))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	page, err := db.Items(t.Context(), catalog.ItemFilter{Agency: catalogtest.Agency}, "", "", 1000)
	if err != nil || len(page.Items) != 200 {
		t.Errorf("%d items: %v", len(page.Items), err)
	}
	events, err := db.Events(t.Context(), catalog.EventFilter{Agency: catalogtest.Agency, Type: evidence.EventCatalogSealed}, 0)
	if err != nil || len(events) != 1 {
		t.Errorf("%d records: %v", len(events), err)
	}
}

func TestACatalogInClearIsSealed(t *testing.T) {
	dir, aside := t.TempDir(), t.TempDir()
	path := inClear(t, dir)
	if readableIn(t, dir) == nil {
		t.Fatal("the search does not find what it looks for")
	}
	if err := os.Link(path, filepath.Join(aside, "former")); err != nil { // shows what becomes of its bytes
		t.Fatal(err)
	}
	if _, err := sqldb.Open(t.Context(), "sqlite:"+path, time.Now, sqldb.Sealed(catalogtest.Key)); !errors.Is(err, sqldb.ErrClear) {
		t.Fatalf("in clear, it opens with a key: %v", err)
	}
	busy, err := sqldb.Open(t.Context(), "sqlite:"+path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	if err := sqldb.Seal(short, path, catalogtest.Key, time.Now, record(t.Context())); err == nil {
		t.Error("sealed while it was open elsewhere")
	}
	cancel()
	if err := busy.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sqldb.Seal(t.Context(), path, catalogtest.Key, time.Now, func(*sqldb.Tx) error { return errors.New("no record") }); err == nil {
		t.Error("sealed without a record")
	}
	if err := sqldb.Seal(t.Context(), path, catalogtest.Key, time.Now, record(t.Context())); err != nil {
		t.Fatal(err)
	}
	sealedWhole(t, path)
	if found := append(readableIn(t, dir), readableIn(t, aside)...); found != nil {
		t.Errorf("%v can be read", found)
	}
	if left, err := filepath.Glob(path + "?*"); err != nil || len(left) > 0 {
		t.Errorf("beside it are %v, %v", left, err)
	}
	other := bytes.Repeat([]byte("other---"), sqldb.KeySize/8)
	if _, err := sqldb.Open(t.Context(), "sqlite:"+path, time.Now, sqldb.Sealed(other)); !errors.Is(err, sqldb.ErrKey) {
		t.Errorf("another key: %v", err)
	}
	if _, err := sqldb.Open(t.Context(), "sqlite:"+path, time.Now); err == nil || !strings.Contains(err.Error(), "it is sealed") {
		t.Errorf("without a key: %v", err)
	}
	if err := sqldb.Seal(t.Context(), path, catalogtest.Key, time.Now, record(t.Context())); err == nil {
		t.Error("sealed twice")
	}
	sealedWhole(t, path)
}

// sealingToBeKilled names, in the environment of a process that is to be killed, the catalog
// and after which step.
const sealingToBeKilled = "SEALDOCK_TEST_SEALING"

// TestSealingToBeKilled is the process of TestSealingMayBeKilledAtAnyStep.
func TestSealingToBeKilled(t *testing.T) {
	path, last, ok := strings.Cut(os.Getenv(sealingToBeKilled), "|")
	if !ok {
		t.Skip("this is a process of another test")
	}
	err := sqldb.SealStepwise(t.Context(), path, catalogtest.Key, time.Now, record(t.Context()), func(done string) {
		if done == last {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			select {}
		}
	})
	t.Fatalf("it came to its end: %v", err)
}

func TestSealingMayBeKilledAtAnyStep(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"copied", "recorded", "synced", "renamed"} {
		dir := t.TempDir()
		path := inClear(t, dir)
		child := exec.CommandContext(t.Context(), program, "-test.run=TestSealingToBeKilled$")
		child.Env = append(os.Environ(), sealingToBeKilled+"="+path+"|"+step)
		out, err := child.CombinedOutput()
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: %v\n%s", step, err, out)
		}
		db, err := sqldb.Open(t.Context(), "sqlite:"+path, time.Now, sqldb.Sealed(catalogtest.Key))
		switch {
		case err == nil:
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		case !errors.Is(err, sqldb.ErrClear):
			t.Fatalf("%s: %v", step, err)
		}
		if sealed := err == nil; sealed != (step == "renamed") {
			t.Errorf("%s: sealed is %v", step, sealed)
		} else if !sealed {
			if err := sqldb.Seal(t.Context(), path, catalogtest.Key, time.Now, record(t.Context())); err != nil {
				t.Fatalf("%s: again: %v", step, err)
			}
		}
		sealedWhole(t, path)
		if found := readableIn(t, dir); found != nil {
			t.Errorf("%s: %v can be read", step, found)
		}
	}
}
