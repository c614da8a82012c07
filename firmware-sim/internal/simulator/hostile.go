package simulator

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

type hostileName struct {
	where []camera.Text
	name  camera.Text
}

// hostile invents names of a variant.
func hostile(variant string) []hostileName {
	root, text := folders(1), camera.NewText
	switch variant {
	case fault.VariantParent:
		return []hostileName{
			{root, text("../../../../etc/cron.d/evil.mp4")}, {root, text("..")}, {root, text("/etc/passwd")},
			{root, text(`..\..\windows\system32\evil.mp4`)}, {append(slices.Clone(root), text("..")), text("UP.MP4")},
		}
	case fault.VariantNUL:
		return []hostileName{
			{root, camera.Text{'N', 'U', 'L', 0, '.', 'M', 'P', '4'}}, {root, text("LINE\nBREAK\r.MP4")},
			{root, text("\x1b[31mRED\x1b[0m.MP4")}, {root, text("gnp\u202e4PM.exe")}, {root, text(`<script>alert(1)</script>.MP4`)},
		}
	case fault.VariantLong:
		deep := slices.Clone(root)
		for len(deep) < 20 {
			deep = append(deep, text(strings.Repeat("D", camera.MaxText)))
		}
		return []hostileName{{deep, text(strings.Repeat("L", camera.MaxText-4) + ".MP4")}, {root, text(strings.Repeat("漢", camera.MaxText))}}
	case fault.VariantSurrogate:
		return []hostileName{{root, camera.Text{0xD800, '.', 'M', 'P', '4'}}, {root, camera.Text{'A', 0xDC00, 0xD800, 'B'}}}
	case fault.VariantMany:
		return manyNames(root)
	case fault.VariantTwins:
		return []hostileName{{root, text("TWIN.MP4")}, {root, text("TWIN.MP4")}, {root, text("twin.mp4")}}
	}
	var all []hostileName
	for _, v := range []string{fault.VariantParent, fault.VariantNUL, fault.VariantLong, fault.VariantSurrogate, fault.VariantTwins} {
		all = append(all, hostile(v)...)
	}
	return all
}

// manyNames are 200 names, each of what trips programs up in one of the places of a name.
func manyNames(root []camera.Text) (names []hostileName) {
	fragments := []string{
		"../", `..\`, "/", `\`, "%2e%2e%2f", "..;/", "file:///", "C:", "~", "-rf",
		"\x00", "\n", "\r\n", "\t", "\x1b[2J", "\x7f", "\u202e", "\u200b", "\ufeff", "\u2028",
		"'", `"`, "`", "$(id)", "; id", "| id", "&", "<b>", "{{7*7}}", "%s%n",
		"CON", "nul.", "*", "?", " ", ".", "\u00e9", "e\u0301", "\U0001d49c", "=1+1",
	}
	for _, place := range []string{"%s", "%s.MP4", "A%s.MP4", "A%sB.JSON", "A.MP4%s"} {
		for _, f := range fragments {
			names = append(names, hostileName{root, camera.NewText(strings.Replace(place, "%s", f, 1))})
		}
	}
	return names
}

// addHostile puts recordings with hostile names on a camera.
func (s *Simulator) addHostile(b *bay, variant string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range hostile(variant) {
		c := firmware.Synthetic{Seed: uint64(b.number)<<32 | 1<<31 | uint64(b.names+1), Size: 1001 + int64(b.names)}
		if err := s.addOdd(b, h, evidence.KindOther, c); err != nil {
			return err
		}
	}
	return nil
}

// addOdd puts one recording on a camera that it did not make by itself. b.mu is held.
func (s *Simulator) addOdd(b *bay, name hostileName, kind evidence.Kind, c firmware.Content) error {
	b.names++
	at := s.config.ShiftStart.Add(time.Duration(b.names) * time.Second)
	r, err := newRecording(name.where, name.name, kind, at, c)
	if err != nil {
		return err
	}
	_, err = s.enter(b, []recording{r})
	return err
}

// addAgain puts the bytes of a recording on its camera once more, under a new name.
func (s *Simulator) addAgain(b *bay, path string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.camera.Recordings() {
		if r.Path == path {
			name := camera.NewText(fmt.Sprintf("AGAIN%03d%s", b.names+1, filepath.Ext(path)))
			return s.addOdd(b, hostileName{folders(1), name}, r.Kind, r.Content)
		}
	}
	return fmt.Errorf("camera %s, %q: %w", b.camera.Serial(), path, ErrNoRecording)
}

// boxesDeep is how many MP4 boxes contain each other in a bomb.
const boxesDeep = 1_000_000

// bombs are the bytes of recordings that take parsers down, by file name.
func bombs() map[string][]byte {
	box := func(size uint32, kind string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, size), kind...)
	}
	nested := make([]byte, 0, 8*boxesDeep)
	for i := range uint32(boxesDeep) {
		nested = append(nested, box(8*(boxesDeep-i), "moov")...)
	}
	huge := append(box(1, "mdat"), bytes.Repeat([]byte{0xFF}, 8)...)
	return map[string][]byte{
		"NESTED.MP4":  nested,
		"ENDLESS.MP4": append(box(0, "moov"), box(0, "trak")...),
		"HUGE.MP4":    append(huge, box(0xFFFF_FFFF, "moov")...),
		"EXIF.JPG":    append([]byte{0xFF, 0xD8, 0xFF, 0xE1, 0xFF, 0xFF}, "Exif\x00\x00II*\x00\xff\xff\xff\xff"...),
	}
}

// claims are sidecars that claim what a camera has no say in, each beside its video.
func claims() map[string][]byte {
	return map[string][]byte{
		"CLAIM1.MP4":  []byte("not a video, but it has a sidecar"),
		"CLAIM1.JSON": []byte(`{"officer":"Chief of Another Agency","officer_id":"root","agency":"other-pd","category":"<script>alert(1)</script>","started_at":"9999-12-31T23:59:59Z"}`),
		"CLAIM2.MP4":  []byte("nor is this one"),
		"CLAIM2.JSON": []byte(`{"officer":` + strings.Repeat("[", 100_000)),
	}
}

// addContent puts recordings with hostile content on a camera.
func (s *Simulator) addContent(b *bay, variant string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.config.Oracle == "" {
		return fmt.Errorf("hostile content is kept in files beside the oracle: start the simulator with --oracle: %w", fault.ErrScript)
	}
	dir := s.config.Oracle + ".content"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making hostile content: %w", err)
	}
	files := map[string][]byte{}
	if variant != fault.VariantClaims {
		files = bombs()
	}
	if variant != fault.VariantBombs {
		for name, text := range claims() {
			files[name] = text
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, files[name], 0o600); err != nil {
			return fmt.Errorf("making hostile content: %w", err)
		}
		if err := s.addOdd(b, hostileName{folders(1), camera.NewText(name)}, kindOf(name), firmware.File(path)); err != nil {
			return err
		}
	}
	return nil
}
