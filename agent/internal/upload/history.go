package upload

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// errForked means that the server's custody log contradicts what it has signed before.
var errForked = errors.New("the custody log was forked or set back; nothing is erased; keep the spool's file of checkpoints and tell the auditor")

// trust is what receipts are judged by: what was pinned at enrolment, after restores of
// the server since.
func (u *Uploader) trust() proof.Trust { return u.opt.Trust.Continued(u.opt.Spool.Restored()) }

// shown is the newest checkpoint of the server's log that this dock has; nil: none. One
// of another log is of a server that it was enrolled at before.
func (u *Uploader) shown() []byte {
	text, trust := u.opt.Spool.Checkpoint(), u.trust()
	if _, err := tlog.OpenEarlier(text, trust.LogOrigin, trust.LogPublicKey); err != nil {
		return nil
	}
	return text
}

// trace demands that the server's log continues the newest checkpoint that this dock
// had when it greeted, and takes in that the server was restored from a backup. Until it
// returns nil no camera is asked about over this connection, so that nothing is erased.
func (u *Uploader) trace(ctx context.Context, w *protocol.Welcome, shown []byte) error {
	trust := u.trust()
	restored := w.GetRestored()
	switch {
	case len(w.GetCheckpoint()) == 0 && len(shown) > 0:
		return fmt.Errorf("the server has signed nothing yet, it says: %w", errForked)
	case len(w.GetCheckpoint()) == 0 && w.GetLogOrigin() == trust.LogOrigin:
		return nil
	}
	now := trust.Continued(restored)
	if err := now.Check(); err != nil || now.LogOrigin != w.GetLogOrigin() {
		return fmt.Errorf("%w: it tells of %d restores, and its custody log is called %q", errOtherServer, len(restored), w.GetLogOrigin())
	}
	head, err := open(w.GetCheckpoint(), now)
	if err != nil {
		return fmt.Errorf("%w: its checkpoint: %w", errOtherServer, err)
	}
	lost := false
	if len(shown) > 0 {
		before, err := tlog.OpenEarlier(shown, now.LogOrigin, ed25519.PublicKey(now.LogPublicKey))
		if err != nil {
			return fmt.Errorf("comparing custody logs: %w", err)
		}
		most := tlog.Surviving(now.LogOrigin, before.Origin, now.Restored)
		if lost = most >= 0 && before.Size > most; !lost {
			if err := continues(head, before, w.GetConsistency()); err != nil {
				return err
			}
		}
	}
	if now.LogOrigin != trust.LogOrigin {
		return u.restored(ctx, now, head, w.GetCheckpoint(), lost)
	}
	if err := u.opt.Spool.KeepCheckpoint(ctx, head.Size, w.GetCheckpoint(), len(shown) == 0); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if head.Size > u.newest.Size {
		u.newest = checkpoint{head, string(w.GetCheckpoint())}
	}
	return nil
}

// open verifies the newest checkpoint of the log that trust names.
func open(text []byte, trust proof.Trust) (c tlog.Checkpoint, err error) {
	v, err := tlog.NewVerifier(trust.LogOrigin, trust.LogPublicKey)
	if err != nil {
		return c, err
	}
	return tlog.OpenCheckpoint(text, trust.LogOrigin, v)
}

// continues demands the proof that the tree of before is a beginning of that of head.
func continues(head, before tlog.Checkpoint, hashes []byte) error {
	if head.Size < before.Size {
		return fmt.Errorf("the server has %d entries in its custody log and has signed %d for this dock: %w", head.Size, before.Size, errForked)
	}
	path := make([]tlog.Hash, len(hashes)/protocol.HashSize)
	for i := range path {
		path[i] = tlog.Hash(hashes[i*protocol.HashSize:])
	}
	if err := tlog.CheckConsistency(path, head.Size, head.Root, before.Size, before.Root); err != nil {
		return fmt.Errorf("the server does not prove that its custody log of %d entries continues the one of %d that this dock has seen: %w", head.Size, before.Size, errForked)
	}
	return nil
}

// restored takes in that the server was restored from a backup. First it is told what it
// has lost for good; only then do receipts stop to count, so that a crash between the
// two tells it again.
func (u *Uploader) restored(ctx context.Context, now proof.Trust, head tlog.Checkpoint, text []byte, lost bool) error {
	u.restoring.Lock() // several connections greet at a time
	defer u.restoring.Unlock()
	if u.trust().LogOrigin == now.LogOrigin {
		return nil
	}
	if lost && u.opt.Lost != nil {
		if err := u.opt.Lost(ctx, now); err != nil {
			return fmt.Errorf("telling what the server has lost: %w", err)
		}
	}
	taken, err := u.opt.Spool.ServerRestored(ctx, now.Restored, head.Size, text)
	if err != nil {
		return err
	}
	u.mu.Lock()
	u.newest = checkpoint{head, string(text)}
	u.mu.Unlock()
	u.opt.Log.Warn("the server was restored from a backup: receipts are asked for again, and what cameras still have is read anew", "log", now.LogOrigin, "receipts", taken)
	return nil
}
