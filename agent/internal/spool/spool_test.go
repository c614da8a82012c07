package spool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func options(dir string) Options {
	return Options{Dir: dir, Now: func() time.Time { return start }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func open(t *testing.T, opt Options) *Spool {
	t.Helper()
	s, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// reopen is what a restart after a crash does: nothing is closed in order.
func reopen(t *testing.T, s *Spool) *Spool {
	t.Helper()
	s.db.Close()
	return open(t, s.opt)
}

var video = Source{Serial: "CAM-1", Path: "DCIM/0001.MP4", Size: 3 << 20, Captured: "20261101T100000"}

// body makes what a sealer would give: a header and segments of the right size.
func body(plain uint64) (header []byte, segments [][]byte, leaves []evidence.Digest) {
	header = bytes.Repeat([]byte{7}, seal.HeaderSize)
	for i := range seal.SegmentCount(plain) {
		segment := bytes.Repeat([]byte{byte(i + 1)}, int(seal.SegmentLen(plain, i))+seal.Overhead)
		segments, leaves = append(segments, segment), append(leaves, evidence.LeafHash(segment))
	}
	return header, segments, leaves
}

func begin(t *testing.T, s *Spool, source Source) (Recording, *Writer) {
	t.Helper()
	known, err := s.Matching(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	if len(known) == 0 {
		rec, err := s.Add(t.Context(), source, evidence.NewDockingID(), "1-1")
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, rec)
	}
	rec := known[0]
	w, err := s.Begin(t.Context(), rec.Evidence, rec.Docking, "1-1", source.Size)
	if err != nil {
		t.Fatal(err)
	}
	return rec, w
}

func fill(t *testing.T, w *Writer, plain uint64) Sealed {
	t.Helper()
	header, segments, leaves := body(plain)
	if err := w.Header(header); err != nil {
		t.Fatal(err)
	}
	for _, segment := range segments {
		if err := w.Segment(segment); err != nil {
			t.Fatal(err)
		}
	}
	return Sealed{Length: plain, SHA256: evidence.SHA256([]byte("whole")), MerkleRoot: evidence.MerkleRoot(leaves), Leaves: leaves, Manifest: []byte("{}"), WrappedKey: []byte("wrapped")}
}

func spooled(t *testing.T, s *Spool, source Source) Recording {
	t.Helper()
	rec, w := begin(t, s, source)
	if err := w.Commit(t.Context(), fill(t, w, source.Size)); err != nil {
		t.Fatal(err)
	}
	rec, err := s.Get(t.Context(), rec.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func files(t *testing.T, s *Spool) []string {
	t.Helper()
	entries, err := os.ReadDir(s.records)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSpooledCopySurvivesRestart(t *testing.T) {
	for _, plain := range []uint64{0, 1, seal.SegmentSize, 3<<20 + 5} {
		s := open(t, options(t.TempDir()))
		source := video
		source.Size = plain
		rec := spooled(t, s, source)
		s = reopen(t, s)
		c, err := s.OpenCopy(t.Context(), rec.Evidence)
		if err != nil {
			t.Fatal(err)
		}
		_, segments, leaves := body(plain)
		if !bytes.Equal(c.Leaves, evidence.EncodeLeaves(leaves)) || c.Attempt != 1 || c.State != StateSpooled || string(c.WrappedKey) != "wrapped" {
			t.Fatalf("%d bytes: row came back as %+v", plain, c.Recording)
		}
		for i, want := range segments {
			got, err := c.ReadSegment(nil, uint64(i))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("segment %d of %d bytes: %v", i, plain, err)
			}
		}
		if used, _ := s.Usage(); used != seal.SealedSize(plain) {
			t.Fatalf("usage is %d after restart, want %d", used, seal.SealedSize(plain))
		}
		c.Close()
	}
}

// Each step of a recording's life is cut off by a crash before it, and the
// state after restart is one from which the work goes on.
func TestCrashMatrix(t *testing.T) {
	receipt := func(s *Spool, r Recording) error {
		return s.Received(context.Background(), r.Evidence, r.Attempt, Receipt{Envelope: []byte("receipt"), Item: r.Evidence, LogSize: 4, Checkpoint: []byte("origin\n4\nroot\n\n— sig\n")})
	}
	cases := []struct {
		name  string
		run   func(t *testing.T, s *Spool) evidence.EvidenceID
		state State
		files int
		next  uint32 // attempt number of the next reading, 0 when none may begin
	}{
		{"row added", func(t *testing.T, s *Spool) evidence.EvidenceID {
			rec, err := s.Add(t.Context(), video, evidence.NewDockingID(), "1-1")
			if err != nil {
				t.Fatal(err)
			}
			return rec.Evidence
		}, StateReading, 0, 2},
		{"half written", func(t *testing.T, s *Spool) evidence.EvidenceID {
			rec, w := begin(t, s, video)
			header, segments, _ := body(video.Size)
			if err := errors.Join(w.Header(header), w.Segment(segments[0])); err != nil {
				t.Fatal(err)
			}
			return rec.Evidence
		}, StateReading, 0, 2},
		{"written, not committed", func(t *testing.T, s *Spool) evidence.EvidenceID {
			rec, w := begin(t, s, video)
			fill(t, w, video.Size)
			return rec.Evidence
		}, StateReading, 0, 2},
		{"committed", func(t *testing.T, s *Spool) evidence.EvidenceID {
			return spooled(t, s, video).Evidence
		}, StateSpooled, 1, 0},
		{"offered", func(t *testing.T, s *Spool) evidence.EvidenceID {
			rec := spooled(t, s, video)
			if err := s.Offered(t.Context(), rec.Evidence, 1); err != nil {
				t.Fatal(err)
			}
			return rec.Evidence
		}, StateUploading, 1, 0},
		{"receipt journaled, file not yet removed", func(t *testing.T, s *Spool) evidence.EvidenceID {
			rec := spooled(t, s, video)
			path := s.file(rec.Evidence, 1)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := receipt(s, rec); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return rec.Evidence
		}, StateReceived, 0, 0},
		{"erasing", func(t *testing.T, s *Spool) evidence.EvidenceID {
			rec := spooled(t, s, video)
			if err := errors.Join(receipt(s, rec), s.Erasing(t.Context(), rec.Evidence)); err != nil {
				t.Fatal(err)
			}
			return rec.Evidence
		}, StateErasing, 0, 0},
		{"file lost", func(t *testing.T, s *Spool) evidence.EvidenceID {
			rec := spooled(t, s, video)
			if err := os.Remove(s.file(rec.Evidence, 1)); err != nil {
				t.Fatal(err)
			}
			return rec.Evidence
		}, StateReading, 0, 2},
		{"file cut", func(t *testing.T, s *Spool) evidence.EvidenceID {
			rec := spooled(t, s, video)
			if err := os.Truncate(s.file(rec.Evidence, 1), 1000); err != nil {
				t.Fatal(err)
			}
			return rec.Evidence
		}, StateReading, 0, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, options(t.TempDir()))
			id := c.run(t, s)
			s = reopen(t, s)
			rec, err := s.Get(t.Context(), id)
			if err != nil || rec.State != c.state {
				t.Fatalf("state after restart is %q (%v), want %q", rec.State, err, c.state)
			}
			if names := files(t, s); len(names) != c.files {
				t.Fatalf("files after restart: %v, want %d", names, c.files)
			}
			w, err := s.Begin(t.Context(), id, rec.Docking, "1-1", video.Size)
			if c.next == 0 {
				if !errors.Is(err, ErrState) {
					t.Fatalf("a new reading of a %s recording: %v, want ErrState", rec.State, err)
				}
				return
			}
			if err != nil || w.Attempt() != c.next {
				t.Fatalf("the next reading: %v, want attempt %d", err, c.next)
			}
			if err := w.Commit(t.Context(), fill(t, w, video.Size)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestEveryFlippedByteIsCaughtBeforeSending(t *testing.T) {
	s := open(t, options(t.TempDir()))
	rec := spooled(t, s, video)
	path := s.file(rec.Evidence, 1)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{seal.HeaderSize, seal.HeaderSize + seal.SegmentSize + seal.Overhead + 17, len(good) - 1} {
		bad := bytes.Clone(good)
		bad[at] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := s.OpenCopy(t.Context(), rec.Evidence)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Verify(t.Context()); !errors.Is(err, ErrRot) {
			t.Errorf("bit flipped at %d: %v, want ErrRot", at, err)
		}
		c.Close()
	}
	if err := s.Reread(t.Context(), rec.Evidence, 1, "damaged"); err != nil {
		t.Fatal(err)
	}
	if names := files(t, s); len(names) != 0 {
		t.Fatalf("the damaged copy is still there: %v", names)
	}
	if again := spooled(t, s, video); again.Evidence != rec.Evidence || again.Attempt != 2 {
		t.Fatalf("the second copy is attempt %d of %s", again.Attempt, again.Evidence)
	}
}

func TestQuotaPausesAndResumes(t *testing.T) {
	opt := options(t.TempDir())
	opt.Quota = seal.SealedSize(video.Size) + 100
	s := open(t, opt)
	first := spooled(t, s, video)
	second := video
	second.Path = "DCIM/0002.MP4"
	rec, err := s.Add(t.Context(), second, evidence.NewDockingID(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	changed := s.Changed()
	if _, err := s.Begin(t.Context(), rec.Evidence, rec.Docking, "1-1", second.Size); !errors.Is(err, ErrFull) {
		t.Fatalf("a copy beyond the quota: %v, want ErrFull", err)
	}
	if err := s.Received(t.Context(), first.Evidence, 1, Receipt{Envelope: []byte("r"), LogSize: 1, Checkpoint: []byte("checkpoint\n")}); err != nil {
		t.Fatal(err)
	}
	<-changed
	if used, _ := s.Usage(); used != 0 {
		t.Fatalf("%d bytes are used after the receipt", used)
	}
	spooled(t, s, second)
}

// A camera that lists less than it delivers cannot slip past the quota.
func TestWriterGrowsOnlyWithinQuota(t *testing.T) {
	opt := options(t.TempDir())
	opt.Quota = seal.SealedSize(2 << 20)
	s := open(t, opt)
	source := video
	source.Size = 1
	_, w := begin(t, s, source)
	header, segments, _ := body(video.Size)
	if err := errors.Join(w.Header(header), w.Segment(segments[0]), w.Segment(segments[1])); err != nil {
		t.Fatal(err)
	}
	if err := w.Segment(segments[2]); !errors.Is(err, ErrFull) {
		t.Fatalf("third segment: %v, want ErrFull", err)
	}
	if err := w.Drop(); err != nil {
		t.Fatal(err)
	}
	if used, _ := s.Usage(); used != 0 || len(files(t, s)) != 0 {
		t.Fatalf("%d bytes are used after the drop, files %v", used, files(t, s))
	}
}

func TestFailedFlushDropsTheCopy(t *testing.T) {
	s := open(t, options(t.TempDir()))
	rec, w := begin(t, s, video)
	sealed := fill(t, w, video.Size)
	w.file.Close() // every later call on the file fails, flush first
	if err := w.Commit(t.Context(), sealed); err == nil {
		t.Fatal("a copy whose flush failed was committed")
	}
	got, err := s.Get(t.Context(), rec.Evidence)
	if err != nil || got.State != StateReading || len(files(t, s)) != 0 {
		t.Fatalf("after the failed flush: state %q, files %v, %v", got.State, files(t, s), err)
	}
}

func TestADroppedCopyIsNotCommitted(t *testing.T) {
	s := open(t, options(t.TempDir()))
	short := video
	short.Size = 1000
	_, w := begin(t, s, short)
	sealed := fill(t, w, short.Size)
	if err := w.Drop(); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), sealed); err == nil || len(files(t, s)) != 0 {
		t.Errorf("it was committed: %v, files %v", err, files(t, s))
	}
}

func TestReceiptIsTakenOnceAndOnlyForTheOfferedAttempt(t *testing.T) {
	s := open(t, options(t.TempDir()))
	rec := spooled(t, s, video)
	take := func(attempt uint32) error {
		return s.Received(t.Context(), rec.Evidence, attempt, Receipt{Envelope: []byte("r"), LogSize: 1, Checkpoint: []byte("checkpoint\n")})
	}
	if err := take(2); !errors.Is(err, ErrState) {
		t.Fatalf("receipt of another attempt: %v, want ErrState", err)
	}
	if err := take(1); err != nil {
		t.Fatal(err)
	}
	if err := take(1); !errors.Is(err, ErrState) {
		t.Fatalf("the same receipt again: %v, want ErrState", err)
	}
	if err := s.Erased(t.Context(), rec.Evidence, []byte("release")); err != nil {
		t.Fatal(err)
	}
	st, found, err := s.NextStatement(t.Context(), 0)
	if err != nil || !found || st.Kind != KindRelease || string(st.Envelope) != "release" {
		t.Fatalf("queued release: %+v, %v, %v", st, found, err)
	}
	if err := s.Acknowledged(t.Context(), st.Sequence); err != nil {
		t.Fatal(err)
	}
	if _, found, _ := s.NextStatement(t.Context(), 0); found {
		t.Fatal("an acknowledged statement is still queued")
	}
}

func TestUnreceivedRecordingCannotBeErased(t *testing.T) {
	s := open(t, options(t.TempDir()))
	rec := spooled(t, s, video)
	if err := s.Erasing(t.Context(), rec.Evidence); !errors.Is(err, ErrState) {
		t.Errorf("erasing: %v, want ErrState", err)
	}
	if err := s.Erased(t.Context(), rec.Evidence, []byte("release")); !errors.Is(err, ErrState) {
		t.Errorf("erased: %v, want ErrState", err)
	}
	if _, found, _ := s.NextStatement(t.Context(), 0); found {
		t.Error("a release was queued")
	}
}

func TestDamagedJournalIsSetAside(t *testing.T) {
	dir := t.TempDir()
	s := open(t, options(dir))
	spooled(t, s, video)
	s.Close()
	if err := os.WriteFile(filepath.Join(dir, "journal.db"), bytes.Repeat([]byte("junk"), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"-wal", "-shm"} {
		os.Remove(filepath.Join(dir, "journal.db"+end))
	}
	s = open(t, options(dir))
	if known, err := s.Matching(t.Context(), video); err != nil || len(known) != 0 {
		t.Fatalf("found %v, %v in a new journal", known, err)
	}
	if names := files(t, s); len(names) != 0 {
		t.Fatalf("copies without a key are kept: %v", names)
	}
	aside, _ := filepath.Glob(filepath.Join(dir, "journal.db.damaged-*"))
	if len(aside) == 0 {
		t.Fatal("the damaged journal was thrown away")
	}
}

func TestNewerJournalIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, options(dir))
	if _, err := s.db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(t.Context(), options(dir)); err == nil || !strings.Contains(err.Error(), "newer agent") {
		t.Fatalf("a journal of version 99: %v", err)
	}
}

func TestCheckpointsAreAppendedAndTornTailIsCut(t *testing.T) {
	dir := t.TempDir()
	s := open(t, options(dir))
	keep := func(s *Spool, size int64, text string) {
		t.Helper()
		c := &change{checkpoint: &checkpoint{size, []byte(text)}}
		if s.keepCheckpoints([]*change{c}); c.err != nil {
			t.Fatal(c.err)
		}
	}
	for size, text := range []string{"", "one\n", "two\n"} {
		keep(s, int64(size), text)
	}
	s.Close()
	path := filepath.Join(dir, "checkpoints")
	data, err := os.ReadFile(path)
	if err != nil || string(data) != "one\n--\ntwo\n--\n" {
		t.Fatalf("file holds %q, %v", data, err)
	}
	if err := os.WriteFile(path, append(data, "thr"...), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, options(dir))
	keep(s, 3, "three\n")
	if data, _ := os.ReadFile(path); string(data) != "one\n--\ntwo\n--\nthree\n--\n" {
		t.Fatalf("file holds %q", data)
	}
}

// The promise of the folder: whoever steals it finds no key and no plaintext.
func TestJournalHoldsOnlyTheWrappedKeyAndOnlyWhileNeeded(t *testing.T) {
	s := open(t, options(t.TempDir()))
	rec := spooled(t, s, video)
	if err := s.Received(t.Context(), rec.Evidence, 1, Receipt{Envelope: []byte("r"), LogSize: 1, Checkpoint: []byte("checkpoint\n")}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), rec.Evidence)
	if err != nil || len(got.WrappedKey) != 0 {
		t.Fatalf("wrapped key of %d bytes after the receipt, %v", len(got.WrappedKey), err)
	}
	for _, name := range []string{s.opt.Dir + "/journal.db", s.opt.Dir + "/checkpoints"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
}
