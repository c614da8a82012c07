package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrForm means that a file is no archive as Write writes it.
var ErrForm = errors.New("this is not a custody package as a server writes it")

// Archive is an opened archive.
type Archive struct {
	Entries []Entry
	r       io.ReaderAt
}

// Open reads the frame of an archive of size bytes: every header, and the directory
// at the end. Contents are not read. Any other sequence of bytes than Write's is
// ErrForm, which names the place; an error of r is returned as it is.
func Open(r io.ReaderAt, size int64) (*Archive, error) {
	a := &Archive{r: r}
	if size < 0 || size > maxSize {
		return nil, fmt.Errorf("a file of %d bytes: %w", size, ErrForm)
	}
	seen := map[string]bool{}
	at, last := uint64(0), ""
	for {
		e, more, err := a.header(at, uint64(size))
		if err != nil && last != "" {
			err = fmt.Errorf("behind %s: %w", last, err)
		}
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if seen[strings.ToLower(e.Name)] {
			return nil, fmt.Errorf("%s is there twice: %w", e.Name, ErrForm)
		}
		if len(a.Entries) == MaxFiles {
			return nil, fmt.Errorf("more than %d files: %w", MaxFiles, ErrForm)
		}
		seen[strings.ToLower(e.Name)] = true
		a.Entries = append(a.Entries, *e)
		at, last = e.from+e.Size, e.Name
	}
	return a, a.checkDirectory(at, uint64(size))
}

// header reads the local header at offset at; more is false where the directory
// begins instead.
func (a *Archive) header(at, size uint64) (e *Entry, more bool, err error) {
	bad := func(format string, args ...any) (*Entry, bool, error) {
		return nil, false, fmt.Errorf("at byte %d: %s: %w", at, fmt.Sprintf(format, args...), ErrForm)
	}
	head := make([]byte, min(localLength+maxName+extraLength64, size-at))
	if len(head) < localLength {
		return bad("the file is cut off")
	}
	if _, err := a.r.ReadAt(head, int64(at)); err != nil && err != io.EOF {
		return nil, false, fmt.Errorf("reading at byte %d: %w", at, err)
	}
	switch signature := binary.LittleEndian.Uint32(head); {
	case signature == centralSignature && at > 0:
		return nil, false, nil
	case signature != localSignature:
		return bad("no file begins here")
	}
	name := int(binary.LittleEndian.Uint16(head[26:]))
	extra := int(binary.LittleEndian.Uint16(head[28:]))
	if name > maxName || extra > extraLength64 || localLength+name+extra > len(head) {
		return bad("a name of %d bytes with %d more", name, extra)
	}
	e = &Entry{Name: string(head[localLength : localLength+name]), CRC32: binary.LittleEndian.Uint32(head[14:]), start: at}
	if err := CheckName(e.Name); err != nil {
		return bad("%v", err)
	}
	if e.Size = uint64(binary.LittleEndian.Uint32(head[22:])); e.Size == wide32 && extra == extraLength64 {
		e.Size = binary.LittleEndian.Uint64(head[localLength+name+4:])
	}
	length := localLength + name + extra
	if !bytes.Equal(head[:length], e.local()) {
		return bad("the header of %s is not the one that belongs there", e.Name)
	}
	if e.from = at + uint64(length); e.Size > size || e.from+e.Size > size {
		return bad("%s is cut off", e.Name)
	}
	return e, true, nil
}

func (a *Archive) checkDirectory(at, size uint64) error {
	want := directory(a.Entries, at)
	if uint64(len(want)) != size-at {
		return fmt.Errorf("the directory at byte %d has %d bytes, %d belong there: %w", at, size-at, len(want), ErrForm)
	}
	have := make([]byte, len(want))
	if _, err := a.r.ReadAt(have, int64(at)); err != nil && err != io.EOF {
		return fmt.Errorf("reading the directory at byte %d: %w", at, err)
	}
	if !bytes.Equal(have, want) {
		return fmt.Errorf("the directory at byte %d does not list what is in the file: %w", at, ErrForm)
	}
	return nil
}

// Content reads an entry's bytes as they lie there.
func (a *Archive) Content(e *Entry) *io.SectionReader {
	return io.NewSectionReader(a.r, int64(e.from), int64(e.Size))
}
