package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"

	"github.com/sealdock/sealdock/internal/durable"
)

// checkpointEnd follows every checkpoint in the file. A signed note never holds
// a line of this form.
const checkpointEnd = "--\n"

// openCheckpoints opens the append-only file of checkpoints. A torn last entry
// is cut off: its receipt was not journaled either and comes again.
func (s *Spool) openCheckpoints() error {
	path := filepath.Join(s.opt.Dir, "checkpoints")
	file, err := durable.OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = durable.CreateFile(path, 0o600)
	}
	if err != nil {
		return fmt.Errorf("opening the file of checkpoints: %w", err)
	}
	size, err := file.Size()
	if err == nil {
		s.notesAt, s.newest, err = lastEntry(file, size)
	}
	if err == nil && s.notesAt < size {
		err = errors.Join(file.Truncate(s.notesAt), file.Sync())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("opening the file of checkpoints: %w", err), file.Close())
	}
	s.notes = file
	return nil
}

// lastEntry returns where the last whole entry ends, and the entry.
func lastEntry(file io.ReaderAt, size int64) (end int64, last checkpoint, err error) {
	const window = 64 << 10 // more than two checkpoints take
	from := max(0, size-window)
	tail := make([]byte, size-from)
	if _, err := file.ReadAt(tail, from); err != nil && err != io.EOF {
		return 0, last, err
	}
	at := bytes.LastIndex(tail, []byte("\n"+checkpointEnd))
	if at < 0 {
		return 0, last, nil
	}
	text := tail[:at+1]
	if before := bytes.LastIndex(text, []byte("\n"+checkpointEnd)); before >= 0 {
		text = text[before+1+len(checkpointEnd):]
	}
	return from + int64(at) + 1 + int64(len(checkpointEnd)), checkpoint{sizeOf(text), text}, nil
}

// sizeOf reads the size in a checkpoint that was verified when it came; 0 where it
// is none.
func sizeOf(text []byte) int64 {
	lines := bytes.SplitN(text, []byte("\n"), 3)
	if len(lines) < 3 {
		return 0
	}
	n, err := strconv.ParseInt(string(lines[1]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Checkpoint is the newest checkpoint of the custody log that was kept; nil: none.
func (s *Spool) Checkpoint() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest.text
}

// KeepCheckpoint keeps a checkpoint that the caller has verified, durably, where it is
// of more entries than those before, or the first of its log.
func (s *Spool) KeepCheckpoint(ctx context.Context, size int64, text []byte, first bool) error {
	s.mu.Lock()
	known := !first && size <= s.newest.size || bytes.Equal(text, s.newest.text)
	s.mu.Unlock()
	if known {
		return nil
	}
	return s.submit(ctx, "keeping a checkpoint", &change{checkpoint: &checkpoint{size, text}, restarts: first, apply: func(*pen) error { return nil }})
}

// checkpoint is a head of the custody log, as it came with a receipt.
type checkpoint struct {
	size int64
	text []byte
}

// keepCheckpoints appends the checkpoints of waiting changes that are newer than
// all before, or the first after a restore of the log, durably. When that fails, the changes that
// came with them fail.
func (s *Spool) keepCheckpoints(batch []*change) {
	var entries []byte
	newest := s.newest // changed by who has the turn alone
	for _, c := range batch {
		if c.checkpoint != nil && (c.checkpoint.size > newest.size || c.restarts) {
			entries = append(append(entries, c.checkpoint.text...), checkpointEnd...)
			newest = *c.checkpoint
		}
	}
	if len(entries) == 0 {
		return
	}
	_, err := s.notes.WriteAt(entries, s.notesAt)
	if err == nil {
		err = s.notes.Sync()
	}
	if err == nil {
		s.notesAt += int64(len(entries))
		s.mu.Lock()
		s.newest = newest
		s.mu.Unlock()
		return
	}
	s.notes.Truncate(s.notesAt) // so that no part of it stands behind shorter ones
	for _, c := range batch {
		if c.checkpoint != nil && (c.checkpoint.size > s.newest.size || c.restarts) {
			c.err = fmt.Errorf("keeping a checkpoint: %w", err)
		}
	}
}
