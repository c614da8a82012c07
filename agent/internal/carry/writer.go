package carry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/drive"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// tempEnd ends the name of a file that is not whole.
const tempEnd = ".unfinished"

// writer writes one recording.
type writer struct {
	*export
	copy  *spool.Copy
	wrote bool // something that was not there
}

func (w *writer) write(ctx context.Context) (entry evidence.CarriedRecording, err error) {
	c := w.copy
	var offer bytes.Buffer
	if err := protocol.WriteMessage(&offer, &protocol.Offer{Manifest: c.Manifest, WrappedKey: c.WrappedKey, Header: c.Header, Leaves: c.Leaves}); err != nil {
		return entry, fmt.Errorf("its offer: %w: %w", spool.ErrRot, err)
	}
	entry = evidence.CarriedRecording{Evidence: c.Evidence, Attempt: c.Attempt, Length: c.SealedLength(), Offer: evidence.SHA256(offer.Bytes())}
	for part := range drive.Parts(c.SealedLength()) {
		sum, err := w.part(ctx, part)
		if err != nil {
			return entry, err
		}
		entry.Files = append(entry.Files, sum)
	}
	return entry, w.put(drive.Offer(c.Evidence, c.Attempt), offer.Bytes())
}

// part keeps a part that is right, and writes any other.
func (w *writer) part(ctx context.Context, part uint64) (evidence.Digest, error) {
	name := drive.Part(w.copy.Evidence, w.copy.Attempt, part)
	sum, right, err := w.check(ctx, name, part)
	if err == nil && !right {
		if sum, err = w.make(ctx, name, part); err == nil {
			w.wrote = true
		}
	}
	if err != nil {
		return sum, err
	}
	w.note(name, sum)
	return sum, nil
}

// check reads a part that is there and compares every segment with the
// journal's checksums.
func (w *writer) check(ctx context.Context, name string, part uint64) (sum evidence.Digest, right bool, err error) {
	file, err := w.folder.OpenFile(name, drive.PartSize(w.copy.SealedLength(), part))
	if err != nil {
		return sum, false, nil // whatever it is: it is written anew, which tells what is wrong with the drive
	}
	defer file.Close()
	header := make([]byte, 0, seal.HeaderSize)
	if part == 0 {
		header = header[:seal.HeaderSize]
		if _, err := io.ReadFull(file, header); err != nil || !bytes.Equal(header, w.copy.Header) {
			return sum, false, nil
		}
	}
	whole := sha256.New()
	whole.Write(header)
	w.advance(len(header))
	sealed := make([]byte, seal.SegmentSize+seal.Overhead)
	first, end := drive.Segments(w.copy.SealedLength(), part)
	for index := first; index < end; index++ {
		if err := ctx.Err(); err != nil {
			return sum, false, err
		}
		segment := sealed[:seal.SegmentLen(w.copy.SealedLength(), index)+seal.Overhead]
		if _, err := io.ReadFull(file, segment); err != nil || !w.copy.Fits(segment, index) {
			return sum, false, nil
		}
		whole.Write(segment)
		w.advance(len(segment))
	}
	whole.Sum(sum[:0])
	return sum, true, nil
}

// make writes a part: under a name of its own, flushed, then renamed.
func (w *writer) make(ctx context.Context, name string, part uint64) (sum evidence.Digest, err error) {
	if err := w.Fail("make " + name); err != nil {
		return sum, err
	}
	path := filepath.Join(w.folder.Path(), filepath.FromSlash(name))
	if err := w.folder.Remove(name + tempEnd); err != nil {
		return sum, err
	}
	file, err := w.folders.CreateFile(path+tempEnd, 0o644)
	if err != nil {
		return sum, drive.Explain(err, w.folder.Path())
	}
	whole := sha256.New()
	err = w.fill(ctx, file, whole, part)
	if err == nil {
		err = w.Fail("place " + name)
	}
	if err == nil {
		err = drive.Explain(w.folders.Place(file, path), w.folder.Path())
	}
	if closed := file.Close(); err == nil {
		err = drive.Explain(closed, w.folder.Path())
	}
	if err != nil {
		os.Remove(path + tempEnd) // gives room for the index; what a pulled drive keeps of it, the next run removes
		return sum, err
	}
	whole.Sum(sum[:0])
	return sum, nil
}

func (w *writer) fill(ctx context.Context, file *durable.File, whole hash.Hash, part uint64) error {
	offset := int64(0)
	add := func(p []byte) error {
		if _, err := file.WriteAt(p, offset); err != nil {
			return drive.Explain(err, w.folder.Path())
		}
		whole.Write(p)
		offset += int64(len(p))
		return nil
	}
	if part == 0 {
		if err := add(w.copy.Header); err != nil {
			return err
		}
		w.advance(len(w.copy.Header))
	}
	buffer := make([]byte, 0, min(w.copy.SealedLength(), seal.SegmentSize)+seal.Overhead)
	first, end := drive.Segments(w.copy.SealedLength(), part)
	for index := first; index < end; index++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		segment, err := w.copy.ReadSegment(buffer, index)
		if err == nil {
			err = w.Fail(fmt.Sprintf("segment %d of %v", index, w.copy.Evidence))
		}
		if err == nil {
			err = add(segment)
		}
		if err != nil {
			return err
		}
		w.advance(len(segment))
	}
	return nil
}
