package durable

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func TestWriteFileReplacesWholeFileAndLeavesNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.json")
	for _, text := range []string{"first, a longer text", "second", ""} {
		if err := WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Fatalf("read %q, %v; want %q", got, err, text)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("directory holds %v, %v; want the one file", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

func TestWriteFileReplacesALinkAndNotItsTarget(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(link, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "precious" {
		t.Fatalf("target holds %q, %v", got, err)
	}
}

func TestFailedWriteFileKeepsTheOldBytes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "name")
	if err := os.MkdirAll(filepath.Join(path, "child"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("x"), 0o600); err == nil {
		t.Fatal("a directory was replaced by a file")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Fatalf("left behind: %v", entries)
	}
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, path string
		ok         bool
	}{
		{"several missing levels", filepath.Join(dir, "a", "b", "c"), true},
		{"again", filepath.Join(dir, "a", "b", "c"), true},
		{"trailing slash", filepath.Join(dir, "a", "d") + "/", true},
		{"root", "/", true},
		{"file in the way", file, false},
		{"file as parent", filepath.Join(file, "x"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := MkdirAll(test.path, 0o700)
			if (err == nil) != test.ok {
				t.Fatalf("error %v, want success %v", err, test.ok)
			}
			if info, err := os.Stat(test.path); test.ok && (err != nil || !info.IsDir()) {
				t.Fatalf("not a directory: %v", err)
			}
		})
	}
}

func TestMkdirAllFromManyGoroutines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x", "y", "z")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if err := MkdirAll(path, 0o700); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

func TestRenameAndRemove(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "sub", "to")
	if err := MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(from, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Rename(from, to); err != nil {
		t.Fatal(err)
	}
	if err := Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("renaming a missing file: %v", err)
	}
	if err := Remove(to); err != nil {
		t.Fatal(err)
	}
	if err := Remove(to); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("removing a missing file: %v", err)
	}
	if err := SyncDir(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("flushing a missing directory: %v", err)
	}
}

func TestFileReadsWhatWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blob")
	f, err := CreateFile(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateFile(path, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("creating over an existing file: %v", err)
	}
	must(t, second(f.WriteAt([]byte("hello world"), 3)))
	must(t, f.Truncate(8))
	must(t, f.Sync())
	must(t, f.DropCache())
	must(t, f.Close())

	f, err = OpenFile(path)
	must(t, err)
	if size, err := f.Size(); err != nil || size != 8 {
		t.Fatalf("size %d, %v; want 8", size, err)
	}
	p := make([]byte, 16)
	n, err := f.ReadAt(p, 0)
	if err != io.EOF || !bytes.Equal(p[:n], []byte("\x00\x00\x00hello")) {
		t.Fatalf("read %q, %v", p[:n], err)
	}
	must(t, f.Close())

	if _, err := OpenFile(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("opening a missing file: %v", err)
	}
	r, err := OpenRead(path)
	must(t, err)
	if _, err := r.WriteAt([]byte("x"), 0); err == nil {
		t.Fatal("wrote to a file that was opened for reading")
	}
	must(t, r.Close())
}

func TestDiskFullIsToldPlainlyAndCanBeTriedAgain(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: this machine has no /dev/full: %v", err)
	}
	f := newFile(full, "/var/lib/blob")
	for range 2 {
		_, err = f.WriteAt([]byte("x"), 0)
		if !errors.Is(err, syscall.ENOSPC) || !IsFull(err) {
			t.Fatalf("error is not ENOSPC: %v", err)
		}
		if !bytes.Contains([]byte(err.Error()), []byte("disk full")) || errors.Is(err, ErrPoisoned) {
			t.Fatalf("not the plain words wanted: %v", err)
		}
	}
	must(t, f.Close())
}

func TestFileIsPoisonedByTheFirstFailedSync(t *testing.T) {
	r, w, err := os.Pipe() // fdatasync on a pipe fails with EINVAL
	must(t, err)
	defer r.Close()
	f := newFile(w, "pipe")
	if err := f.Sync(); !errors.Is(err, ErrPoisoned) || !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("first Sync: %v", err)
	}
	f.flush = func(*os.File) error { t.Error("a failed flush was tried again"); return nil }
	wantPoisoned(t, f)
}

// wantPoisoned calls everything on f and wants a refusal each time.
func wantPoisoned(t *testing.T, f *File) {
	t.Helper()
	p := make([]byte, 1)
	for name, call := range map[string]func() error{
		"Sync":       f.Sync,
		"WriteAt":    func() error { return second(f.WriteAt(p, 0)) },
		"ReadAt":     func() error { return second(f.ReadAt(p, 0)) },
		"Truncate":   func() error { return f.Truncate(0) },
		"Size":       func() error { return second(f.Size()) },
		"DropCache":  f.DropCache,
		"FromMedium": f.FromMedium,
	} {
		if err := call(); !errors.Is(err, ErrPoisoned) {
			t.Errorf("%s after a failed Sync: %v, want ErrPoisoned", name, err)
		}
	}
	if err := f.Close(); !errors.Is(err, ErrPoisoned) {
		t.Errorf("Close after a failed Sync: %v, want ErrPoisoned", err)
	}
	if err := f.f.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the descriptor was not released: %v", err)
	}
}

func TestOnlyOneOfConcurrentSyncsMeetsTheKernelAfterAFailure(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	f := newFile(file, "file")
	var flushes int // guarded by f.mu: flush runs under it
	f.flush = func(*os.File) error {
		flushes++
		if flushes == 1 {
			return syscall.EIO // told once, as the kernel does
		}
		return nil
	}
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			if err := f.Sync(); !errors.Is(err, ErrPoisoned) {
				t.Errorf("a Sync succeeded beside the failed one: %v", err)
			}
		})
	}
	wait.Wait()
	if flushes != 1 {
		t.Errorf("%d flushes, want 1", flushes)
	}
	f.Close()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }
