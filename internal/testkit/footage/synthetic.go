package footage

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Synthetic is a recording of pseudo-random bytes that exists in no file: any part
// of it is computed when it is read, at several gigabytes per second. It begins
// with a line of text that says what it is, as far as it is long enough. It
// implements io.ReaderAt, is immutable and safe for concurrent use.
type Synthetic struct {
	Seed uint64 `json:"seed"`
	Size int64  `json:"size"` // bytes
}

// label is the text at the start.
func (s Synthetic) label() string {
	return fmt.Sprintf("SEALDOCK SYNTHETIC DATA, NO FOOTAGE. seed %016x size %d\n", s.Seed, s.Size)
}

// word is the content at byte 8*index: the splitmix64 sequence (Steele, Lea and
// Flood, "Fast splittable pseudorandom number generators", 2014), which can be
// entered anywhere.
func (s Synthetic) word(index uint64) uint64 {
	z := s.Seed + (index+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// ReadAt implements io.ReaderAt.
func (s Synthetic) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, fmt.Errorf("reading synthetic data at %d: offset is negative", offset)
	}
	if offset >= s.Size {
		return 0, io.EOF
	}
	var err error
	if rest := s.Size - offset; int64(len(p)) > rest {
		p, err = p[:rest], io.EOF
	}
	s.fill(p, uint64(offset))
	if label := s.label(); offset < int64(len(label)) {
		copy(p, label[offset:])
	}
	return len(p), err
}

func (s Synthetic) fill(p []byte, offset uint64) {
	index := offset / 8
	if skip := int(offset % 8); skip != 0 {
		var first [8]byte
		binary.LittleEndian.PutUint64(first[:], s.word(index))
		n := copy(p, first[skip:])
		p = p[n:]
		index++
	}
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, s.word(index))
		index++
	}
	if len(p) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], s.word(index))
		copy(p, last[:])
	}
}
