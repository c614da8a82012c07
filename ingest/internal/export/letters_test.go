package export

import (
	"strings"
	"testing"

	"github.com/sealdock/sealdock/internal/pack"
)

func TestNamesInAPackageAreSafeEverywhere(t *testing.T) {
	for path, want := range map[string]string{
		"DCIM/100/CLIP1.MP4": "CLIP1.MP4", "CON.mp4": "recording-CON.mp4", "con": "recording-con", "x/ascmhl": "recording-ascmhl", "наряд 7.mp4": "______7.mp4",
		"x.": "x", "lpt1.txt": "recording-lpt1.txt", "a/b:c.mov": "b_c.mov",
	} {
		if got := fileName(path); got != want {
			t.Errorf("%q is called %q, want %q", path, got, want)
		}
	}
	for _, path := range []string{"", ".", "..", "a/..", "...", "a/.hidden", `..\..\evil.exe`, "a\x00b", strings.Repeat("x", 5000), "." + strings.Repeat("y", 300), "a.b.c..", "-rf", "\u202ea"} {
		if err := pack.CheckName(fileName(path)); err != nil {
			t.Errorf("%.40q is called %q: %v", path, fileName(path), err)
		}
	}
}
