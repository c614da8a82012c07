package receivetest

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Dock is who makes and signs recordings.
type Dock struct {
	Agency    evidence.AgencyID
	Station   evidence.StationID
	ID        evidence.DockID
	Statement *identity.StatementKey
	AgencyKey *seal.PublicKey
}

// Recording is a recording ready to be offered.
type Recording struct {
	Plain    []byte
	Content  []byte // what is sealed: Plain, unless encoded
	Manifest evidence.Manifest
	Payload  []byte // the manifest as signed
	Offer    *upload.Offer
	Sealed   [][]byte // the segments
}

// Record makes a recording of plain. adjust may change the manifest before it
// is signed.
func (d *Dock) Record(t testing.TB, path string, plain []byte, adjust ...func(*evidence.Manifest)) *Recording {
	t.Helper()
	return d.record(t, path, plain, plain, adjust...)
}

// RecordEncoded makes a recording of plain of which encoded is sealed.
func (d *Dock) RecordEncoded(t testing.TB, path string, plain []byte, encoding evidence.Encoding, encoded []byte, adjust ...func(*evidence.Manifest)) *Recording {
	t.Helper()
	content := evidence.Content{Encoding: encoding, Length: uint64(len(encoded)), MerkleRoot: evidence.MerkleRoot(leavesOf(encoded))}
	adjust = append([]func(*evidence.Manifest){func(m *evidence.Manifest) { m.Content = &content }}, adjust...)
	return d.record(t, path, plain, encoded, adjust...)
}

func (d *Dock) record(t testing.TB, path string, plain, content []byte, adjust ...func(*evidence.Manifest)) *Recording {
	t.Helper()
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	r := &Recording{Plain: plain, Content: content, Manifest: evidence.Manifest{
		Version: 1, Agency: d.Agency, Station: d.Station, Dock: d.ID, Bay: "1-1", Docking: evidence.NewDockingID(), Evidence: evidence.NewEvidenceID(), Attempt: 1,
		Camera:    evidence.CameraInfo{Serial: "CAM-1", Vendor: "Sealdock", Model: "Simulated", Firmware: "1.0"},
		Recording: evidence.RecordingInfo{Path: path, Handle: 1, Format: 0xb982, Size: uint64(len(plain)), SizeKnown: true, Kind: evidence.KindVideo},
		Claims:    evidence.Claims{Officer: "A. Person", OfficerID: "4711", StartedAt: at.Add(-time.Hour)},
		Length:    uint64(len(plain)), SHA256: evidence.SHA256(plain), MerkleRoot: evidence.MerkleRoot(leavesOf(plain)),
		Confirmed: evidence.ConfirmedByReread, Clocks: evidence.Clocks{DockStart: at, DockEnd: at.Add(time.Second)}, Agent: "test",
	}}
	for _, change := range adjust {
		change(&r.Manifest)
	}
	payload, err := evidence.Encode(&r.Manifest)
	check(t, err)
	r.Payload = payload
	envelope, err := d.Statement.Sign(evidence.TypeManifest, payload)
	check(t, err)
	r.Offer = &upload.Offer{Manifest: envelope.Marshal(), Leaves: evidence.EncodeLeaves(leavesOf(content))}
	r.seal(t, d.AgencyKey)
	return r
}

// seal seals the recording under a new key.
func (r *Recording) seal(t testing.TB, agencyKey *seal.PublicKey) {
	t.Helper()
	key, err := seal.NewKey()
	check(t, err)
	aad := seal.AAD(r.Manifest.Agency, r.Manifest.Evidence, r.Manifest.Attempt)
	sealer, err := seal.NewSealer(key, aad)
	check(t, err)
	count := seal.SegmentCount(uint64(len(r.Content)))
	r.Sealed = nil
	for i := range count {
		sealed, err := sealer.Seal(nil, piece(r.Content, i), i, i == count-1)
		check(t, err)
		r.Sealed = append(r.Sealed, sealed)
	}
	r.Offer.Header = sealer.Header()
	r.Offer.WrappedKey, err = seal.Wrap(agencyKey, key, aad)
	check(t, err)
}

// Again makes another reading of the same recording: new evidence id when fresh,
// else the next attempt.
func (d *Dock) Again(t testing.TB, r *Recording, fresh bool) *Recording {
	t.Helper()
	return d.Record(t, r.Manifest.Recording.Path, r.Plain, func(m *evidence.Manifest) {
		m.Camera = r.Manifest.Camera
		if !fresh {
			m.Evidence, m.Attempt = r.Manifest.Evidence, r.Manifest.Attempt+1
		}
	})
}

func leavesOf(plain []byte) []evidence.Digest {
	var leaves []evidence.Digest
	for i := range seal.SegmentCount(uint64(len(plain))) {
		leaves = append(leaves, evidence.LeafHash(piece(plain, i)))
	}
	return leaves
}

func piece(plain []byte, index uint64) []byte {
	from := index * seal.SegmentSize
	return plain[from : from+seal.SegmentLen(uint64(len(plain)), index)]
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
