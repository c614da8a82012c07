package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

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
		s.notesAt, err = lastEntry(file, size)
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

// lastEntry returns where the last whole entry ends.
func lastEntry(file io.ReaderAt, size int64) (int64, error) {
	const window = 64 << 10 // more than one checkpoint takes
	from := max(0, size-window)
	tail := make([]byte, size-from)
	if _, err := file.ReadAt(tail, from); err != nil && err != io.EOF {
		return 0, err
	}
	end := strings.LastIndex(string(tail), "\n"+checkpointEnd)
	if end < 0 {
		return 0, nil
	}
	return from + int64(end) + 1 + int64(len(checkpointEnd)), nil
}

// keepCheckpoint appends a checkpoint that is newer than all kept since the
// program began, durably.
func (s *Spool) keepCheckpoint(size int64, text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if size <= s.noted {
		return nil
	}
	entry := append(append([]byte(nil), text...), checkpointEnd...)
	if _, err := s.notes.WriteAt(entry, s.notesAt); err != nil {
		return fmt.Errorf("keeping a checkpoint: %w", explain(err))
	}
	if err := s.notes.Sync(); err != nil {
		return fmt.Errorf("keeping a checkpoint: %w", explain(err))
	}
	s.notesAt += int64(len(entry))
	s.noted = size
	return nil
}
