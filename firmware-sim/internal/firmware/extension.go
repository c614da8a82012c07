package firmware

import (
	"crypto/ed25519"
	"time"

	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// extension is the state of the Sealdock extension (proto/camera/SPEC.md section 7).
// All of it is guarded by Camera.mu.
type extension struct {
	memory     Memory
	standing   standing // what memory says
	unlocked   bool
	unlockedBy []byte // key of the dock that did it
	challenge  []byte // nil: spent
	failures   int    // bad unlocks in a row
	patience   time.Time
	number     uint64            // that the next recording gets
	erased     map[uint64][]byte // envelopes of CameraErase by number
	erasures   []uint64          // their numbers, oldest first
	indicator  camera.Indicator
	recording  bool
	staged     staged

	refuseConfirm bool // by a fault
}

// rule is what holds for one operation of the extension.
type rule struct {
	limit  int  // bytes of data that the host sends; 0: none
	locked bool // works while the storage is locked
}

// ruleOf returns an operation's row of the table in SPEC.md 7.2.
func ruleOf(op camera.Operation) (r rule, known bool) {
	switch op {
	case camera.OpGetCameraStatus, camera.OpProveIdentity, camera.OpLockStorage, camera.OpGetTime, camera.OpGetFirmwareStatus, camera.OpSetIndicator:
		return rule{locked: true}, true
	case camera.OpAdopt, camera.OpSetTrust, camera.OpUnlockStorage, camera.OpAssignWearer:
		return rule{limit: camera.MaxDocument, locked: true}, true
	case camera.OpGetListing, camera.OpGetEraseStatement, camera.OpGetSettings, camera.OpFirmwareApply, camera.OpFirmwareConfirm:
		return rule{}, true
	case camera.OpEraseRecording, camera.OpSetTime, camera.OpSetSettings, camera.OpFirmwareBegin:
		return rule{limit: camera.MaxDocument}, true
	case camera.OpFirmwareWrite:
		return rule{limit: camera.MaxFirmwareWrite}, true
	}
	return rule{}, false
}

func extensionOperations() []camera.Operation {
	return []camera.Operation{
		camera.OpGetCameraStatus, camera.OpProveIdentity, camera.OpAdopt, camera.OpSetTrust, camera.OpUnlockStorage, camera.OpLockStorage,
		camera.OpGetListing, camera.OpEraseRecording, camera.OpGetEraseStatement, camera.OpGetTime, camera.OpSetTime, camera.OpGetSettings,
		camera.OpSetSettings, camera.OpFirmwareBegin, camera.OpFirmwareWrite, camera.OpFirmwareApply, camera.OpFirmwareConfirm,
		camera.OpGetFirmwareStatus, camera.OpAssignWearer, camera.OpSetIndicator,
	}
}

// Extended says whether the camera has the Sealdock extension.
func (c *Camera) Extended() bool { return c.settings.Extension }

// extend performs an operation of the extension.
func (c *Camera) extend(t *transaction, r rule) (answer, error) {
	var data []byte
	if r.limit > 0 {
		var err error
		if data, err = t.receive(r.limit); err != nil {
			return answer{}, err
		}
	}
	if !c.Extended() {
		return refuse(camera.RespOperationNotSupported), nil
	}
	if code, ok := c.ready(); !ok {
		return refuse(code), nil
	}
	if !r.locked && c.Locked() {
		return refuse(camera.RespLocked), nil
	}
	if t.op == camera.OpEraseRecording {
		return c.eraseRecording(t, t.command.Parameter(0), data)
	}
	return c.perform(t, data), nil
}

// perform performs what needs nothing but its data.
func (c *Camera) perform(t *transaction, data []byte) answer {
	p := t.command.Parameter
	long := uint64(p(0)) | uint64(p(1))<<32
	switch t.op {
	case camera.OpGetCameraStatus:
		return c.cameraStatus()
	case camera.OpProveIdentity:
		return c.proveIdentity(p)
	case camera.OpAdopt:
		return c.adopt(data)
	case camera.OpSetTrust:
		return c.setTrust(data)
	case camera.OpUnlockStorage:
		return c.unlockStorage(data)
	case camera.OpLockStorage:
		c.lock()
		return accept()
	case camera.OpGetListing:
		return c.listing(long)
	case camera.OpGetEraseStatement:
		return c.eraseStatement(long)
	case camera.OpGetTime:
		return c.getTime()
	case camera.OpSetTime:
		return c.setTime(data)
	case camera.OpGetSettings:
		return c.getSettings()
	case camera.OpSetSettings:
		return c.setSettings(data)
	case camera.OpFirmwareBegin:
		return c.firmwareBegin(data)
	case camera.OpFirmwareWrite:
		return c.firmwareWrite(long, data)
	case camera.OpFirmwareApply:
		return c.firmwareApply()
	case camera.OpFirmwareConfirm:
		return c.firmwareConfirm()
	case camera.OpGetFirmwareStatus:
		return c.firmwareStatus()
	case camera.OpAssignWearer:
		return c.assignWearer(data)
	case camera.OpSetIndicator:
		return c.setIndicator(p(0))
	}
	return refuse(camera.RespOperationNotSupported)
}

// document answers with a document.
func document(d any) answer { return give(camera.EncodeDocument(d)) }

// sign makes a statement of the camera.
func sign(payloadType string, s evidence.Statement, key ed25519.PrivateKey) ([]byte, error) {
	payload, err := evidence.Encode(s)
	if err != nil {
		return nil, err
	}
	return evidence.Sign(payloadType, payload, evidence.KeyID(public(key)).String(), key).Marshal(), nil
}

// open reads an envelope that key must have signed. OK comes with the statement in s;
// otherwise the answer says what is wrong.
func open(envelope []byte, payloadType string, key ed25519.PublicKey, s evidence.Statement) (payload []byte, code camera.Response) {
	e, err := evidence.ParseEnvelope(envelope)
	if err != nil {
		return nil, camera.RespBroken
	}
	if payload, err = e.Verify(payloadType, key); err != nil {
		return nil, camera.RespNotAuthorized
	}
	if err := evidence.Decode(payload, s); err != nil {
		return nil, camera.RespBroken
	}
	return payload, camera.RespOK
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }
