package custody

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// standingOf says how a camera stands that has the keys known, and now shows
// key, or none with nil. certified is a key with a certificate of this agency's
// authority, foreign one whose camera says that it is another agency's. What
// people decided about the very key goes before all else.
func standingOf(known []catalog.CameraKey, key []byte, certified, foreign bool) catalog.Standing {
	approved, blocked, other := false, false, false
	for i := range known {
		k := &known[i]
		if len(key) > 0 && bytes.Equal(k.Key, key) && k.Standing != catalog.StandingPending {
			return k.Standing
		}
		approved = approved || k.Standing == catalog.StandingApproved
		blocked = blocked || k.Standing == catalog.StandingBlocked
		other = other || !bytes.Equal(k.Key, key)
	}
	switch {
	case len(key) == 0 && (approved || blocked):
		return catalog.StandingChanged
	case len(key) == 0 && len(known) > 0:
		return catalog.StandingPending
	case len(key) == 0:
		return catalog.StandingKeyless
	case approved:
		return catalog.StandingChanged
	case certified:
		return catalog.StandingApproved
	case foreign:
		return catalog.StandingForeign
	case other: // two keys wait for people: which of them is the camera's is theirs to say
		return catalog.StandingChanged
	}
	return catalog.StandingPending
}

// proven is what a camera's proof shows.
type proven struct {
	key       ed25519.PublicKey // nil: none is proven
	certified bool
	foreign   bool
	failed    string // why the proof does not hold, "" when it does or none is due
}

// proveCamera checks the proof in an inventory. That its nonce was fresh is the
// dock's word.
func (c *Custody) proveCamera(v *evidence.Inventory) proven {
	switch v.Camera.KeyStanding {
	case evidence.KeyNone:
		return proven{}
	case evidence.KeyFailed:
		return proven{failed: "the dock found that the camera does not hold the key that it shows"}
	}
	var proof evidence.CameraProof
	if err := openSigned(v.Proof, evidence.TypeCameraProof, v.Camera.Key, &proof); err != nil {
		return proven{failed: fmt.Sprintf("the camera's proof does not hold: %v", err)}
	}
	if proof.Serial != v.Camera.Serial || !bytes.Equal(proof.Key, v.Camera.Key) {
		return proven{failed: "the camera's proof is of another serial number or key"}
	}
	return proven{
		key: v.Camera.Key, certified: c.certified(&proof, v.Agency),
		foreign: proof.Agency != "" && proof.Agency != v.Agency,
	}
}

// certified says whether a proof carries a certificate of this agency's camera
// authority for the very serial and key.
func (c *Custody) certified(proof *evidence.CameraProof, agency evidence.AgencyID) bool {
	var certificate evidence.CameraCertificate
	if len(c.CameraAuthority) == 0 || openSigned(proof.Certificate, evidence.TypeCameraCertificate, c.CameraAuthority, &certificate) != nil {
		return false
	}
	return certificate.Agency == agency && certificate.Serial == proof.Serial && bytes.Equal(certificate.Key, proof.Key) &&
		(certificate.ExpiresAt.IsZero() || c.Now().Before(certificate.ExpiresAt))
}

// openSigned reads a statement that key has signed.
func openSigned(raw []byte, payloadType string, key ed25519.PublicKey, into evidence.Statement) error {
	if len(raw) == 0 {
		return errors.New("it is missing")
	}
	envelope, err := evidence.ParseEnvelope(raw)
	if err != nil {
		return err
	}
	payload, err := envelope.Verify(payloadType, key)
	if err != nil {
		return err
	}
	return evidence.Decode(payload, into)
}

// CameraAnswer says how a camera stands, for the dock that has it in a bay. The
// dock has seen the proof of the key, if there is one; the inventory that
// follows carries it for us to check.
func (c *Custody) CameraAnswer(ctx context.Context, peer receive.Peer, q *upload.CameraQuestion) (*upload.CameraAnswer, error) {
	serial, key := q.GetSerial(), q.GetKey()
	answer := &upload.CameraAnswer{Serial: serial, Key: key}
	camera, err := c.Catalog.Camera(ctx, peer.Agency, serial)
	known := err == nil
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return nil, err
	}
	keys, err := c.Catalog.CameraKeys(ctx, peer.Agency, serial)
	if err != nil {
		return nil, err
	}
	standing := standingOf(keys, key, false, known && camera.Standing == catalog.StandingForeign && bytes.Equal(camera.Key, key))
	answer.Standing = string(standing)
	if !known && len(key) == 0 && len(keys) == 0 {
		answer.Standing = upload.StandingUnknown
	}
	if standing == catalog.StandingApproved {
		if answer.Certificate, err = c.certificate(ctx, peer.Agency, serial, key, keys); err != nil {
			return nil, err
		}
	}
	if known && !camera.HeldAt.IsZero() {
		answer.Hold, answer.HoldReason = true, upload.CleanText(camera.HoldReason, upload.MaxMessage)
	}
	now := c.instant()
	switch wearer, err := c.Catalog.AssignmentAt(ctx, peer.Agency, serial, now); {
	case err == nil:
		answer.Officer, answer.OfficerId = upload.CleanText(wearer.Officer, upload.MaxText), upload.CleanText(wearer.OfficerID, upload.MaxText)
	case !errors.Is(err, catalog.ErrNotFound):
		return nil, err
	}
	switch set, err := c.Catalog.LastClockSet(ctx, peer.Agency, serial); {
	case err == nil:
		answer.ClockSetUs = serverTime(set.ClockSet.At, set.DockClock).UnixMicro()
		answer.ClockAheadUs = set.ClockSet.Ahead + set.DockClock.Ahead
		answer.ClockUncertaintyUs = uint64(set.ClockSet.Uncertainty + set.DockClock.Uncertainty)
	case !errors.Is(err, catalog.ErrNotFound):
		return nil, err
	}
	if answer.Journal, err = c.Catalog.HighestJournal(ctx, peer.Agency, peer.Dock); err != nil {
		return nil, err
	}
	answer.Next, err = c.Catalog.HighestNext(ctx, peer.Agency, serial)
	return answer, err
}

// certificate returns the certificate of an approved key, and makes the one
// that could not be made when the key was approved.
func (c *Custody) certificate(ctx context.Context, agency evidence.AgencyID, serial string, key []byte, keys []catalog.CameraKey) ([]byte, error) {
	for i := range keys {
		k := &keys[i]
		switch {
		case !bytes.Equal(k.Key, key):
			continue
		case len(k.Certificate) > 0 || c.Certify == nil:
			return k.Certificate, nil
		}
		made, err := c.Certify(serial, key)
		if err != nil {
			c.Logger.WarnContext(ctx, "the certificate of an approved camera cannot be made", "camera", serial, "error", err)
			return nil, nil // it stands approved all the same
		}
		return made, c.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
			return tx.DecideCameraKey(ctx, agency, serial, key, k.Standing, k.DecidedBy, k.Reason, k.DecidedAt, made)
		})
	}
	return nil, nil
}

// serverTime is a time of the dock's clock by the server's, as far as the two
// were compared.
func serverTime(at time.Time, dock *evidence.Offset) time.Time {
	if dock == nil {
		return at
	}
	return at.Add(-time.Duration(dock.Ahead) * time.Microsecond)
}
