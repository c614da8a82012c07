package spool

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Claims is what a manifest claims of a recording, as far as the order of
// handing over looks at it. Empty where nothing is claimed, and for copies that
// an older program made.
type Claims struct{ OfficerID, Officer, Category string }

// Urgency is why a recording is handed over before others: a set of reasons,
// empty for none.
type Urgency uint8

// The reasons.
const (
	UrgentCamera Urgency = 1 << iota // marked by its wearer, in the camera
	UrgentBay                        // the button at the bay
	UrgentServer                     // people at the server
)

// String names the reasons.
func (u Urgency) String() string {
	var reasons []string
	for i, reason := range []string{"marked in the camera", "asked for at the bay", "asked for at the server"} {
		if u&(1<<i) != 0 {
			reasons = append(reasons, reason)
		}
	}
	return strings.Join(reasons, ", ")
}

// waiting is a row of the journal that waits to be handed over. It is replaced,
// not changed.
type waiting struct {
	sequence int64
	id       evidence.EvidenceID
	attempt  uint32
	state    State
	serial   string
	path     string
	bay      string
	claims   Claims
	length   uint64
	encoded  uint64
	sent     uint64
	spooled  int64 // microseconds of Unix time
}

// left is how many sealed bytes the server is not known to hold.
func (w *waiting) left() uint64 {
	length := sealedLength(w.length, w.encoded)
	sent := min(w.sent, seal.SegmentCount(length))
	return seal.SealedSize(length) - min(seal.SealedSize(length), sent*(seal.SegmentSize+seal.Overhead))
}

// Backlog is how much waits to be handed over.
type Backlog struct {
	Recordings uint64
	Bytes      uint64 // sealed, without segments that the server was known to hold when it was last asked
}

func (b *Backlog) add(w *waiting) {
	b.Recordings++
	b.Bytes += w.left()
}

func (b *Backlog) take(w *waiting) {
	b.Recordings--
	b.Bytes -= w.left()
}

// line is what waits, in memory: the journal's rows in states spooled and
// uploading, with the order that Waiting gives. Spool.mu guards it.
type line struct {
	urgent  []*waiting // by sequence
	others  []*waiting // by sequence
	known   map[evidence.EvidenceID]*waiting
	urgency map[evidence.EvidenceID]Urgency // of all recordings without a receipt
	all     Backlog
	bays    map[string]Backlog
}

// place gives the list that a recording belongs to, and where it is or would be.
func (l *line) place(w *waiting) (list *[]*waiting, at int, found bool) {
	list = &l.others
	if l.urgency[w.id] != 0 {
		list = &l.urgent
	}
	at, found = slices.BinarySearchFunc(*list, w.sequence, func(x *waiting, sequence int64) int { return cmp.Compare(x.sequence, sequence) })
	return list, at, found
}

func (l *line) join(w *waiting) {
	l.leave(w.id)
	list, at, _ := l.place(w)
	*list = slices.Insert(*list, at, w)
	l.known[w.id] = w
	l.all.add(w)
	bay := l.bays[w.bay]
	bay.add(w)
	l.bays[w.bay] = bay
}

func (l *line) leave(id evidence.EvidenceID) {
	w := l.known[id]
	if w == nil {
		return
	}
	list, at, _ := l.place(w)
	*list = slices.Delete(*list, at, at+1)
	delete(l.known, id)
	l.all.take(w)
	bay := l.bays[w.bay]
	bay.take(w)
	if l.bays[w.bay] = bay; bay.Recordings == 0 {
		delete(l.bays, w.bay)
	}
}

func (l *line) sent(id evidence.EvidenceID, segments uint64) {
	if w := l.known[id]; w != nil {
		now := *w
		now.state, now.sent = StateUploading, segments
		l.join(&now)
	}
}

// hurry gives a recording its reasons, and with them its place.
func (l *line) hurry(id evidence.EvidenceID, why Urgency) {
	w := l.known[id]
	l.leave(id)
	if l.urgency[id] = why; why == 0 {
		delete(l.urgency, id)
	}
	if w != nil {
		l.join(w)
	}
}

// queueUp reads from the journal what waits. Called once, by Open.
func (s *Spool) queueUp(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = line{known: map[evidence.EvidenceID]*waiting{}, urgency: map[evidence.EvidenceID]Urgency{}, bays: map[string]Backlog{}}
	rows, err := s.db.QueryContext(ctx, "SELECT evidence, why FROM urgent WHERE evidence IN (SELECT evidence FROM recording WHERE state IN ('reading', 'spooled', 'uploading', 'failed', 'quarantined'))")
	if err != nil {
		return fmt.Errorf("listing the journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id []byte
		var why Urgency
		if err := rows.Scan(&id, &why); err != nil {
			return fmt.Errorf("listing the journal: %w", err)
		}
		s.line.urgency[evidence.EvidenceID(id)] = why
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("listing the journal: %w", err)
	}
	return listWaiting(ctx, s.db, s.line.join)
}

// querier is a database, or a transaction that reads it as it was at one moment.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// listWaiting gives what waits, oldest first, as the journal has it.
func listWaiting(ctx context.Context, db querier, found func(*waiting)) error {
	rows, err := db.QueryContext(ctx, `SELECT seq, evidence, attempt, state, serial, path, bay, length, encoded, sent_segments,
		coalesce(officer_id, ''), coalesce(officer, ''), coalesce(category, ''), coalesce(spooled_us, changed_us)
		FROM recording LEFT JOIN claim USING (evidence) WHERE state IN ('spooled', 'uploading') ORDER BY seq`)
	if err != nil {
		return fmt.Errorf("listing the journal: %w", err)
	}
	defer rows.Close()
	texts := map[string]string{} // few different ones, each kept once
	for rows.Next() {
		var w waiting
		var id []byte
		var length, encoded, sent int64
		if err := rows.Scan(&w.sequence, &id, &w.attempt, &w.state, &w.serial, &w.path, &w.bay, &length, &encoded, &sent,
			&w.claims.OfficerID, &w.claims.Officer, &w.claims.Category, &w.spooled); err != nil {
			return fmt.Errorf("listing the journal: %w", err)
		}
		copy(w.id[:], id)
		w.length, w.encoded, w.sent = uint64(length), uint64(encoded), uint64(sent)
		for _, text := range []*string{&w.serial, &w.bay, &w.claims.OfficerID, &w.claims.Officer, &w.claims.Category} {
			if one, ok := texts[*text]; ok {
				*text = one
			} else {
				texts[*text] = *text
			}
		}
		found(&w)
	}
	return rows.Err()
}

// Waiting returns up to limit recordings that wait to be handed over, urgent ones
// and then oldest first. Of each it tells sequence, identity, attempt, state,
// camera and path, bay, lengths, sent segments, claims, urgency and when it was
// spooled; Get has the rest. It reads memory, not the medium: 10,000 rows take
// some milliseconds, 128 a fraction of one.
func (s *Spool) Waiting(_ context.Context, limit int) ([]Recording, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Recording, 0, min(limit, len(s.line.urgent)+len(s.line.others)))
	for _, list := range [][]*waiting{s.line.urgent, s.line.others} {
		for _, w := range list[:min(len(list), limit-len(all))] {
			all = append(all, Recording{
				Sequence: w.sequence, Evidence: w.id, Attempt: w.attempt, State: w.state, Source: Source{Serial: w.serial, Path: w.path}, Bay: w.bay,
				Length: w.length, Encoded: w.encoded, SentSegments: w.sent, Claims: w.claims, Urgent: s.line.urgency[w.id], SpooledAt: time.UnixMicro(w.spooled).UTC(),
			})
		}
	}
	return all, nil
}

// WaitingCount returns how many recordings wait to be handed over.
func (s *Spool) WaitingCount(context.Context) (uint64, error) {
	all, _ := s.WaitingBytes()
	return all.Recordings, nil
}

// WaitingBytes returns how much waits to be handed over, in all and by the bay
// that it was read at. It is counted as things change, not when asked.
func (s *Spool) WaitingBytes() (all Backlog, bays map[string]Backlog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.line.all, maps.Clone(s.line.bays)
}

// SetUrgent gives recordings a reason to be handed over before all others,
// beside those that they have. It outlasts restarts, and ends with the receipt.
// Ids that the journal does not know are left out.
func (s *Spool) SetUrgent(ctx context.Context, ids []evidence.EvidenceID, why Urgency) error {
	return s.hurry(ctx, "marking recordings as urgent", ids, func(p *pen, id []byte) error {
		_, err := p.exec(`INSERT INTO urgent (evidence, why) SELECT evidence, ? FROM recording WHERE evidence = ? AND state NOT IN ('received', 'erasing', 'erased', 'kept')
			ON CONFLICT (evidence) DO UPDATE SET why = why | excluded.why`, int64(why), id)
		return err
	})
}

// ClearUrgent takes reasons back. Others of the same recordings stay.
func (s *Spool) ClearUrgent(ctx context.Context, ids []evidence.EvidenceID, why Urgency) error {
	return s.hurry(ctx, "taking marks of urgency back", ids, func(p *pen, id []byte) error {
		if _, err := p.exec("UPDATE urgent SET why = why & ~? WHERE evidence = ?", int64(why), id); err != nil {
			return err
		}
		_, err := p.exec("DELETE FROM urgent WHERE evidence = ? AND why = 0", id)
		return err
	})
}

func (s *Spool) hurry(ctx context.Context, doing string, ids []evidence.EvidenceID, apply func(*pen, []byte) error) error {
	if len(ids) == 0 {
		return nil
	}
	reasons := make([]Urgency, len(ids))
	return s.submit(ctx, doing, &change{apply: func(p *pen) error {
		read, err := p.statement("SELECT coalesce(max(why), 0) FROM urgent WHERE evidence = ?")
		if err != nil {
			return err
		}
		for i, id := range ids {
			if err := apply(p, id[:]); err != nil {
				return err
			}
			if err := read.QueryRow(id[:]).Scan(&reasons[i]); err != nil {
				return err
			}
		}
		return nil
	}, then: func() {
		for i, id := range ids {
			s.line.hurry(id, reasons[i])
		}
	}})
}

// Urgent returns why a recording is urgent.
func (s *Spool) Urgent(id evidence.EvidenceID) Urgency {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.line.urgency[id]
}
