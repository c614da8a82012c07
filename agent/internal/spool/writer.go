package spool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// flushEvery is how many segments are written between two flushes of a long
// copy, so that its end does not have to push out all of it at once.
const flushEvery = 128

// Writer writes one copy of one recording. Its owner calls Header once, Segment
// in order, then Commit; or Drop at any point. Not safe for concurrent use.
type Writer struct {
	spool     *Spool
	file      *durable.Appender // nil while small is used
	small     []byte            // a copy of one segment is kept here until Flush, and written in one go
	path      string
	rec       Recording
	reserved  uint64
	offset    uint64 // bytes taken
	written   uint64 // of these, in the file
	segments  uint64
	checksums []byte
	flushed   bool
	done      bool
}

// Begin starts a new copy under the next attempt number. expect is the plain
// length that the camera lists, or 0; room for it is claimed at once. Without
// room the error is ErrFull, or a *LargeError, and nothing has changed.
func (s *Spool) Begin(ctx context.Context, id evidence.EvidenceID, docking evidence.DockingID, bay string, expect uint64) (*Writer, error) {
	w := &Writer{spool: s, reserved: seal.SealedSize(min(expect, evidence.MaxLength))}
	if expect > 0 && expect <= seal.SegmentSize {
		w.small = make([]byte, 0, w.reserved)
	}
	if err := s.large(w.reserved); err != nil {
		return nil, err
	}
	if err := s.reserve(w.reserved); err != nil {
		return nil, err
	}
	if err := w.begin(ctx, id, docking, bay); err != nil {
		s.settle(w.reserved, 0, 0)
		return nil, err
	}
	return w, nil
}

func (w *Writer) begin(ctx context.Context, id evidence.EvidenceID, docking evidence.DockingID, bay string) error {
	rec, drawn := w.spool.take(id, docking, bay)
	if w.rec = rec; !drawn {
		err := w.spool.update(ctx, "beginning to read item "+id.String(), func(p *pen) error {
			err := p.one(`UPDATE recording SET attempt = attempt + 1, state = 'reading', reason = '', docking = ?, bay = ?, changed_us = ?
				WHERE evidence = ? AND state IN ('reading', 'failed')`, docking[:], bay, w.spool.opt.Now().UnixMicro(), id[:])
			if err == nil {
				w.rec, err = p.recording(id[:])
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	w.path = w.spool.file(id, w.rec.Attempt)
	if w.small != nil {
		return nil
	}
	return w.create()
}

func (w *Writer) create() (err error) {
	w.file, err = w.spool.folders.CreateAppender(w.path, 0o600)
	if err != nil {
		return fmt.Errorf("making the spool file of %s: %w", w.rec.Source.Path, explain(err))
	}
	return nil
}

// file is the path of a copy. Names come from ids only.
func (s *Spool) file(id evidence.EvidenceID, attempt uint32) string {
	return filepath.Join(s.records, id.String()+"-"+strconv.FormatUint(uint64(attempt), 10)+".floe")
}

// Attempt is the number of this reading, from 1.
func (w *Writer) Attempt() uint32 { return w.rec.Attempt }

// Header writes the sealed file's header.
func (w *Writer) Header(header []byte) error {
	if w.offset != 0 || len(header) != seal.HeaderSize {
		return fmt.Errorf("writing the header of item %s: %d bytes at %d", w.rec.Evidence, len(header), w.offset)
	}
	w.rec.Header = append([]byte(nil), header...)
	return w.write(header)
}

// Segment appends the next sealed segment. It is durable only after Commit.
// Without room the error is ErrFull: drop the copy.
func (w *Writer) Segment(sealed []byte) error {
	if err := w.write(sealed); err != nil {
		return err
	}
	w.checksums = binary.BigEndian.AppendUint32(w.checksums, checksum(sealed))
	w.segments++
	if w.segments%flushEvery != 0 || w.file == nil {
		return nil
	}
	return w.file.Sync()
}

func (w *Writer) write(p []byte) error {
	if w.flushed || w.done {
		return fmt.Errorf("writing the spool file of %s: it was ended already", w.rec.Source.Path)
	}
	if end := w.offset + uint64(len(p)); end > w.reserved {
		more := end - w.reserved
		if err := w.spool.reserve(more); err != nil {
			return err
		}
		w.reserved += more
	}
	if w.file == nil && len(w.small)+len(p) <= cap(w.small) {
		w.small = append(w.small, p...)
	} else if err := w.writeFile(p); err != nil {
		return err
	}
	w.offset += uint64(len(p))
	return nil
}

// writeFile writes to the file, which is made now, and begun with what was kept
// in small, when the recording turns out longer than its camera lists.
func (w *Writer) writeFile(p []byte) error {
	if w.file == nil {
		if err := w.create(); err != nil {
			return err
		}
		p, w.small = append(w.small, p...), nil
	}
	if _, err := w.file.Write(p); err != nil {
		return fmt.Errorf("writing the spool file of %s: %w", w.rec.Source.Path, explain(err))
	}
	w.wrote(uint64(len(p)))
	return nil
}

func (w *Writer) wrote(n uint64) {
	w.written += n
	w.spool.wrote(n)
}

// checksum is CRC-32C (Castagnoli, RFC 3720 section 12.1) over sealed bytes.
func checksum(sealed []byte) uint32 {
	return crc32.Checksum(sealed, crc32.MakeTable(crc32.Castagnoli))
}

// Flush makes the bytes written so far durable. Commit does it anyway; calling
// it before the second read of the camera lets the disk work meanwhile. Nothing
// may be written after it.
func (w *Writer) Flush() error {
	if w.flushed {
		return nil
	}
	if w.file == nil {
		if err := w.writeFile(nil); err != nil {
			return err
		}
	}
	if err := w.file.Sync(); err != nil { // file first, then folder
		return fmt.Errorf("flushing the copy of %s: %w", w.rec.Source.Path, explain(err))
	}
	w.flushed = true
	return nil
}

// Sealed is what is known of a recording once two reads of it agree.
type Sealed struct {
	Length     uint64
	Encoded    uint64 // bytes that were sealed, where the recording was encoded before; else 0
	SHA256     evidence.Digest
	MerkleRoot evidence.Digest
	Leaves     []evidence.Digest // of what was sealed
	Manifest   []byte            // signed envelope, JSON
	WrappedKey []byte
	Claims     Claims // of the manifest, as far as the order of handing over looks at them
}

// Commit makes the copy durable, file first, then folder, then journal, and
// hands it to upload. On an error the copy is gone: read the camera again.
func (w *Writer) Commit(ctx context.Context, c Sealed) error {
	if err := w.commit(ctx, c); err != nil {
		return errors.Join(err, w.Drop())
	}
	w.done = true
	w.spool.settle(w.reserved, w.written, w.offset)
	if w.file != nil {
		if err := w.file.Close(); err != nil {
			return err
		}
	}
	return w.spool.removeCopy(w.rec.Evidence, w.rec.Held) // of an attempt that came to nothing
}

func (w *Writer) commit(ctx context.Context, c Sealed) error {
	if w.done {
		return fmt.Errorf("committing item %s: its copy was dropped", w.rec.Evidence)
	}
	length := sealedLength(c.Length, c.Encoded)
	if w.offset != seal.SealedSize(length) || w.segments != uint64(len(c.Leaves)) {
		return fmt.Errorf("committing item %s: %d segments and %d bytes do not fit %d plain bytes and %d leaves",
			w.rec.Evidence, w.segments, w.offset, length, len(c.Leaves))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	id, leaves, at := w.rec.Evidence[:], evidence.EncodeLeaves(c.Leaves), w.spool.opt.Now()
	return w.spool.submit(ctx, "committing "+w.rec.Source.Path, &change{apply: func(p *pen) error {
		err := p.one(`UPDATE recording SET state = 'spooled', reason = '', held = attempt, length = ?, encoded = ?, sha256 = ?, merkle_root = ?, manifest = ?,
			header = ?, wrapped_key = ?, receipt = x'', receipt_digest = x'', sent_segments = 0, changed_us = ? WHERE evidence = ? AND attempt = ? AND state = 'reading'`,
			int64(c.Length), int64(c.Encoded), c.SHA256[:], c.MerkleRoot[:], c.Manifest, w.rec.Header, c.WrappedKey, at.UnixMicro(), id, w.rec.Attempt)
		if err != nil {
			return err
		}
		if _, err = p.exec("INSERT OR REPLACE INTO proof (evidence, leaves, checksums) VALUES (?, ?, ?)", id, leaves, w.checksums); err != nil {
			return err
		}
		_, err = p.exec("INSERT OR REPLACE INTO claim (evidence, officer_id, officer, category, spooled_us) VALUES (?, ?, ?, ?, ?)",
			id, c.Claims.OfficerID, c.Claims.Officer, c.Claims.Category, at.UnixMicro())
		return err
	}, then: func() {
		w.spool.line.join(&waiting{
			sequence: w.rec.Sequence, id: w.rec.Evidence, attempt: w.rec.Attempt, state: StateSpooled, serial: w.rec.Source.Serial, path: w.rec.Source.Path,
			bay: w.rec.Bay, claims: c.Claims, length: c.Length, encoded: c.Encoded, spooled: at.UnixMicro(),
		})
	}})
}

// Drop removes the unfinished copy. The recording stays in state reading. After
// Commit it does nothing.
func (w *Writer) Drop() error {
	if w.done {
		return nil
	}
	w.done, w.small = true, nil
	w.spool.settle(w.reserved, w.written, 0)
	if w.file != nil {
		w.file.Close() // a poisoned file is released too, and its bytes are thrown away
	}
	err := os.Remove(w.path) // not flushed, as in removeCopy
	w.spool.announce()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
