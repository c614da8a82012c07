package readingtest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"sync"

	"github.com/sealdock/sealdock/ingest/internal/vault"
)

// Blobs keeps committed blobs in memory, where a test can harm them. Safe for
// concurrent use.
type Blobs struct {
	mu   sync.Mutex
	all  map[vault.Key][]byte
	open int
}

// NewBlobs returns an empty store.
func NewBlobs() *Blobs { return &Blobs{all: map[vault.Key][]byte{}} }

// Put commits a blob.
func (b *Blobs) Put(key vault.Key, blob []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all[key] = blob
}

// Harm flips one bit of a blob.
func (b *Blobs) Harm(key vault.Key, offset int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	harmed := bytes.Clone(b.all[key])
	harmed[offset] ^= 1
	b.all[key] = harmed
}

// Lose removes a blob.
func (b *Blobs) Lose(key vault.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, key)
}

// InUse counts the blobs that are open.
func (b *Blobs) InUse() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// Open implements reading.Blobs.
func (b *Blobs) Open(_ context.Context, key vault.Key) (vault.Blob, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	blob, ok := b.all[key]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", key, fs.ErrNotExist)
	}
	b.open++
	return &openBlob{bytes.NewReader(blob), b}, nil
}

type openBlob struct {
	*bytes.Reader
	store *Blobs
}

func (o *openBlob) FromMedium() error { return nil }

func (o *openBlob) Close() error {
	o.store.mu.Lock()
	defer o.store.mu.Unlock()
	o.store.open--
	return nil
}
