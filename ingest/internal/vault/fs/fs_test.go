package fs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/ingest/internal/vault/vaulttest"
	"github.com/sealdock/sealdock/internal/tlog"
)

var _ tlog.Tiles = (*TileStore)(nil)

func open(t *testing.T, dir string) vault.Store {
	t.Helper()
	s, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) { vaulttest.Run(t, open) }

func partialFile(dir string) string { return filepath.Join(dir, name(vault.Partial, vaulttest.Key(1))) }

func segment(index uint64) []byte { return vaulttest.Segment(index, vault.SealedSegment) }

// begin makes a partial blob of n whole segments.
func begin(t *testing.T, s vault.Store, n uint64) vault.Upload {
	t.Helper()
	u, err := s.Create(t.Context(), vaulttest.Key(1), vaulttest.Header())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	for i := range n {
		if err := u.WriteSegment(i, segment(i)); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

// What a crash can leave of a partial file, how many places it counts, and how
// many of them hold a segment.
func TestAPartialFileOfAnyShapeGoesOn(t *testing.T) {
	header := vaulttest.Header()
	whole := append(append(bytes.Clone(header), segment(0)...), segment(1)...)
	for promise, c := range map[string]struct {
		file         []byte
		places, want uint64
	}{
		"empty":                        {nil, 0, 0},
		"within the header":            {header[:5], 0, 0},
		"header only":                  {header, 0, 0},
		"torn first segment":           {whole[:len(header)+100], 1, 0},
		"one whole":                    {whole[:len(header)+vault.SealedSegment], 1, 1},
		"one and a torn one":           {whole[:len(whole)-1], 2, 1},
		"two whole":                    {whole, 2, 2},
		"length written, bytes not":    {make([]byte, len(header)+vault.SealedSegment), 0, 0},
		"length of a torn header":      {make([]byte, 7), 0, 0},
		"zeros behind what was synced": {append(bytes.Clone(whole), make([]byte, 500)...), 3, 2},
	} {
		t.Run(promise, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			path := partialFile(dir)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, c.file, 0o600)); err != nil {
				t.Fatal(err)
			}
			u := begin(t, s, 0)
			if n, err := u.Segments(); err != nil || n != c.places {
				t.Fatalf("%d segments, %v; want %d", n, err, c.places)
			}
			if err := u.Truncate(c.want); err != nil {
				t.Fatal(err)
			}
			for i := c.want; i < 2; i++ {
				if err := u.WriteSegment(i, segment(i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := u.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dir, name(vault.Committed, vaulttest.Key(1))))
			if err != nil || !bytes.Equal(got, whole) {
				t.Fatalf("%d bytes, %v; want the two segments", len(got), err)
			}
		})
	}
}

func TestACommitCutShortIsDoneAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	killed := errors.New("killed")
	s.(*Store).hooks.beforeRename = func() error { return killed }
	u := begin(t, s, 2)
	if err := u.Commit(t.Context()); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	u.Close()
	u = begin(t, open(t, dir), 0)
	if n, err := u.Segments(); err != nil || n != 2 {
		t.Fatalf("%d segments, %v; want 2", n, err)
	}
	if err := u.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	u.Close()
	if _, err := open(t, dir).Create(t.Context(), vaulttest.Key(1), vaulttest.Header()); !errors.Is(err, vault.ErrConflict) {
		t.Fatalf("after the commit: %v", err)
	}
}

func TestACommitRefusesATornEnd(t *testing.T) {
	dir := t.TempDir()
	u := begin(t, open(t, dir), 1)
	f, err := os.OpenFile(partialFile(dir), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write([]byte("torn"))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(t.Context()); err == nil {
		t.Fatal("a torn end was committed")
	}
}

// A full disk is told as such, harms nothing, and the upload goes on when there
// is room.
func TestAFullDiskHarmsNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("SKIPPED: A FULL DISK WAS NOT TESTED: mounting a small tmpfs needs root and the right to mount: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := open(t, dir)
	u := begin(t, s, 2)
	if err := u.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := u.WriteSegment(2, segment(2)); !errors.Is(err, vault.ErrFull) {
		t.Fatalf("got %v, want %v", err, vault.ErrFull)
	}
	if err := u.Truncate(2); err != nil {
		t.Fatal(err)
	}
	if n, err := u.Segments(); err != nil || n != 2 {
		t.Fatalf("%d segments, %v; want 2", n, err)
	}
	if err := Tiles(filepath.Join(dir, "log")).Put(t.Context(), "tile/0/000", make([]byte, 1<<20)); !errors.Is(err, vault.ErrFull) {
		t.Fatalf("a tile on a full disk: %v", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(u.WriteSegment(2, segment(2)), u.Commit(t.Context())); err != nil {
		t.Fatal(err)
	}
	b, err := s.Open(t.Context(), vaulttest.Key(1))
	if err != nil || b.Size() != int64(len(vaulttest.Header())+3*vault.SealedSegment) {
		t.Fatal("the blob is not whole", err)
	}
	b.Close()
}

func TestForeignFilesAreListedAsSuch(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	u := begin(t, s, 1)
	if err := u.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	good := filepath.Base(name(vault.Committed, vaulttest.Key(1)))
	odd := []string{
		"blobs/readme.txt",
		"blobs/metro-pd/" + good,
		"blobs/metro-pd/00/" + good,
		"blobs/metro-pd/ab/" + good + ".bak",
		"blobs/metro-pd/ab/0" + good,
		"blobs/METRO/ab/" + good,
		"partial/metro-pd/" + good[:32] + "-01.floe",
		"partial/metro-pd/" + good[:32] + "-0.floe",
		"quarantine/x",
	}
	for _, o := range odd {
		path := filepath.Join(dir, o)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "blobs/metro-pd/ab", good[:31]+"f-1.floe")); err != nil {
		t.Fatal(err)
	}
	var foreign, ours int
	if err := s.List(t.Context(), func(i vault.Info) error {
		if i.Place == vault.Foreign {
			foreign++
		} else {
			ours++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if foreign != len(odd)+1 || ours != 1 {
		t.Errorf("%d foreign and %d of ours, want %d and 1", foreign, ours, len(odd)+1)
	}
}

func TestTilesAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	s := Tiles(dir)
	if _, err := s.Get(t.Context(), "tile/0/000"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, path := range []string{"tile/0/000.p/5", "tile/entries/000.p/5", "tile/0/x001/234", "checkpoint", "checkpoint"} {
		if err := s.Put(t.Context(), path, []byte(path)); err != nil {
			t.Fatal(err)
		}
		if got, err := Tiles(dir).Get(t.Context(), path); err != nil || string(got) != path {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if err := s.Put(t.Context(), "tile/0/000", []byte("full")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "tile/0/000.p/5"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a replaced partial tile: %v", err)
	}
	if _, err := s.Get(t.Context(), "tile/entries/000.p/5"); err != nil {
		t.Errorf("a partial bundle that is not replaced: %v", err)
	}
	if err := s.Put(t.Context(), "tile/0/000.p/6", []byte("again")); err != nil {
		t.Errorf("a folder that was dropped is made again: %v", err)
	}
	for _, path := range []string{"", ".", "..", "../x", "/etc/passwd", "tile/../../x", "tile//0", "tile/0/", "A", "a\\b", "a\x00"} {
		if err := s.Put(t.Context(), path, nil); err == nil {
			t.Errorf("%q was taken", path)
		}
		if _, err := s.Get(t.Context(), path); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q was looked for: %v", path, err)
		}
	}
}

func FuzzParseName(f *testing.F) {
	f.Add(name(vault.Committed, vaulttest.Key(1)))
	f.Add(name(vault.Partial, vaulttest.Key(1)))
	f.Add("blobs/a/../b-1.floe")
	f.Fuzz(func(t *testing.T, path string) {
		for _, p := range []vault.Place{vault.Committed, vault.Partial, vault.Quarantined} {
			if key, err := parseName(p, path); err == nil && name(p, key) != path {
				t.Errorf("%q was read as %s, which is %q", path, key, name(p, key))
			}
		}
	})
}
