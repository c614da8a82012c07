package content

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/sealdock/sealdock/proto/evidence"
)

// MaxWindow is the largest zstd window that is taken, in bytes.
const MaxWindow = 8 << 20

// ErrContent is wrapped when what is sealed does not give the recording, however
// often it is tried.
var ErrContent = errors.New("what is sealed does not give the recording")

// Memory is about how many bytes decoding a recording of length bytes, and proving
// it, takes at most.
func Memory(length uint64) int64 {
	return 2*int64(min(length, MaxWindow)) + 2*evidence.LeafSize
}

// Decode writes the recording of length bytes that sealed encodes. When it does
// not give exactly that, the error is ErrContent and says why; at most length
// bytes are written before. Other errors are those of sealed and w.
func Decode(w io.Writer, sealed io.Reader, encoding evidence.Encoding, length uint64) error {
	if encoding != evidence.EncodedZstd {
		return fmt.Errorf("%w: its content is encoded as %q, which this program does not know: a newer one may", ErrContent, encoding)
	}
	frame, err := openFrame(sealed, length)
	if err != nil {
		return err
	}
	decoder, err := zstd.NewReader(frame, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(MaxWindow))
	if err != nil {
		return frame.explain(err)
	}
	defer decoder.Close()
	out := &limited{w: w, left: length}
	if _, err = decoder.WriteTo(out); out.err != nil {
		return out.err
	}
	switch {
	case err != nil:
		return frame.explain(err)
	case out.left > 0:
		return fmt.Errorf("%w: its zstd frame gives %d bytes fewer than the manifest says", ErrContent, out.left)
	}
	return frame.end()
}

// limited takes no more than left bytes.
type limited struct {
	w    io.Writer
	left uint64
	err  error // of w, or that there are too many
}

func (l *limited) Write(p []byte) (n int, err error) {
	if uint64(len(p)) > l.left {
		l.err = fmt.Errorf("%w: its zstd frame gives more bytes than the manifest says", ErrContent)
		return 0, l.err
	}
	n, l.err = l.w.Write(p)
	l.left -= uint64(n)
	return n, l.err
}

// Prove decodes what is sealed of a recording and compares both hashes of the
// original. An error that is ErrContent says what does not fit.
func Prove(m *evidence.Manifest, sealed io.Reader) error {
	original := newOriginal(m.Length)
	if err := Decode(original, sealed, m.Sealed().Encoding, m.Length); err != nil {
		return err
	}
	digest, root := original.sums()
	switch {
	case digest != m.SHA256:
		return fmt.Errorf("%w: decoded, it has SHA-256 %v, the manifest says %v", ErrContent, digest, m.SHA256)
	case root != m.MerkleRoot:
		return fmt.Errorf("%w: decoded, it has Merkle root %v, the manifest says %v", ErrContent, root, m.MerkleRoot)
	}
	return nil
}

// original takes both commitments of the bytes that are written to it.
type original struct {
	whole  hash.Hash
	leaf   []byte
	leaves []evidence.Digest
}

func newOriginal(length uint64) *original {
	return &original{whole: sha256.New(), leaf: make([]byte, 0, min(length, evidence.LeafSize))}
}

func (o *original) Write(p []byte) (int, error) {
	o.whole.Write(p)
	for rest := p; len(rest) > 0; {
		if len(o.leaf) == evidence.LeafSize {
			o.endLeaf()
		}
		n := min(len(rest), evidence.LeafSize-len(o.leaf))
		o.leaf, rest = append(o.leaf, rest[:n]...), rest[n:]
	}
	return len(p), nil
}

func (o *original) endLeaf() {
	o.leaves, o.leaf = append(o.leaves, evidence.LeafHash(o.leaf)), o.leaf[:0]
}

// sums ends the last leaf. Nothing is written after it.
func (o *original) sums() (digest, root evidence.Digest) {
	o.endLeaf()
	return evidence.Digest(o.whole.Sum(nil)), evidence.MerkleRoot(o.leaves)
}
