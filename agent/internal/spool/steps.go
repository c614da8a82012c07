package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
)

// one turns "no such row in such a state" into ErrState.
func one(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		err = ErrState
	}
	return err
}

// Offered notes that the server has the manifest and sent holds that many
// segments for good. It is a hint for people; the server alone says where to
// go on.
func (s *Spool) Offered(ctx context.Context, id evidence.EvidenceID, sent uint64) error {
	return s.update(ctx, "noting the upload of item "+id.String(), func(tx *sql.Tx) error {
		return one(tx.ExecContext(ctx, "UPDATE recording SET state = 'uploading', sent_segments = ?, reason = '' WHERE evidence = ? AND state IN ('spooled', 'uploading')", int64(sent), id[:]))
	})
}

// Note keeps a sentence about why a waiting recording waits.
func (s *Spool) Note(ctx context.Context, id evidence.EvidenceID, reason string) error {
	return s.update(ctx, "noting a reason on item "+id.String(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE recording SET reason = ? WHERE evidence = ?", reason, id[:])
		return err
	})
}

// Receipt is a receipt that the caller has verified.
type Receipt struct {
	Envelope   []byte              // JSON, as it came
	Digest     evidence.Digest     // SHA-256 of its payload
	Item       evidence.EvidenceID // the item that it is for
	LogSize    int64               // of the custody log at the checkpoint
	Checkpoint []byte              // signed text
}

// Received takes in a verified receipt, durably, and then removes the copy: from
// here on the camera may erase. attempt is that of the copy that was offered.
func (s *Spool) Received(ctx context.Context, id evidence.EvidenceID, attempt uint32, r Receipt) error {
	if err := s.keepCheckpoint(r.LogSize, r.Checkpoint); err != nil {
		return err
	}
	err := s.update(ctx, "taking in the receipt of item "+id.String(), func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE recording SET state = 'received', reason = '', receipt = ?, receipt_digest = ?, receipt_item = ?, wrapped_key = x'', held = 0, changed_us = ?
			WHERE evidence = ? AND attempt = ? AND state IN ('spooled', 'uploading')`, r.Envelope, r.Digest[:], r.Item[:], s.opt.Now().UnixMicro(), id[:], attempt)
		if err := one(result, err); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM proof WHERE evidence = ?", id[:])
		return err
	})
	if err != nil {
		return err
	}
	return s.removeCopy(id, attempt)
}

// Reread drops a spooled copy that is damaged or unwanted by the server. The
// recording is read from its camera again, under the next attempt number, when
// and where the camera is docked.
func (s *Spool) Reread(ctx context.Context, id evidence.EvidenceID, attempt uint32, reason string) error {
	if err := s.give(ctx, id, attempt, StateReading, ", held = 0, wrapped_key = x''", reason); err != nil {
		return err
	}
	return s.removeCopy(id, attempt)
}

// Quarantined notes that the server set the recording aside. Camera and spool
// keep it.
func (s *Spool) Quarantined(ctx context.Context, id evidence.EvidenceID, attempt uint32, reason string) error {
	return s.give(ctx, id, attempt, StateQuarantined, "", reason)
}

// Refused notes that the server will not take this copy whatever is tried.
// Camera and spool keep it; the next docking reads it anew.
func (s *Spool) Refused(ctx context.Context, id evidence.EvidenceID, attempt uint32, reason string) error {
	return s.give(ctx, id, attempt, StateFailed, "", reason)
}

// give ends the uploading of a copy.
func (s *Spool) give(ctx context.Context, id evidence.EvidenceID, attempt uint32, to State, also, reason string) error {
	return s.update(ctx, "ending the upload of item "+id.String(), func(tx *sql.Tx) error {
		return one(tx.ExecContext(ctx, "UPDATE recording SET state = ?, reason = ?, sent_segments = 0, changed_us = ?"+also+" WHERE evidence = ? AND attempt = ? AND state IN ('spooled', 'uploading')",
			to, reason, s.opt.Now().UnixMicro(), id[:], attempt))
	})
}

// removeCopy unlinks a file that the journal no longer speaks of.
func (s *Spool) removeCopy(id evidence.EvidenceID, attempt uint32) error {
	if attempt == 0 {
		return nil
	}
	path := s.file(id, attempt)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing a copy: %w", err)
	}
	if err := durable.Remove(path); err != nil {
		return err
	}
	s.freed(uint64(info.Size()))
	s.announce()
	return nil
}

// Failed notes that the recording could not be copied, with what is known of
// its readings. It is tried again later.
func (s *Spool) Failed(ctx context.Context, id evidence.EvidenceID, reason string) error {
	return s.move(ctx, id, StateFailed, reason, "'reading', 'failed'")
}

// Erasing notes, before the camera is told to erase, that it will be: if the
// dock dies now and the camera no longer lists the recording, this is why.
func (s *Spool) Erasing(ctx context.Context, id evidence.EvidenceID) error {
	return s.move(ctx, id, StateErasing, "", "'received', 'kept', 'erasing', 'erased'")
}

// Kept notes that the camera keeps a received recording, and why. release is
// the signed statement of a failed erasure, or nil.
func (s *Spool) Kept(ctx context.Context, id evidence.EvidenceID, reason string, release []byte) error {
	return s.release(ctx, id, StateKept, reason, release)
}

// Erased notes that the camera no longer lists the recording, and queues the
// signed release for the server, in one transaction.
func (s *Spool) Erased(ctx context.Context, id evidence.EvidenceID, release []byte) error {
	return s.release(ctx, id, StateErased, "", release)
}

func (s *Spool) move(ctx context.Context, id evidence.EvidenceID, to State, reason, from string) error {
	return s.update(ctx, "marking item "+id.String()+" as "+string(to), func(tx *sql.Tx) error {
		return one(tx.ExecContext(ctx, "UPDATE recording SET state = ?, reason = ?, changed_us = ? WHERE evidence = ? AND state IN ("+from+")",
			to, reason, s.opt.Now().UnixMicro(), id[:]))
	})
}

func (s *Spool) release(ctx context.Context, id evidence.EvidenceID, to State, reason string, release []byte) error {
	return s.update(ctx, "marking item "+id.String()+" as "+string(to), func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE recording SET state = ?, reason = ?, changed_us = ? WHERE evidence = ? AND state IN ('received', 'erasing', 'kept')",
			to, reason, s.opt.Now().UnixMicro(), id[:])
		if err := one(result, err); err != nil || release == nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO statement (kind, envelope) VALUES (?, ?)", KindRelease, release)
		return err
	})
}
