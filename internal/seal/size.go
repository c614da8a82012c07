package seal

import (
	"encoding/binary"
	"math"

	"github.com/sealdock/sealdock/proto/evidence"
)

// SegmentCount returns how many segments a recording of plainLen bytes has. An
// empty recording has one, empty, segment.
func SegmentCount(plainLen uint64) uint64 {
	if plainLen == 0 {
		return 1
	}
	return (plainLen-1)/SegmentSize + 1
}

// SegmentLen returns the plaintext bytes of one segment of a recording of
// plainLen bytes, 0 for an index beyond its end.
func SegmentLen(plainLen, index uint64) uint64 {
	switch count := SegmentCount(plainLen); {
	case index >= count:
		return 0
	case index == count-1:
		return plainLen - index*SegmentSize
	}
	return SegmentSize
}

// SealedSize returns the bytes of header and all sealed segments. Above
// [MaxPlain], which cannot be sealed, it returns math.MaxUint64.
func SealedSize(plainLen uint64) uint64 {
	if plainLen > MaxPlain {
		return math.MaxUint64
	}
	return HeaderSize + plainLen + SegmentCount(plainLen)*Overhead
}

// aadLabel begins the associated data of an evidence item.
const aadLabel = "sealdock/item/v1\n"

// AAD returns the associated data of one attempt at one evidence item, FORMAT.md
// section 4. It binds ciphertext and wrapped key to their agency and item.
func AAD(agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32) []byte {
	b := make([]byte, 0, len(aadLabel)+4+len(agency)+len(id)+4)
	b = append(b, aadLabel...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(agency)))
	b = append(b, agency...)
	b = append(b, id[:]...)
	return binary.BigEndian.AppendUint32(b, attempt)
}
