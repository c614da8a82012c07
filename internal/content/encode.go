package content

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Encoding pays when it saves a tenth, and more than it adds to the manifest.
const (
	leastShare = 10
	leastBytes = 256
)

// encodingWindow bounds the memory of an Encoder, and of those who decode.
const encodingWindow = 1 << 20

// Encoder encodes recordings. Its zero value is ready; it holds a few MiB from its
// first use on. Safe for concurrent use; callers wait for each other.
type Encoder struct {
	once sync.Once
	zstd *zstd.Encoder
	err  error
}

// Encode returns the recording as zstd content, or nothing when that does not pay.
func (e *Encoder) Encode(original []byte) ([]byte, error) {
	e.once.Do(func() {
		e.zstd, e.err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(encodingWindow), zstd.WithEncoderCRC(false))
	})
	if e.err != nil {
		return nil, fmt.Errorf("making a zstd encoder: %w", e.err)
	}
	encoded := e.zstd.EncodeAll(original, make([]byte, 0, len(original)/2))
	saved := len(original) - len(encoded)
	if saved < leastBytes || saved < len(original)/leastShare {
		return nil, nil
	}
	return encoded, nil
}
