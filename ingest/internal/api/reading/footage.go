package reading

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/content"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Footage is an opened recording. Close it. Copy may be called from several
// goroutines at once.
type Footage struct {
	Item   *catalog.Item
	Length uint64 // bytes

	service *Service
	actor   *auth.Actor
	kind    evidence.EventType // of the act that opened it
	blob    vault.Blob
	opener  *seal.Opener
	leaves  []evidence.Digest
}

// Play opens a stored recording for watching. The first call of a session for
// an item, and the first after a pause of playPause, is a custody event.
func (s *Service) Play(ctx context.Context, actor *auth.Actor, id evidence.EvidenceID) (*Footage, error) {
	object := evidence.ItemObject(id)
	item, err := s.stored(ctx, actor, auth.PlayItem, evidence.EventEvidencePlayed, id)
	if err != nil {
		return nil, err
	}
	err = s.plays.once(ctx, playKey{actor.Session, id}, func() error {
		return s.record(ctx, actor, evidence.EventEvidencePlayed, object, evidence.OutcomeDone, "", facts(item))
	})
	if err != nil {
		return nil, err
	}
	return s.open(ctx, actor, item, evidence.EventEvidencePlayed)
}

// Download opens a stored recording for taking it away. Each call is a custody
// event.
func (s *Service) Download(ctx context.Context, actor *auth.Actor, id evidence.EvidenceID) (*Footage, error) {
	object := evidence.ItemObject(id)
	item, err := s.stored(ctx, actor, auth.DownloadItem, evidence.EventDownloaded, id)
	if err != nil {
		return nil, err
	}
	if err := auth.Clear(ctx, actor, auth.Act{Do: auth.DownloadItem, On: []auth.Object{auth.ItemObject(item)}, About: object, Kind: evidence.EventDownloaded, Later: true}); err != nil {
		if errors.Is(err, auth.ErrFreshFactor) || errors.Is(err, auth.ErrTokenAct) {
			return nil, errors.Join(err, s.record(ctx, actor, evidence.EventDownloaded, object, evidence.OutcomeRefused, err.Error(), nil))
		}
		return nil, err
	}
	if err := s.record(ctx, actor, evidence.EventDownloaded, object, evidence.OutcomeDone, "", facts(item)); err != nil {
		return nil, err
	}
	return s.open(ctx, actor, item, evidence.EventDownloaded)
}

// facts name the bytes that an event is about.
func facts(item *catalog.Item) map[string]string {
	return map[string]string{"sha256": item.SHA256.String(), "length": strconv.FormatUint(item.Length, 10), "path": item.Path}
}

// stored is find for an item that is in the store.
func (s *Service) stored(ctx context.Context, actor *auth.Actor, do auth.Action, kind evidence.EventType, id evidence.EvidenceID) (*catalog.Item, error) {
	item, err := s.find(ctx, actor, do, kind, id)
	if err != nil {
		return nil, err
	}
	if item.State != catalog.StateStored {
		return nil, fmt.Errorf("item %s is %s: %w", id, item.State, ErrNotStored)
	}
	return item, nil
}

// open unwraps the item's key. The event that allows it is written before.
func (s *Service) open(ctx context.Context, actor *auth.Actor, item *catalog.Item, kind evidence.EventType) (*Footage, error) {
	blob, err := s.Blobs.Open(ctx, vault.Key{Agency: item.Agency, ID: item.ID, Attempt: item.Attempt})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("item %s: %w", item.ID, ErrMissing)
	} else if err != nil {
		return nil, fmt.Errorf("opening the blob of item %s: %w", item.ID, err)
	}
	f := &Footage{Item: item, Length: item.Length, service: s, actor: actor, kind: kind, blob: blob}
	if err := f.unlock(ctx); err != nil {
		blob.Close()
		return nil, err
	}
	return f, nil
}

func (f *Footage) unlock(ctx context.Context) error {
	item := f.Item
	var err error
	if f.leaves, err = evidence.DecodeLeaves(item.Leaves); err != nil || uint64(len(f.leaves)) != evidence.LeafCount(item.SealedLength()) {
		return f.changed(ctx, "the list of its parts' hashes is damaged")
	}
	if want := seal.SealedSize(item.SealedLength()); uint64(f.blob.Size()) != want {
		return f.changed(ctx, fmt.Sprintf("the blob has %d bytes, %d are right", f.blob.Size(), want))
	}
	header := make([]byte, seal.HeaderSize)
	if _, err := f.blob.ReadAt(header, 0); err != nil && err != io.EOF {
		return fmt.Errorf("reading the header of item %s: %w", item.ID, err)
	}
	key, err := f.service.Keys.Unwrap(item.Agency, item.ID, item.Attempt, item.WrappedKey)
	if err != nil {
		return fmt.Errorf("opening the key of item %s: %w", item.ID, err)
	}
	defer key.Zero()
	f.opener, err = seal.NewOpener(key, seal.AAD(item.Agency, item.ID, item.Attempt), header)
	if err != nil {
		return f.changed(ctx, "the blob's header is not of its key")
	}
	return nil
}

// changed records that stored bytes do not hold, and returns ErrChanged.
func (f *Footage) changed(ctx context.Context, why string) error {
	s := f.service
	if err := s.record(ctx, f.actor, f.kind, evidence.ItemObject(f.Item.ID), evidence.OutcomeFailed, why, nil); err != nil {
		s.Log.ErrorContext(ctx, "a damaged item could not be recorded", "item", f.Item.ID.String(), "error", err)
	}
	s.Log.ErrorContext(ctx, "stored bytes do not hold", "item", f.Item.ID.String(), "why", why)
	return fmt.Errorf("item %s: %s: %w", f.Item.ID, why, ErrChanged)
}

type segmentBuffers struct{ sealed, plain []byte }

// Copy writes the bytes from..to-1 of the recording to w. Each segment is read
// whole, opened, and its hash compared with the leaf checked on arrival, before
// a byte of it is written. It ends with ErrChanged at the first that does not
// hold, and with w's error. An encoded recording is decoded from its start; when
// it was decoded to its end, its SHA-256 is compared too.
func (f *Footage) Copy(ctx context.Context, w io.Writer, from, to uint64) error {
	if from > to || to > f.Length {
		return fmt.Errorf("bytes %d to %d of item %s, which has %d", from, to, f.Item.ID, f.Length)
	}
	b := f.service.segments.Get().(*segmentBuffers)
	defer func() {
		clear(b.plain[:cap(b.plain)])
		f.service.segments.Put(b)
	}()
	if f.Item.Encoding != evidence.EncodedAsIs {
		return f.decode(ctx, w, b, from, to)
	}
	for from < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		index := from / seal.SegmentSize
		plain, err := f.segment(ctx, b, index)
		if err != nil {
			return err
		}
		start := index * seal.SegmentSize
		part := plain[from-start : min(to-start, uint64(len(plain)))]
		if _, err := w.Write(part); err != nil {
			return err
		}
		from += uint64(len(part))
	}
	return nil
}

// errEnough ends decoding behind the last byte that is wanted.
var errEnough = errors.New("enough was decoded")

func (f *Footage) decode(ctx context.Context, w io.Writer, b *segmentBuffers, from, to uint64) error {
	digest := sha256.New()
	out := &part{w: w, skip: from, left: to - from, whole: to == f.Length}
	segments := content.NewSegments(uint64(len(f.leaves)), func(index uint64) ([]byte, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return f.segment(ctx, b, index)
	})
	err := content.Decode(io.MultiWriter(digest, out), segments, f.Item.Encoding, f.Length)
	switch {
	case errors.Is(err, errEnough):
		return nil
	case errors.Is(err, content.ErrContent):
		return f.changed(ctx, err.Error())
	case err == nil && evidence.Digest(digest.Sum(nil)) != f.Item.SHA256:
		return f.changed(ctx, "decoded, it has another SHA-256 than was proven")
	}
	return err
}

// part passes on the bytes of a stream that are wanted.
type part struct {
	w          io.Writer
	skip, left uint64
	whole      bool // go on to the end
}

func (p *part) Write(b []byte) (int, error) {
	n := len(b)
	skipped := min(uint64(n), p.skip)
	p.skip -= skipped
	b = b[skipped:]
	b = b[:min(uint64(len(b)), p.left)]
	p.left -= uint64(len(b))
	if _, err := p.w.Write(b); err != nil {
		return 0, err
	}
	if p.left == 0 && !p.whole {
		return 0, errEnough
	}
	return n, nil
}

// segment opens one whole segment into b.
func (f *Footage) segment(ctx context.Context, b *segmentBuffers, index uint64) ([]byte, error) {
	length := seal.SegmentLen(f.Item.SealedLength(), index)
	sealed := b.sealed[:length+seal.Overhead]
	offset := int64(seal.HeaderSize) + int64(index)*vault.SealedSegment
	if n, err := f.blob.ReadAt(sealed, offset); n < len(sealed) {
		return nil, fmt.Errorf("reading part %d of item %s: %w", index, f.Item.ID, err)
	}
	plain, err := f.opener.Open(b.plain[:0], sealed, index, index == uint64(len(f.leaves))-1)
	if err != nil {
		return nil, f.changed(ctx, fmt.Sprintf("part %d does not open", index))
	}
	if uint64(len(plain)) != length || evidence.LeafHash(plain) != f.leaves[index] {
		return nil, f.changed(ctx, fmt.Sprintf("part %d has another hash than on arrival", index))
	}
	return plain, nil
}

// Close ends the reading.
func (f *Footage) Close() error { return f.blob.Close() }
