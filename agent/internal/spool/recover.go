package spool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/seal"
)

// tidy compares journal and folder after a start. Files that no row
// names are removed: unfinished reads, or copies whose receipt is journaled.
// Rows whose file is missing or of another length go back to reading.
func (s *Spool) tidy(ctx context.Context) error {
	rows, err := s.query(ctx, "held != 0")
	if err != nil {
		return err
	}
	named := make(map[string]Recording, len(rows))
	for _, r := range rows {
		named[filepath.Base(s.file(r.Evidence, r.Held))] = r
	}
	files, err := os.ReadDir(s.records)
	if err != nil {
		return fmt.Errorf("listing %s: %w", s.records, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return fmt.Errorf("listing %s: %w", s.records, err)
		}
		r, ok := named[f.Name()]
		if ok && uint64(info.Size()) == seal.SealedSize(r.SealedLength()) {
			s.stored += uint64(info.Size())
			delete(named, f.Name())
			continue
		}
		s.opt.Log.Info("removing a file that the spool's journal does not count as a copy", "file", f.Name(), "bytes", info.Size())
		if err := durable.Remove(filepath.Join(s.records, f.Name())); err != nil {
			return err
		}
	}
	for _, r := range named {
		s.opt.Log.Warn("the copy of a recording is missing or cut; it is read from its camera again", "item", r.Evidence, "path", r.Source.Path)
		err := s.update(ctx, "marking a lost copy", func(p *pen) error {
			_, err := p.exec(`UPDATE recording SET held = 0, wrapped_key = x'', sent_segments = 0,
				reason = CASE WHEN state IN ('spooled', 'uploading') THEN 'the copy in the spool was lost' ELSE reason END,
				state = CASE WHEN state IN ('spooled', 'uploading') THEN 'reading' ELSE state END WHERE evidence = ?`, r.Evidence[:])
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
