package volume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// fileSystem is what the start of a block device says.
type fileSystem struct {
	kind   string // "FAT12", "FAT16", "FAT32" or "exFAT"
	driver string // the kernel's name for it
	serial uint32 // volume serial number
	bytes  uint64 // size of the whole as the file system has it
	dirty  bool   // it was not cleanly closed
	faulty bool   // its medium gave errors before
}

// volumeID writes the volume serial number as systems show it.
func (f fileSystem) volumeID() string { return fmt.Sprintf("%04X-%04X", f.serial>>16, f.serial&0xffff) }

// errForeign is wrapped by what identify says of a device without FAT or exFAT.
var errForeign = errors.New("only FAT and exFAT cards are read")

// headSize is how many bytes of a device identify looks at; btrfs has its magic last.
const headSize = 0x10048

// identify looks at the start of a block device. It reads headSize bytes and, for
// FAT, the first entries of the allocation table.
func identify(r io.ReaderAt) (fileSystem, error) {
	head := make([]byte, headSize)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fileSystem{}, fmt.Errorf("reading the start of the card: %w", err)
	}
	head = head[:n]
	if n < 512 {
		return fileSystem{}, fmt.Errorf("%w: this one has %d bytes in all", errForeign, n)
	}
	if name := foreign(head); name != "" {
		return fileSystem{}, fmt.Errorf("%w: this one has %s", errForeign, name)
	}
	if string(head[3:11]) == "EXFAT   " {
		return parseExFAT(head)
	}
	f, table, err := parseFAT(head)
	if err != nil {
		return f, err
	}
	var entries [8]byte
	if _, err := r.ReadAt(entries[:], table); err != nil {
		return f, fmt.Errorf("reading the allocation table at byte %d: %w", table, err)
	}
	f.tableState(entries)
	return f, nil
}

// foreign names what is known and not read. Empty: nothing of that kind.
func foreign(head []byte) string {
	for _, known := range []struct {
		at    int
		magic string
		name  string
	}{
		{3, "NTFS    ", "NTFS, a Windows file system"},
		{3, "-FVE-FS-", "a BitLocker volume, which is locked"},
		{0, "LUKS\xba\xbe", "a LUKS volume, which is locked"},
		{0, "XFSB", "XFS, a Linux file system"},
		{32, "NXSB", "APFS, a macOS file system"},
		{512, "EFI PART", "a partition table (GPT) without a partition that the kernel knows"},
		{1024, "H+", "HFS+, a macOS file system"},
		{1024, "HX", "HFS+, a macOS file system"},
		{1024, "\x10\x20\xf5\xf2", "F2FS, a Linux file system"},
		{1080, "\x53\xef", "ext2, ext3 or ext4, a Linux file system"},
		{0x8001, "CD001", "ISO 9660, the file system of a disc"},
		{0x10040, "_BHRfS_M", "btrfs, a Linux file system"},
	} {
		if end := known.at + len(known.magic); end <= len(head) && string(head[known.at:end]) == known.magic {
			return known.name
		}
	}
	if len(bytes.Trim(head, "\x00")) == 0 || len(bytes.Trim(head, "\xff")) == 0 {
		return "no file system: it is unformatted"
	}
	return ""
}

// parseFAT reads a FAT boot sector (Microsoft FAT specification, 2005, sections 3 and 4)
// by the kernel's rules for which kind it is, and says where the allocation table begins.
func parseFAT(head []byte) (f fileSystem, table int64, err error) {
	le16, le32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	perSector, perCluster := uint64(le16(head[11:])), uint64(head[13])
	reserved, tables, rootEntries := uint64(le16(head[14:])), uint64(head[16]), uint64(le16(head[17:]))
	sectors, tableSectors := uint64(le16(head[19:])), uint64(le16(head[22:]))
	if sectors == 0 {
		sectors = uint64(le32(head[32:]))
	}
	wide := tableSectors == 0
	if wide {
		tableSectors = uint64(le32(head[36:]))
	}
	sound := head[510] == 0x55 && head[511] == 0xaa && (head[0] == 0xeb || head[0] == 0xe9) &&
		perSector >= 512 && perSector <= 4096 && bits.OnesCount64(perSector) == 1 && bits.OnesCount64(perCluster) == 1 &&
		reserved > 0 && tables > 0 && tableSectors > 0 && sectors > 0
	if !sound {
		return f, 0, fmt.Errorf("%w: this one has no file system that is known, or its start is damaged", errForeign)
	}
	before := reserved + tables*tableSectors + (rootEntries*32+perSector-1)/perSector
	if before >= sectors {
		return f, 0, fmt.Errorf("%w: this one has FAT, whose boot sector is damaged (%d sectors, of which %d before the files)", errForeign, sectors, before)
	}
	f = fileSystem{kind: "FAT12", driver: "vfat", bytes: sectors * perSector}
	at := 0x24 // drive number; state and serial number follow (section 3.2)
	switch {
	case wide:
		f.kind, at = "FAT32", 0x40
	case (sectors-before)/perCluster > 4084:
		f.kind = "FAT16"
	}
	f.dirty, f.faulty = head[at+1]&1 != 0, head[at+1]&2 != 0
	f.serial = le32(head[at+3:])
	return f, int64(reserved * perSector), nil
}

// tableState reads the state bits of the table's second entry (section 4.2).
func (f *fileSystem) tableState(entries [8]byte) {
	switch f.kind {
	case "FAT32":
		second := binary.LittleEndian.Uint32(entries[4:])
		f.dirty, f.faulty = f.dirty || second&(1<<27) == 0, f.faulty || second&(1<<26) == 0
	case "FAT16":
		second := binary.LittleEndian.Uint16(entries[2:])
		f.dirty, f.faulty = f.dirty || second&(1<<15) == 0, f.faulty || second&(1<<14) == 0
	}
}

// parseExFAT reads an exFAT main boot sector (Microsoft exFAT specification 7.00, section 3.1).
func parseExFAT(head []byte) (fileSystem, error) {
	perSector, perCluster, tables := head[108], head[109], head[110]
	flags := binary.LittleEndian.Uint16(head[106:])
	sectors := binary.LittleEndian.Uint64(head[72:])
	sound := head[510] == 0x55 && head[511] == 0xaa && perSector >= 9 && perSector <= 12 && int(perCluster)+int(perSector) <= 25 &&
		tables >= 1 && tables <= 2 && sectors > 0 && sectors < 1<<51 && len(bytes.Trim(head[11:64], "\x00")) == 0
	if !sound {
		return fileSystem{}, fmt.Errorf("%w: this one has exFAT, whose boot sector is damaged", errForeign)
	}
	return fileSystem{
		kind: "exFAT", driver: "exfat", serial: binary.LittleEndian.Uint32(head[100:]), bytes: sectors << perSector,
		dirty: flags&2 != 0, faulty: flags&4 != 0,
	}, nil
}
