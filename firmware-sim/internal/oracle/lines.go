package oracle

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// This file holds the second file: what cameras did since the book was written.

// line is one line of the second file: a deletion, or what a camera keeps.
type line struct {
	Serial string          `json:"serial"`
	Path   string          `json:"path,omitempty"`
	SHA256 evidence.Digest `json:"sha256,omitzero"`
	At     time.Time       `json:"at"`
	Erase  []byte          `json:"erase,omitempty"`
	Memory json.RawMessage `json:"memory,omitempty"` // then nothing was deleted
}

// lock opens the file of deletions, which stays the same file for good, and takes
// the lock on it.
func (b *Book) lock() error {
	file, err := os.OpenFile(b.path+".deletes", os.O_RDWR|os.O_CREATE|os.O_APPEND, filePerms)
	if err != nil {
		return fmt.Errorf("opening the oracle's deletions: %w", err)
	}
	free, err := tryLock(file)
	if err == nil && !free {
		err = ErrInUse
	}
	if err != nil {
		return errors.Join(fmt.Errorf("locking the oracle %s: %w", b.path, err), file.Close())
	}
	b.deletions = file
	return nil
}

// replay applies deletions that had not reached the book, then empties their file.
func (b *Book) replay() error {
	lines := bufio.NewScanner(b.deletions)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var d line
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			continue // the last line of a simulator that was killed
		}
		b.apply(d)
	}
	if err := errors.Join(lines.Err(), b.write()); err != nil {
		return fmt.Errorf("catching up on the oracle's deletions: %w", err)
	}
	if err := b.deletions.Truncate(0); err != nil {
		return fmt.Errorf("emptying the oracle's deletions: %w", err)
	}
	return nil
}

func (b *Book) apply(d line) {
	if d.Memory != nil {
		b.page(d.Serial).Memory = d.Memory
		return
	}
	r := b.find(d.Serial, d.Path, d.SHA256)
	if r == nil || r.Deleted {
		return
	}
	r.Deleted, r.DeletedAt, r.DeletedBy, r.Erase = true, d.At, "host", d.Erase
	b.page(d.Serial).note(Entry{At: d.At, Act: ActDeleted, Path: d.Path, SHA256: &d.SHA256})
}

// enter writes a line to the second file, then into the book.
func (b *Book) enter(l line) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.deletions != nil {
		text, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("writing down what a camera did: %w", err)
		}
		if len(text) >= maxLine {
			return fmt.Errorf("writing down what a camera did: %d bytes, at most %d can be read again", len(text), maxLine)
		}
		if _, err := b.deletions.Write(append(text, '\n')); err != nil {
			return fmt.Errorf("writing down what a camera did: %w", err)
		}
	}
	b.apply(l)
	return b.changed()
}
