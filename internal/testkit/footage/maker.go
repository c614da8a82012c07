package footage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// DefaultFont is where Debian's fonts-dejavu-core puts the font of the burnt-in text.
const DefaultFont = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"

// recipe is part of every cache key: raise it when the same clip would look different.
const recipe = "sealdock footage 1"

const (
	frameSize     = "640x360"
	bitsPerSecond = 24_000_000 // of a clip that is long enough
	audioBits     = 64_000
	shortest      = 2 * time.Second
	longest       = 30 * time.Minute
	ffmpegTimeout = 10 * time.Minute
)

// Clip says what to record.
type Clip struct {
	Serial   string // of the camera, burnt in
	Model    string
	Sequence int       // counts the camera's clips from 1
	Wearer   int       // which of the invented officers; any number
	Started  time.Time // the clock that runs in the picture
	Size     int64     // bytes to aim for; the file comes within some percent
	Length   time.Duration
	Seed     uint64   // changes picture noise, metadata and track
	Assigned *Officer // who wears the camera instead; nil: one of the invented
}

// Officer is who wears the camera.
func (c *Clip) Officer() Officer {
	if c.Assigned != nil {
		return *c.Assigned
	}
	return officers()[c.Wearer%len(officers())]
}

// Duration is the clip's length: Length where given, else what fits Size.
func (c *Clip) Duration() time.Duration {
	if c.Length > 0 {
		return c.Length
	}
	d := time.Duration(float64(c.Size) * 8 / bitsPerSecond * float64(time.Second)).Round(time.Second / 25)
	return min(max(d, shortest), longest)
}

// Files are the paths of a finished recording.
type Files struct {
	Video   string // .mp4
	Sidecar string // .json
}

// Maker makes clips into a cache folder. Safe for concurrent use once built.
type Maker struct {
	dir, ffmpeg, font, version string
	log                        *slog.Logger
}

// Options of a Maker. The zero value means the defaults.
type Options struct {
	Dir    string // cache folder; default: sealdock/footage in the user's cache folder
	FFmpeg string // program; default: ffmpeg on the path
	Font   string // TrueType file; default: DefaultFont
}

// NewMaker finds ffmpeg and makes the cache folder.
func NewMaker(ctx context.Context, o Options, log *slog.Logger) (*Maker, error) {
	m := &Maker{dir: o.Dir, ffmpeg: o.FFmpeg, font: o.Font, log: log}
	if m.ffmpeg == "" {
		m.ffmpeg = "ffmpeg"
	}
	path, err := exec.LookPath(m.ffmpeg)
	if err != nil {
		return nil, fmt.Errorf("looking for ffmpeg, which makes the recordings (install it, or use ready files or synthetic ones): %w", err)
	}
	m.ffmpeg = path
	banner, err := exec.CommandContext(ctx, m.ffmpeg, "-version").Output()
	if err != nil {
		return nil, fmt.Errorf("asking %s for its version: %w", m.ffmpeg, err)
	}
	m.version, _, _ = strings.Cut(string(banner), "\n")
	if m.dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("choosing a footage cache folder: %w", err)
		}
		m.dir = filepath.Join(base, "sealdock", "footage")
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making footage cache folder: %w", err)
	}
	if m.font == "" {
		m.font = DefaultFont
	}
	if _, err := os.Stat(m.font); err != nil {
		log.Warn("recordings will carry no burnt-in text: the font is missing (Debian: fonts-dejavu-core)", "font", m.font, "error", err)
		m.font = ""
	}
	return m, nil
}

// key names a clip's files: all that its bytes depend on.
func (m *Maker) key(c *Clip) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\ntext %t\n%q %q %d %d %s %s %d %d\n", recipe, m.version, m.font != "",
		c.Serial, c.Model, c.Sequence, c.Wearer, c.Started.UTC().Format(time.RFC3339), c.Duration(), c.Size, c.Seed)
	if c.Assigned != nil {
		fmt.Fprintf(h, "worn by %q\n", *c.Assigned)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Make returns the files of a clip, from the cache or newly made. What stands in
// the cache is complete: files are made under another name and renamed.
func (m *Maker) Make(ctx context.Context, c Clip) (Files, error) {
	if c.Size <= 0 && c.Length <= 0 {
		return Files{}, errors.New("making a clip: neither its size nor its length is given")
	}
	key := m.key(&c)
	f := Files{Video: filepath.Join(m.dir, key+".mp4"), Sidecar: filepath.Join(m.dir, key+".json")}
	if exists(f.Video) && exists(f.Sidecar) {
		return f, nil
	}
	text, err := c.sidecarJSON()
	if err != nil {
		return Files{}, err
	}
	work, err := os.MkdirTemp(m.dir, "making-*")
	if err != nil {
		return Files{}, fmt.Errorf("making clip %d of %s: %w", c.Sequence, c.Serial, err)
	}
	defer os.RemoveAll(work)
	sidecar, video := filepath.Join(work, "clip.json"), filepath.Join(work, "clip.mp4")
	if err := os.WriteFile(sidecar, text, 0o600); err != nil {
		return Files{}, fmt.Errorf("writing the metadata of clip %d of %s: %w", c.Sequence, c.Serial, err)
	}
	begun := time.Now()
	if err := m.encode(ctx, &c, work, video); err != nil {
		return Files{}, fmt.Errorf("making clip %d of %s: %w", c.Sequence, c.Serial, err)
	}
	if err := errors.Join(os.Rename(sidecar, f.Sidecar), os.Rename(video, f.Video)); err != nil {
		return Files{}, fmt.Errorf("keeping clip %d of %s: %w", c.Sequence, c.Serial, err)
	}
	m.log.Info("recording made", "serial", c.Serial, "sequence", c.Sequence, "length", c.Duration(), "took", time.Since(begun).Round(time.Millisecond))
	return f, nil
}

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func (m *Maker) encode(ctx context.Context, c *Clip, work, video string) error {
	ctx, cancel := context.WithTimeout(ctx, ffmpegTimeout)
	defer cancel()
	arguments, err := m.arguments(c, work, video)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, m.ffmpeg, arguments...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	if err := command.Run(); err != nil {
		return fmt.Errorf("running ffmpeg: %w: %s", err, clip(complaint.String(), 500))
	}
	return nil
}

func clip(s string, limit int) string {
	s = strings.TrimSpace(s)
	return s[max(0, len(s)-limit):]
}

// arguments is the recipe. One thread and "bitexact" everywhere make it repeatable;
// constant bit rate makes the size, whatever the picture.
func (m *Maker) arguments(c *Clip, work, video string) ([]string, error) {
	seconds := c.Duration().Seconds()
	rate := max(int64(float64(c.Size)*8/seconds)*985/1000-audioBits, 64_000) // the rest is the container's
	picture := fmt.Sprintf("testsrc2=size=%s:rate=25", frameSize)
	look := fmt.Sprintf("hue=s=0.6,vignette=PI/5,noise=alls=24:allf=t:all_seed=%d", 1+c.Seed%1_000_000+uint64(c.Sequence))
	if m.font != "" {
		text, err := m.burn(c, work)
		if err != nil {
			return nil, err
		}
		look += text
	}
	tone := fmt.Sprintf("sine=frequency=%d:beep_factor=4:sample_rate=48000", 220+20*(c.Sequence%20))
	bits := strconv.FormatInt(rate, 10)
	return []string{
		"-nostdin", "-v", "error", "-threads", "1", "-filter_threads", "1",
		"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone,
		"-t", strconv.FormatFloat(seconds, 'f', 3, 64), "-vf", look + ",format=yuv420p", "-map_metadata", "-1",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-threads", "1",
		"-b:v", bits, "-minrate", bits, "-maxrate", bits, "-bufsize", strconv.FormatInt(rate/5, 10),
		"-x264-params", "nal-hrd=cbr:force-cfr=1:threads=1:lookahead-threads=1",
		"-c:a", "aac", "-b:a", strconv.Itoa(audioBits),
		"-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
		"-metadata", "creation_time=" + c.Started.UTC().Format(time.RFC3339),
		"-movflags", "+faststart", "-f", "mp4", "-y", video,
	}, nil
}

// burn writes the texts to files, where no quoting can go wrong, and returns the
// filters that show them.
func (m *Maker) burn(c *Clip, work string) (string, error) {
	wearer := c.Officer()
	lines := []string{
		fmt.Sprintf("%%{pts:gmtime:%d:%%Y-%%m-%%d %%H\\:%%M\\:%%S}Z", c.Started.Unix()),
		fmt.Sprintf("%s  SN %s", plain(c.Model), plain(c.Serial)),
		fmt.Sprintf("%s  BADGE %s  CLIP %05d", plain(wearer.Name), plain(wearer.Badge), c.Sequence),
	}
	filters := ""
	for i, line := range lines {
		file := filepath.Join(work, fmt.Sprintf("line%d.txt", i))
		if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
			return "", fmt.Errorf("writing burnt-in text: %w", err)
		}
		filters += fmt.Sprintf(",drawtext=fontfile=%s:textfile=%s:x=10:y=%d:fontsize=17:fontcolor=white:box=1:boxcolor=black@0.45:boxborderw=4",
			quote(m.font), quote(file), 10+26*i)
	}
	return filters, nil
}

// plain drops what drawtext would expand.
func plain(s string) string { return strings.NewReplacer("%", "", "\\", "", "\n", " ").Replace(s) }

// quote escapes a path for a filter description (ffmpeg-filters, "Notes on filtergraph escaping").
func quote(path string) string {
	path = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `:`, `\:`).Replace(path)
	return strings.NewReplacer(`\`, `\\`, `'`, `\'`, `,`, `\,`, `;`, `\;`, `[`, `\[`, `]`, `\]`).Replace(path)
}
