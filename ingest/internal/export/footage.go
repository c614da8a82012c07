package export

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/content"
	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// buffers are the memory of one package in the making: its recordings are read one
// after the other.
type buffers struct {
	sealed, plain []byte
}

// footage is an opened recording. It is read by one goroutine at a time.
type footage struct {
	item   *catalog.Item
	blob   vault.Blob
	opener *seal.Opener
	leaves []evidence.Digest // of what is sealed
	part   *pack.Part        // what of it is wanted; nil: all
	passed *atomic.Uint64    // counts the bytes that are read; nil: nobody asks
	*buffers
}

// open opens an item's blob and unwraps its key. Only one footage is open at a time.
func (m *making) open(ctx context.Context, item *catalog.Item, part *pack.Part) (*footage, error) {
	blob, err := m.Blobs.Open(ctx, vault.Key{Agency: item.Agency, ID: item.ID, Attempt: item.Attempt})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("item %s: its bytes are missing from the store: %w", item.ID, ErrUnproven)
	} else if err != nil {
		return nil, fmt.Errorf("opening the blob of item %s: %w", item.ID, err)
	}
	if m.buffers.sealed == nil {
		m.buffers = buffers{make([]byte, vault.SealedSegment), make([]byte, 0, seal.SegmentSize)}
	}
	f := &footage{item: item, blob: blob, part: part, buffers: &m.buffers}
	if err := f.unlock(m.Keys); err != nil {
		return nil, errors.Join(fmt.Errorf("item %s: %w", item.ID, err), blob.Close())
	}
	return f, nil
}

func (f *footage) unlock(keys Keys) error {
	item := f.item
	var err error
	if f.leaves, err = evidence.DecodeLeaves(item.Leaves); err != nil || uint64(len(f.leaves)) != evidence.LeafCount(item.SealedLength()) {
		return fmt.Errorf("the list of its parts' hashes is damaged: %w", ErrUnproven)
	}
	if want := seal.SealedSize(item.SealedLength()); uint64(f.blob.Size()) != want {
		return fmt.Errorf("the blob has %d bytes, %d are right: %w", f.blob.Size(), want, ErrUnproven)
	}
	header := make([]byte, seal.HeaderSize)
	if _, err := f.blob.ReadAt(header, 0); err != nil && err != io.EOF {
		return fmt.Errorf("reading the blob's header: %w", err)
	}
	key, err := keys.Unwrap(item.Agency, item.ID, item.Attempt, item.WrappedKey)
	if err != nil {
		return fmt.Errorf("opening its key: %w", err)
	}
	defer key.Zero()
	if f.opener, err = seal.NewOpener(key, seal.AAD(item.Agency, item.ID, item.Attempt), header); err != nil {
		return fmt.Errorf("the blob's header is not of its key: %w", ErrUnproven)
	}
	return nil
}

// Close forgets the plaintext.
func (f *footage) Close() error {
	clear(f.plain[:cap(f.plain)])
	return f.blob.Close()
}

// send reads an item again while it goes out.
func (m *making) send(ctx context.Context, s *subject, w io.Writer) error {
	f, err := m.open(ctx, s.row, s.listed.Part)
	if err != nil {
		return err
	}
	m.progress.sending(f)
	return errors.Join(f.copy(ctx, w), f.Close())
}

// segment opens one segment and compares its leaf hash. What it returns is good
// until the next call.
func (f *footage) segment(index uint64) ([]byte, error) {
	length := f.length(index)
	sealed := f.sealed[:length+seal.Overhead]
	if n, err := f.blob.ReadAt(sealed, seal.HeaderSize+int64(index)*vault.SealedSegment); n < len(sealed) {
		return nil, fmt.Errorf("reading segment %d of item %s: %w", index, f.item.ID, err)
	}
	plain, err := f.opener.Open(f.plain[:0], sealed, index, index == uint64(len(f.leaves))-1)
	if err != nil || uint64(len(plain)) != length || evidence.LeafHash(plain) != f.leaves[index] {
		return nil, fmt.Errorf("segment %d of item %s is not the one that was sealed at the dock: %w", index, f.item.ID, ErrUnproven)
	}
	if f.passed != nil {
		f.passed.Add(length)
	}
	return plain, nil
}

// length is how many bytes a segment has.
func (f *footage) length(index uint64) uint64 { return seal.SegmentLen(f.item.SealedLength(), index) }

// ReadAt reads the recording, where it is not encoded. What it returns was proven.
func (f *footage) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		place := uint64(at) + uint64(n)
		if place >= f.item.Length {
			return n, io.EOF
		}
		plain, err := f.segment(place / evidence.LeafSize)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], plain[place%evidence.LeafSize:])
	}
	return n, nil
}

// copy writes what is wanted of the recording, decoded, each segment proven before it
// goes out.
func (f *footage) copy(ctx context.Context, w io.Writer) error {
	if f.item.Encoding != evidence.EncodedAsIs {
		segments := content.NewSegments(uint64(len(f.leaves)), func(index uint64) ([]byte, error) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return f.segment(index)
		})
		err := content.Decode(w, segments, f.item.Encoding, f.item.Length)
		if errors.Is(err, content.ErrContent) {
			err = fmt.Errorf("item %s: %w: %w", f.item.ID, ErrUnproven, err)
		}
		return err
	}
	first, behind := f.wanted()
	for index := first; index < behind; index++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		plain, err := f.segment(index)
		if err != nil {
			return err
		}
		if _, err := w.Write(plain); err != nil {
			return err
		}
	}
	return nil
}

// wanted are the first segment of a recording that is not encoded, and the one behind
// the last.
func (f *footage) wanted() (first, behind uint64) {
	if f.part != nil {
		return f.part.Leaves()
	}
	return 0, uint64(len(f.leaves))
}

// sums are what is taken of a recording in one pass.
type sums struct {
	sha256 evidence.Digest
	sha512 [sha512.Size]byte
	crc    uint32
	leaves []evidence.Digest // of what is wanted of the recording
}

// hash reads the recording once.
func (f *footage) hash(ctx context.Context) (*sums, error) {
	long, short, crc := sha512.New(), sha256.New(), crc32.NewIEEE()
	leaves := &leafHasher{}
	w := beside{long, io.MultiWriter(short, crc)}
	if f.item.Encoding != evidence.EncodedAsIs {
		w[1] = io.MultiWriter(short, crc, leaves)
	}
	if err := f.copy(ctx, w); err != nil {
		return nil, err
	}
	first, behind := f.wanted()
	s := &sums{crc: crc.Sum32(), leaves: f.leaves[first:behind]} // those of what is sealed, each compared
	if f.item.Encoding != evidence.EncodedAsIs {
		s.leaves = leaves.end()
	}
	short.Sum(s.sha256[:0])
	long.Sum(s.sha512[:0])
	return s, nil
}

// beside writes to both at the same time. Neither returns errors: they are hashes.
type beside [2]io.Writer

func (b beside) Write(p []byte) (int, error) {
	var first sync.WaitGroup
	first.Go(func() { b[0].Write(p) })
	b[1].Write(p)
	first.Wait()
	return len(p), nil
}

// leafHasher takes the leaf hashes of what is written.
type leafHasher struct {
	leaves []evidence.Digest
	leaf   []byte
}

func (l *leafHasher) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part := p[:min(len(p), evidence.LeafSize-len(l.leaf))]
		p = p[len(part):]
		if len(part) == evidence.LeafSize {
			l.leaves = append(l.leaves, evidence.LeafHash(part))
			continue
		}
		if l.leaf = append(l.leaf, part...); len(l.leaf) == evidence.LeafSize {
			l.leaves, l.leaf = append(l.leaves, evidence.LeafHash(l.leaf)), l.leaf[:0]
		}
	}
	return n, nil
}

func (l *leafHasher) end() []evidence.Digest {
	if len(l.leaf) > 0 || len(l.leaves) == 0 {
		l.leaves = append(l.leaves, evidence.LeafHash(l.leaf))
	}
	clear(l.leaf[:cap(l.leaf)])
	return l.leaves
}

// Recording is a stored recording that is read at any place, by one goroutine at a time;
// what it gives was proven. Close it.
type Recording struct{ *footage }

// Open opens a recording that is in the store with a receipt and is stored as it was
// read. The event that allows it is the caller's to write. Errors wrap catalog.ErrNotFound,
// ErrNotStored, ErrRange or ErrUnproven.
func (s *Service) Open(ctx context.Context, id evidence.EvidenceID) (*catalog.Item, *Recording, error) {
	item, err := s.stored(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if item.Encoding != evidence.EncodedAsIs {
		return nil, nil, fmt.Errorf("item %s is stored compressed: %w", id, ErrRange)
	}
	f, err := (&making{Service: s}).open(ctx, item, nil)
	if err != nil {
		return nil, nil, err
	}
	return item, &Recording{f}, nil
}
