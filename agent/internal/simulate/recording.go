package simulate

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// noise is what all recordings consist of, each segment with a stamp of its own.
// Video does not compress either.
func noise() []byte {
	b := make([]byte, protocol.SegmentSize)
	_, _ = rand.NewChaCha8([32]byte{'n'}).Read(b) // never fails
	return b
}

// buffers are a plain segment and a Data frame, shared by all docks.
type buffers struct {
	plain []byte // noise, but for the stamp
	frame []byte
}

// maker makes recordings. Safe for concurrent use.
type maker struct {
	server    *Server
	agencyKey *seal.PublicKey
	version   string
	noise     []byte
	pool      sync.Pool // of *buffers
}

func newMaker(s *Server, version string) (*maker, error) {
	key, err := seal.ParsePublicKey(s.AgencyKey)
	if err != nil {
		return nil, err
	}
	m := &maker{server: s, agencyKey: key, version: version, noise: noise()}
	m.pool.New = func() any {
		return &buffers{plain: bytes.Clone(m.noise), frame: make([]byte, 0, protocol.DataHeaderSize+protocol.MaxSegment)}
	}
	return m, nil
}

// recording is made up, and ready to be offered. Its segments are made when they
// are sent.
type recording struct {
	manifest evidence.Manifest
	payload  []byte // the manifest as signed
	offer    *protocol.Offer
	sealer   *seal.Sealer
}

// make makes a recording of size bytes.
func (m *maker) make(d *Identity, number int, size uint64) (*recording, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	r := &recording{manifest: evidence.Manifest{
		Version: 1, Agency: m.server.Agency, Station: d.Station, Dock: d.Dock, Bay: "1-1", Docking: evidence.NewDockingID(), Evidence: evidence.NewEvidenceID(), Attempt: 1,
		Camera: evidence.CameraInfo{Serial: "LOAD-" + string(d.Dock), Vendor: "Sealdock", Model: "Load test"},
		Length: size, Confirmed: evidence.ConfirmedByReread, Clocks: evidence.Clocks{DockStart: now, DockEnd: now}, Agent: m.version,
	}}
	id := r.manifest.Evidence
	r.manifest.Recording = evidence.RecordingInfo{Path: fmt.Sprintf("LOAD/%s.MP4", id), Handle: uint32(number), Format: 0xb982, Size: size, SizeKnown: true, Kind: evidence.KindVideo}
	leaves := m.hash(r)
	payload, err := evidence.Encode(&r.manifest)
	if err != nil {
		return nil, err
	}
	r.payload = payload
	envelope := evidence.Sign(evidence.TypeManifest, payload, identity.KeyID(identity.PurposeDock, d.Statement.Public().(ed25519.PublicKey)), d.Statement)
	r.offer = &protocol.Offer{Manifest: envelope.Marshal(), Leaves: leaves}
	return r, m.seal(r)
}

// hash fills in the hashes and gives the leaves.
func (m *maker) hash(r *recording) []byte {
	b := m.pool.Get().(*buffers)
	defer m.pool.Put(b)
	whole := sha256.New()
	var leaves []evidence.Digest
	for i := range seal.SegmentCount(r.manifest.Length) {
		plain := m.plain(b, r, i)
		whole.Write(plain)
		leaves = append(leaves, evidence.LeafHash(plain))
	}
	whole.Sum(r.manifest.SHA256[:0])
	r.manifest.MerkleRoot = evidence.MerkleRoot(leaves)
	return evidence.EncodeLeaves(leaves)
}

func (m *maker) seal(r *recording) error {
	key, err := seal.NewKey()
	if err != nil {
		return err
	}
	defer key.Zero()
	aad := seal.AAD(r.manifest.Agency, r.manifest.Evidence, r.manifest.Attempt)
	if r.sealer, err = seal.NewSealer(key, aad); err != nil {
		return err
	}
	r.offer.Header = r.sealer.Header()
	r.offer.WrappedKey, err = seal.Wrap(m.agencyKey, key, aad)
	return err
}

// plain is segment index of a recording, in b.
func (m *maker) plain(b *buffers, r *recording, index uint64) []byte {
	plain := b.plain[:seal.SegmentLen(r.manifest.Length, index)]
	var stamp [24]byte
	copy(stamp[:], r.manifest.Evidence[:])
	binary.BigEndian.PutUint64(stamp[16:], index)
	copy(plain, stamp[:])
	return plain
}

// frame is the Data frame of segment index, in b.
func (m *maker) frame(b *buffers, r *recording, index uint64) ([]byte, error) {
	frame, err := r.sealer.Seal(b.frame[:protocol.DataHeaderSize], m.plain(b, r, index), index, index == seal.SegmentCount(r.manifest.Length)-1)
	if err != nil {
		return nil, err
	}
	return frame, protocol.PutDataHeader(frame, index)
}
