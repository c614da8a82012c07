package custody

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/content"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// readBackResult is what a blob on the medium turned out to be.
type readBackResult struct {
	digest evidence.Digest // of the whole recording
	damage string          // why there is none: the medium gave back other bytes than were written, or they decode to none
}

// errDamage ends a reading that found damage.
var errDamage = errors.New("the blob on the medium is damaged")

// pieces is how many opened segments may wait to be hashed.
const pieces = 3

// readBack reads a committed blob from the medium, opens every segment and
// hashes the recording as a whole. It shares nothing with the writing but the
// key: every byte comes from the medium.
func (c *Custody) readBack(ctx context.Context, o *offered) (readBackResult, error) {
	weight := min(int64(o.manifest.Sealed().Length), seal.SegmentSize)*(pieces+1) + 4<<10
	if o.manifest.Content != nil {
		weight += content.Memory(o.manifest.Length)
	}
	if err := c.memory.Acquire(ctx, weight); err != nil {
		return readBackResult{}, err
	}
	defer c.memory.Release(weight)
	var result readBackResult
	err := c.step(StepReadBack, func() (err error) {
		result, err = c.readBlob(ctx, o)
		return err
	})
	if err != nil {
		return readBackResult{}, fmt.Errorf("reading back blob %v: %w", o.key(), err)
	}
	return result, nil
}

func (c *Custody) readBlob(ctx context.Context, o *offered) (readBackResult, error) {
	blob, err := c.Vault.Open(ctx, o.key())
	if err != nil {
		return readBackResult{}, err
	}
	defer blob.Close()
	if want := seal.SealedSize(o.manifest.Sealed().Length); uint64(blob.Size()) != want {
		return readBackResult{damage: fmt.Sprintf("the blob on the medium has %d bytes, want %d", blob.Size(), want)}, nil
	}
	if err := blob.FromMedium(); err != nil {
		return readBackResult{}, err
	}
	digest := sha256.New()
	openAll := func() (uint64, error) { return o.openAll(ctx, blob, digest) }
	if o.manifest.Content != nil {
		openAll = func() (uint64, error) { return o.proveContent(ctx, blob) }
	}
	damaged, err := openAll()
	switch {
	case errors.Is(err, errDamage):
		return readBackResult{damage: fmt.Sprintf("segment %d, read back from the medium, does not open: the storage changed it", damaged)}, nil
	case errors.Is(err, content.ErrContent):
		return readBackResult{damage: err.Error()}, nil
	case err != nil:
		return readBackResult{}, err
	case o.manifest.Content != nil:
		return readBackResult{digest: o.manifest.SHA256}, nil
	}
	return readBackResult{digest: evidence.Digest(digest.Sum(nil))}, nil
}

// proveContent opens and decodes an encoded recording, and compares both hashes of
// the original: no leaf of it was seen on arrival.
func (o *offered) proveContent(ctx context.Context, blob vault.Blob) (damaged uint64, err error) {
	sealed, plain := make([]byte, min(o.manifest.Sealed().Length, seal.SegmentSize)+seal.Overhead), o.buffer()
	err = content.Prove(&o.manifest, content.NewSegments(o.segments(), func(index uint64) ([]byte, error) {
		damaged = index
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return o.readSegment(blob, plain, sealed, index)
	}))
	return damaged, err
}

// openAll opens all segments in order into digest. Reading and opening go on
// while the segment before is hashed.
func (o *offered) openAll(ctx context.Context, blob vault.Blob, digest hash.Hash) (damaged uint64, err error) {
	sealed := make([]byte, min(o.manifest.Sealed().Length, seal.SegmentSize)+seal.Overhead)
	if o.segments() == 1 { // most metadata: not worth a second goroutine
		plain, err := o.readSegment(blob, o.buffer(), sealed, 0)
		digest.Write(plain)
		return 0, err
	}
	free, opened := make(chan []byte, pieces), make(chan []byte, pieces)
	for range pieces {
		free <- o.buffer()
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(opened)
		for index := range o.segments() {
			var plain []byte
			select {
			case plain = <-free:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			plain, err := o.readSegment(blob, plain, sealed, index)
			if err != nil {
				damaged = index
				return err
			}
			opened <- plain // never waits: there are no more pieces than places
		}
		return nil
	})
	group.Go(func() error {
		for plain := range opened {
			digest.Write(plain)
			free <- plain[:0]
		}
		return nil
	})
	return damaged, group.Wait()
}

func (o *offered) readSegment(blob io.ReaderAt, plain, sealed []byte, index uint64) ([]byte, error) {
	length := seal.SegmentLen(o.manifest.Sealed().Length, index)
	sealed = sealed[:length+seal.Overhead]
	offset := seal.HeaderSize + int64(index)*(seal.SegmentSize+seal.Overhead)
	if _, err := blob.ReadAt(sealed, offset); err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading segment %d: %w", index, err)
	}
	plain, err := o.opener.Open(plain[:0], sealed, index, index == o.segments()-1)
	if err != nil || uint64(len(plain)) != length {
		return nil, errDamage
	}
	return plain, nil
}
