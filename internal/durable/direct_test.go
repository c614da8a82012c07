package durable

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// fileSystems are folders on the file systems at hand: the one of the temporary
// folder, which mostly has direct I/O, and one in memory, which mostly has not.
func fileSystems(t *testing.T) []string {
	dirs := []string{t.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "durable"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		dirs = append(dirs, dir)
	}
	return dirs
}

func TestWhatIsAppendedIsReadFromTheMedium(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	content := make([]byte, 5<<20)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	for _, dir := range fileSystems(t) {
		for round, most := range []int{1 << 20, 70_000, 3 << 20, 5000} {
			var folders Folders
			path := filepath.Join(dir, "blob")
			a, err := folders.CreateAppender(path, 0o600)
			must(t, err)
			if _, err := folders.CreateAppender(path, 0o600); !errors.Is(err, fs.ErrExist) {
				t.Fatalf("creating over an existing file: %v", err)
			}
			length := 0
			for range 12 {
				n := min(random.IntN(most), len(content)-length)
				must(t, second(a.Write(content[length:length+n])))
				length += n
				if random.IntN(3) == 0 {
					must(t, a.Sync())
					if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content[:length]) {
						t.Fatalf("in round %d the file has %d bytes, want the %d that were flushed; %v", round, len(got), length, err)
					}
				}
			}
			must(t, a.Sync())
			must(t, a.Close())
			if _, err := a.Write([]byte("x")); err == nil {
				t.Fatal("wrote to a closed file")
			}

			f, err := OpenRead(path)
			must(t, err)
			must(t, f.FromMedium())
			for range 40 {
				from, n := random.IntN(length+2), random.IntN(2*piece)
				p := make([]byte, n)
				got, err := f.ReadAt(p, int64(from))
				want := content[min(from, length):min(from+n, length)]
				if !bytes.Equal(p[:got], want) || (err == io.EOF) != (got < n) || err != nil && err != io.EOF {
					t.Fatalf("in round %d read %d of %d bytes at %d of %d: %v", round, got, n, from, length, err)
				}
			}
			must(t, f.Close())
			must(t, os.Remove(path))
		}
	}
}

func TestAnAppenderThatFailedStaysFailed(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: this machine has no /dev/full: %v", err)
	}
	a := &Appender{file: newFile(full, "/var/lib/blob")}
	_, err = a.Write(make([]byte, 3*piece))
	if !IsFull(err) || !bytes.Contains([]byte(err.Error()), []byte("disk full")) {
		t.Fatalf("not the plain words wanted: %v", err)
	}
	if err := a.Sync(); !IsFull(err) {
		t.Fatalf("a flush after it: %v", err)
	}
	if _, err := a.Write([]byte("x")); !IsFull(err) {
		t.Fatalf("another write after it: %v", err)
	}
	must(t, a.Close())
}

func TestAFailedFlushPoisonsAnAppender(t *testing.T) {
	var folders Folders
	a, err := folders.CreateAppender(filepath.Join(t.TempDir(), "blob"), 0o600)
	must(t, err)
	must(t, second(a.Write([]byte("data"))))
	a.file.flush = func(*os.File) error { return syscall.EIO }
	for range 2 {
		if err := a.Sync(); !errors.Is(err, ErrPoisoned) {
			t.Fatalf("Sync: %v", err)
		}
	}
	a.file.flush = func(*os.File) error { t.Error("a failed flush was tried again"); return nil }
	if _, err := a.Write([]byte("more")); !errors.Is(err, ErrPoisoned) {
		t.Fatalf("Write: %v", err)
	}
	if err := a.Close(); !errors.Is(err, ErrPoisoned) {
		t.Fatalf("Close: %v", err)
	}
}

// TestOtherAlignmentsAreFoundOut has the system refuse direct I/O when it comes.
func TestOtherAlignmentsAreFoundOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blob")
	must(t, os.WriteFile(path, []byte("hello world"), 0o600))
	f, err := OpenRead(path)
	must(t, err)
	must(t, f.FromMedium())
	if !f.direct.Load() {
		t.Skip("SKIPPED: no direct I/O here")
	}
	p := make([]byte, 5)
	crooked := (*pieces.Get().(*[]byte))[1:] // memory that direct I/O does not take
	if n, err := f.readDirect(p, 6, crooked[:block]); n != 0 || err != nil || f.direct.Load() {
		t.Skipf("SKIPPED: this file system takes any memory: %d, %v", n, err)
	}
	if n, err := f.ReadAt(p, 6); n != 5 || err != nil || string(p) != "world" {
		t.Fatalf("read %q, %v", p[:n], err)
	}
	must(t, f.Close())
}
