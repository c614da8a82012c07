package firmware

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// key is the camera key, or by a fault another. mu is held.
func (c *Camera) key() ed25519.PrivateKey {
	if c.faults.Has(fault.WrongKey) {
		return derived(c.extension.memory.Key, "another camera key")
	}
	return ed25519.NewKeyFromSeed(c.extension.memory.Key)
}

// derived is a key that a fault uses in place of the right one.
func derived(seed []byte, what string) ed25519.PrivateKey {
	sum := sha256.Sum256(append([]byte(what+"\x00"), seed...))
	return ed25519.NewKeyFromSeed(sum[:])
}

// Key is the camera's public key.
func (c *Camera) Key() ed25519.PublicKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	return public(c.key())
}

// Status is what the camera says of itself.
func (c *Camera) Status() camera.Status {
	serial, battery := c.claim(), int(c.battery())
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.extension
	running := e.memory.Firmware.running()
	s := camera.Status{Version: 1, Serial: serial, Model: c.settings.Model, Firmware: running.Release, FirmwareCounter: running.Counter,
		Slot: slotName(e.memory.Firmware.Active), Agency: string(e.standing.agency()), Locked: c.lockedLocked(), Challenge: c.challengeLocked(),
		Battery: battery, Charging: c.host != nil, Recording: e.recording, Boot: e.memory.Boot, Next: e.number,
		Capacity: capacity, Free: uint64(max(0, capacity-c.used)), StorageHealth: "good"}
	if c.faults.Has(fault.Full) {
		s.Free = 0
	}
	if c.faults.Has(fault.ReadOnly) || c.faults.Has(fault.BadBlock) {
		s.StorageHealth = "failing"
	}
	if len(e.memory.Authority) > 0 {
		s.Authority = evidence.KeyID(e.memory.Authority).String()
	}
	if e.standing.trust != nil {
		s.Trust = e.standing.trust.Number
	}
	if e.standing.settings != nil {
		s.Settings = e.standing.settings.Number
	}
	if e.memory.Wearer != nil {
		s.WearerID = e.memory.Wearer.OfficerID
	}
	return s
}

func (c *Camera) cameraStatus() answer {
	s := c.Status()
	return document(&s)
}

// proveIdentity signs the host's challenge.
func (c *Camera) proveIdentity(p func(int) uint32) answer {
	var nonce []byte
	for i := range camera.ChallengeSize / 4 {
		nonce = binary.LittleEndian.AppendUint32(nonce, p(i))
	}
	serial, at := c.claim(), c.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &c.extension.memory
	proof := evidence.CameraProof{Version: 1, Serial: serial, Key: public(c.key()), Nonce: nonce, Agency: c.extension.standing.agency(),
		Model: c.settings.Model, Firmware: m.Firmware.running().Release, Boot: m.Boot, At: at, Certificate: m.Certificate}
	if c.faults.Has(fault.ForeignCertificate) {
		proof.Agency = foreignAgency
		certificate := evidence.CameraCertificate{Version: 1, Agency: foreignAgency, Serial: serial, Key: proof.Key, IssuedAt: at}
		var err error
		if proof.Certificate, err = sign(evidence.TypeCameraCertificate, &certificate, derived(nil, foreignAgency)); err != nil {
			return refuse(camera.RespGeneralError)
		}
	}
	return give(sign(evidence.TypeCameraProof, &proof, c.key()))
}

// foreignAgency is whose certificate a camera shows by a fault.
const foreignAgency = "elsewhere"

// adopt takes the key of the agency's camera authority (SPEC.md 7.2).
func (c *Camera) adopt(data []byte) answer {
	var a camera.Adoption
	if err := camera.DecodeDocument(data, camera.MaxDocument, &a); err != nil {
		return refuse(camera.RespBroken)
	}
	serial := c.claim()
	c.mu.Lock()
	e := &c.extension
	if code := c.checkAdoption(&a, serial); code != camera.RespOK {
		c.mu.Unlock()
		return refuse(code)
	}
	first := len(e.memory.Authority) == 0
	err := c.changeLocked(func(m *Memory) {
		m.Authority = a.Authority
		if len(a.Certificate) > 0 {
			m.Certificate = a.Certificate
		}
	})
	host := c.host
	c.mu.Unlock()
	if first && err == nil { // from now on the storage is locked
		c.log.Info("camera adopted", "authority", evidence.KeyID(a.Authority))
		notify(host, camera.EventStoreRemoved, storageID)
	}
	return changed(err)
}

// checkAdoption says whether an adoption may be taken. mu is held.
func (c *Camera) checkAdoption(a *camera.Adoption, serial string) camera.Response {
	e := &c.extension
	if known := e.memory.Authority; len(known) > 0 && !bytes.Equal(known, a.Authority) {
		return camera.RespOtherAuthority
	}
	if len(a.Certificate) == 0 {
		return camera.RespOK
	}
	var certificate evidence.CameraCertificate
	if _, code := open(a.Certificate, evidence.TypeCameraCertificate, a.Authority, &certificate); code != camera.RespOK {
		return code
	}
	switch agency := e.standing.agency(); {
	case len(a.Certificate) > maxCertificate || certificate.Serial != serial || !bytes.Equal(certificate.Key, public(c.key())):
		return camera.RespBroken
	case agency != "" && certificate.Agency != agency:
		return camera.RespOtherAuthority
	}
	return camera.RespOK
}

// maxCertificate is what fits into a CameraProof, in bytes.
const maxCertificate = 8192

// setTrust takes a trust statement of the camera authority (SPEC.md 7.2).
func (c *Camera) setTrust(data []byte) answer {
	a, vanished := c.takeTrust(data)
	if vanished {
		c.tell(camera.EventStoreRemoved)
	}
	return a
}

func (c *Camera) takeTrust(data []byte) (a answer, vanished bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.extension
	var trust evidence.CameraTrust
	if len(e.memory.Authority) == 0 {
		return refuse(camera.RespNotAuthorized), false
	}
	if _, code := open(data, evidence.TypeCameraTrust, e.memory.Authority, &trust); code != camera.RespOK {
		return refuse(code), false
	}
	switch agency := e.standing.agency(); {
	case agency != "" && trust.Agency != agency:
		return refuse(camera.RespOtherAuthority), false
	case e.standing.trust != nil && trust.Number < e.standing.trust.Number:
		return refuse(camera.RespOlder), false
	case bytes.Equal(data, e.memory.Trust):
		return accept(), false
	}
	if err := c.changeLocked(func(m *Memory) { m.Trust = data }); err != nil {
		return changed(err), false
	}
	if e.unlocked && !trusts(&trust, e.unlockedBy) {
		vanished = c.lockLocked()
	}
	return accept(), vanished
}

func trusts(t *evidence.CameraTrust, dock []byte) bool {
	for _, d := range t.Docks {
		if bytes.Equal(d.Key, dock) {
			return true
		}
	}
	return false
}

func slotName(i int) string { return string(rune('a' + i)) }

// Belong makes the camera that of an agency with that authority key, as if it had been
// adopted elsewhere. Trust and settings of the agency before are gone.
func (c *Camera) Belong(agency evidence.AgencyID, authority ed25519.PrivateKey) error {
	certificate := evidence.CameraCertificate{Version: 1, Agency: agency, Serial: c.claim(), Key: c.Key(), IssuedAt: c.Clock()}
	envelope, err := sign(evidence.TypeCameraCertificate, &certificate, authority)
	if err != nil {
		return fmt.Errorf("giving camera %s to an agency: %w", c.settings.Serial, err)
	}
	return c.reown(public(authority), envelope)
}

// Forget makes the camera nobody's again. Its recordings stay.
func (c *Camera) Forget() error { return c.reown(nil, nil) }

func (c *Camera) reown(authority, certificate []byte) error {
	c.mu.Lock()
	wasLocked := c.lockedLocked()
	err := c.changeLocked(func(m *Memory) { m.Authority, m.Certificate, m.Trust, m.Settings = authority, certificate, nil, nil })
	if err == nil {
		c.lockLocked()
	}
	isLocked := c.lockedLocked()
	c.mu.Unlock()
	switch {
	case isLocked && !wasLocked:
		c.tell(camera.EventStoreRemoved)
	case wasLocked && !isLocked:
		c.tell(camera.EventStoreAdded)
	}
	return err
}
