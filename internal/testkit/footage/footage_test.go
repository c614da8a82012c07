package footage

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

func maker(t *testing.T, o Options) *Maker {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	m, err := NewMaker(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func clipOf(seed uint64) Clip {
	return Clip{Serial: "00112233445566778899aabbccddeeff", Model: "Sim BC-1", Sequence: 7, Wearer: 3,
		Started: time.Date(2026, 3, 2, 6, 45, 0, 0, time.UTC), Size: 1 << 20, Length: time.Second, Seed: seed}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheSameClipGivesTheSameBytes(t *testing.T) {
	a, err := maker(t, Options{}).Make(t.Context(), clipOf(1))
	if err != nil {
		t.Fatal(err)
	}
	b, err := maker(t, Options{}).Make(t.Context(), clipOf(1))
	if err != nil {
		t.Fatal(err)
	}
	if a.Video == b.Video {
		t.Fatal("both makers share a folder: nothing was compared")
	}
	video := read(t, a.Video)
	if !bytes.Equal(video, read(t, b.Video)) || !bytes.Equal(read(t, a.Sidecar), read(t, b.Sidecar)) {
		t.Error("two makings of one clip differ")
	}
	if len(video) < 940_000 || len(video) > 1_160_000 {
		t.Errorf("clip has %d bytes, want about %d", len(video), 1<<20)
	}
	other, err := maker(t, Options{}).Make(t.Context(), clipOf(2))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(video, read(t, other.Video)) {
		t.Error("another seed gave the same clip")
	}
}

func TestAClipIsMadeOnce(t *testing.T) {
	m := maker(t, Options{})
	a, err := m.Make(t.Context(), clipOf(1))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(a.Video)
	if err != nil {
		t.Fatal(err)
	}
	m.ffmpeg = "/nonexistent"
	b, err := m.Make(t.Context(), clipOf(1))
	if err != nil || a != b {
		t.Fatalf("second call: %v, %v; want %v from the cache", b, err, a)
	}
	if after, err := os.Stat(a.Video); err != nil || !os.SameFile(before, after) {
		t.Error("the cached file was replaced")
	}
	if left, _ := filepath.Glob(filepath.Join(m.dir, "making-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAClipIsAPlayableMP4(t *testing.T) {
	if _, err := exec.LookPath("ffprobe"); err != nil {
		t.Skip("NOT TESTED: ffprobe is not installed")
	}
	f, err := maker(t, Options{}).Make(t.Context(), clipOf(1))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries",
		"stream=codec_name,pix_fmt,width,nb_frames:format_tags=creation_time", "-of", "csv", f.Video).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"h264,640,yuv420p,25", "aac", "2026-03-02T06:45:00"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("ffprobe says %q, want %q in it", out, want)
		}
	}
	b := read(t, f.Video)
	if head, body := bytes.Index(b, []byte("moov")), bytes.Index(b, []byte("mdat")); head < 0 || head > body {
		t.Error("the index does not stand before the data: a browser could not start at once")
	}
}

func TestAMissingFontIsNoFailure(t *testing.T) {
	var log bytes.Buffer
	m, err := NewMaker(t.Context(), Options{Dir: t.TempDir(), Font: "/nonexistent.ttf"}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Make(t.Context(), clipOf(1)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "font is missing") {
		t.Errorf("log says %q, nothing of the font", log.String())
	}
}

func TestFailuresAreToldInWords(t *testing.T) {
	if _, err := NewMaker(t.Context(), Options{Dir: t.TempDir(), FFmpeg: "no-such-ffmpeg"}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "ffmpeg") {
		t.Errorf("missing ffmpeg: %v", err)
	}
	m := maker(t, Options{})
	if _, err := m.Make(t.Context(), Clip{}); err == nil {
		t.Error("a clip without size was made")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Make(ctx, clipOf(9)); err == nil {
		t.Error("a clip was made after cancelling")
	}
	if left, _ := os.ReadDir(m.dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSidecarsSayWhatManifestsAskFor(t *testing.T) {
	for sequence := range 20 {
		c := clipOf(5)
		c.Sequence, c.Wearer, c.Length = sequence+1, sequence, time.Minute
		text, err := c.sidecarJSON()
		if err != nil {
			t.Fatal(err)
		}
		var claims evidence.Claims
		if err := json.Unmarshal(text, &claims); err != nil {
			t.Fatal(err)
		}
		if claims.Officer == "" || claims.OfficerID == "" || claims.Category == "" || !claims.StartedAt.Equal(c.Started) || claims.EndedAt.Sub(claims.StartedAt) != time.Minute {
			t.Errorf("clip %d: claims %+v", sequence, claims)
		}
		s := c.sidecar()
		for _, m := range s.Marks {
			if m.AtSeconds < 0 || m.AtSeconds > 60 {
				t.Errorf("clip %d: mark at %v s of 60", sequence, m.AtSeconds)
			}
		}
		if len(s.Track) < 2 || s.Badge == "" {
			t.Errorf("clip %d: %d fixes, badge %q", sequence, len(s.Track), s.Badge)
		}
	}
}

func TestSyntheticBytesDoNotDependOnHowTheyAreRead(t *testing.T) {
	s := Synthetic{Seed: 42, Size: 10_001}
	whole := make([]byte, s.Size)
	if n, err := s.ReadAt(whole, 0); n != len(whole) || err != nil {
		t.Fatalf("ReadAt = %d, %v", n, err)
	}
	if !strings.HasPrefix(string(whole), "SEALDOCK SYNTHETIC DATA") {
		t.Errorf("begins with %q", whole[:24])
	}
	for offset := int64(0); offset < s.Size; offset += 7 {
		p := make([]byte, 13+offset%90)
		n, err := s.ReadAt(p, offset)
		if !bytes.Equal(p[:n], whole[offset:][:n]) {
			t.Fatalf("bytes at %d differ", offset)
		}
		if short := offset+int64(len(p)) > s.Size; short != (err != nil) {
			t.Fatalf("at %d: %d of %d bytes, %v", offset, n, len(p), err)
		}
	}
	if n, err := s.ReadAt(whole, 1<<40); n != 0 || err == nil {
		t.Errorf("past the end: %d, %v", n, err)
	}
	if _, err := s.ReadAt(whole, -1); err == nil {
		t.Error("negative offset was taken")
	}
}

func BenchmarkSynthetic(b *testing.B) {
	s := Synthetic{Seed: 1, Size: 1 << 40}
	p := make([]byte, 1<<20)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if _, err := s.ReadAt(p, 1<<33); err != nil {
			b.Fatal(err)
		}
	}
}
