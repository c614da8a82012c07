package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"unsafe"
)

const (
	// block is what direct I/O is aligned to: offsets, lengths and memory.
	block = 4 << 10
	// piece is how much one call of direct I/O moves at most. It holds a sealed
	// segment of 1 MiB wherever that lies.
	piece = 1<<20 + 2*block
)

// pieces holds aligned memory of one piece.
var pieces = sync.Pool{New: func() any {
	b := make([]byte, piece+block)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) & (block - 1))
	b = b[skip : skip+piece : skip+piece]
	return &b
}}

// FromMedium makes later reads of the file come from the medium: past the page
// cache where the system can do that (O_DIRECT), else with the cached pages
// dropped before and behind. Only flushed pages can be dropped: call Sync first.
// Where the system offers neither, it does nothing.
func (f *File) FromMedium() error {
	if err := f.check("reading from the medium"); err != nil {
		return err
	}
	f.medium.Store(true)
	if setDirect(f.f, true) == nil {
		f.direct.Store(true)
	}
	if err := dropCache(f.f, 0, 0); err != nil {
		return fmt.Errorf("dropping the cache of %s: %w", f.path, err)
	}
	return nil
}

// readMedium is ReadAt after FromMedium.
func (f *File) readMedium(p []byte, off int64) (n int, err error) {
	memory := pieces.Get().(*[]byte)
	defer pieces.Put(memory)
	for n < len(p) && err == nil && f.direct.Load() {
		var got int
		got, err = f.readDirect(p[n:], off+int64(n), *memory)
		n += got
	}
	if n == len(p) || err != nil {
		return n, err
	}
	got, err := f.f.ReadAt(p[n:], off+int64(n))
	if dropped := dropCache(f.f, off+int64(n), int64(got)); err == nil && dropped != nil {
		err = dropped
	}
	return n + got, err
}

// readDirect reads what one piece holds of p. Where the file system wants another
// alignment it turns direct I/O off and reads nothing.
func (f *File) readDirect(p []byte, off int64, memory []byte) (int, error) {
	from := off &^ (block - 1)
	skip := int(off - from)
	want := min(skip+len(p), len(memory))
	whole := (want + block - 1) &^ (block - 1)
	got, err := pread(f.f, memory[:whole], from)
	if isAlignment(err) {
		f.direct.Store(false)
		return 0, setDirect(f.f, false)
	}
	if err != nil {
		return 0, err
	}
	n := copy(p, memory[min(skip, got):min(want, got)])
	if got < want {
		return n, io.EOF
	}
	return n, nil
}

// Appender writes a new file from front to back, past the page cache where the
// system can do that (O_DIRECT): what is read back much later, or elsewhere, does
// not drive out what is needed now, and costs no copy into fresh pages. Not safe
// for concurrent use.
type Appender struct {
	file   *File
	at     int64   // where memory goes
	memory *[]byte // nil while nothing waits; a multiple of block from the start of the file
	n      int     // bytes of memory that wait
	tail   []byte  // while memory is nil: the bytes of an unfinished block that are in the file already
	direct bool
	err    error // of the first write that failed
}

// CreateAppender is like [Folders.CreateFile], for a file that is appended to.
func (d *Folders) CreateAppender(path string, perm fs.FileMode) (*Appender, error) {
	file, err := d.CreateFile(path, perm)
	if err != nil {
		return nil, err
	}
	return &Appender{file: file, direct: setDirect(file.f, true) == nil}, nil
}

// Write implements io.Writer. The bytes are durable only after the next Sync.
// After an error the Appender is dead: close it and write the file anew.
func (a *Appender) Write(p []byte) (n int, err error) {
	if a.err == nil {
		a.err = a.file.check("writing")
	}
	for n < len(p) && a.err == nil {
		if a.memory == nil {
			a.memory = pieces.Get().(*[]byte)
			a.n = copy(*a.memory, a.tail)
			a.tail = nil
		}
		took := copy((*a.memory)[a.n:], p[n:])
		n, a.n = n+took, a.n+took
		if a.n == len(*a.memory) {
			a.err = a.write(a.n)
			a.at, a.n = a.at+int64(a.n), 0
		}
	}
	return n, a.err
}

// write writes so many bytes of memory in their place.
func (a *Appender) write(n int) error {
	_, err := a.file.f.WriteAt((*a.memory)[:n], a.at)
	if a.direct && isAlignment(err) { // this file system wants another alignment
		a.direct = false
		if err = setDirect(a.file.f, false); err == nil {
			_, err = a.file.f.WriteAt((*a.memory)[:n], a.at)
		}
	}
	if err != nil {
		return fmt.Errorf("writing %d bytes at %d: %w", n, a.at, explain(err, filepath.Dir(a.file.path)))
	}
	return nil
}

// Sync makes everything written so far durable, and gives the memory back. The
// file then has exactly the bytes that were written.
func (a *Appender) Sync() error {
	if a.err == nil {
		a.err = a.settle()
	}
	if a.err == nil {
		a.err = a.file.Sync()
	}
	return a.err
}

// settle writes what waits; of an unfinished block the rest is cut off again.
func (a *Appender) settle() error {
	if a.memory == nil {
		return nil
	}
	whole := (a.n + block - 1) &^ (block - 1)
	clear((*a.memory)[a.n:whole])
	if whole > 0 {
		if err := a.write(whole); err != nil {
			return err
		}
	}
	if whole > a.n {
		if err := a.file.Truncate(a.at + int64(a.n)); err != nil {
			return err
		}
	}
	full := a.n &^ (block - 1)
	a.tail = append([]byte(nil), (*a.memory)[full:a.n]...)
	a.at += int64(full)
	a.release()
	return nil
}

func (a *Appender) release() {
	if a.memory != nil {
		pieces.Put(a.memory)
		a.memory, a.n = nil, 0
	}
}

// Close releases the file. It writes and flushes nothing: what came after the
// last Sync may be missing.
func (a *Appender) Close() error {
	a.release()
	if a.err == nil {
		a.err = errors.New("the file was closed")
	}
	return a.file.Close()
}

// pread is os.File.ReadAt but for the end of the file, where it does not ask again
// from an offset that is not aligned. It may read less than p for that reason
// alone.
func pread(f *os.File, p []byte, off int64) (n int, err error) {
	for n < len(p) && n%block == 0 {
		var got int
		if got, err = preadOnce(f, p[n:], off+int64(n)); err != nil || got == 0 {
			break
		}
		n += got
	}
	return n, err
}
