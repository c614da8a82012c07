package timeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrForm means that the times of a recording cannot be told from it.
var ErrForm = errors.New("the recording is no MP4 whose times can be read; name a range of bytes instead")

// Bounds of what is read.
const (
	MaxTables  = 64 << 20 // bytes of the moov box
	maxBoxes   = 4096     // boxes on the top level, or in one container
	maxTracks  = 16
	maxSamples = 16 << 20 // of one track: two days at 90 a second
)

// box is one box: its type and where its contents are.
type box struct {
	kind     string
	from, to uint64
}

// top finds a box on the top level and returns where it begins and its contents.
func top(r io.ReaderAt, size uint64, kind string) (at uint64, found box, err error) {
	for n := 0; at < size; n++ {
		if n == maxBoxes {
			return 0, box{}, fmt.Errorf("more than %d boxes: %w", maxBoxes, ErrForm)
		}
		head := make([]byte, min(16, size-at))
		if got, err := r.ReadAt(head, int64(at)); got < len(head) {
			return 0, box{}, fmt.Errorf("reading at byte %d: %w", at, err)
		}
		b, next, err := parse(head, at, size)
		if err != nil {
			return 0, box{}, err
		}
		switch b.kind {
		case kind:
			return at, b, nil
		case "moof":
			return 0, box{}, fmt.Errorf("it is fragmented: %w", ErrForm)
		}
		at = next
	}
	return 0, box{}, fmt.Errorf("it has no %s box: %w", kind, ErrForm)
}

// parse reads the header of the box that begins at byte at and may reach until end
// (section 4.2).
func parse(head []byte, at, end uint64) (b box, next uint64, err error) {
	if len(head) < 8 {
		return b, 0, fmt.Errorf("a box at byte %d is cut off: %w", at, ErrForm)
	}
	length, header := uint64(binary.BigEndian.Uint32(head)), uint64(8)
	switch length {
	case 0: // until the end
		length = end - at
	case 1:
		if len(head) < 16 {
			return b, 0, fmt.Errorf("a box at byte %d is cut off: %w", at, ErrForm)
		}
		length, header = binary.BigEndian.Uint64(head[8:]), 16
	}
	if length < header || length > end-at {
		return b, 0, fmt.Errorf("a box at byte %d of %d bytes: %w", at, length, ErrForm)
	}
	return box{string(head[4:8]), at + header, at + length}, at + length, nil
}

// children lists what is in a container.
func children(data []byte) ([]box, error) {
	var all []box
	for at := uint64(0); at < uint64(len(data)); {
		b, next, err := parse(data[at:], at, uint64(len(data)))
		if err != nil {
			return nil, err
		}
		if len(all) == maxBoxes {
			return nil, fmt.Errorf("more than %d boxes: %w", maxBoxes, ErrForm)
		}
		all, at = append(all, b), next
	}
	return all, nil
}

// inside goes down a path of boxes, the first of each type. nil where there is none.
func inside(data []byte, path ...string) ([]byte, error) {
	for _, kind := range path {
		all, err := children(data)
		if err != nil {
			return nil, err
		}
		var found []byte
		for _, b := range all {
			if b.kind == kind {
				found = data[b.from:b.to]
				break
			}
		}
		if found == nil {
			return nil, nil
		}
		data = found
	}
	return data, nil
}

// table is a full box that holds rows of one width behind a count (section 8.6).
type table struct {
	rows  []byte
	width int
	count int
}

// rows reads the count at offset at, and demands that so many rows are there.
func rows(name string, data []byte, at, width int) (table, error) {
	if len(data) < at+4 {
		return table{}, fmt.Errorf("table %s is missing or cut off: %w", name, ErrForm)
	}
	count, rest := uint64(binary.BigEndian.Uint32(data[at:])), data[at+4:]
	if count*uint64(width) > uint64(len(rest)) {
		return table{}, fmt.Errorf("table %s names %d rows and has %d bytes: %w", name, count, len(rest), ErrForm)
	}
	return table{rest, width, int(count)}, nil
}

// at is the word at offset bytes in a row.
func (t *table) at(row, offset int) uint32 {
	return binary.BigEndian.Uint32(t.rows[row*t.width+offset:])
}
