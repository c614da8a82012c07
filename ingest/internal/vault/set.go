package vault

import (
	"math/bits"
	"slices"
)

// Set is a set of segments of one blob, by index. The zero value is empty. It
// takes an eighth of a byte for each segment up to the highest one, and is not
// safe for concurrent use.
type Set struct {
	words []uint64
	count uint64
	first uint64 // all below are in the set; kept by First
}

// Has reports whether a segment is in the set.
func (s *Set) Has(index uint64) bool {
	word := index / 64
	return word < uint64(len(s.words)) && s.words[word]>>(index%64)&1 == 1
}

// Add puts a segment into the set, and reports whether it was not in it before.
func (s *Set) Add(index uint64) (fresh bool) {
	if s.Has(index) {
		return false
	}
	for word := index / 64; word >= uint64(len(s.words)); {
		s.words = append(s.words, 0)
	}
	s.words[index/64] |= 1 << (index % 64)
	s.count++
	return true
}

// Count is how many segments are in the set.
func (s *Set) Count() uint64 { return s.count }

// First is how many segments from 0 on are in the set without a gap.
func (s *Set) First() uint64 {
	for s.Has(s.first) {
		if word := s.words[s.first/64]; s.first%64 == 0 && word == ^uint64(0) {
			s.first += 64
			continue
		}
		s.first++
	}
	return s.first
}

// End is one more than the highest segment in the set, 0 when it is empty.
func (s *Set) End() uint64 {
	for word := len(s.words) - 1; word >= 0; word-- {
		if s.words[word] != 0 {
			return uint64(word)*64 + uint64(bits.Len64(s.words[word]))
		}
	}
	return 0
}

// Cut takes all segments from index on out of the set.
func (s *Set) Cut(index uint64) {
	if index/64 < uint64(len(s.words)) {
		s.words = s.words[:index/64+1]
		s.words[index/64] &= 1<<(index%64) - 1
	}
	s.first = min(s.first, index)
	s.count = 0
	for _, word := range s.words {
		s.count += uint64(bits.OnesCount64(word))
	}
}

// Clone is a copy.
func (s *Set) Clone() Set {
	return Set{words: slices.Clone(s.words), count: s.count, first: s.first}
}

// From writes the set from a segment on as bits: the lowest bit of the first
// byte is segment from. Beyond its end there are none.
func (s *Set) From(from uint64) []byte {
	end := s.End()
	if end <= from {
		return nil
	}
	out := make([]byte, (end-from+7)/8)
	for index := from; index < end; index++ {
		if s.Has(index) {
			out[(index-from)/8] |= 1 << ((index - from) % 8)
		}
	}
	return out
}
