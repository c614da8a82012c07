package firmware

import (
	"bytes"

	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	eraseMethod = "crypto-erase (simulated)"
	keptErases  = 10_000 // statements of what was erased (SPEC.md 7.2)
)

// eraseRecording erases a recording against a receipt that holds for it, and only then
// (SPEC.md 7.5).
func (c *Camera) eraseRecording(t *transaction, handle uint32, data []byte) (answer, error) {
	o := c.find(handle)
	if o == nil || o.folder() {
		return refuse(camera.RespInvalidObjectHandle), nil
	}
	receipt, ok := c.receiptFor(o.recording, data)
	if !ok {
		c.log.Warn("recording is kept: the receipt does not hold for it", "path", o.path)
		return refuse(camera.RespNotConfirmed), nil
	}
	statement := evidence.CameraErase{Version: 1, Serial: c.claim(), Sequence: o.recording.Sequence, Length: uint64(o.recording.Size),
		SHA256: o.recording.SHA256, ReceiptDigest: receipt, Method: eraseMethod, At: c.Clock()}
	c.mu.Lock()
	key := c.key()
	c.mu.Unlock()
	envelope, err := sign(evidence.TypeCameraErase, &statement, key)
	if err != nil {
		c.log.Error("recording is kept: its erasing cannot be signed", "path", o.path, "error", err)
		return refuse(camera.RespGeneralError), nil
	}
	return c.deletion(t, o, envelope)
}

// receiptFor says whether an envelope is a receipt that counts for a recording, and the
// SHA-256 of its payload.
func (c *Camera) receiptFor(r *Recording, data []byte) (digest evidence.Digest, ok bool) {
	serial := c.claim()
	c.mu.Lock()
	trust := c.extension.standing.trust
	c.mu.Unlock()
	envelope, err := evidence.ParseEnvelope(data)
	if err != nil || trust == nil {
		return digest, false
	}
	for _, key := range trust.ReceiptKeys {
		payload, err := envelope.Verify(evidence.TypeReceipt, key)
		if err != nil {
			continue
		}
		var receipt evidence.Receipt
		if err := evidence.Decode(payload, &receipt); err != nil {
			return digest, false
		}
		holds := receipt.Agency == trust.Agency && receipt.CameraSerial == serial && receipt.Length == uint64(r.Size) &&
			bytes.Equal(receipt.SHA256[:], r.SHA256[:])
		return evidence.SHA256(payload), holds
	}
	return digest, false
}

// KeepErase has the camera know the statement of a recording that it erased.
func (c *Camera) KeepErase(number uint64, statement []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keepEraseLocked(number, statement)
}

// keepEraseLocked is KeepErase with mu held.
func (c *Camera) keepEraseLocked(number uint64, statement []byte) {
	e := &c.extension
	if e.erased == nil {
		e.erased = map[uint64][]byte{}
	}
	if _, known := e.erased[number]; !known {
		e.erasures = append(e.erasures, number)
	}
	e.erased[number] = statement
	if len(e.erasures) > keptErases {
		delete(e.erased, e.erasures[0])
		e.erasures = e.erasures[1:]
	}
}

func (c *Camera) eraseStatement(number uint64) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	statement, known := c.extension.erased[number]
	if !known {
		return refuse(camera.RespInvalidObjectHandle)
	}
	return give(statement, nil)
}
