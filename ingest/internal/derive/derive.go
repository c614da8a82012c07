package derive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/closed"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/timeline"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The errors that callers tell apart with errors.Is, beside those of export.Open.
var (
	// ErrForbidden: the person may not take a part of this item away.
	ErrForbidden = auth.ErrForbidden
	// ErrRange: there is no such span of time, or the recording is none that clips are made of.
	ErrRange = export.ErrRange
	// ErrBusy: another clip is being made.
	ErrBusy = errors.New("another clip is being made at this moment; try again in a minute")
	// ErrLong: the span is longer than the configuration allows.
	ErrLong = errors.New("the clip is too long: choose a shorter one, or raise clip_mib in the server's configuration")
	// ErrReason: no reason, or too long a one.
	ErrReason = errors.New("a clip wants a reason of 1 to 1000 bytes")
)

// Store stores derivatives. custody.Custody is one.
type Store interface {
	Derive(ctx context.Context, maker evidence.Actor, from string, m evidence.Manifest, content io.ReaderAt, length int64) (evidence.EvidenceID, error)
}

// Originals opens recordings. export.Service is one.
type Originals interface {
	Open(ctx context.Context, id evidence.EvidenceID) (*catalog.Item, *export.Recording, error)
}

// Config is what a Service stands on. All fields are required.
type Config struct {
	Catalog   *sqldb.DB
	Originals Originals
	Store     Store
	Agency    evidence.AgencyID
	Program   string // this program and its version
	Most      int64  // bytes of an original that a clip may be made of
	Now       func() time.Time
	Logger    *slog.Logger
}

// Service makes derivatives.
type Service struct {
	Config
	turn chan struct{}
}

// New returns a Service.
func New(c Config) *Service { return &Service{c, make(chan struct{}, 1)} }

// Clip is what is wanted.
type Clip struct {
	Original evidence.EvidenceID
	From, To time.Duration // from the recording's beginning
	Reason   string
}

const (
	// What ffmpeg may want beside the span: a key frame before, and pictures that are
	// shown earlier than they are decoded.
	marginBefore = 10 * time.Second
	marginBehind = 2 * time.Second
	maxReason    = 1000
)

// limits of one run of ffmpeg. It copies, so seconds are much.
var limits = closed.Limits{Time: time.Minute, Memory: 4 << 30}

// ForPerson makes a clip for a signed-in person, who must be allowed to download the
// original.
func (s *Service) ForPerson(ctx context.Context, actor *auth.Actor, c Clip) (evidence.EvidenceID, error) {
	item, err := auth.Find(ctx, &s.Catalog.Reader, actor, auth.DownloadItem, s.Agency, c.Original)
	if actor != nil && (errors.Is(err, ErrForbidden) || errors.Is(err, catalog.ErrNotFound)) {
		s.note(ctx, export.By{Actor: actor.Custody(), Source: actor.Origin.Address}, c, evidence.OutcomeRefused, auth.Refusal(err, auth.DownloadItem))
	}
	if err == nil {
		err = auth.Clear(ctx, actor, auth.Act{Do: auth.DownloadItem, On: []auth.Object{auth.ItemObject(item)}, About: evidence.ItemObject(c.Original), Kind: evidence.EventDerived, Later: true})
		if errors.Is(err, auth.ErrFreshFactor) || errors.Is(err, auth.ErrTokenAct) {
			s.note(ctx, export.By{Actor: actor.Custody(), Source: actor.Origin.Address}, c, evidence.OutcomeRefused, err.Error())
		}
	}
	if err != nil {
		return evidence.EvidenceID{}, err
	}
	return s.Make(ctx, export.By{Actor: actor.Custody(), Source: actor.Origin.Address}, c)
}

// Make makes and stores a clip, and returns its id; the same clip again has the same.
func (s *Service) Make(ctx context.Context, by export.By, c Clip) (id evidence.EvidenceID, err error) {
	if c.Reason == "" || len(c.Reason) > maxReason {
		return id, ErrReason
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	default:
		return id, ErrBusy
	}
	id, err = s.make(ctx, by, c)
	if err == nil {
		return id, nil
	}
	if !errors.Is(err, catalog.ErrNotFound) {
		s.note(ctx, by, c, evidence.OutcomeFailed, err.Error())
	}
	return id, fmt.Errorf("making a clip of item %s: %w", c.Original, err)
}

func (s *Service) make(ctx context.Context, by export.By, c Clip) (id evidence.EvidenceID, err error) {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		return id, fmt.Errorf("ffmpeg is not installed on this server: %w", err)
	}
	version, err := versionOf(ctx, program)
	if err != nil {
		return id, fmt.Errorf("asking ffmpeg for its version: %w", err)
	}
	item, original, err := s.Originals.Open(ctx, c.Original)
	if err != nil {
		return id, err
	}
	defer func() { err = errors.Join(err, original.Close()) }()
	if item.Kind == evidence.KindDerivative {
		return id, fmt.Errorf("it is a derivative itself, clips are made of originals: %w", ErrRange)
	}
	in, x, most, err := s.input(original, item, c)
	if err != nil {
		return id, err
	}
	defer in.Close()
	out, err := closed.File()
	if err != nil {
		return id, err
	}
	defer out.Close()
	recipe := parameters(c)
	bound := limits
	bound.Output = uint64(most) + 4<<20
	bound.Memory += bound.Output
	if _, err := closed.Run(ctx, closed.Command{Program: program, Args: named(recipe, closed.Input, closed.Output), Input: in, Output: out, Limits: bound}); err != nil {
		return id, err
	}
	info, err := out.Stat()
	if err != nil {
		return id, err
	}
	from, to, err := judge(x, original, out, info.Size(), c)
	if err != nil {
		return id, err
	}
	m, err := s.manifest(by, c, item, from, to)
	if err != nil {
		return id, err
	}
	m.Derivation.ToolVersion, m.Derivation.Parameters = version, recipe
	return s.Store.Derive(ctx, by.Actor, by.Source, *m, out, info.Size())
}

// judge compares every picture that ffmpeg put into a clip with the original's, and says
// which span of it they are.
func judge(x *timeline.Index, original io.ReaderAt, clip io.ReaderAt, size int64, c Clip) (from, to time.Duration, err error) {
	made, err := timeline.Read(clip, uint64(size))
	if err == nil {
		from, to, err = x.Copied(original, made, clip, c.From)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("what ffmpeg made does not hold: %w", err)
	}
	return from, to, nil
}

// input makes a file in memory of the original's length that holds its tables and what
// is needed of its pictures and sound, and holes for the rest; it cannot be changed any
// more. It says how many bytes of the original are in it.
func (s *Service) input(original *export.Recording, item *catalog.Item, c Clip) (in *os.File, x *timeline.Index, bytes int64, err error) {
	x, err = timeline.Read(original, item.Length)
	if err == nil {
		_, err = x.Span(c.From, c.To)
	}
	var wide *timeline.Span
	if err == nil {
		wide, err = x.Span(max(c.From-marginBefore, 0), c.To+marginBehind)
	}
	if errors.Is(err, timeline.ErrForm) {
		err = fmt.Errorf("%w: %w", ErrRange, err)
	}
	if err != nil {
		return nil, nil, 0, err
	}
	ranges := []timeline.Range{{From: 0, To: min(item.Length, 64)}, x.Tables, wide.Bytes} // the first names the form of the file
	for _, r := range ranges {
		bytes += int64(r.To - r.From)
	}
	if bytes > s.Most {
		return nil, nil, 0, fmt.Errorf("%d bytes of the original are needed, at most %d are taken: %w", bytes, s.Most, ErrLong)
	}
	if in, err = closed.File(); err != nil {
		return nil, nil, 0, err
	}
	if err := in.Truncate(int64(item.Length)); err != nil {
		return nil, nil, 0, errors.Join(err, in.Close())
	}
	for _, r := range ranges {
		from := io.NewSectionReader(original, int64(r.From), int64(r.To-r.From))
		if _, err := io.CopyBuffer(io.NewOffsetWriter(in, int64(r.From)), onlyReader{from}, make([]byte, evidence.LeafSize)); err != nil {
			return nil, nil, 0, errors.Join(err, in.Close())
		}
	}
	if err := closed.Seal(in); err != nil {
		return nil, nil, 0, errors.Join(err, in.Close())
	}
	return in, x, bytes, nil
}

// onlyReader hides what would make io.CopyBuffer use another buffer.
type onlyReader struct{ io.Reader }

// parameters are ffmpeg's arguments for a clip: pictures and sound copied, no metadata,
// nothing that differs from run to run.
func parameters(c Clip) []string {
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
	return []string{
		"-nostdin", "-hide_banner", "-v", "error", "-protocol_whitelist", "file", "-fflags", "+bitexact",
		"-f", "mov", "-ss", seconds(c.From), "-i", evidence.InputFile, "-t", seconds(c.To - c.From),
		"-map", "0:v", "-map", "0:a?", "-c", "copy", "-map_metadata", "-1", "-map_chapters", "-1", "-avoid_negative_ts", "make_zero",
		"-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-f", "mp4", "-y", evidence.OutputFile,
	}
}

// named puts files in the place of what stands for them.
func named(recipe []string, input, output string) []string {
	args := make([]string, len(recipe))
	for i, p := range recipe {
		args[i] = strings.NewReplacer(evidence.InputFile, input, evidence.OutputFile, output).Replace(p)
	}
	return args
}

func versionOf(ctx context.Context, program string) (string, error) {
	out, err := closed.File()
	if err != nil {
		return "", err
	}
	defer out.Close()
	bound := limits
	bound.Output = 1 << 20
	if _, err := closed.Run(ctx, closed.Command{Program: program, Args: []string{"-version"}, Output: out, Limits: bound}); err != nil {
		return "", err
	}
	said := make([]byte, 4<<10)
	n, err := out.ReadAt(said, 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	line, _, _ := strings.Cut(string(said[:n]), "\n")
	line, _, _ = strings.Cut(line, " Copyright")
	return line[:min(len(line), 200)], nil
}

// manifest is that of the original, with what differs.
func (s *Service) manifest(by export.By, c Clip, item *catalog.Item, from, to time.Duration) (*evidence.Manifest, error) {
	envelope, err := evidence.ParseEnvelope(item.Manifest)
	if err != nil {
		return nil, err
	}
	var m evidence.Manifest
	if err := evidence.Decode(envelope.Payload, &m); err != nil {
		return nil, err
	}
	m.Recording = evidence.RecordingInfo{Path: clipName(m.Recording.Path, c), Kind: evidence.KindDerivative}
	m.Confirmed, m.Content, m.Agent, m.Claims.Marks = "", nil, s.Program, nil
	if start := m.Claims.StartedAt; !start.IsZero() {
		m.Claims.StartedAt, m.Claims.EndedAt = start.Add(from), start.Add(to)
	}
	m.Derivation = &evidence.Derivation{
		Original: item.ID, SHA256: item.SHA256, Length: item.Length, AskedFrom: c.From.Microseconds(), AskedTo: c.To.Microseconds(), From: from.Microseconds(), To: to.Microseconds(),
		Tool: "ffmpeg", MadeAt: s.Now().UTC().Truncate(time.Microsecond), MadeBy: by.Actor, Reason: c.Reason,
	}
	return &m, nil
}

// clipName is where a clip stands beside its original: the same span, the same name.
func clipName(original string, c Clip) string {
	stem := strings.TrimSuffix(original, path.Ext(original))
	if len(stem) > 900 {
		stem = strings.ToValidUTF8(stem[:900], "")
	}
	return stem + " " + clock(c.From) + "-" + clock(c.To) + ".mp4"
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d.%02d.%06.3f", int(d.Hours()), int(d.Minutes())%60, (d % time.Minute).Seconds())
}

// note enters at the original that no clip was made.
func (s *Service) note(ctx context.Context, by export.By, c Clip, outcome evidence.Outcome, why string) {
	ctx = context.WithoutCancel(ctx)
	err := s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, evidence.Event{
			Version: 1, Agency: s.Agency, Type: evidence.EventDerived, At: s.Now().UTC().Truncate(time.Microsecond), Actor: by.Actor, Source: by.Source,
			Object: evidence.ItemObject(c.Original), Outcome: outcome, Reason: strings.ToValidUTF8(why[:min(len(why), maxReason)], ""),
			Details: map[string]string{"range_us": fmt.Sprintf("%d-%d", c.From.Microseconds(), c.To.Microseconds()), "wanted_for": c.Reason},
		})
		return err
	})
	if err != nil {
		s.Logger.ErrorContext(ctx, "a clip that was not made could not be recorded", "item", c.Original, "error", err)
	}
}
