package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/internal/testkit/station"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Sidecars, tracks and logs travel and are stored compressed, over the network
// and on a drive; hashes, receipts and what the cameras are emptied by are those
// of the originals. Video is never touched.
func TestTextIsStoredCompressedAndProvenAsTheOriginal(t *testing.T) {
	footage := t.TempDir()
	var track bytes.Buffer
	for i := 0; track.Len() < 3<<20; i++ {
		fmt.Fprintf(&track, "$GPRMC,%06d,A,48%07d,N,011%07d,E,022.4,084.4,230394,003.1,W*6A\r\n", i, i*7919%1e7, i*104729%1e7)
	}
	noise := make([]byte, 2<<20)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	for name, data := range map[string][]byte{"CLIP.MP4": noise, "CLIP.JSON": []byte(`{"notes":"` + strings.Repeat("walked on; ", 500) + `"}`), "TRACK.NMEA": track.Bytes(), "DEVICE.LOG": track.Bytes()[:5000], "VIDEO.MP4": track.Bytes()[:9000]} {
		check(t, os.WriteFile(filepath.Join(footage, name), data, 0o600))
	}
	const files = 5
	s := open(t, station.Options{}, "--unplugged", "--cameras", "2", "--footage", footage, "--footage-on", "all")
	ctx := within(t)

	check(t, s.Ingest.Stop(ctx))
	control(t, s, "plug", "1-1")
	spooled(t, s, files)
	drive := t.TempDir()
	if out, err := exec.CommandContext(ctx, built.Agent, "export-spool", drive, "--data", s.AgentDir()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if said, err := s.Operate(ctx, "import-spool", drive); err != nil || !strings.Contains(said, fmt.Sprintf("%d now stored", files)) {
		t.Fatalf("%v\n%s", err, said)
	}
	check(t, s.StartIngest(ctx))
	control(t, s, "plug", "1-2")
	drained(t, s)
	settled(t, s)

	items, err := s.Items(within(t))
	check(t, err)
	if len(items) != 2*files {
		t.Errorf("%d items, want %d", len(items), 2*files)
	}
	for _, item := range items {
		var m evidence.Manifest
		check(t, evidence.Decode(item.Manifest.Payload, &m))
		video := strings.HasSuffix(item.Path, ".MP4")
		if video != (m.Content == nil) || !video && (m.Content.Encoding != evidence.EncodedZstd || m.Content.Length > m.Length*9/10) {
			t.Errorf("%s of %d bytes has content %+v", item.Path, m.Length, m.Content)
		}
	}
}
