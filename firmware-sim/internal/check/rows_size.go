package check

import (
	"fmt"
	"math"
	"strings"
	"unicode"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

// safePath says what is wrong with the path that an item is stored under.
func safePath(r station.Row) string {
	if r.Item == nil {
		return "the server has none"
	}
	for part := range strings.SplitSeq(r.Item.Path, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsRune(part, '\\') {
			return fmt.Sprintf("it is stored as %q", r.Item.Path)
		}
	}
	if len(r.Item.Path) > 4096 || strings.ContainsFunc(r.Item.Path, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return fmt.Sprintf("it is stored as %q", r.Item.Path)
	}
	return ""
}

// listsLess is a row in which a camera lists fewer bytes than it delivers.
func listsLess(name string, delta int64, done string, short bool) Row {
	return Row{Name: name, Covers: "attack case 18, lie-size", Short: short, Cameras: 1, Done: done,
		Holds: "every byte that it delivers is stored",
		Play: func(s *scene) {
			s.fault(0, fault.Fault{Kind: fault.Size, Delta: delta})
			s.plug(0)
			s.emptied(0)
		}}
}

// listsMore is a row in which a camera lists more bytes than it delivers.
func listsMore(name string, delta int64, done string, short bool) Row {
	return Row{Name: name, Covers: "attack case 18, lie-size", Short: short, Cameras: 1, Done: done,
		Holds: "what it delivers is stored, people are told, and nothing is erased before its listing fits",
		Play: func(s *scene) {
			path := s.path(0, 0)
			s.fault(0, fault.Fault{Kind: fault.Size, Path: path, Delta: delta})
			s.plug(0)
			s.left(0, 1)
			s.told(0, "lists \\d+ bytes and delivers", "needs more room", "impossible")
			s.cure(0)
			s.redock(0)
			s.emptied(0)
		}}
}

func sizeRows() []Row {
	return []Row{
		listsLess("lists no bytes", -fileSize, "it lists a size of 0", true),
		listsLess("lists fewer bytes than it delivers", -100_000, "it lists 100,000 bytes fewer than it delivers", false),
		listsMore("lists one byte more than it delivers", 1, "it lists one byte more than it delivers", true),
		listsMore("lists 4 GiB - 1", math.MaxUint32-fileSize, "it lists 0xFFFFFFFF bytes, which is MTP's word for more than 4 GiB", false),
		listsMore("lists 2^63 - 1", math.MaxInt64-fileSize, "it lists 2^63-1 bytes", false),
		{Name: "a size that changes", Covers: "attack case 18, changing-size", Cameras: 1,
			Done: "it lists a recording 1 KiB longer every second time", Holds: "what it delivers is stored, once; with a steady size it is erased",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Changing, Path: s.path(0, 0), Delta: 1 << 10})
				s.plug(0)
				s.stored(0, 3)
				s.told(0, "renumbered", "lists \\d+ bytes and delivers", "did not erase", "changed")
				s.cure(0)
				s.redock(0)
				s.emptied(0)
			}},
	}
}
