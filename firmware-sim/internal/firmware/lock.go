package firmware

import (
	"bytes"
	"crypto/rand"
	"time"

	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// How bad unlocks are slowed down (SPEC.md 7.2).
const (
	freeFailures    = 5
	firstPatience   = time.Second
	longestPatience = 5 * time.Minute
)

// Locked says whether the storage is locked.
func (c *Camera) Locked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lockedLocked()
}

// lockedLocked is Locked with mu held.
func (c *Camera) lockedLocked() bool {
	return len(c.extension.memory.Authority) > 0 && !c.extension.unlocked
}

// challengeLocked is the challenge that an unlock must sign; a new one where the last
// is spent. mu is held.
func (c *Camera) challengeLocked() []byte {
	if !c.Extended() {
		return nil
	}
	if c.extension.challenge == nil {
		c.extension.challenge = make([]byte, camera.ChallengeSize)
		rand.Read(c.extension.challenge) // never fails
	}
	return c.extension.challenge
}

// unlockStorage shows the storage to a dock of the camera's trust (SPEC.md 7.2).
func (c *Camera) unlockStorage(data []byte) answer {
	code, appeared := c.tryUnlock(data, c.claim(), c.now())
	if code != camera.RespOK {
		c.log.Warn("an unlock was refused", "answer", code)
	}
	if appeared {
		c.tell(camera.EventStoreAdded)
	}
	return refuse(code)
}

func (c *Camera) tryUnlock(data []byte, serial string, now time.Time) (code camera.Response, appeared bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.extension
	if now.Before(e.patience) {
		return camera.RespDeviceBusy, false
	}
	code, dock := c.checkUnlock(data, serial)
	e.challenge = nil
	if code != camera.RespOK {
		e.failures++
		if late := e.failures - freeFailures; late >= 0 {
			e.patience = now.Add(min(firstPatience<<min(late, 20), longestPatience))
		}
		return code, false
	}
	appeared = c.lockedLocked()
	e.failures, e.unlocked, e.unlockedBy = 0, true, dock
	return code, appeared
}

// tell sends an event about the storage to the host. mu is not held, as a host that
// reads nothing may keep it waiting.
func (c *Camera) tell(event camera.Event) {
	c.mu.Lock()
	host := c.host
	c.mu.Unlock()
	notify(host, event, storageID)
}

// checkUnlock verifies an unlock and says which key signed it. mu is held.
func (c *Camera) checkUnlock(data []byte, serial string) (camera.Response, []byte) {
	trust := c.extension.standing.trust
	envelope, err := evidence.ParseEnvelope(data)
	if err != nil {
		return camera.RespBroken, nil
	}
	if trust == nil {
		return camera.RespNotAuthorized, nil
	}
	for _, d := range trust.Docks {
		payload, err := envelope.Verify(evidence.TypeDockUnlock, d.Key)
		if err != nil {
			continue
		}
		var u evidence.DockUnlock
		switch err := evidence.Decode(payload, &u); {
		case err != nil:
			return camera.RespBroken, nil
		case u.Dock != d.Dock || u.Agency != trust.Agency || u.Serial != serial:
			return camera.RespNotAuthorized, nil
		case !bytes.Equal(u.Nonce, c.extension.challenge):
			return camera.RespOlder, nil
		}
		return camera.RespOK, d.Key
	}
	return camera.RespNotAuthorized, nil
}

// lock hides the storage, where the camera has an authority.
func (c *Camera) lock() {
	c.mu.Lock()
	vanished := c.lockLocked()
	c.mu.Unlock()
	if vanished {
		c.tell(camera.EventStoreRemoved)
	}
}

// lockLocked is lock with mu held, but for the event: it says whether the storage
// vanished by it.
func (c *Camera) lockLocked() bool {
	wasLocked := c.lockedLocked()
	c.extension.unlocked, c.extension.unlockedBy, c.extension.challenge = false, nil, nil
	return !wasLocked && c.lockedLocked()
}

// permitted says whether a standard operation may go on: an agency's camera erases only
// against receipts, and shows nothing while its storage is locked.
func (c *Camera) permitted(op camera.Operation) (camera.Response, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	owned := len(c.extension.memory.Authority) > 0
	switch op {
	case camera.OpDeleteObject, camera.OpFormatStore:
		if owned {
			return camera.RespAccessDenied, false
		}
	case camera.OpSetDevicePropValue:
		if c.lockedLocked() {
			return camera.RespAccessDenied, false
		}
	case camera.OpGetStorageInfo, camera.OpGetNumObjects, camera.OpGetObjectHandles, camera.OpGetObjectInfo, camera.OpGetObject,
		camera.OpGetPartialObject, camera.OpGetPartialObject64, camera.OpGetObjectPropValue, camera.OpGetObjectPropList:
		if c.lockedLocked() {
			return camera.RespStoreNotAvailable, false
		}
	}
	return camera.RespOK, true
}

// storages are the storages that the camera shows.
func (c *Camera) storages() []uint32 {
	if c.Locked() {
		return nil
	}
	return []uint32{storageID}
}
