package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// flushed is after how many bytes a copy is made durable as far as it has come.
const flushed = 64 << 20

// Copy commits in one store what another has committed under the same key, whose
// header is that one. What was in quarantine there stays. pace is asked before so many
// bytes are read. The caller proves what was copied: nothing is looked into.
// ErrConflict: it is there; ErrFull; fs.ErrNotExist: there is nothing to copy.
func Copy(ctx context.Context, key Key, header []byte, from, to Store, pace func(context.Context, int) error) (err error) {
	source, err := from.Open(ctx, key)
	if err != nil {
		return fmt.Errorf("copying blob %s: %w", key, err)
	}
	defer source.Close()
	target, err := to.Heal(ctx, key, header)
	if err != nil {
		return fmt.Errorf("copying blob %s: %w", key, err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if err := target.Truncate(0); err != nil { // of an earlier copy that did not come to its end
		return err
	}
	buffer := make([]byte, SealedSegment)
	unflushed := 0
	for offset, index := int64(len(header)), uint64(0); offset < source.Size(); index++ {
		segment := buffer[:min(SealedSegment, source.Size()-offset)]
		if err := pace(ctx, len(segment)); err != nil {
			return err
		}
		if n, err := source.ReadAt(segment, offset); n < len(segment) {
			return fmt.Errorf("copying blob %s: reading it: %w", key, errors.Join(err, io.ErrUnexpectedEOF))
		}
		if err := target.WriteSegment(index, segment); err != nil {
			return err
		}
		if unflushed += len(segment); unflushed >= flushed {
			if err := target.Sync(); err != nil {
				return err
			}
			unflushed = 0
		}
		offset += int64(len(segment))
	}
	if err := target.Sync(); err != nil {
		return err
	}
	return target.Commit(ctx)
}
