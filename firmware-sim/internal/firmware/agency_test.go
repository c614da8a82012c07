package firmware_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"testing"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// keyOf is a key for tests.
func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func maker() ed25519.PrivateKey { return keyOf("maker") }

func publicOf(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// agency has every key that an agency's server and docks have.
type agency struct {
	name                     evidence.AgencyID
	authority, receipt, dock ed25519.PrivateKey
}

func agencyOf(name string) agency {
	return agency{name: evidence.AgencyID(name), authority: keyOf(name + " authority"), receipt: keyOf(name + " receipts"), dock: keyOf(name + " dock")}
}

// envelope signs a statement.
func envelope(t testing.TB, payloadType string, s evidence.Statement, key ed25519.PrivateKey) []byte {
	t.Helper()
	payload, err := evidence.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Sign(payloadType, payload, "", key).Marshal()
}

func (a *agency) adoption(t testing.TB, c *firmware.Camera) []byte {
	t.Helper()
	certificate := envelope(t, evidence.TypeCameraCertificate, &evidence.CameraCertificate{Version: 1, Agency: a.name, Serial: c.Serial(), Key: c.Key(), IssuedAt: noon}, a.authority)
	return encode(t, camera.Adoption{Authority: publicOf(a.authority), Certificate: certificate})
}

func (a *agency) trust(t testing.TB, number uint64, change ...func(*evidence.CameraTrust)) []byte {
	t.Helper()
	s := evidence.CameraTrust{Version: 1, Agency: a.name, Number: number, ReceiptKeys: [][]byte{publicOf(a.receipt)},
		Docks: []evidence.TrustedDock{{Dock: "other", Key: publicOf(keyOf("other dock"))}, {Dock: "dock-1", Key: publicOf(a.dock)}}, IssuedAt: noon}
	for _, do := range change {
		do(&s)
	}
	return envelope(t, evidence.TypeCameraTrust, &s, a.authority)
}

func (a *agency) unlocking(t testing.TB, s camera.Status, change ...func(*evidence.DockUnlock)) []byte {
	t.Helper()
	u := evidence.DockUnlock{Version: 1, Agency: a.name, Dock: "dock-1", Serial: s.Serial, Nonce: s.Challenge, At: noon}
	for _, do := range change {
		do(&u)
	}
	return envelope(t, evidence.TypeDockUnlock, &u, a.dock)
}

func (a *agency) receiptOf(t testing.TB, serial string, r *firmware.Recording, change ...func(*evidence.Receipt)) []byte {
	t.Helper()
	s := evidence.Receipt{Version: 1, Agency: a.name, Dock: "dock-1", Evidence: evidence.EvidenceID{1}, Attempt: 1, CameraSerial: serial, Path: r.Path,
		Length: uint64(r.Size), SHA256: r.SHA256, MerkleRoot: evidence.Digest{1}, ManifestDigest: evidence.Digest{2}, StoredAt: noon,
		Proof: evidence.LogProof{Origin: "log", Salt: make([]byte, 32), Event: []byte("{}"), Checkpoint: "c"}}
	for _, do := range change {
		do(&s)
	}
	return envelope(t, evidence.TypeReceipt, &s, a.receipt)
}

func encode(t testing.TB, document any) []byte {
	t.Helper()
	b, err := camera.EncodeDocument(document)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// send runs a transaction with data from the host and returns the answer's code.
func send(t testing.TB, h *hosttest.Host, data []byte, op camera.Operation, parameters ...uint32) camera.Response {
	t.Helper()
	a, err := h.DoOut(data, op, parameters...)
	if err != nil {
		t.Fatalf("%v: %v", op, err)
	}
	return a.Code
}

// sent runs a transaction with data from the host that has to succeed.
func sent(t testing.TB, h *hosttest.Host, data []byte, op camera.Operation, parameters ...uint32) {
	t.Helper()
	if code := send(t, h, data, op, parameters...); code != camera.RespOK {
		t.Fatalf("%v: %v", op, code)
	}
}

// get reads a document of the camera.
func get[D any](t testing.TB, h *hosttest.Host, op camera.Operation, parameters ...uint32) (d D) {
	t.Helper()
	if err := camera.DecodeDocument(do(t, h, op, parameters...).Data, camera.MaxListingDocument, &d); err != nil {
		t.Fatalf("%v: %v", op, err)
	}
	return d
}

func status(t testing.TB, h *hosttest.Host) camera.Status {
	t.Helper()
	return get[camera.Status](t, h, camera.OpGetCameraStatus)
}

// verified reads a statement that key must have signed.
func verified(t testing.TB, data []byte, payloadType string, key ed25519.PublicKey, s evidence.Statement) {
	t.Helper()
	e, err := evidence.ParseEnvelope(data)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := e.Verify(payloadType, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := evidence.Decode(payload, s); err != nil {
		t.Fatal(err)
	}
}

func prove(t testing.TB, h *hosttest.Host, challenge [16]byte, key ed25519.PublicKey) evidence.CameraProof {
	t.Helper()
	var p []uint32
	for i := range 4 {
		p = append(p, binary.LittleEndian.Uint32(challenge[4*i:]))
	}
	var proof evidence.CameraProof
	verified(t, do(t, h, camera.OpProveIdentity, p...).Data, evidence.TypeCameraProof, key, &proof)
	return proof
}

// adopted is a camera of an agency that trusts a dock, unlocked.
func (r *rig) adopted(t testing.TB, h *hosttest.Host, a *agency) {
	t.Helper()
	sent(t, h, a.adoption(t, r.camera), camera.OpAdopt)
	sent(t, h, a.trust(t, 1), camera.OpSetTrust)
	sent(t, h, a.unlocking(t, status(t, h)), camera.OpUnlockStorage)
}

// listing reads the camera's signed listing from a number on, to its end.
func (r *rig) listing(t testing.TB, h *hosttest.Host, first uint64) (list []evidence.CameraRecording) {
	t.Helper()
	for {
		l := get[camera.Listing](t, h, camera.OpGetListing, uint32(first), uint32(first>>32))
		before := len(list)
		var part evidence.CameraListing
		for i, p := range l.Parts {
			part = evidence.CameraListing{}
			verified(t, p, evidence.TypeCameraListing, r.camera.Key(), &part)
			if part.Part != i+1 || part.Parts != len(l.Parts) || part.Serial != r.camera.Serial() || part.Next != r.camera.NextNumber() {
				t.Fatalf("part %d of %d: %d of %d of %s", i+1, len(l.Parts), part.Part, part.Parts, part.Serial)
			}
			list = append(list, part.Recordings...)
		}
		if len(list) == before {
			return list
		}
		if first = list[len(list)-1].Sequence + 1; first == part.Next {
			return list
		}
	}
}

// reload is memory as a book gives it back.
func reload(t testing.TB, m *firmware.Memory) *firmware.Memory {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var again firmware.Memory
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	return &again
}

func later(d time.Duration) time.Time { return noon.Add(d) }
