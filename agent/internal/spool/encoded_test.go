package spool

import (
	"strings"
	"testing"

	"github.com/sealdock/sealdock/internal/seal"
)

// Of an encoded recording the spool counts what was sealed, everywhere.
func TestOfAnEncodedRecordingWhatIsSealedCounts(t *testing.T) {
	s := open(t, options(t.TempDir()))
	track := Source{Serial: "CAM-1", Path: "DCIM/0001.GPX", Size: 5 << 20, Captured: "20261101T100000"}
	const encoded = 1<<20 + 300
	rec, w := begin(t, s, track)
	sealed := fill(t, w, encoded)
	sealed.Length, sealed.Encoded = track.Size, encoded
	if err := w.Commit(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"committed", "restarted"} {
		if used, _ := s.Usage(); used != seal.SealedSize(encoded) {
			t.Errorf("%s: %d bytes are used, want %d", when, used, seal.SealedSize(encoded))
		}
		if all, _ := s.WaitingBytes(); all.Bytes != seal.SealedSize(encoded) {
			t.Errorf("%s: %d bytes wait, want %d", when, all.Bytes, seal.SealedSize(encoded))
		}
		if rows := waitingOf(t, s, 1); rows[0].Length != track.Size || rows[0].SealedLength() != encoded {
			t.Errorf("%s: %d of %d bytes are sealed", when, rows[0].SealedLength(), rows[0].Length)
		}
		c, err := s.OpenCopy(t.Context(), rec.Evidence)
		if err != nil {
			t.Fatal(err)
		}
		if c.Segments() != 2 || c.Verify(t.Context()) != nil {
			t.Errorf("%s: %d segments: %v", when, c.Segments(), c.Verify(t.Context()))
		}
		c.Close()
		r, err := ReadOnly(t.Context(), s.opt.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := r.Waiting(t.Context()); err != nil || rows[0].SealedLength() != encoded {
			t.Errorf("%s: the reader says %+v, %v", when, rows, err)
		}
		r.Close()
		s = reopen(t, s)
	}
}

func TestTheReaderRefusesTheJournalOfAnOlderProgram(t *testing.T) {
	s := open(t, options(t.TempDir()))
	if _, err := s.db.Exec("ALTER TABLE recording DROP COLUMN encoded"); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadOnly(t.Context(), s.opt.Dir); err == nil || !strings.Contains(err.Error(), "start the agent once") {
		t.Error(err)
	}
}

func TestACopyOfAnotherLengthThanItsEncodingIsNotCommitted(t *testing.T) {
	s := open(t, options(t.TempDir()))
	_, w := begin(t, s, video)
	sealed := fill(t, w, video.Size)
	sealed.Encoded = 2 << 20
	if err := w.Commit(t.Context(), sealed); err == nil {
		t.Error("it was committed")
	}
}
