package sqldb

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Slots of a block. A block is the unit in which terms are kept: small enough that a
// term which all items have is one row of half a page for each block, large enough that
// a term which few have is few rows.
const (
	blockBits  = 12
	blockSlots = 1 << blockBits
)

// slotSet is a set of slots of one block.
type slotSet [blockSlots / 64]uint64

func (s *slotSet) add(slot int64)      { s[slot%blockSlots/64] |= 1 << (slot % 64) }
func (s *slotSet) has(slot int64) bool { return s[slot%blockSlots/64]&(1<<(slot%64)) != 0 }

func (s *slotSet) count() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// list returns the slots of a set in block, in order.
func (s *slotSet) list(block int64) []int64 {
	all := make([]int64, 0, s.count())
	for n, word := range s {
		for ; word != 0; word &= word - 1 {
			all = append(all, block<<blockBits+int64(n*64+bits.TrailingZeros64(word)))
		}
	}
	return all
}

// bytes is a set as it is kept: fewer than 256 as numbers, else as bits.
func (s *slotSet) bytes() []byte {
	n := s.count()
	if n >= blockSlots/16 {
		all := make([]byte, 0, blockSlots/8)
		for _, word := range s {
			all = binary.LittleEndian.AppendUint64(all, word)
		}
		return all
	}
	all := make([]byte, 0, 2*n)
	for _, slot := range s.list(0) {
		all = binary.LittleEndian.AppendUint16(all, uint16(slot))
	}
	return all
}

// addBytes adds a kept set.
func (s *slotSet) addBytes(b []byte) error {
	switch {
	case len(b) == blockSlots/8:
		for n := range s {
			s[n] |= binary.LittleEndian.Uint64(b[8*n:])
		}
		return nil
	case len(b) > blockSlots/8 || len(b)%2 == 1:
		return fmt.Errorf("a set of slots has %d bytes: the row was changed by other hands", len(b))
	}
	for ; len(b) > 0; b = b[2:] {
		slot := binary.LittleEndian.Uint16(b)
		if slot >= blockSlots {
			return fmt.Errorf("a set of slots holds %d, which is beyond its block: the row was changed by other hands", slot)
		}
		s.add(int64(slot))
	}
	return nil
}

var allSlots = func() *slotSet {
	s := new(slotSet)
	for n := range s {
		s[n] = ^uint64(0)
	}
	return s
}()

// slots are slots of any blocks; a block without any has no entry.
type slots map[int64]*slotSet

func (s slots) has(slot int64) bool {
	set := s[slot>>blockBits]
	return set != nil && set.has(slot)
}

func (s slots) count() (n int64) {
	for _, set := range s {
		n += int64(set.count())
	}
	return n
}

// block returns the set of a block, made when there is none.
func (s slots) block(n int64) *slotSet {
	set := s[n]
	if set == nil {
		set = new(slotSet)
		s[n] = set
	}
	return set
}

// keep leaves what other has too.
func (s slots) keep(other slots) {
	for block, set := range s {
		theirs := other[block]
		if theirs == nil {
			delete(s, block)
			continue
		}
		var any uint64
		for n := range set {
			set[n] &= theirs[n]
			any |= set[n]
		}
		if any == 0 {
			delete(s, block)
		}
	}
}
