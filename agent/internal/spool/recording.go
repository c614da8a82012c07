package spool

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// State says where a recording stands.
type State string

// The states of a recording, in the order of its life.
const (
	StateReading     State = "reading"     // known, no confirmed copy: to be read from its camera
	StateSpooled     State = "spooled"     // confirmed copy durable here
	StateUploading   State = "uploading"   // the server has seen its manifest
	StateReceived    State = "received"    // receipt verified; the camera may erase
	StateErasing     State = "erasing"     // the camera was or is about to be told to erase
	StateErased      State = "erased"      // the camera no longer lists it
	StateKept        State = "kept"        // received, but the camera keeps it: Reason says why
	StateFailed      State = "failed"      // no copy could be made or handed over: Reason says why
	StateQuarantined State = "quarantined" // the server set it aside: people decide, the camera keeps it
)

// HasReceipt reports whether a verified receipt exists in this state.
func (s State) HasReceipt() bool {
	return s == StateReceived || s == StateErasing || s == StateErased || s == StateKept
}

// Source identifies a recording on a camera, by what the camera says. Two
// objects with equal Source may still differ in content.
type Source struct {
	Serial   string // camera
	Path     string
	Size     uint64 // as listed; UnknownSize where the camera does not say
	Captured string // capture time as listed
}

// UnknownSize stands for a size that the camera does not tell.
const UnknownSize = math.MaxUint64

// Recording is one row of the journal.
type Recording struct {
	Sequence      int64
	Evidence      evidence.EvidenceID
	Attempt       uint32 // the newest attempt number drawn; each reading has its own
	Held          uint32 // the attempt whose copy is in the spool, 0 for none
	State         State
	Reason        string
	Source        Source
	Bay           string
	Docking       evidence.DockingID // when it was last read
	Length        uint64             // bytes read
	Encoded       uint64             // bytes that are sealed, where the recording was encoded before; else 0
	SHA256        evidence.Digest
	MerkleRoot    evidence.Digest
	Manifest      []byte // signed envelope, JSON
	Header        []byte // of the sealed file
	WrappedKey    []byte
	Receipt       []byte              // signed envelope, JSON
	ReceiptDigest evidence.Digest     // SHA-256 of its payload
	ReceiptItem   evidence.EvidenceID // the item that the receipt is for: another one where the server had the same bytes already
	SentSegments  uint64              // acknowledged as durable by the server
	ChangedAt     time.Time

	// Told by Waiting only.
	Claims    Claims
	Urgent    Urgency
	SpooledAt time.Time // when the copy became durable here
}

// SealedLength is how many bytes are sealed: what segments are counted by.
func (r *Recording) SealedLength() uint64 { return sealedLength(r.Length, r.Encoded) }

func sealedLength(length, encoded uint64) uint64 {
	if encoded > 0 {
		return encoded
	}
	return length
}

const columns = `seq, evidence, attempt, held, state, reason, serial, path, size, captured, bay, docking, length, sha256,
	merkle_root, manifest, header, wrapped_key, receipt, receipt_digest, receipt_item, sent_segments, changed_us, encoded`

type scanner interface{ Scan(...any) error }

func scan(row scanner) (Recording, error) {
	var r Recording
	var id, docking, sum, root, receiptDigest, receiptItem []byte
	var size, length, sent, changed, encoded int64
	err := row.Scan(&r.Sequence, &id, &r.Attempt, &r.Held, &r.State, &r.Reason, &r.Source.Serial, &r.Source.Path, &size, &r.Source.Captured,
		&r.Bay, &docking, &length, &sum, &root, &r.Manifest, &r.Header, &r.WrappedKey, &r.Receipt, &receiptDigest, &receiptItem, &sent, &changed, &encoded)
	if err != nil {
		return r, err
	}
	copy(r.Evidence[:], id)
	copy(r.Docking[:], docking)
	copy(r.SHA256[:], sum)
	copy(r.MerkleRoot[:], root)
	copy(r.ReceiptDigest[:], receiptDigest)
	copy(r.ReceiptItem[:], receiptItem)
	r.Source.Size, r.Length, r.Encoded, r.SentSegments = uint64(size), uint64(length), uint64(encoded), uint64(sent)
	r.ChangedAt = time.UnixMicro(changed).UTC()
	return r, nil
}

// Add makes the row of a newly seen recording, with a new evidence id and its
// first attempt number, durable before a byte of it is read.
func (s *Spool) Add(ctx context.Context, source Source, docking evidence.DockingID, bay string) (Recording, error) {
	rows, err := s.AddAll(ctx, []Source{source}, docking, bay)
	if err != nil {
		return Recording{}, err
	}
	return rows[0], nil
}

// AddAll is Add for several recordings in one transaction. Begin then takes the
// number drawn here without another commit; after a restart that number is
// left out.
func (s *Spool) AddAll(ctx context.Context, sources []Source, docking evidence.DockingID, bay string) ([]Recording, error) {
	at := s.opt.Now()
	rows := make([]Recording, len(sources))
	for i, source := range sources {
		rows[i] = Recording{Evidence: evidence.NewEvidenceID(), Attempt: 1, State: StateReading, Source: source, Docking: docking, Bay: bay, ChangedAt: at}
	}
	err := s.update(ctx, fmt.Sprintf("adding %d recordings", len(sources)), func(p *pen) error {
		for i, source := range sources {
			result, err := p.exec(`INSERT INTO recording (evidence, attempt, state, serial, path, size, captured, bay, docking, created_us, changed_us)
				VALUES (?, 1, 'reading', ?, ?, ?, ?, ?, ?, ?, ?)`,
				rows[i].Evidence[:], source.Serial, source.Path, int64(source.Size), source.Captured, bay, docking[:], at.UnixMicro(), at.UnixMicro())
			if err == nil {
				rows[i].Sequence, err = result.LastInsertId()
			}
			if err != nil {
				return fmt.Errorf("%s: %w", source.Path, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rows {
		s.drawn[r.Evidence] = r
	}
	return rows, nil
}

// take gives the row whose first attempt was drawn by Add for this docking, once.
func (s *Spool) take(id evidence.EvidenceID, docking evidence.DockingID, bay string) (Recording, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, found := s.drawn[id]
	delete(s.drawn, id)
	return r, found && r.Docking == docking && r.Bay == bay
}

// matchingMost is how many recordings of one source are looked at.
const matchingMost = 16

// Matching returns the recordings of that source, newest first. More than one
// exist when a camera showed other bytes under the same name, size and time.
func (s *Spool) Matching(ctx context.Context, source Source) ([]Recording, error) {
	return s.query(ctx, "serial = ? AND path = ? AND size = ? AND captured = ? ORDER BY seq DESC LIMIT ?",
		source.Serial, source.Path, int64(source.Size), source.Captured, matchingMost)
}

// matchingBatch is how many sources one query looks for.
const matchingBatch = 64

// MatchingAll is Matching for many sources of one camera, in few queries.
func (s *Spool) MatchingAll(ctx context.Context, serial string, sources []Source) (map[Source][]Recording, error) {
	all := map[Source][]Recording{}
	for batch := range slices.Chunk(sources, matchingBatch) {
		args := []any{serial}
		for _, source := range batch {
			args = append(args, source.Path, int64(source.Size), source.Captured)
		}
		rows := strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", len(batch)), ", ")
		found, err := s.query(ctx, "serial = ? AND (path, size, captured) IN (VALUES "+rows+") ORDER BY seq DESC", args...)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			if len(all[r.Source]) < matchingMost {
				all[r.Source] = append(all[r.Source], r)
			}
		}
	}
	return all, nil
}

// Standing is where a recording stands, and why it stays there if it does.
type Standing struct {
	Attempt   uint32
	State     State
	Reason    string
	ChangedAt time.Time
}

// Standings returns where the recordings of one camera stand, those that were
// erased left out.
func (s *Spool) Standings(ctx context.Context, serial string) (map[evidence.EvidenceID]Standing, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT evidence, attempt, state, changed_us, CASE WHEN state IN ('failed', 'kept', 'quarantined') THEN reason ELSE '' END
		FROM recording INDEXED BY recording_standing WHERE serial = ? AND state IN ('reading', 'spooled', 'uploading', 'received', 'erasing', 'kept', 'failed', 'quarantined')`, serial)
	if err != nil {
		return nil, fmt.Errorf("listing the journal: %w", err)
	}
	defer rows.Close()
	all := map[evidence.EvidenceID]Standing{}
	for rows.Next() {
		var id evidence.EvidenceID
		var raw sql.RawBytes
		var st Standing
		var changed int64
		if err := rows.Scan(&raw, &st.Attempt, &st.State, &changed, &st.Reason); err != nil {
			return nil, fmt.Errorf("listing the journal: %w", err)
		}
		copy(id[:], raw)
		st.ChangedAt = time.UnixMicro(changed).UTC()
		all[id] = st
	}
	return all, rows.Err()
}

// Get returns one recording.
func (s *Spool) Get(ctx context.Context, id evidence.EvidenceID) (Recording, error) {
	r, err := scan(s.db.QueryRowContext(ctx, "SELECT "+columns+" FROM recording WHERE evidence = ?", id[:]))
	if err != nil {
		return r, fmt.Errorf("reading item %s from the journal: %w", id, err)
	}
	return r, nil
}

// InState returns up to limit recordings of one camera in any of the states,
// newest first. An empty serial means every camera.
func (s *Spool) InState(ctx context.Context, serial string, limit int, states ...State) ([]Recording, error) {
	args := []any{serial, serial}
	for _, state := range states {
		args = append(args, state)
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(states)), ", ")
	return s.query(ctx, "(? = '' OR serial = ?) AND state IN ("+marks+") ORDER BY seq DESC LIMIT ?", append(args, limit)...)
}

func (s *Spool) query(ctx context.Context, where string, args ...any) ([]Recording, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT "+columns+" FROM recording WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("listing the journal: %w", err)
	}
	defer rows.Close()
	var all []Recording
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("listing the journal: %w", err)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// Counts returns how many recordings are in each state.
func (s *Spool) Counts(ctx context.Context) (map[State]uint64, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT state, count(*) FROM recording GROUP BY state")
	if err != nil {
		return nil, fmt.Errorf("counting the journal: %w", err)
	}
	defer rows.Close()
	counts := map[State]uint64{}
	for rows.Next() {
		var state State
		var n uint64
		if err := rows.Scan(&state, &n); err != nil {
			return nil, fmt.Errorf("counting the journal: %w", err)
		}
		counts[state] = n
	}
	return counts, rows.Err()
}
