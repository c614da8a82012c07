package pack

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/proto/evidence"
)

func archive(t testing.TB, files ...File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(t.Context(), &b, files); err != nil {
		t.Fatal(err)
	}
	size, err := Size(files)
	if err != nil || size != uint64(b.Len()) {
		t.Fatalf("it has %d bytes, announced were %d: %v", b.Len(), size, err)
	}
	return b.Bytes()
}

func TestOtherProgramsReadIt(t *testing.T) {
	b := archive(t, Bytes("README.txt", []byte("hello")), Bytes("items/a/empty.bin", nil), Bytes("items/a/x.MP4", bytes.Repeat([]byte{7}, 100_000)))
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(z.File) != 3 {
		t.Fatal(err)
	}
	for i, n := range []int{5, 0, 100_000} {
		r, err := z.File[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || len(got) != n {
			t.Errorf("%s: %d bytes, %v", z.File[i].Name, len(got), err)
		}
	}
	a, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(a.Entries) != 3 {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(a.Content(&a.Entries[0])); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

// sparse is a file of zeros with a frame around them, without its bytes.
type sparse struct {
	parts map[int64][]byte
	size  int64
}

func (s *sparse) Write(p []byte) (int, error) {
	if len(p) < 4096 || bytes.Trim(p, "\x00") != nil {
		s.parts[s.size] = bytes.Clone(p)
	}
	s.size += int64(len(p))
	return len(p), nil
}

func (s *sparse) ReadAt(p []byte, at int64) (int, error) {
	if at >= s.size {
		return 0, io.EOF
	}
	clear(p)
	for from, b := range s.parts {
		if from < at+int64(len(p)) && from+int64(len(b)) > at {
			copy(p[max(0, from-at):], b[max(0, at-from):])
		}
	}
	return int(min(int64(len(p)), s.size-at)), nil
}

// zeros is a file of n zeros, whose CRC is made by doubling.
func zeros(name string, n uint64) File {
	chunk := make([]byte, 64<<20)
	crc := uint32(0)
	for left := n; left > 0; left -= min(left, uint64(len(chunk))) {
		crc = crc32.Update(crc, crc32.IEEETable, chunk[:min(left, uint64(len(chunk)))])
	}
	return File{Name: name, Size: n, CRC32: crc, Content: func(_ context.Context, w io.Writer) error {
		for left := n; left > 0; left -= min(left, uint64(len(chunk))) {
			if _, err := w.Write(chunk[:min(left, uint64(len(chunk)))]); err != nil {
				return err
			}
		}
		return nil
	}}
}

// A recording of more than 4 GiB, and a file behind it, need zip64.
func TestLongRecordingsAreReadByOtherPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("4 GiB are hashed twice")
	}
	const long = 1<<32 + 7
	s := &sparse{parts: map[int64][]byte{}}
	if err := Write(t.Context(), s, []File{Bytes("a.txt", []byte("first")), zeros("long.MP4", long), Bytes("z.txt", []byte("last"))}); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(s, s.size)
	if err != nil || len(z.File) != 3 || z.File[1].UncompressedSize64 != long {
		t.Fatalf("another reader: %v", err)
	}
	r, err := z.File[2].Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "last" {
		t.Errorf("what is behind it: %q, %v", got, err)
	}
	a, err := Open(s, s.size)
	if err != nil || a.Entries[1].Size != long {
		t.Errorf("own reader: %v", err)
	}
}

func TestNamesThatLeadElsewhereAreRefused(t *testing.T) {
	for _, name := range []string{"", "/etc/passwd", "../a", "a/../b", "a/./b", "a//b", "a/", ".hidden", "a/.ssh", `a\b`, "C:x", "a b", "ä", "a\x00", strings.Repeat("a", 201), "a\n"} {
		if CheckName(name) == nil {
			t.Errorf("%q was taken", name)
		}
		if err := Write(t.Context(), io.Discard, []File{Bytes(name, nil)}); err == nil {
			t.Errorf("%q was written", name)
		}
	}
	for _, name := range []string{"a", "A-b_c.0", "items/00ff/original/CLIP.MP4"} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
	if err := Write(t.Context(), io.Discard, []File{Bytes("a", nil), Bytes("A", nil)}); err == nil {
		t.Error("a name was written twice")
	}
}

func TestContentThatIsNotAsAnnouncedEndsTheWriting(t *testing.T) {
	broken := errors.New("broken")
	for name, f := range map[string]File{
		"shorter":     {Name: "a", Size: 6, CRC32: crc32.ChecksumIEEE([]byte("hello")), Content: Bytes("a", []byte("hello")).Content},
		"another CRC": {Name: "a", Size: 5, CRC32: 1, Content: Bytes("a", []byte("hello")).Content},
		"an error":    {Name: "a", Content: func(context.Context, io.Writer) error { return broken }},
	} {
		if err := Write(t.Context(), io.Discard, []File{f}); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}

// Every byte of the frame has one value.
func TestEveryByteOfTheFrameCounts(t *testing.T) {
	b := archive(t, Bytes("a", []byte("hello")), Bytes("b/c", []byte("world")))
	first, second := bytes.Index(b, []byte("hello")), bytes.Index(b, []byte("world"))
	for at := range b {
		for bit := range 8 {
			harmed := bytes.Clone(b)
			harmed[at] ^= 1 << bit
			_, err := Open(bytes.NewReader(harmed), int64(len(harmed)))
			if inside := at >= first && at < first+5 || at >= second && at < second+5; inside != (err == nil) {
				t.Errorf("bit %d of byte %d: %v", bit, at, err)
			}
			if err != nil && !errors.Is(err, ErrForm) {
				t.Errorf("bit %d of byte %d: %v", bit, at, err)
			}
		}
	}
	for n := range b {
		if _, err := Open(bytes.NewReader(b[:n]), int64(n)); !errors.Is(err, ErrForm) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestAnErrorOfReadingIsNoFormOfThePackage(t *testing.T) {
	broken := errors.New("the disk is gone")
	b := archive(t, Bytes("a", []byte("hello")))
	if _, err := Open(failing{broken}, int64(len(b))); !errors.Is(err, broken) || errors.Is(err, ErrForm) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func TestTheIndexNamesEveryFileInOrder(t *testing.T) {
	x := Index{Page: true, Docks: make([]Dock, 2), Items: []Item{{ID: evidence.EvidenceID{1}, Original: "A.MP4", List: "l.mhl", Inventories: 2, Releases: 1}}}
	names := x.Names()
	dir := "items/" + x.Items[0].ID.String() + "/"
	want := []string{"README.txt", "verify.html", "package.json", "report.pdf", "certificate-902.txt", "keys/log.pem", "keys/log.txt", "keys/receipt.pem", "keys/dock-1.pem", "keys/dock-2.pem", "docks.jsonl",
		dir + "manifest.json", dir + "manifest.signed", dir + "manifest.sig", dir + "receipt.json", dir + "inventory-1.json", dir + "inventory-2.json", dir + "release-1.json",
		dir + "events.jsonl", dir + "clock.json", dir + "leaves.bin", dir + "original/ascmhl/ascmhl_chain.xml", dir + "original/ascmhl/l.mhl", dir + "original/A.MP4", "SHA256SUMS", "proof.jsonl"}
	if fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("%v", names)
	}
}

// FuzzOpen: what is opened is what Write would have written.
func FuzzOpen(f *testing.F) {
	seed := archive(f, Bytes("a", []byte("hello")), Bytes("b/c", []byte("world")))
	f.Add(seed)
	f.Add(seed[:40])
	long := bytes.Clone(seed)
	binary.LittleEndian.PutUint32(long[22:], 0xffffffff)
	f.Add(long)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, ErrForm) {
				t.Fatal(err)
			}
			return
		}
		var files []File
		for i := range a.Entries {
			e := &a.Entries[i]
			content, err := io.ReadAll(a.Content(e))
			if err != nil {
				t.Fatal(err)
			}
			again := Bytes(e.Name, content)
			again.CRC32 = e.CRC32
			files = append(files, again)
		}
		var out bytes.Buffer
		for _, file := range files {
			if crcOf(file) != file.CRC32 {
				return // a false checksum is for the verifier to find
			}
		}
		if err := Write(t.Context(), &out, files); err != nil || !bytes.Equal(out.Bytes(), b) {
			t.Fatalf("written again it is another archive: %v", err)
		}
	})
}

func crcOf(f File) uint32 {
	c := &counter{w: io.Discard}
	f.Content(context.Background(), c) // into memory
	return c.crc
}
