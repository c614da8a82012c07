package custody

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// offered is an offer whose form holds: what it says fits together, and its
// segments can be opened.
type offered struct {
	peer     receive.Peer
	manifest evidence.Manifest
	digest   evidence.Digest // of the manifest's payload
	message  *upload.Offer
	leaves   []evidence.Digest
	opener   *seal.Opener
	wrapped  []byte   // the recording's key as it is kept
	keptFor  keys.ID  // the agency's key that it is wrapped to
	doubts   []string // why it can only end in quarantine
}

func (o *offered) key() vault.Key {
	return vault.Key{Agency: o.manifest.Agency, ID: o.manifest.Evidence, Attempt: o.manifest.Attempt}
}

func (o *offered) segments() uint64 { return uint64(len(o.leaves)) }

// names are what the offer's stream claims.
func (o *offered) names() []string {
	m := &o.manifest
	recording := fmt.Sprintf("recording %q %q %q %v", m.Agency, m.Camera.Serial, m.Recording.Path, m.SHA256)
	return []string{fmt.Sprintf("item %s %v", m.Agency, m.Evidence), recording}
}

// facts are the details by which events speak of the recording.
func (o *offered) facts() map[string]string { return facts(&o.manifest, o.digest) }

func facts(m *evidence.Manifest, digest evidence.Digest) map[string]string {
	return proof.StoredDetails(&evidence.Receipt{
		Attempt: m.Attempt, CameraSerial: m.Camera.Serial, Path: m.Recording.Path, Length: m.Length,
		SHA256: m.SHA256, MerkleRoot: m.MerkleRoot, ManifestDigest: digest,
	})
}

// carried adds to an event's details what the offer's connection ran over, and
// what TLS agreed on.
func carried(details map[string]string, peer receive.Peer) {
	for name, value := range map[string]string{DetailTransport: peer.Transport, DetailKeyExchange: peer.KeyExchange, DetailCipherSuite: peer.CipherSuite} {
		if value != "" {
			details[name] = value
		}
	}
}

// Details of manifest.received and evidence.stored that tell of the connection on
// which the recording was offered. Its segments may have come on others too, of
// the same dock.
const (
	DetailTransport   = "transport"
	DetailKeyExchange = "key_exchange"
	DetailCipherSuite = "cipher_suite"
)

// Details of manifest.received that tell how a recording is encoded, and how many
// bytes that are.
const (
	DetailEncoding = "encoding"
	DetailEncoded  = "encoded_length"
)

// judge reads an offer. A refusal is recorded.
func (c *Custody) judge(ctx context.Context, peer receive.Peer, message *upload.Offer) (*offered, error) {
	o, err := c.read(ctx, peer, message)
	var refused *upload.Error
	if errors.As(err, &refused) {
		object, details := evidence.DockObject(peer.Dock), map[string]string{"code": string(refused.Code), "manifest_sha256": evidence.SHA256(message.GetManifest()).String()}
		if o != nil {
			object, details = evidence.ItemObject(o.manifest.Evidence), o.facts()
		}
		c.noteRefusal(ctx, evidence.EventTransferRefused, peer, object, refused.Message, details)
	}
	return o, err
}

// read does the work of judge. With a refusal it returns what of the offer was
// readable, if anything.
func (c *Custody) read(ctx context.Context, peer receive.Peer, message *upload.Offer) (*offered, error) {
	envelope, err := evidence.ParseEnvelope(message.GetManifest())
	if err != nil {
		return nil, upload.Errorf(upload.CodeBadManifest, "the manifest cannot be read: %v", err)
	}
	if envelope.PayloadType != evidence.TypeManifest {
		return nil, upload.Errorf(upload.CodeBadManifest, "a statement of another kind was offered as a manifest")
	}
	o := &offered{peer: peer, digest: evidence.SHA256(envelope.Payload), message: message}
	if err := evidence.Decode(envelope.Payload, &o.manifest); err != nil {
		return nil, upload.Errorf(upload.CodeBadManifest, "the manifest cannot be read: %v", err)
	}
	m := &o.manifest
	if m.Derivation != nil {
		return nil, upload.Errorf(upload.CodeBadManifest, "the manifest is of a derivative: docks make none")
	}
	if m.Agency != peer.Agency {
		return nil, upload.Errorf(upload.CodeWrongAgency, "the manifest is of agency %s, the dock of agency %s: agencies never mix", m.Agency, peer.Agency)
	}
	if m.Dock != peer.Dock {
		o.doubts = append(o.doubts, fmt.Sprintf("its manifest names dock %s, but dock %s offered it", m.Dock, peer.Dock))
	}
	switch _, err := c.verify(ctx, peer, envelope, evidence.TypeManifest); {
	case errors.Is(err, evidence.ErrSignature):
		o.doubts = append(o.doubts, fmt.Sprintf("its manifest carries no valid signature of dock %s", peer.Dock))
	case err != nil:
		return o, err
	}
	return o, c.unlock(o)
}

// unlock reads the leaf list and opens the key of an offer.
func (c *Custody) unlock(o *offered) error {
	m := &o.manifest
	if err := o.readLeaves(); err != nil {
		return err
	}
	key, wrapped, keptFor, err := c.Keys.Admit(m.Agency, m.Evidence, m.Attempt, o.message.GetWrappedKey())
	if errors.Is(err, seal.ErrUnwrap) {
		return upload.Errorf(upload.CodeConflict, "the recording's key was not wrapped for a key that this agency has, or is damaged: read the camera again")
	}
	if err != nil {
		return err
	}
	defer key.Zero()
	o.wrapped, o.keptFor = wrapped, keptFor
	o.opener, err = seal.NewOpener(key, seal.AAD(m.Agency, m.Evidence, m.Attempt), o.message.GetHeader())
	if errors.Is(err, seal.ErrKey) {
		return upload.Errorf(upload.CodeConflict, "the seal header does not belong to the recording's key: read the camera again")
	}
	return err
}

func (o *offered) readLeaves() error {
	leaves, err := evidence.DecodeLeaves(o.message.GetLeaves())
	if err != nil {
		return upload.Errorf(upload.CodeBadManifest, "the leaf hashes cannot be read: %v", err)
	}
	sealed := o.manifest.Sealed()
	if want := evidence.LeafCount(sealed.Length); uint64(len(leaves)) != want {
		return upload.Errorf(upload.CodeBadManifest, "there are %d leaf hashes, %d sealed bytes have %d", len(leaves), sealed.Length, want)
	}
	if evidence.MerkleRoot(leaves) != sealed.MerkleRoot {
		return upload.Errorf(upload.CodeBadManifest, "the leaf hashes are not those of the signed manifest")
	}
	o.leaves = leaves
	return nil
}

// verify returns a statement's payload if one of the dock's keys, present or
// past, signed it. An error that is evidence.ErrSignature means that none did.
func (c *Custody) verify(ctx context.Context, peer receive.Peer, envelope *evidence.Envelope, payloadType string) ([]byte, error) {
	keys, err := c.dockKeys(ctx, peer)
	if err != nil {
		return nil, err
	}
	failed := fmt.Errorf("dock %s has no key: %w", peer.Dock, evidence.ErrSignature)
	for _, key := range keys {
		payload, err := envelope.Verify(payloadType, key)
		if err == nil {
			return payload, nil
		}
		failed = err
	}
	return nil, failed
}

// dockKeys returns the dock's statement keys, newest first. They are kept for
// its session: a dock gets a new key only by enrolling, and then comes back
// with a new certificate and session.
func (c *Custody) dockKeys(ctx context.Context, peer receive.Peer) ([]ed25519.PublicKey, error) {
	name := dockName{peer.Agency, peer.Dock}
	c.keysMu.Lock()
	known, ok := c.keysOf[name]
	c.keysMu.Unlock()
	if ok && known.session == peer.Session {
		return known.keys, nil
	}
	rows, err := c.Catalog.DockKeys(ctx, peer.Agency, peer.Dock)
	if err != nil {
		return nil, fmt.Errorf("looking for the keys of dock %s: %w", peer.Dock, err)
	}
	known = sessionKeys{session: peer.Session}
	for _, row := range rows {
		known.keys = append(known.keys, row.PublicKey)
	}
	c.keysMu.Lock()
	defer c.keysMu.Unlock()
	c.keysOf[name] = known
	return known.keys, nil
}

// sessionKeys are a dock's statement keys as one of its sessions found them.
type sessionKeys struct {
	session uint64
	keys    []ed25519.PublicKey
}

// check opens one sealed segment into plain and compares its leaf hash. false
// is a segment that is not what the manifest says.
func (o *offered) check(plain, sealed []byte, index uint64) bool {
	opened, err := o.opener.Open(plain[:0], sealed, index, index == o.segments()-1)
	return err == nil && uint64(len(opened)) == seal.SegmentLen(o.manifest.Sealed().Length, index) && evidence.LeafHash(opened) == o.leaves[index]
}

// buffer returns memory for one opened segment of the recording.
func (o *offered) buffer() []byte {
	return make([]byte, 0, min(o.manifest.Sealed().Length, seal.SegmentSize))
}
