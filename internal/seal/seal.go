package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Sizes in bytes, FORMAT.md section 2.
const (
	// SegmentSize is the plaintext of every segment but the last, which has at most as much.
	SegmentSize = 1 << 20
	// Overhead is what sealing adds to each segment: marker, nonce and tag.
	Overhead = markerSize + nonceSize + tagSize
	// HeaderSize is the length of a header: parameters, header IV, header tag.
	HeaderSize = paramSize + ivSize + headerTagSize
	// MaxPlain is the longest recording: 2^40 segments.
	MaxPlain = maxSegments * SegmentSize
)

const (
	paramSize     = 10
	ivSize        = 32
	headerTagSize = 32
	markerSize    = 4
	nonceSize     = 12
	tagSize       = 16
	messageKey    = 48
	notLast       = 0xFFFFFFFF
	maxSegments   = 1 << 40
	rotationBits  = 20
)

var (
	// ErrKey means that a header does not belong to this key and associated data,
	// or is not a header of this format.
	ErrKey = errors.New("the key or the associated data does not fit the header")
	// ErrOpen means that a sealed segment is not the one asked for: changed, cut,
	// of another place, or of another recording. One error for all causes.
	ErrOpen = errors.New("the sealed segment is damaged or not in its place")
)

// parameters are what FLOE leaves open, and the rotation that test data changes.
type parameters struct {
	sealedSegment uint32 // ENC_SEG_LEN, bytes
	rotation      uint   // AEAD_ROTATION_MASK, bits
}

// product is the only parameter set outside of tests.
func product() parameters {
	return parameters{sealedSegment: SegmentSize + Overhead, rotation: rotationBits}
}

// encode is PARAM_ENCODE: AES-256-GCM is 0, HKDF-Expand-SHA-384 is 0.
func (p parameters) encode() []byte {
	b := make([]byte, 2, paramSize)
	b = binary.BigEndian.AppendUint32(b, p.sealedSegment)
	return binary.BigEndian.AppendUint32(b, ivSize)
}

// derive is FLOE_KDF.
func derive(p parameters, key, iv []byte, purpose string, aad []byte, length int) ([]byte, error) {
	info := string(p.encode()) + string(iv) + purpose + string(aad)
	out, err := hkdf.Expand(sha512.New384, key, info, length)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	return out, nil
}

// state is what sealing and opening share. Safe for concurrent use: all fields
// but current are never changed after construction.
type state struct {
	parameters
	messageKey []byte
	iv, aad    []byte
	current    atomic.Pointer[epoch]
	associated sync.Pool // of *[9]byte, the associated data of one segment
}

// epoch is the cipher of one stretch of 2^rotation segments.
type epoch struct {
	number uint64
	aead   cipher.AEAD
}

// start derives what header and body need.
func start(p parameters, key Key, iv, aad []byte) (*state, []byte, error) {
	tag, err := derive(p, key[:], iv, "HEADER_TAG:", aad, headerTagSize)
	if err != nil {
		return nil, nil, err
	}
	message, err := derive(p, key[:], iv, "MESSAGE_KEY:", aad, messageKey)
	if err != nil {
		return nil, nil, err
	}
	s := &state{parameters: p, messageKey: message, iv: iv, aad: append([]byte(nil), aad...)}
	s.associated.New = func() any { return new([9]byte) }
	_, err = s.aead(0)
	return s, tag, err
}

// aead returns the cipher for a segment. The last one used is kept: an epoch of
// the product's parameters is 1 TiB long.
func (s *state) aead(index uint64) (cipher.AEAD, error) {
	number := index >> s.rotation
	if e := s.current.Load(); e != nil && e.number == number {
		return e.aead, nil
	}
	purpose := binary.BigEndian.AppendUint64([]byte("DEK:"), number<<s.rotation)
	key, err := derive(s.parameters, s.messageKey, s.iv, string(purpose), s.aad, aes.BlockSize*2)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("preparing AES: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("preparing GCM: %w", err)
	}
	s.current.Store(&epoch{number, aead})
	return aead, nil
}

// fillAssociated writes the associated data of one segment: its place.
func fillAssociated(b *[9]byte, index uint64, last bool) {
	binary.BigEndian.PutUint64(b[:8], index)
	b[8] = 0
	if last {
		b[8] = 1
	}
}

// checkIndex holds the format's bound on segments.
func checkIndex(index uint64, last bool) bool {
	return index < maxSegments-1 || index == maxSegments-1 && last
}

// Sealer seals the segments of one recording. Safe for concurrent use.
type Sealer struct {
	state  *state
	header []byte
}

// NewSealer begins a recording under a key with a new random header. aad is bound
// to the header and every segment; see [AAD].
func NewSealer(key Key, aad []byte) (*Sealer, error) {
	iv := make([]byte, ivSize)
	rand.Read(iv) // never fails: crypto/rand ends the program instead
	return newSealer(product(), key, iv, aad)
}

func newSealer(p parameters, key Key, iv, aad []byte) (*Sealer, error) {
	s, tag, err := start(p, key, iv, aad)
	if err != nil {
		return nil, fmt.Errorf("starting to seal: %w", err)
	}
	header := append(p.encode(), iv...)
	return &Sealer{state: s, header: append(header, tag...)}, nil
}

// Header returns a copy of the HeaderSize bytes that an [Opener] needs.
func (s *Sealer) Header() []byte {
	return append([]byte(nil), s.header...)
}

// Seal appends the sealed form of segment index to dst and returns the longer
// slice. plain is SegmentSize bytes, or at most that when last is set; the sealed
// form is Overhead bytes longer. The memory behind dst must not overlap plain.
func (s *Sealer) Seal(dst, plain []byte, index uint64, last bool) ([]byte, error) {
	full := int(s.state.sealedSegment) - Overhead
	switch {
	case !checkIndex(index, last):
		return nil, fmt.Errorf("sealing segment %d: a recording has at most %d segments", index, uint64(maxSegments))
	case last && len(plain) > full, !last && len(plain) != full:
		return nil, fmt.Errorf("sealing segment %d (last: %t): it has %d bytes, a full one has %d", index, last, len(plain), full)
	}
	aead, err := s.state.aead(index)
	if err != nil {
		return nil, fmt.Errorf("sealing segment %d: %w", index, err)
	}
	marker := uint32(notLast)
	if last {
		marker = uint32(len(plain) + Overhead)
	}
	aad := s.state.associated.Get().(*[9]byte)
	defer s.state.associated.Put(aad)
	fillAssociated(aad, index, last)
	dst = binary.BigEndian.AppendUint32(dst, marker)
	return aead.Seal(dst, nil, plain, aad[:]), nil
}

// Opener opens the segments of one recording. Safe for concurrent use.
type Opener struct {
	state *state
}

// NewOpener checks that header belongs to key and aad; if not, the error is [ErrKey].
func NewOpener(key Key, aad, header []byte) (*Opener, error) {
	return newOpener(product(), key, aad, header)
}

func newOpener(p parameters, key Key, aad, header []byte) (*Opener, error) {
	if len(header) != HeaderSize || subtle.ConstantTimeCompare(header[:paramSize], p.encode()) != 1 {
		return nil, fmt.Errorf("starting to open: %w", ErrKey)
	}
	iv := append([]byte(nil), header[paramSize:paramSize+ivSize]...)
	s, tag, err := start(p, key, iv, aad)
	if err != nil {
		return nil, fmt.Errorf("starting to open: %w", err)
	}
	if subtle.ConstantTimeCompare(tag, header[paramSize+ivSize:]) != 1 {
		return nil, fmt.Errorf("starting to open: %w", ErrKey)
	}
	return &Opener{state: s}, nil
}

// Open appends the plaintext of a sealed segment to dst and returns the longer
// slice; index and last are where the caller expects the segment to be. The error
// is [ErrOpen] for whatever is wrong with the segment, and no byte of it is
// released then. The memory behind dst must not overlap sealed.
func (o *Opener) Open(dst, sealed []byte, index uint64, last bool) ([]byte, error) {
	if !checkIndex(index, last) || !o.state.checkMarker(sealed, last) {
		return nil, fmt.Errorf("opening segment %d: %w", index, ErrOpen)
	}
	aead, err := o.state.aead(index)
	if err != nil {
		return nil, fmt.Errorf("opening segment %d: %w", index, err)
	}
	aad := o.state.associated.Get().(*[9]byte)
	defer o.state.associated.Put(aad)
	fillAssociated(aad, index, last)
	plain, err := aead.Open(dst, nil, sealed[markerSize:], aad[:])
	if err != nil {
		return nil, fmt.Errorf("opening segment %d: %w", index, ErrOpen)
	}
	return plain, nil
}

// checkMarker compares the length of a segment with what its marker and place say.
func (s *state) checkMarker(sealed []byte, last bool) bool {
	if len(sealed) < Overhead || uint64(len(sealed)) > uint64(s.sealedSegment) {
		return false
	}
	marker := binary.BigEndian.Uint32(sealed)
	if last {
		return uint64(marker) == uint64(len(sealed))
	}
	return marker == notLast && uint64(len(sealed)) == uint64(s.sealedSegment)
}
