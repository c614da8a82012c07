package fsck

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/content"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	sealedSegment = seal.SegmentSize + seal.Overhead
	namedSegments = 3 // damaged segments that are named one by one
)

// buffers are the memory of one worker, reused from item to item.
type buffers struct {
	sealed, plain []byte
}

func (b *buffers) prepare() {
	if b.sealed == nil {
		b.sealed, b.plain = make([]byte, sealedSegment), make([]byte, 0, seal.SegmentSize)
	}
}

// checkBlob reads the blob from the medium.
func (s *subject) checkBlob(ctx context.Context, b *buffers) error {
	key := vault.Key{Agency: s.row.Agency, ID: s.row.ID, Attempt: s.row.Attempt}
	blob, err := s.Vault.Open(ctx, key)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		s.blob(Missing, "the blob is missing from the store")
		return nil
	case err != nil:
		s.blob(Unreadable, "the blob cannot be read: %v", err)
		return nil
	}
	defer blob.Close()
	opener := s.opener(blob)
	if opener == nil || s.SkipContent {
		return nil
	}
	if err := blob.FromMedium(); err != nil {
		s.note("the blob was read as the system has it in memory: %v", err)
	}
	b.prepare()
	return s.readSegments(ctx, blob, opener, b)
}

// opener checks length and header and prepares to open segments; nil when that
// makes no sense.
func (s *subject) opener(blob vault.Blob) *seal.Opener {
	if want := seal.SealedSize(s.manifest.Sealed().Length); uint64(blob.Size()) != want {
		s.blob(Damaged, "the blob has %d bytes, want %d", blob.Size(), want)
		return nil
	}
	header := make([]byte, seal.HeaderSize)
	if _, err := blob.ReadAt(header, 0); err != nil && err != io.EOF {
		s.blob(Unreadable, "the blob cannot be read: %v", err)
		return nil
	}
	if !bytes.Equal(header, s.row.Header) {
		s.blob(Damaged, "the blob's header is not the one that the dock offered")
		return nil
	}
	key, err := s.Unwrap(s.row.Agency, s.row.ID, s.row.Attempt, s.row.WrappedKey)
	if err != nil {
		s.problem(doCatalog, "the recording's key cannot be opened: %v", err)
		return nil
	}
	defer key.Zero()
	opener, err := seal.NewOpener(key, seal.AAD(s.row.Agency, s.row.ID, s.row.Attempt), header)
	if err != nil {
		s.blob(Damaged, "the blob cannot be opened: %v", err)
		return nil
	}
	return opener
}

// readSegments opens every segment and takes both commitments anew.
func (s *subject) readSegments(ctx context.Context, blob vault.Blob, opener *seal.Opener, b *buffers) error {
	whole := sha256.New()
	damaged := 0
	last := uint64(len(s.leaves)) - 1
	for index := range s.leaves {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.pace(ctx, len(b.sealed)); err != nil {
			return err
		}
		plain, err := s.readSegment(blob, opener, b, uint64(index), last)
		if err != nil {
			if damaged++; damaged <= namedSegments {
				s.blob(kindOf(err), "segment %d of %d: %v", index, last+1, err)
			}
			continue
		}
		whole.Write(plain)
		s.count(func(t *Summary) { t.Bytes += int64(len(plain)) })
	}
	switch {
	case damaged > namedSegments:
		s.blob(Damaged, "%d more segments are damaged", damaged-namedSegments)
	case damaged == 0 && s.manifest.Content != nil:
		return s.checkContent(ctx, blob, opener, b)
	case damaged == 0 && evidence.Digest(whole.Sum(nil)) != s.manifest.SHA256:
		s.blob(Damaged, "the SHA-256 of the whole is %x, the signed manifest says %s", whole.Sum(nil), s.manifest.SHA256)
	}
	return nil
}

// checkContent decodes an encoded recording, whose segments were just found right,
// and takes both commitments of the original anew.
func (s *subject) checkContent(ctx context.Context, blob vault.Blob, opener *seal.Opener, b *buffers) error {
	last := uint64(len(s.leaves)) - 1
	err := content.Prove(&s.manifest, content.NewSegments(last+1, func(index uint64) ([]byte, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return s.readSegment(blob, opener, b, index, last)
	}))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.blob(kindOf(err), "%v", err)
	}
	return nil
}

// errUnread: the medium gave nothing, or too little.
var errUnread = errors.New("it cannot be read")

func kindOf(err error) Kind {
	if errors.Is(err, errUnread) {
		return Unreadable
	}
	return Damaged
}

func (s *subject) readSegment(blob vault.Blob, opener *seal.Opener, b *buffers, index, last uint64) ([]byte, error) {
	length := seal.SegmentLen(s.manifest.Sealed().Length, index)
	sealed := b.sealed[:length+seal.Overhead]
	if n, err := blob.ReadAt(sealed, seal.HeaderSize+int64(index)*sealedSegment); n < len(sealed) {
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	plain, err := opener.Open(b.plain[:0], sealed, index, index == last)
	if err != nil {
		return nil, err
	}
	if uint64(len(plain)) != length || evidence.LeafHash(plain) != s.leaves[index] {
		return nil, errors.New("it opens, but its leaf hash is not that of the signed manifest")
	}
	return plain, nil
}
