package spool

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

func waitingOf(t *testing.T, s *Spool, limit int) []Recording {
	t.Helper()
	rows, err := s.Waiting(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestUrgentRecordingsComeFirstAndEachReasonEndsForItself(t *testing.T) {
	s := open(t, options(t.TempDir()))
	var ids []evidence.EvidenceID
	for _, path := range []string{"A.MP4", "B.MP4", "C.MP4"} {
		ids = append(ids, spooled(t, s, Source{Serial: "CAM-1", Path: path, Size: 10, Captured: "20261101T100000"}).Evidence)
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(order string, why ...Urgency) {
		t.Helper()
		for range 2 { // as changed, and as read again after a restart
			got := ""
			for i, r := range waitingOf(t, s, 10) {
				got += r.Source.Path[:1]
				if i < len(why) && r.Urgent != why[i] || i >= len(why) && r.Urgent != 0 || s.Urgent(r.Evidence) != r.Urgent {
					t.Errorf("%s is urgent because %q", r.Source.Path, r.Urgent)
				}
			}
			if got != order {
				t.Errorf("the order is %s, want %s", got, order)
			}
			s = reopen(t, s)
		}
	}
	do(s.SetUrgent(t.Context(), []evidence.EvidenceID{ids[1], evidence.NewEvidenceID()}, UrgentServer))
	want("BAC", UrgentServer)
	do(s.SetUrgent(t.Context(), ids[1:], UrgentBay))
	want("BCA", UrgentServer|UrgentBay, UrgentBay)
	do(s.ClearUrgent(t.Context(), ids, UrgentBay))
	want("BAC", UrgentServer)
	do(s.ClearUrgent(t.Context(), ids, UrgentServer))
	want("ABC")
	do(s.SetUrgent(t.Context(), ids[2:], UrgentCamera))
	do(s.Received(t.Context(), ids[2], 1, Receipt{Envelope: []byte("r"), LogSize: 1, Checkpoint: []byte("checkpoint\n")}))
	do(s.SetUrgent(t.Context(), ids[2:], UrgentServer)) // too late
	want("AB")
	if why := s.Urgent(ids[2]); why != 0 {
		t.Errorf("a recording with a receipt is urgent: %v", why)
	}
}

func TestUrgencyOfARecordingThatIsNotReadYetCountsOnceItIs(t *testing.T) {
	s := open(t, options(t.TempDir()))
	spooled(t, s, numbered(1))
	rec, w := begin(t, s, video)
	if err := s.SetUrgent(t.Context(), []evidence.EvidenceID{rec.Evidence}, UrgentCamera); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), fill(t, w, video.Size)); err != nil {
		t.Fatal(err)
	}
	if rows := waitingOf(t, s, 1); len(rows) != 1 || rows[0].Evidence != rec.Evidence || rows[0].Urgent != UrgentCamera {
		t.Fatalf("first comes %+v", rows)
	}
}

// A journal of an older program has no reasons and no claims.
func TestJournalOfAnOlderProgramIsTakenOver(t *testing.T) {
	s := open(t, options(t.TempDir()))
	rec := spooled(t, s, video)
	for _, old := range []string{"ALTER TABLE recording DROP COLUMN encoded", "DROP TABLE urgent", "DROP TABLE claim", "CREATE TABLE urgent (evidence BLOB PRIMARY KEY) WITHOUT ROWID"} {
		if _, err := s.db.Exec(old); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.db.Exec("INSERT INTO urgent (evidence) VALUES (?)", rec.Evidence[:]); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s)
	rows := waitingOf(t, s, 1)
	if len(rows) != 1 || rows[0].Urgent != UrgentCamera || rows[0].Claims != (Claims{}) || rows[0].SealedLength() != video.Size || !rows[0].SpooledAt.Equal(start) {
		t.Fatalf("waiting: %+v", rows)
	}
}

// Whatever happens, what is kept in memory is what a restart reads from the
// journal.
func TestWhatWaitsInMemoryIsWhatTheJournalSays(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := open(t, options(t.TempDir()))
		var all []Recording
		for i := range 60 {
			ctx := t.Context()
			pick := func() Recording { return all[random.IntN(len(all))] }
			var err error
			switch n := random.IntN(12); {
			case n < 4 || len(all) == 0:
				source := numbered(i)
				source.Size = uint64(random.IntN(3 << 20))
				rec, addErr := s.Add(ctx, source, evidence.NewDockingID(), fmt.Sprintf("1-%d", random.IntN(3)))
				w, beginErr := s.Begin(ctx, rec.Evidence, rec.Docking, rec.Bay, source.Size)
				if err = errors.Join(addErr, beginErr); err == nil {
					sealed := fill(t, w, source.Size)
					sealed.Claims = Claims{OfficerID: fmt.Sprint(i % 4), Officer: "Officer", Category: "stop"}
					err = w.Commit(ctx, sealed)
				}
				all = append(all, rec)
			case n == 4:
				err = s.Received(ctx, pick().Evidence, 1, Receipt{Envelope: []byte("r"), LogSize: 1, Checkpoint: []byte("c\n")})
			case n == 5:
				err = s.Offered(ctx, pick().Evidence, uint64(random.IntN(4)))
			case n == 6:
				err = s.Reread(ctx, pick().Evidence, 1, "rot")
			case n == 7:
				err = errors.Join(s.Refused(ctx, pick().Evidence, 1, "no"), s.Quarantined(ctx, pick().Evidence, 1, "no"))
			case n < 10:
				err = s.SetUrgent(ctx, []evidence.EvidenceID{pick().Evidence, pick().Evidence}, Urgency(1+random.IntN(7)))
			default:
				err = s.ClearUrgent(ctx, []evidence.EvidenceID{pick().Evidence, pick().Evidence}, Urgency(1+random.IntN(7)))
			}
			if err != nil && !errors.Is(err, ErrState) {
				t.Fatal(err)
			}
		}
		rows := waitingOf(t, s, 1000)
		total, bays := s.WaitingBytes()
		counted := map[string]Backlog{}
		for _, r := range rows {
			b := counted[r.Bay]
			b.Recordings++
			for i := r.SentSegments; i < seal.SegmentCount(r.Length); i++ {
				b.Bytes += seal.SegmentLen(r.Length, i) + seal.Overhead
			}
			if r.SentSegments == 0 {
				b.Bytes += seal.HeaderSize
			}
			counted[r.Bay] = b
		}
		again := reopen(t, s)
		rowsAgain := waitingOf(t, again, 1000)
		if !reflect.DeepEqual(rows, rowsAgain) {
			t.Fatalf("seed %d: memory has %+v, the journal %+v", seed, rows, rowsAgain)
		}
		totalAgain, baysAgain := again.WaitingBytes()
		if total != totalAgain || !reflect.DeepEqual(bays, baysAgain) || len(counted) != len(bays) || total.Recordings != uint64(len(rows)) {
			t.Fatalf("seed %d: counted %+v %v, after a restart %+v %v, rows %v", seed, total, bays, totalAgain, baysAgain, counted)
		}
		for bay, want := range counted {
			if got := bays[bay]; got.Recordings != want.Recordings || got.Bytes+4*seal.HeaderSize*want.Recordings < want.Bytes || got.Bytes > want.Bytes+4*seal.HeaderSize*want.Recordings {
				t.Fatalf("seed %d: bay %s has %+v, its rows make %+v", seed, bay, got, want)
			}
		}
	}
}

func TestSegmentsOfOneCopyAreReadBySeveralAtOnce(t *testing.T) {
	s := open(t, options(t.TempDir()))
	source := video
	source.Size = 12<<20 + 77
	rec := spooled(t, s, source)
	c, err := s.OpenCopy(t.Context(), rec.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, segments, _ := body(source.Size)
	var group sync.WaitGroup
	for reader := range uint64(8) {
		group.Go(func() {
			buffer := make([]byte, 0, seal.SegmentSize+seal.Overhead)
			for i := range c.Segments() {
				index := (i*5 + reader) % c.Segments()
				if got, err := c.ReadSegment(buffer, index); err != nil || !bytes.Equal(got, segments[index]) {
					t.Errorf("reader %d, segment %d: %v", reader, index, err)
				}
			}
		})
	}
	group.Wait()
}

// A thousand waiting recordings, without their files.
func crowd(t testing.TB, dir string, n int) {
	s, err := Open(t.Context(), options(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.update(t.Context(), "filling", func(p *pen) error {
		for i := range n {
			id := evidence.NewEvidenceID()
			if _, err := p.exec(`INSERT INTO recording (evidence, attempt, held, state, serial, path, size, captured, bay, docking, length, manifest, created_us, changed_us)
				VALUES (?, 1, 1, 'spooled', ?, ?, 0, '', ?, x'', ?, ?, 1, 1)`, id[:], fmt.Sprintf("CAM-%d", i%50), fmt.Sprintf("DCIM/100SEAL/%06d.MP4", i),
				fmt.Sprintf("1-%d", i%8), int64(i)*1000, strings.Repeat("m", 3000)); err != nil {
				return err
			}
			if _, err := p.exec("INSERT INTO claim VALUES (?, ?, 'Officer', 'stop', 1)", id[:], fmt.Sprint(i%40)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkWaiting(b *testing.B) {
	dir := b.TempDir()
	crowd(b, dir, 10_000)
	opt := options(dir)
	db, err := openJournal(b.Context(), opt)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	s := &Spool{opt: opt, db: db}
	b.Run("queue up", func(b *testing.B) {
		for b.Loop() {
			if err := s.queueUp(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, limit := range []int{128, 4000, 10_000} {
		b.Run(fmt.Sprintf("look at %d of 10000", limit), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rows, err := s.Waiting(b.Context(), limit)
				if err != nil || len(rows) != limit {
					b.Fatal(len(rows), err)
				}
			}
		})
	}
	b.Run("backlog", func(b *testing.B) {
		for b.Loop() {
			if all, bays := s.WaitingBytes(); all.Recordings != 10_000 || len(bays) != 8 {
				b.Fatal(all, bays)
			}
		}
	})
}
