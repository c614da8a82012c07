package offload

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/agent/internal/camera"
	ptp "github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// accessible is a Link that says how its camera is read.
type accessible interface{ Access() evidence.Access }

// find notes something about the camera that people at the server must know of.
func (d *Docking) find(code evidence.FindingCode, format string, args ...any) {
	f := evidence.Finding{Code: code, Message: clean(fmt.Sprintf(format, args...), 1024)}
	for _, known := range d.findings {
		if known == f {
			return
		}
	}
	if len(d.findings) < 100 {
		d.findings = append(d.findings, f)
		d.unsaid = true
	}
}

// tolerate lets a camera's refusal pass, for things that a docking can do
// without. What is left is the link's own failure.
func (d *Docking) tolerate(doing string, err error) error {
	var refused *camera.RefusedError
	if errors.As(err, &refused) || errors.Is(err, camera.ErrProtocol) && !errors.Is(err, camera.ErrGone) {
		d.log.Warn("the camera did not go along", "doing", doing, "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// authenticate has a camera with the extension prove its key. Whatever comes of
// it, its recordings are taken in.
func (d *Docking) authenticate(ctx context.Context) error {
	d.camera.Access = evidence.AccessPTP
	if a, ok := d.link.(accessible); ok {
		d.camera.Access = a.Access()
	}
	extended, ok := d.link.(camera.Extended)
	if !ok {
		return nil
	}
	d.extended, d.camera.Access = extended, evidence.AccessExtension
	var challenge [ptp.ChallengeSize]byte
	rand.Read(challenge[:])
	envelope, err := extended.ProveIdentity(ctx, challenge)
	var refused *camera.RefusedError
	if errors.As(err, &refused) && refused.Code == ptp.RespDeviceBusy {
		return fmt.Errorf("asking for the proof of the camera's key: %w", err) // it is asked again at once, in a new docking
	}
	if err == nil {
		err = d.judgeProof(envelope, challenge[:])
	} else if err := d.tolerate("asking for the proof of its key", err); err != nil {
		return err
	}
	if err != nil {
		d.camera.KeyStanding, d.camera.Key, d.key = evidence.KeyFailed, nil, nil
		d.find(evidence.FoundKeyFailed, "the camera could not prove its key: %v", err)
		d.alert(aboutDocking, "This camera could not prove who it is. Its recordings are taken in and stay on it; have the camera looked at.")
		d.log.Error("the camera could not prove its key", "error", err)
	}
	return nil
}

// judgeProof takes over what a proof shows.
func (d *Docking) judgeProof(text, challenge []byte) error {
	envelope, err := evidence.ParseEnvelope(text)
	if err != nil {
		return err
	}
	var claim evidence.CameraProof // names the key that it is then verified with
	if err := evidence.Decode(envelope.Payload, &claim); err != nil {
		return err
	}
	if _, err := envelope.Verify(evidence.TypeCameraProof, claim.Key); err != nil {
		return err
	}
	switch {
	case !bytes.Equal(claim.Nonce, challenge):
		return errors.New("it answers another challenge")
	case claim.Serial != d.camera.Serial:
		return fmt.Errorf("it is for a camera with serial number %q", clean(claim.Serial, 64))
	}
	d.key, d.proof = claim.Key, text
	d.camera.Key, d.camera.KeyStanding, d.camera.Agency = claim.Key, evidence.KeyProven, clean(string(claim.Agency), 64)
	switch {
	case claim.Agency != "" && claim.Agency != d.desk.opt.Agency:
		d.camera.KeyStanding = evidence.KeyForeign
		d.find(evidence.FoundForeign, "the camera says that it belongs to agency %s", claim.Agency)
		d.alert(aboutDocking, fmt.Sprintf("This camera belongs to another agency (%s). Its recordings are taken in and stay on it.", claim.Agency))
	case d.certified(claim.Certificate):
		d.camera.KeyStanding = evidence.KeyCertified
	}
	return nil
}

// certified reports whether a certificate of our camera authority names this
// camera and its key.
func (d *Docking) certified(text []byte) bool {
	if d.desk.opt.Server == nil || len(text) == 0 {
		return false
	}
	authority := d.desk.opt.Server.Policy().Authority
	if authority == nil {
		return false
	}
	envelope, err := evidence.ParseEnvelope(text)
	if err != nil {
		return false
	}
	payload, err := envelope.Verify(evidence.TypeCameraCertificate, authority)
	if err != nil {
		return false
	}
	var c evidence.CameraCertificate
	if err := evidence.Decode(payload, &c); err != nil {
		return false
	}
	expired := !c.ExpiresAt.IsZero() && d.desk.opt.Now().After(c.ExpiresAt)
	return c.Agency == d.desk.opt.Agency && c.Serial == d.camera.Serial && bytes.Equal(c.Key, d.key) && !expired
}

// ours reports whether what the camera signs counts: it has proven a key that is
// certified, or that people at the server have approved.
func (d *Docking) ours() bool {
	if d.answer != nil && !upload.MayErase(d.answer.GetStanding()) {
		return false
	}
	return d.camera.KeyStanding == evidence.KeyCertified ||
		d.camera.KeyStanding == evidence.KeyProven && d.answer != nil && d.answer.GetStanding() == upload.StandingApproved
}

// open has the camera show its storage: it is adopted once people have approved
// its key, given the newest trust statement, and unlocked.
func (d *Docking) open(ctx context.Context) error {
	if d.extended == nil || d.key == nil {
		return nil
	}
	status, err := d.extended.CameraStatus(ctx)
	if err != nil {
		return d.tolerate("asking how the camera stands", err)
	}
	if d.desk.opt.Server != nil {
		p := d.desk.opt.Server.Policy()
		if status.Authority == "" && p.Authority != nil && d.answer.GetStanding() == upload.StandingApproved && len(d.answer.GetCertificate()) > 0 {
			err := d.extended.Adopt(ctx, ptp.Adoption{Authority: p.Authority, Certificate: d.answer.GetCertificate()})
			if err := d.tolerate("giving the camera its certificate", err); err != nil {
				return err
			}
			if err == nil {
				d.log.Info("the camera was given the agency's certificate")
				d.camera.KeyStanding, d.camera.Agency = evidence.KeyCertified, string(d.desk.opt.Agency)
			}
			if status, err = d.extended.CameraStatus(ctx); err != nil {
				return d.tolerate("asking how the camera stands", err)
			}
		}
		if p.Trust != nil && status.Authority == evidence.KeyID(p.Authority).String() && status.Trust < p.Trust.Number {
			if err := d.tolerate("telling the camera whom to trust", d.extended.SetTrust(ctx, p.TrustText)); err != nil {
				return err
			}
		}
	}
	if status.Locked {
		if err := d.unlock(ctx, status); err != nil {
			return err
		}
	}
	return d.look(ctx)
}

// look takes over how the camera stands now.
func (d *Docking) look(ctx context.Context) error {
	status, err := d.extended.CameraStatus(ctx)
	if err != nil {
		return d.tolerate("asking how the camera stands", err)
	}
	d.cameraStatus = status
	d.charges(status.Battery, status.Charging)
	if status.Locked {
		d.alert(aboutLock, "This camera does not open to this dock, so that nothing can be read from it yet. It is tried again by itself once the server is reached; else have the camera looked at.")
		return nil
	}
	d.withdraw(aboutLock)
	return nil
}

func (d *Docking) unlock(ctx context.Context, status ptp.Status) error {
	request := evidence.DockUnlock{Version: 1, Agency: d.desk.opt.Agency, Dock: d.desk.opt.Dock, Serial: d.camera.Serial, Nonce: status.Challenge, At: d.desk.opt.Now().UTC()}
	envelope, err := d.sign(evidence.TypeDockUnlock, &request)
	if err != nil {
		d.log.Warn("the camera gives no challenge to unlock it with", "error", err)
		return nil
	}
	return d.tolerate("unlocking the camera", d.extended.UnlockStorage(ctx, envelope))
}

// publicKey is the key that the camera's statements are verified with.
func (d *Docking) publicKey() ed25519.PublicKey { return ed25519.PublicKey(d.key) }
