package firmware

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/bus"
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/proto/camera"
)

// This file holds what a camera says and does wrong by a fault, where it takes more
// than a question to the faults.

const (
	countSize     = 4  // bytes of an array's element count
	filenameStart = 52 // of the file name in ObjectInfo (PIMA 15740, 5.5.2)
	packet        = 512
	shortLength   = 5 // bytes that a lying header announces
)

// Claim has the camera give another serial number; "" gives its own again. Its USB
// descriptors follow when the bus is told.
func (c *Camera) Claim(serial string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claimed = serial
}

// claim is the serial number that the camera gives.
func (c *Camera) claim() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.claimed != "" {
		return c.claimed
	}
	return c.settings.Serial
}

// SetClock sets the camera's clock as if somebody had turned it.
func (c *Camera) SetClock(t time.Time) { c.setClock(t) }

// SetDrift makes the camera's clock run so many seconds per second too fast from now on.
func (c *Camera) SetDrift(ratio float64) {
	at := c.Clock()
	c.setClock(at)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drift = ratio
}

// Bother sends n events that mean nothing to the host, if there is one.
func (c *Camera) Bother(n int) {
	c.mu.Lock()
	host := c.host
	c.mu.Unlock()
	for range n {
		notify(host, camera.EventDevicePropChanged, uint32(camera.DevPropBatteryLevel))
	}
}

// lie changes a dataset on its way to the host.
func (c *Camera) lie(op camera.Operation, data []byte) []byte {
	switch op {
	case camera.OpGetObjectHandles, camera.OpGetStorageIDs:
		if len(data) >= countSize && c.faults.Lies(fault.VariantCount) {
			binary.LittleEndian.PutUint32(data, 0xFFFF_FFFF)
		}
	case camera.OpGetObjectInfo:
		if len(data) > filenameStart+3 && c.faults.Lies(fault.VariantText) {
			data = data[:filenameStart+3]
			data[filenameStart] = 0xFF
		}
	}
	return data
}

// garble changes a response container on its way to the host.
func (c *Camera) garble(response []byte) []byte {
	if c.faults.Lies(fault.VariantShort) {
		binary.LittleEndian.PutUint32(response, shortLength)
	}
	if c.faults.Lies(fault.VariantTransaction) {
		response[8]++
	}
	return response
}

// joined is a data container that ends with a whole packet, and the response behind
// it, where the empty packet between the two is lost.
type joined struct {
	bus.Source
	size     int64
	response bus.Bytes
}

// Fill implements bus.Source.
func (j *joined) Fill(ctx context.Context, p []byte, offset int64) error {
	if n := j.size - offset; n > 0 {
		n = min(n, int64(len(p)))
		if err := j.Source.Fill(ctx, p[:n], offset); err != nil {
			return err
		}
		p, offset = p[n:], offset+n
	}
	if len(p) == 0 {
		return nil
	}
	return j.response.Fill(ctx, p, offset-j.size)
}

// Sent implements bus.Source.
func (j *joined) Sent(offset int64, n int) {
	if of := min(int64(n), j.size-offset); of > 0 {
		j.Source.Sent(offset, int(of))
	}
}

// deletion asks the faults about a deletion and does it. The cable may be gone
// afterwards: then the error says so. The statement is nil where no receipt was asked for.
func (c *Camera) deletion(t *transaction, o *object, statement []byte) (answer, error) {
	done, err := c.faults.Erase()
	switch {
	case errors.Is(err, fault.ErrReadOnly):
		return refuse(camera.RespStoreReadOnly), nil
	case done && c.erase(o, statement) != nil:
		return refuse(camera.RespAccessDenied), nil
	case done:
		c.log.Info("recording deleted by the host", "path", o.path, "against_a_receipt", statement != nil)
	}
	if errors.Is(err, fault.ErrUnplug) {
		t.host.Pull()
		return answer{}, bus.ErrGone
	}
	return accept(), nil
}
