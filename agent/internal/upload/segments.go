package upload

import (
	"math/bits"

	protocol "github.com/sealdock/sealdock/proto/upload"
)

// segments is a set of a recording's segments.
type segments struct {
	words []uint64
	first int // no word before it has a member
	count uint64
}

// missingOf is what the server lacks of a recording of n segments.
func missingOf(accept *protocol.Accept, n uint64) segments {
	s := segments{words: make([]uint64, (n+63)/64)}
	for index := accept.GetResumeSegment(); index < n; index++ {
		if !accept.Holds(index) {
			s.add(index)
		}
	}
	s.first = 0
	return s
}

func (s *segments) add(index uint64) {
	word, bit := index/64, uint64(1)<<(index%64)
	if word >= uint64(len(s.words)) || s.words[word]&bit != 0 {
		return
	}
	s.words[word] |= bit
	s.count++
	s.first = min(s.first, int(word))
}

// take removes the lowest member. There must be one.
func (s *segments) take() uint64 {
	for s.words[s.first] == 0 {
		s.first++
	}
	bit := bits.TrailingZeros64(s.words[s.first])
	s.words[s.first] &^= 1 << bit
	s.count--
	return uint64(s.first*64 + bit)
}
