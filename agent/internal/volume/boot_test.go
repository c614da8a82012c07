package volume

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// made gives the start of a card made by mkfs.vfat of dosfstools 4.2 or mkfs.exfat of exfatprogs 1.2.0.
func made(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCardsMadeByMkfsAreKnown(t *testing.T) {
	for name, want := range map[string]fileSystem{
		"fat12": {kind: "FAT12", driver: "vfat", serial: 0x1234ABCD, bytes: 2 << 20},
		"fat16": {kind: "FAT16", driver: "vfat", serial: 0x1234ABCD, bytes: 32 << 20},
		"fat32": {kind: "FAT32", driver: "vfat", serial: 0x1234ABCD, bytes: 64 << 20},
		"exfat": {kind: "exFAT", driver: "exfat", serial: 0xEF57684F, bytes: 16 << 20},
	} {
		if got, err := identify(bytes.NewReader(made(t, name))); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
	}
	if id := (fileSystem{serial: 0x1234ABCD}).volumeID(); id != "1234-ABCD" {
		t.Error(id)
	}
}

// By the bits that Windows and the kernel set (FAT specification section 4.2, exFAT
// specification section 3.1.13).
func TestCardsThatWereNotCleanlyClosedAreKnown(t *testing.T) {
	for name, c := range map[string]struct {
		at            int
		set, clear    byte
		dirty, faulty bool
	}{
		"fat32": {0x41, 1, 0, true, false}, "fat32 ": {0x41, 2, 0, false, true},
		"fat32 in its table": {32*512 + 7, 0, 8, true, false}, "fat32 in its table ": {32*512 + 7, 0, 4, false, true},
		"fat16": {0x25, 1, 0, true, false}, "fat16 in its table": {4*512 + 3, 0, 0x80, true, false}, "fat16 in its table ": {4*512 + 3, 0, 0x40, false, true},
		"fat12": {0x25, 1, 0, true, false},
		"exfat": {106, 2, 0, true, false}, "exfat ": {106, 4, 0, false, true},
	} {
		b := made(t, name[:5])
		b[c.at] = b[c.at]&^c.clear | c.set
		if got, err := identify(bytes.NewReader(b)); err != nil || got.dirty != c.dirty || got.faulty != c.faulty {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestWhatIsNoCardIsNamed(t *testing.T) {
	at := func(offset int, magic string) []byte {
		b := make([]byte, headSize)
		b[100] = 1
		copy(b[offset:], magic)
		return b
	}
	fat := made(t, "fat32")
	for name, c := range map[string]struct {
		card []byte
		want string
	}{
		"zeroes": {make([]byte, 1<<20), "unformatted"}, "erased flash": {bytes.Repeat([]byte{0xff}, 1<<20), "unformatted"},
		"NTFS": {at(3, "NTFS    "), "NTFS"}, "BitLocker": {at(3, "-FVE-FS-"), "BitLocker"}, "LUKS": {at(0, "LUKS\xba\xbe"), "LUKS"},
		"ext4": {at(1080, "\x53\xef"), "ext4"}, "APFS": {at(32, "NXSB"), "APFS"}, "HFS+": {at(1024, "H+"), "HFS+"}, "btrfs": {at(0x10040, "_BHRfS_M"), "btrfs"},
		"GPT": {at(512, "EFI PART"), "partition table"}, "disc": {at(0x8001, "CD001"), "ISO 9660"}, "noise": {at(7, "noise"), "no file system that is known"},
		"tiny": {fat[:100], "100 bytes in all"}, "FAT in which nothing fits": {append(append([]byte{}, fat[:32]...), append([]byte{1, 0, 0, 0}, fat[36:]...)...), "damaged"},
		"cut before its table": {fat[:600], "allocation table"}, "exFAT of no sectors": {append(append([]byte{}, made(t, "exfat")[:72]...), append(make([]byte, 8), made(t, "exfat")[80:]...)...), "damaged"},
	} {
		_, err := identify(bytes.NewReader(c.card))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if !errors.Is(err, errForeign) && name != "cut before its table" {
			t.Errorf("%s: %v does not say what is read", name, err)
		}
	}
}

func FuzzIdentify(f *testing.F) {
	for _, name := range []string{"fat12", "fat16", "fat32", "exfat"} {
		f.Add(made(f, name))
	}
	f.Fuzz(func(t *testing.T, card []byte) {
		got, err := identify(bytes.NewReader(card))
		if err == nil && (got.kind == "" || got.driver == "" || got.bytes == 0) {
			t.Errorf("%+v", got)
		}
	})
}
