package volume

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNothingOutsideOfAStorageIsOpened(t *testing.T) {
	top := t.TempDir()
	inside := filepath.Join(top, "card")
	err := errors.Join(os.MkdirAll(filepath.Join(inside, "a", "b"), 0o700), os.WriteFile(filepath.Join(top, "secret"), []byte("secret"), 0o600),
		os.WriteFile(filepath.Join(inside, "a", "b", "clip"), []byte("clip"), 0o600), os.Symlink("../secret", filepath.Join(inside, "link")),
		os.Symlink("..", filepath.Join(inside, "up")), os.Symlink("b", filepath.Join(inside, "a", "round")))
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.Open(inside)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	var st unix.Stat_t
	if err := unix.Fstat(int(root.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	s := &storage{root: root, number: st.Dev}
	for path, want := range map[string]error{
		"../secret": unix.EXDEV, "a/../../secret": unix.EXDEV, "..": unix.EXDEV, "/etc/passwd": unix.EXDEV, "a//b": unix.EXDEV, "a/./b": unix.EXDEV,
		"link": unix.ELOOP, "up/secret": unix.ENOTDIR, "a/round/clip": unix.ENOTDIR, "a/b/clip/more": unix.ENOTDIR, "a/none": unix.ENOENT,
	} {
		f, err := s.openBeneath(path, 0)
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", path, err, want)
		}
		if err == nil {
			_ = f.Close()
		}
	}
	for _, path := range []string{"", ".", "a", "a/b"} {
		f, err := s.openBeneath(path, unix.O_DIRECTORY)
		if err != nil {
			t.Fatalf("%q: %v", path, err)
		}
		if names, err := f.Readdirnames(-1); err != nil || len(names) == 0 {
			t.Errorf("%q: %v %v", path, names, err)
		}
		_ = f.Close()
	}
	f, err := s.openBeneath("a/b/clip", 0)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(f); string(text) != "clip" || err != nil {
		t.Errorf("%q %v", text, err)
	}
	_ = f.Close()

	s.number++ // as if all of it were another file system, mounted there
	for _, path := range []string{"a", "a/b/clip", "."} {
		if f, err := s.openBeneath(path, 0); !errors.Is(err, unix.EXDEV) {
			t.Errorf("%q of another file system: %v", path, err)
			_ = f.Close()
		}
	}
}
