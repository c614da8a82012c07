package content

import "io"

// Segments reads opened segments one after the other.
type Segments struct {
	count, next uint64
	open        func(index uint64) ([]byte, error)
	plain       []byte
}

// NewSegments returns a reader over count segments. open gives each once, in
// order; what it returned may change with its next call.
func NewSegments(count uint64, open func(index uint64) ([]byte, error)) *Segments {
	return &Segments{count: count, open: open}
}

// Read implements io.Reader. Errors are those of open.
func (s *Segments) Read(p []byte) (int, error) {
	for len(s.plain) == 0 {
		if s.next == s.count {
			return 0, io.EOF
		}
		plain, err := s.open(s.next)
		if err != nil {
			return 0, err
		}
		s.plain = plain
		s.next++
	}
	n := copy(p, s.plain)
	s.plain = s.plain[n:]
	return n, nil
}
