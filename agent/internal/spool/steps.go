package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Offered notes that the server has the manifest and sent holds that many
// segments for good. It is a hint for people; the server alone says where to
// go on.
func (s *Spool) Offered(ctx context.Context, id evidence.EvidenceID, sent uint64) error {
	return s.submit(ctx, "noting the upload of item "+id.String(), &change{apply: func(p *pen) error {
		return p.one("UPDATE recording SET state = 'uploading', sent_segments = ?, reason = '' WHERE evidence = ? AND state IN ('spooled', 'uploading')", int64(sent), id[:])
	}, then: func() { s.line.sent(id, sent) }})
}

// Note keeps a sentence about why a waiting recording waits.
func (s *Spool) Note(ctx context.Context, id evidence.EvidenceID, reason string) error {
	return s.update(ctx, "noting a reason on item "+id.String(), func(p *pen) error {
		_, err := p.exec("UPDATE recording SET reason = ? WHERE evidence = ?", reason, id[:])
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

// Received takes in a verified receipt, durably, its checkpoint first, and then
// removes the copy: from here on the camera may erase. attempt is that of the
// copy that was offered.
func (s *Spool) Received(ctx context.Context, id evidence.EvidenceID, attempt uint32, r Receipt) error {
	err := s.submit(ctx, "taking in the receipt of item "+id.String(), &change{checkpoint: &checkpoint{r.LogSize, r.Checkpoint}, apply: func(p *pen) error {
		err := p.one(`UPDATE recording SET state = 'received', reason = '', receipt = ?, receipt_digest = ?, receipt_item = ?, wrapped_key = x'', held = 0, changed_us = ?
			WHERE evidence = ? AND attempt = ? AND state IN ('spooled', 'uploading')`, r.Envelope, r.Digest[:], r.Item[:], s.opt.Now().UnixMicro(), id[:], attempt)
		if err != nil {
			return err
		}
		return p.each(id, "DELETE FROM proof WHERE evidence = ?", "DELETE FROM claim WHERE evidence = ?", "DELETE FROM urgent WHERE evidence = ?")
	}, then: func() {
		s.line.leave(id)
		delete(s.line.urgency, id)
	}})
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
	return s.submit(ctx, "ending the upload of item "+id.String(), &change{apply: func(p *pen) error {
		return p.one("UPDATE recording SET state = ?, reason = ?, sent_segments = 0, changed_us = ?"+also+" WHERE evidence = ? AND attempt = ? AND state IN ('spooled', 'uploading')",
			to, reason, s.opt.Now().UnixMicro(), id[:], attempt)
	}, then: func() { s.line.leave(id) }})
}

// removeCopy unlinks a file that the journal no longer speaks of. The folder is
// not flushed: should the file come back by a crash, the next start removes it,
// and its name is never used again.
func (s *Spool) removeCopy(id evidence.EvidenceID, attempt uint32) error {
	if attempt == 0 {
		return nil
	}
	path := s.file(id, attempt)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("removing a copy: %w", err)
	}
	s.freed(uint64(info.Size()))
	s.announce()
	return nil
}

// Failed notes that the recording could not be copied, with what is known of
// its readings. It is tried again later.
func (s *Spool) Failed(ctx context.Context, id evidence.EvidenceID, reason string) error {
	return s.update(ctx, "marking item "+id.String()+" as failed", func(p *pen) error {
		return p.one("UPDATE recording SET state = 'failed', reason = ?, changed_us = ? WHERE evidence = ? AND state IN ('reading', 'failed')",
			reason, s.opt.Now().UnixMicro(), id[:])
	})
}

// Erasing notes, before the camera is told to erase recordings, that it will be:
// if the dock dies now and the camera no longer lists them, this is why. All of
// them are noted, or none.
func (s *Spool) Erasing(ctx context.Context, ids ...evidence.EvidenceID) error {
	return s.update(ctx, fmt.Sprintf("marking %d items to be erased", len(ids)), func(p *pen) error {
		for _, id := range ids {
			err := p.one("UPDATE recording SET state = 'erasing', reason = '', changed_us = ? WHERE evidence = ? AND state IN ('received', 'kept', 'erasing', 'erased')",
				s.opt.Now().UnixMicro(), id[:])
			if err != nil {
				return fmt.Errorf("item %s: %w", id, err)
			}
		}
		return nil
	})
}

// Spared takes Erasing back for recordings about which the camera was not told.
func (s *Spool) Spared(ctx context.Context, ids ...evidence.EvidenceID) error {
	if len(ids) == 0 {
		return nil
	}
	return s.update(ctx, fmt.Sprintf("noting that %d items are not erased yet", len(ids)), func(p *pen) error {
		for _, id := range ids {
			if _, err := p.exec("UPDATE recording SET state = 'received', changed_us = ? WHERE evidence = ? AND state = 'erasing'", s.opt.Now().UnixMicro(), id[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Ending is what became of a received recording on its camera.
type Ending struct {
	Item    evidence.EvidenceID
	State   State  // erased: the camera no longer lists it; or kept
	Reason  string // why it is kept
	Release []byte // the signed statement to queue for the server, or nil
}

// Ended notes endings and queues their statements, all in one transaction.
func (s *Spool) Ended(ctx context.Context, endings ...Ending) error {
	return s.update(ctx, fmt.Sprintf("noting what became of %d items", len(endings)), func(p *pen) error {
		for _, e := range endings {
			if e.State != StateErased && e.State != StateKept {
				return fmt.Errorf("item %s as %s: %w", e.Item, e.State, ErrState)
			}
			err := p.one("UPDATE recording SET state = ?, reason = ?, changed_us = ? WHERE evidence = ? AND state IN ('received', 'erasing', 'kept')",
				e.State, e.Reason, s.opt.Now().UnixMicro(), e.Item[:])
			if err == nil && e.Release != nil {
				_, err = p.exec("INSERT INTO statement (kind, envelope) VALUES (?, ?)", KindRelease, e.Release)
			}
			if err != nil {
				return fmt.Errorf("item %s: %w", e.Item, err)
			}
		}
		return nil
	})
}

// Kept is Ended for one recording that the camera keeps, and why. release is
// the signed statement of a failed erasure, or nil.
func (s *Spool) Kept(ctx context.Context, id evidence.EvidenceID, reason string, release []byte) error {
	return s.Ended(ctx, Ending{Item: id, State: StateKept, Reason: reason, Release: release})
}

// Erased is Ended for one recording that the camera no longer lists.
func (s *Spool) Erased(ctx context.Context, id evidence.EvidenceID, release []byte) error {
	return s.Ended(ctx, Ending{Item: id, State: StateErased, Release: release})
}
