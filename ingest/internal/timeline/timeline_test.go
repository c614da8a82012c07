package timeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/footage"
)

// packet is a sample as ffprobe finds it.
type packet struct {
	Type     string `json:"codec_type"`
	DTS      string `json:"dts_time"`
	Duration string `json:"duration_time"`
	Pos      string `json:"pos"`
	Size     string `json:"size"`
	Flags    string `json:"flags"`
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// recording makes footage, muxed anew with the given flags.
func recording(t *testing.T, flags ...string) string {
	t.Helper()
	maker, err := footage.NewMaker(t.Context(), footage.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("this test needs ffmpeg: run scripts/setup: %v", err)
	}
	files, err := maker.Make(t.Context(), footage.Clip{Serial: "CAM-1", Model: "Vigil 3", Sequence: 1, Started: time.Unix(1e9, 0), Length: 12 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if len(flags) == 0 {
		return files.Video
	}
	out := filepath.Join(t.TempDir(), "other.mp4")
	if said, err := exec.Command("ffmpeg", append(append([]string{"-v", "error", "-i", files.Video, "-c", "copy"}, flags...), out)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, said)
	}
	return out
}

func packets(t *testing.T, file string) (all []packet) {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-ignore_editlist", "1", "-show_packets", "-of", "json", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var probed struct{ Packets []packet }
	if err := json.Unmarshal(out, &probed); err != nil || len(probed.Packets) < 300 {
		t.Fatalf("ffprobe: %d packets, %v", len(probed.Packets), err)
	}
	return probed.Packets
}

// What ffprobe finds within the time asked lies within the bytes named, and they
// begin with a key frame at or before it.
func TestASpanHoldsWhatAnotherProgramFindsInIt(t *testing.T) {
	for name, flags := range map[string][]string{"as recorded": nil, "tables first": {"-movflags", "+faststart"}, "no sound": {"-an"}} {
		file := recording(t, flags...)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		x, err := Read(bytes.NewReader(data), uint64(len(data)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if string(data[x.Tables.From+4:x.Tables.From+8]) != "moov" || x.Duration < 11*time.Second || x.Duration > 13*time.Second {
			t.Errorf("%s: tables %v, %v", name, x.Tables, x.Duration)
		}
		all := packets(t, file)
		for _, span := range [][2]float64{{0, 0.01}, {0, 12}, {3.3, 3.31}, {3.3, 7.9}, {5, 6}, {11.5, 99}, {0, 99}} {
			from, to := time.Duration(span[0]*1e9), time.Duration(span[1]*1e9)
			s, err := x.Span(from, to)
			if err != nil {
				t.Errorf("%s: %v: %v", name, span, err)
				continue
			}
			held, begins := 0, false
			for _, p := range all {
				at, pos := number(t, p.DTS), uint64(number(t, p.Pos))
				end := pos + uint64(number(t, p.Size))
				if at+number(t, p.Duration) > span[0]+1e-6 && at < span[1]-1e-6 {
					if held++; pos < s.Bytes.From || end > s.Bytes.To {
						t.Errorf("%s: %v: the %s of %v s lies at %d, the span is %+v", name, span, p.Type, at, pos, s)
					}
				}
				if p.Type == "video" && p.Flags[0] == 'K' && time.Duration(at*1e9+0.5)-s.From < time.Microsecond && s.From-time.Duration(at*1e9) < time.Microsecond {
					begins = pos >= s.Bytes.From && pos < s.Bytes.To
				}
			}
			if held == 0 || !begins || s.From > from {
				t.Errorf("%s: %v: %d packets, it begins with a key frame: %v, %+v", name, span, held, begins, s)
			}
			if span[1]-span[0] < 5 && s.Bytes.To-s.Bytes.From > uint64(len(data))*3/4 {
				t.Errorf("%s: %v: %d of %d bytes", name, span, s.Bytes.To-s.Bytes.From, len(data))
			}
		}
		for _, span := range [][2]time.Duration{{-1, 1}, {1, 1}, {2, 1}, {time.Hour, 2 * time.Hour}} {
			if s, err := x.Span(span[0], span[1]); !errors.Is(err, ErrForm) {
				t.Errorf("%v: %+v, %v", span, s, err)
			}
		}
	}
}

func TestWhatIsNoRecordingIsRefused(t *testing.T) {
	fragmented, err := os.ReadFile(recording(t, "-movflags", "+frag_keyframe+empty_moov"))
	if err != nil {
		t.Fatal(err)
	}
	// A table that names 2^32-1 rows and has none.
	bomb := []byte("\x00\x00\x00\x10stts\x00\x00\x00\x00\xff\xff\xff\xff")
	for _, kind := range []string{"stbl", "minf", "mdia", "trak", "moov"} {
		bomb = append([]byte{0, 0, 0, byte(8 + len(bomb)), kind[0], kind[1], kind[2], kind[3]}, bomb...)
	}
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("hello, this is no video at all"), "fragments": fragmented, "a bomb": bomb, "a long box": []byte("\x00\x00\x00\x01moov\xff\xff\xff\xff\xff\xff\xff\xff")} {
		if x, err := Read(bytes.NewReader(data), uint64(len(data))); !errors.Is(err, ErrForm) {
			if err != nil || x == nil {
				t.Errorf("%s: %v", name, err)
			} else if s, err := x.Span(0, time.Second); !errors.Is(err, ErrForm) {
				t.Errorf("%s: %+v, %v", name, s, err)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x08moov"), int64(0), int64(1))
	if data, err := os.ReadFile("testdata/small.mp4"); err == nil {
		f.Add(data, int64(time.Second), int64(2*time.Second))
	} else {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, from, to int64) {
		x, err := Read(bytes.NewReader(data), uint64(len(data)))
		if err != nil {
			if !errors.Is(err, ErrForm) {
				t.Fatal(err)
			}
			return
		}
		s, err := x.Span(time.Duration(from), time.Duration(to))
		if err == nil && (s.Bytes.From >= s.Bytes.To || s.Bytes.To > uint64(len(data)) || s.From > time.Duration(from)) {
			t.Errorf("%+v", s)
		}
	})
}
