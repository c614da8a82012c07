package drive

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// PartSegments is how many segments of a recording are in one file.
const PartSegments = 1024

// Names in a dock's folder.
const (
	Index      = "index.json"
	Sums       = "SHA256SUMS"
	Pages      = "pages"
	Recordings = "recordings"
	Statements = "statements"
	Receipts   = "receipts"
)

const prefix = "sealdock_"

// Name is the name of a dock's folder.
func Name(agency evidence.AgencyID, dock evidence.DockID) string {
	return prefix + string(agency) + "_" + string(dock)
}

// Page is where a page of the index lies.
func Page(sum evidence.Digest) string { return Pages + "/" + sum.String() + ".json" }

// Statement is where a statement lies, by the hash of its envelope.
func Statement(sum evidence.Digest) string { return Statements + "/" + sum.String() + ".json" }

// Offer is where a recording's offer lies.
func Offer(id evidence.EvidenceID, attempt uint32) string {
	return fmt.Sprintf("%s/%s-%d.offer", Recordings, id, attempt)
}

// Part is where a part of a recording's sealed bytes lies.
func Part(id evidence.EvidenceID, attempt uint32, part uint64) string {
	return fmt.Sprintf("%s/%s-%d-%d.floe", Recordings, id, attempt, part)
}

// Receipt is where a recording's receipt lies.
func Receipt(id evidence.EvidenceID, attempt uint32) string {
	return fmt.Sprintf("%s/%s-%d.json", Receipts, id, attempt)
}

// ParseName reads which recording a file's name, without its folder, is of.
func ParseName(name string) (id evidence.EvidenceID, attempt uint32, ok bool) {
	stem, _, _ := strings.Cut(name, ".")
	fields := strings.Split(stem, "-")
	if len(fields) < 2 {
		return id, 0, false
	}
	id, err := evidence.ParseEvidenceID(fields[0])
	n, numberErr := strconv.ParseUint(fields[1], 10, 32)
	return id, uint32(n), err == nil && numberErr == nil && n > 0
}

// Parts is how many files hold the sealed bytes of a recording of that length.
func Parts(length uint64) uint64 { return (seal.SegmentCount(length)-1)/PartSegments + 1 }

// Segments is which segments a part holds: first, and the one after the last.
func Segments(length, part uint64) (first, end uint64) {
	return part * PartSegments, min((part+1)*PartSegments, seal.SegmentCount(length))
}

// Place says where a sealed segment lies: in which part, and at which byte. The
// first part begins with the seal's header.
func Place(index uint64) (part uint64, offset int64) {
	part = index / PartSegments
	offset = int64(index%PartSegments) * (seal.SegmentSize + seal.Overhead)
	if part == 0 {
		offset += seal.HeaderSize
	}
	return part, offset
}

// PartSize is the length of a part's file, in bytes.
func PartSize(length, part uint64) int64 {
	_, end := Segments(length, part)
	_, offset := Place(end - 1)
	return offset + int64(seal.SegmentLen(length, end-1)) + seal.Overhead
}
