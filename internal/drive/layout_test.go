//go:build unix

package drive

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// All parts together are the sealed file, each segment lies in one of them, and
// none is too long for FAT32.
func TestPartsAreTheSealedFileCutBetweenSegments(t *testing.T) {
	const gib = 1 << 30
	for _, length := range []uint64{0, 1, seal.SegmentSize, seal.SegmentSize + 1, gib - 1, gib, gib + 1, 2 * gib, 5*gib + 12345, evidence.MaxLength} {
		var total uint64
		next := uint64(0)
		for part := range Parts(length) {
			first, end := Segments(length, part)
			if first != next || end <= first {
				t.Fatalf("%d bytes: part %d has segments %d to %d", length, part, first, end)
			}
			next = end
			size := PartSize(length, part)
			if size > 4<<30-1 {
				t.Fatalf("%d bytes: part %d has %d bytes", length, part, size)
			}
			for _, index := range []uint64{first, end - 1} {
				in, offset := Place(index)
				if in != part || offset+int64(seal.SegmentLen(length, index))+seal.Overhead > size {
					t.Fatalf("%d bytes: segment %d lies in part %d at %d, part %d has %d bytes", length, index, in, offset, part, size)
				}
				if whole := total + uint64(offset); whole != seal.HeaderSize+index*(seal.SegmentSize+seal.Overhead) {
					t.Fatalf("%d bytes: segment %d is at byte %d of the whole", length, index, whole)
				}
			}
			total += uint64(size)
		}
		if next != seal.SegmentCount(length) || total != seal.SealedSize(length) {
			t.Errorf("%d bytes: %d segments and %d sealed bytes in parts", length, next, total)
		}
		if Parts(length) > evidence.MaxCarriedFiles {
			t.Errorf("%d bytes: %d parts do not fit the index", length, Parts(length))
		}
	}
}

func TestNamesOfFilesTellTheirRecording(t *testing.T) {
	id := evidence.NewEvidenceID()
	for _, name := range []string{Offer(id, 7), Part(id, 7, 0), Part(id, 7, 131), Receipt(id, 7)} {
		if got, attempt, ok := ParseName(filepath.Base(name)); !ok || got != id || attempt != 7 {
			t.Errorf("%s: %v, %d, %v", name, got, attempt, ok)
		}
	}
	for _, name := range []string{"", "-", id.String(), id.String() + "-0.offer", id.String() + "-x.json", ".durable-ABC", strings.ToUpper(id.String()) + "-1.json", id.String() + "-99999999999.json"} {
		if _, _, ok := ParseName(name); ok {
			t.Errorf("%q is taken for a recording's", name)
		}
	}
}

func TestNothingIsReadPastItsBoundOrThroughALink(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	f, err := Make(dir, "riverton", "north-1")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	secret := filepath.Join(outside, "secret")
	in := func(name string) string { return filepath.Join(f.Path(), name) }
	for _, err := range []error{
		os.WriteFile(secret, []byte("secret"), 0o600), os.WriteFile(in("long"), make([]byte, 101), 0o600),
		os.Symlink(secret, in("link")), os.Symlink(outside, in("away")), syscall.Mkfifo(in("pipe"), 0o600), os.Mkdir(in("folder"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"long", "link", "away/secret", "../../" + filepath.Base(outside) + "/secret", secret, "pipe", "folder", "nothing"} {
		if data, err := f.Read(name, 100); err == nil {
			t.Errorf("%s was read: %q", name, data)
		}
	}
	for _, name := range []string{"away/new", "nothing/new"} {
		if written, err := f.Put(name, []byte("x")); err == nil && written {
			t.Errorf("%s was written", name)
		}
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("outside lies %v, %v", entries, err)
	}
	if written, err := f.Put("a", []byte("x")); err != nil || !written {
		t.Error(written, err)
	}
	if written, err := f.Put("a", []byte("x")); err != nil || written {
		t.Error("the same again:", written, err)
	}
}

func TestTroublesOfDrivesAreSaidPlainly(t *testing.T) {
	for cause, said := range map[error]string{
		syscall.EROFS: "read-only", syscall.ENOSPC: "full", syscall.EIO: "was it pulled?", syscall.ENODEV: "was it pulled?", syscall.ENOTDIR: "not a folder", syscall.EACCES: "may not write", syscall.EFBIG: "no file that long",
	} {
		err := Explain(&os.PathError{Op: "write", Path: "/media/x", Err: cause}, "/media")
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), said) {
			t.Errorf("%v: %v", cause, err)
		}
	}
	if Explain(nil, "x") != nil {
		t.Error("no trouble is one")
	}
}
