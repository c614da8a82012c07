package pack

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// Bounds of an archive.
const (
	MaxFiles = 50_000
	maxName  = 200     // bytes
	maxSize  = 1 << 50 // bytes of one file, and of all
)

// Numbers of APPNOTE.TXT 6.3.10 (PKWARE), with its sections.
const (
	localSignature   = 0x04034b50 // 4.3.7
	centralSignature = 0x02014b50 // 4.3.12
	endSignature64   = 0x06064b50 // 4.3.14
	locator64        = 0x07064b50 // 4.3.15
	endSignature     = 0x06054b50 // 4.3.16

	localLength   = 30
	version       = 20
	version64     = 45         // 4.4.3.2: with zip64
	firstDay      = 1<<5 | 1   // 1980-01-01, the first date that ZIP can write
	wide32        = 0xffffffff // "see the zip64 field"
	wide16        = 0xffff
	extra64       = 1 // 4.5.3
	extraLength64 = 20
)

// File is one file of an archive.
type File struct {
	Name  string
	Size  uint64
	CRC32 uint32 // IEEE
	// Content writes the file: Size bytes with that CRC-32, the same each time.
	Content func(ctx context.Context, w io.Writer) error
}

// Bytes is a file out of memory.
func Bytes(name string, b []byte) File {
	return File{Name: name, Size: uint64(len(b)), CRC32: crc32.ChecksumIEEE(b), Content: func(_ context.Context, w io.Writer) error {
		_, err := w.Write(b)
		return err
	}}
}

// Entry is where a file lies in an archive.
type Entry struct {
	Name  string
	Size  uint64
	CRC32 uint32
	start uint64 // of its local header
	from  uint64 // of its content
}

// CheckName reports whether a name may stand in an archive: parts of A-Z, a-z, 0-9,
// '.', '_' and '-', none of which begins with a dot, joined by '/'.
func CheckName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("a name of %d bytes, at most %d are taken", len(name), maxName)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.Trim(part, nameLetters) != "" {
			return fmt.Errorf("the name %.80q leads elsewhere or has letters that are not allowed", name)
		}
	}
	return nil
}

const nameLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// local is an entry's local header.
func (e *Entry) local() []byte {
	b := binary.LittleEndian.AppendUint32(nil, localSignature)
	b = e.middle(b)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(e.extra(false))))
	b = append(b, e.Name...)
	return append(b, e.extra(false)...)
}

func (e *Entry) wide() bool { return e.Size >= wide32 }

// middle is what local and central header have in common, to the name's length.
func (e *Entry) middle(b []byte) []byte {
	needed, size := uint16(version), uint32(e.Size)
	if e.wide() {
		needed, size = version64, wide32
	}
	for _, v := range []uint16{needed, 0, 0, 0, firstDay} { // flags, method (stored), time, date
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	for _, v := range []uint32{e.CRC32, size, size} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return binary.LittleEndian.AppendUint16(b, uint16(len(e.Name)))
}

// extra is the zip64 field, where a number is too wide for its place.
func (e *Entry) extra(central bool) []byte {
	var numbers []byte
	if e.wide() {
		numbers = binary.LittleEndian.AppendUint64(numbers, e.Size)
		numbers = binary.LittleEndian.AppendUint64(numbers, e.Size)
	}
	if central && e.start >= wide32 {
		numbers = binary.LittleEndian.AppendUint64(numbers, e.start)
	}
	if numbers == nil {
		return nil
	}
	b := binary.LittleEndian.AppendUint16(nil, extra64)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(numbers)))
	return append(b, numbers...)
}

func (e *Entry) central(b []byte) []byte {
	needed := uint16(version)
	if e.wide() || e.start >= wide32 {
		needed = version64
	}
	extra := e.extra(true)
	b = binary.LittleEndian.AppendUint32(b, centralSignature)
	b = binary.LittleEndian.AppendUint16(b, needed)
	b = e.middle(b)
	for _, v := range []uint16{uint16(len(extra)), 0, 0, 0} { // comment, disk, internal attributes
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	b = binary.LittleEndian.AppendUint32(b, 0) // external attributes
	b = binary.LittleEndian.AppendUint32(b, uint32(min(e.start, wide32)))
	b = append(b, e.Name...)
	return append(b, extra...)
}

// directory is everything behind the last file, which ends at offset at.
func directory(entries []Entry, at uint64) []byte {
	var b []byte
	for i := range entries {
		b = entries[i].central(b)
	}
	count, size := uint64(len(entries)), uint64(len(b))
	if count >= wide16 || at >= wide32 || size >= wide32 {
		b = binary.LittleEndian.AppendUint32(b, endSignature64)
		b = binary.LittleEndian.AppendUint64(b, 44) // length of what follows
		b = binary.LittleEndian.AppendUint16(b, version64)
		b = binary.LittleEndian.AppendUint16(b, version64)
		b = binary.LittleEndian.AppendUint64(b, 0) // this disk, disk of the directory
		for _, v := range []uint64{count, count, size, at} {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		b = binary.LittleEndian.AppendUint32(b, locator64)
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint64(b, at+size)
		b = binary.LittleEndian.AppendUint32(b, 1)
	}
	b = binary.LittleEndian.AppendUint32(b, endSignature)
	b = binary.LittleEndian.AppendUint32(b, 0)
	for range 2 {
		b = binary.LittleEndian.AppendUint16(b, uint16(min(count, wide16)))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(min(size, wide32)))
	b = binary.LittleEndian.AppendUint32(b, uint32(min(at, wide32)))
	return binary.LittleEndian.AppendUint16(b, 0) // comment
}

// layout puts the files one behind the other. end is where the directory begins.
func layout(files []File) (entries []Entry, end uint64, err error) {
	if len(files) == 0 || len(files) > MaxFiles {
		return nil, 0, fmt.Errorf("packing %d files: 1 to %d are taken", len(files), MaxFiles)
	}
	seen := map[string]bool{}
	for _, f := range files {
		if err := CheckName(f.Name); err != nil {
			return nil, 0, fmt.Errorf("packing: %w", err)
		}
		if seen[strings.ToLower(f.Name)] {
			return nil, 0, fmt.Errorf("packing: the name %s is there twice", f.Name)
		}
		seen[strings.ToLower(f.Name)] = true
		e := Entry{Name: f.Name, Size: f.Size, CRC32: f.CRC32, start: end}
		e.from = end + uint64(len(e.local()))
		end = e.from + f.Size
		if f.Size > maxSize || end > maxSize {
			return nil, 0, fmt.Errorf("packing %s: %d bytes are more than are taken", f.Name, f.Size)
		}
		entries = append(entries, e)
	}
	return entries, end, nil
}

// Size is how long the archive of the files is, in bytes.
func Size(files []File) (uint64, error) {
	entries, end, err := layout(files)
	return end + uint64(len(directory(entries, end))), err
}

// Write writes the archive of the files. A file whose content is not what its Size
// and CRC32 say ends it, and what was written is then no archive.
func Write(ctx context.Context, w io.Writer, files []File) error {
	entries, end, err := layout(files)
	if err != nil {
		return err
	}
	for i, f := range files {
		if _, err := w.Write(entries[i].local()); err != nil {
			return err
		}
		count := &counter{w: w}
		if err := f.Content(ctx, count); err != nil {
			return fmt.Errorf("packing %s: %w", f.Name, err)
		}
		if count.n != f.Size || count.crc != f.CRC32 {
			return fmt.Errorf("packing %s: %d bytes with CRC-32 %08x came, %d with %08x were announced", f.Name, count.n, count.crc, f.Size, f.CRC32)
		}
	}
	_, err = w.Write(directory(entries, end))
	return err
}

type counter struct {
	w   io.Writer
	n   uint64
	crc uint32
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += uint64(n)
	c.crc = crc32.Update(c.crc, crc32.IEEETable, p[:n])
	return n, err
}
