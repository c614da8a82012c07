package spool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ErrRot is wrapped when a spooled copy is no longer what was written.
var ErrRot = errors.New("the copy in the spool is damaged")

// Copy is a spooled recording, open for reading. ReadSegment and Segments are
// safe for concurrent use, with a buffer for each caller; Close is not.
type Copy struct {
	Recording
	Leaves []byte // 32 bytes per segment

	checksums []byte
	file      *durable.File
}

// OpenCopy opens the spooled copy of a recording. A missing file or a list that
// does not fit is ErrRot.
func (s *Spool) OpenCopy(ctx context.Context, id evidence.EvidenceID) (*Copy, error) {
	r, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.State != StateSpooled && r.State != StateUploading {
		return nil, fmt.Errorf("opening the copy of %s, which is %s: %w", r.Source.Path, r.State, ErrState)
	}
	c := &Copy{Recording: r}
	if err := s.db.QueryRowContext(ctx, "SELECT leaves, checksums FROM proof WHERE evidence = ?", id[:]).Scan(&c.Leaves, &c.checksums); err != nil {
		return nil, fmt.Errorf("reading the checksums of %s: %w", r.Source.Path, err)
	}
	if n := seal.SegmentCount(r.SealedLength()); uint64(len(c.Leaves)) != n*32 || uint64(len(c.checksums)) != n*4 {
		return nil, fmt.Errorf("opening the copy of %s: %d leaf and %d checksum bytes for %d segments: %w", r.Source.Path, len(c.Leaves), len(c.checksums), n, ErrRot)
	}
	c.file, err = durable.OpenRead(s.file(id, r.Held))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening the copy of %s: %w: %w", r.Source.Path, ErrRot, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the copy of %s: %w", r.Source.Path, err)
	}
	if c.Segments() > 1 {
		if err := c.file.FromMedium(); err != nil {
			return nil, errors.Join(err, c.file.Close())
		}
	}
	return c, nil
}

// Segments is how many segments the copy has, at least one.
func (c *Copy) Segments() uint64 { return seal.SegmentCount(c.SealedLength()) }

// ReadSegment appends the sealed segment to dst, after its checksum was found
// right. Damage is ErrRot and names the segment.
func (c *Copy) ReadSegment(dst []byte, index uint64) ([]byte, error) {
	if index >= c.Segments() {
		return dst, fmt.Errorf("reading segment %d of %s: it has %d", index, c.Source.Path, c.Segments())
	}
	size := int(seal.SegmentLen(c.SealedLength(), index)) + seal.Overhead
	start := len(dst)
	if cap(dst)-start < size {
		dst = append(make([]byte, 0, start+size), dst...)
	}
	sealed := dst[start : start+size]
	offset := int64(seal.HeaderSize) + int64(index)*(seal.SegmentSize+seal.Overhead)
	if n, err := c.file.ReadAt(sealed, offset); n < size {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return dst, fmt.Errorf("reading segment %d of %s: %w: %w", index, c.Source.Path, ErrRot, err)
	}
	if want := binary.BigEndian.Uint32(c.checksums[index*4:]); checksum(sealed) != want {
		return dst, fmt.Errorf("reading segment %d of %s: its checksum is wrong: %w", index, c.Source.Path, ErrRot)
	}
	return dst[:start+size], nil
}

// Fits reports whether bytes that came from elsewhere are the sealed segment, by
// the checksum that was kept when it was written.
func (c *Copy) Fits(sealed []byte, index uint64) bool {
	return index < c.Segments() && uint64(len(sealed)) == seal.SegmentLen(c.SealedLength(), index)+seal.Overhead && checksum(sealed) == binary.BigEndian.Uint32(c.checksums[index*4:])
}

// Verify reads the whole copy from the medium and returns ErrRot at the first
// damage.
func (c *Copy) Verify(ctx context.Context) error {
	buffer := make([]byte, 0, seal.SegmentSize+seal.Overhead)
	for index := range c.Segments() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := c.ReadSegment(buffer, index); err != nil {
			return err
		}
	}
	return nil
}

// Close releases the file.
func (c *Copy) Close() error { return c.file.Close() }
