package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sealdock/sealdock/proto/evidence"
)

// smallDisk mounts a file system of its own, which needs root.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// full fills the rest of a file system; release empties it again.
func full(t *testing.T, dir string) (release func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := bytes.Repeat([]byte{1}, 4096); ; {
		if _, err := f.Write(block); err != nil {
			return func() { os.Remove(path) }
		}
	}
}

func TestFullDiskAtEveryStepLosesNothingAndPassesByItself(t *testing.T) {
	for _, step := range []string{"begin", "segment", "commit"} {
		t.Run(step, func(t *testing.T) {
			opt := options(smallDisk(t, "size=16m"))
			s := open(t, opt)
			rec, err := s.Add(t.Context(), video, evidence.NewDockingID(), "1-1")
			if err != nil {
				t.Fatal(err)
			}
			release := func() {}
			err = func() error {
				if step == "begin" {
					release = full(t, opt.Dir)
				}
				w, err := s.Begin(t.Context(), rec.Evidence, rec.Docking, "1-1", video.Size)
				if err != nil {
					return err
				}
				defer w.Drop()
				header, segments, _ := body(video.Size)
				if err := errors.Join(w.Header(header), w.Segment(segments[0])); err != nil {
					return err
				}
				if step == "segment" {
					release = full(t, opt.Dir)
				}
				for _, segment := range segments[1:] {
					if err := w.Segment(segment); err != nil {
						return err
					}
				}
				if step == "commit" {
					release = full(t, opt.Dir)
				}
				_, _, leaves := body(video.Size)
				return w.Commit(t.Context(), Sealed{Length: video.Size, SHA256: evidence.Digest{1}, MerkleRoot: evidence.Digest{1}, Leaves: leaves, Manifest: bytes.Repeat([]byte("m"), 20_000), WrappedKey: []byte("w")})
			}()
			if !errors.Is(err, ErrFull) {
				t.Fatalf("a full disk at %s: %v, want ErrFull", step, err)
			}
			if names := files(t, s); len(names) != 0 {
				t.Fatalf("files are left: %v", names)
			}
			release()
			if used, _ := s.Usage(); used != 0 {
				t.Fatalf("%d bytes are counted as used", used)
			}
			if again := spooled(t, s, video); again.Evidence != rec.Evidence {
				t.Fatal("it did not go on with the same item")
			}
		})
	}
}

func TestUsedUpInodesPauseLikeAFullDisk(t *testing.T) {
	opt := options(smallDisk(t, "size=64m,nr_inodes=24"))
	s := open(t, opt)
	rec, err := s.Add(t.Context(), video, evidence.NewDockingID(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for i := range 100 {
		path := filepath.Join(opt.Dir, "inode-"+string(rune('A'+i)))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			break
		}
		made = append(made, path)
	}
	if _, err := s.Begin(t.Context(), rec.Evidence, rec.Docking, "1-1", video.Size); !errors.Is(err, ErrFull) {
		t.Fatalf("without inodes: %v, want ErrFull", err)
	}
	for _, path := range made {
		os.Remove(path)
	}
	spooled(t, s, video)
}

func TestACopyLargerThanTheDiskIsToldFromAFullDisk(t *testing.T) {
	opt := options(smallDisk(t, "size=16m"))
	s := open(t, opt)
	large := video
	large.Path, large.Size = "LARGE.MP4", 64<<20
	rec, err := s.Add(t.Context(), large, evidence.NewDockingID(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	spooled(t, s, video) // does not count: it will be handed over
	begin := func() error {
		_, err := s.Begin(t.Context(), rec.Evidence, rec.Docking, "1-1", large.Size)
		return err
	}
	var told *LargeError
	if err := begin(); !errors.Is(err, ErrFull) || !errors.As(err, &told) || told.Quota || told.Need < large.Size || told.Room < 12<<20 || told.Room > 16<<20 {
		t.Fatalf("a copy larger than the disk: %v", err)
	}
	if used, _ := s.Usage(); used > video.Size+1<<20 {
		t.Fatalf("%d bytes are counted as used", used)
	}
}
