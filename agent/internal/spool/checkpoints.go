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

// checkpoint is a head of the custody log, as it came with a receipt.
type checkpoint struct {
	size int64
	text []byte
}

// keepCheckpoints appends the checkpoints of waiting changes that are newer than
// all kept since the program began, durably. When that fails, the changes that
// came with them fail.
func (s *Spool) keepCheckpoints(batch []*change) {
	var entries []byte
	newest := s.noted
	for _, c := range batch {
		if c.checkpoint != nil && c.checkpoint.size > newest {
			entries = append(append(entries, c.checkpoint.text...), checkpointEnd...)
			newest = c.checkpoint.size
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
		s.noted = newest
		return
	}
	s.notes.Truncate(s.notesAt) // so that no part of it stands behind shorter ones
	for _, c := range batch {
		if c.checkpoint != nil && c.checkpoint.size > s.noted {
			c.err = fmt.Errorf("keeping a checkpoint: %w", err)
		}
	}
}
