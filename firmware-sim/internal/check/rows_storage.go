package check

import (
	"fmt"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

const differs = "readings of a recording differ|other bytes at every reading"

// untouchedBut says that every item is known under that serial number.
func untouchedBut(serial string) func(station.Row) string {
	return func(r station.Row) string {
		if r.Item == nil {
			return "the server has none"
		}
		if r.Item.Camera != serial {
			return fmt.Sprintf("the server has it of camera %s, it is of %s", r.Item.Camera, serial)
		}
		return ""
	}
}

// ours says that an item belongs to the agency of the dock, whatever the camera claims.
func ours(r station.Row) string {
	if r.Manifest == nil {
		return "it has no manifest"
	}
	if string(r.Manifest.Agency) != station.Agency {
		return fmt.Sprintf("its manifest says agency %s", r.Manifest.Agency)
	}
	return ""
}

func storageRows() []Row {
	return []Row{
		{Name: "one bit wrong in one reading", Covers: "fault case 7, flip-bit", Short: true, Cameras: 1,
			Done: "one bit of a recording reads wrong the first time", Holds: "the difference is seen, a third reading decides, the truth is stored",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Flip, Path: s.path(0, 0), At: 654_321, Bit: 3, Read: 1})
				s.plug(0)
				s.told(0, differs)
				s.emptied(0)
			}},
		{Name: "other bits wrong in each reading", Covers: "fault case 7, flip-bit", Cameras: 1,
			Done: "another bit reads wrong at each of three readings", Holds: "nothing of it is accepted, people are told, the rest goes on; a sound docking takes it",
			Play: func(s *scene) {
				path := s.path(0, 0)
				for read := range 3 {
					s.fault(0, fault.Fault{Kind: fault.Flip, Path: path, At: 1000, Bit: uint8(read), Read: read + 1})
				}
				s.plug(0)
				s.told(0, "other bytes at every reading")
				s.left(0, 1)
				s.cure(0)
				s.redock(0)
				s.emptied(0)
			}},
		{Name: "a recording swapped between two readings", Covers: "attack case 24, swap-content", Cameras: 1,
			Done: "the second reading of a recording gives other bytes", Holds: "what is stored is what was hashed, and what the camera made",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Swap, Path: s.path(0, 0), Read: 2})
				s.plug(0)
				s.told(0, differs)
				s.emptied(0)
			}},
		{Name: "a bad block", Covers: "fault case 8, bad-block", Short: true, Cameras: 1,
			Done: "one block of a recording cannot be read", Holds: "the others go on, recording and place are named; when it can be read, it is taken with no hands",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.BadBlock, Path: s.path(0, 0), At: 1 << 20})
				s.plug(0)
				s.left(0, 1)
				s.told(0, `SYN00001\.BIN.*(General_?Error|0x2002|general error|byte \d)`)
				s.cure(0)
				s.emptied(0)
			}},
		{Name: "a full card", Covers: "fault case 9, full-card", Cameras: 1,
			Done: "its card has no room", Holds: "it is emptied like any other",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Full})
				s.plug(0)
				s.emptied(0)
			}},
		{Name: "a read-only card", Covers: "fault case 9, read-only-card", Short: true, Cameras: 1,
			Done: "it refuses every deletion (Store Read Only)", Holds: "the receipts stand, people are told, nothing counts as erased; when it can, it erases, and nothing is sent again",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.ReadOnly})
				s.plug(0)
				s.stored(0, 3)
				s.told(0, "did not erase")
				s.keeps(0, 3)
				s.each(0, func(r station.Row) string {
					if !r.Item.ErasedAt.IsZero() {
						return "the server has it as erased"
					}
					return ""
				})
				s.cure(0)
				s.redock(0)
				s.emptied(0)
				s.once(0)
			}},
		{Name: "a recording that still grows", Covers: "fault case 6, growing-file", Cameras: 1,
			Done: "a recording is 512 KiB long and 400 KiB more each time it is asked for, until it is whole", Holds: "it is taken only when it is whole",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Grow, Path: s.path(0, 0), At: 512 << 10, Delta: 400 << 10})
				s.plug(0)
				s.emptied(0)
			}},
		{Name: "names that are paths", Covers: "attack case 17, hostile-names", Short: true, Cameras: 1,
			Done: "its recordings are called ../, /etc/passwd, NUL, 4,096 long, broken UTF-16, twins", Holds: "each is stored under a path that is safe to write and to show",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Names, Variant: fault.VariantAll})
				s.plug(0)
				s.emptied(0)
				s.each(0, safePath)
			}},
		{Name: "200 hostile names", Covers: "attack case 17, hostile-names", Cameras: 1,
			Done: "its recordings have 200 names with what trips shells, paths, pages and terminals up", Holds: "each is stored under a path that is safe to write and to show",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Names, Variant: fault.VariantMany})
				s.plug(0)
				s.emptied(0)
				s.each(0, safePath)
			}},
		{Name: "footage that takes parsers down", Covers: "attack case 28, hostile-content", Cameras: 1,
			Done: "it holds MP4 boxes a million deep, without size and of 2^64 bytes, and a broken EXIF", Holds: "they are kept as the bytes that they are",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Content, Variant: fault.VariantBombs})
				s.plug(0)
				s.emptied(0)
			}},
		{Name: "claims an officer and an agency", Covers: "attack case 29, hostile-content", Cameras: 1,
			Done: "its sidecars claim another agency's officer, and nest 100,000 deep", Holds: "claims stay claims: all is stored under the dock's own agency",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Content, Variant: fault.VariantClaims})
				s.plug(0)
				s.emptied(0)
				s.each(0, ours)
			}},
		{Name: "an old recording under a new name", Covers: "attack case 25, same-content", Cameras: 1,
			Done: "the bytes of one recording are there a second time, under another name and unsigned", Holds: "it is taken in as a recording of its own, never dropped",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.Again, Path: s.path(0, 0)})
				s.plug(0)
				s.emptied(0)
				s.each(0, untouchedBut(s.serials[0]))
			}},
	}
}
