package firmware

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/firmware-sim/internal/bus"
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/camera/usbip"
)

// maxDataOut is the longest data phase of a standard operation that a host may send, in
// bytes.
const maxDataOut = 64 << 10

// errMalformed says that the host broke the protocol; the bulk endpoints get halted.
var errMalformed = errors.New("the host broke the protocol")

// transaction is one operation of the host.
type transaction struct {
	ctx     context.Context
	host    *bus.Host
	epoch   uint64
	command camera.Block
	op      camera.Operation
}

// answer is what an operation gives back.
type answer struct {
	code       camera.Response
	parameters []uint32
	data       []byte   // of a data phase held in memory
	content    *content // of one that is streamed
	phase      bool     // there is a data phase, be it empty
	restart    bool     // the camera restarts once the host has the answer
}

func refuse(code camera.Response, parameters ...uint32) answer {
	return answer{code: code, parameters: parameters}
}

func accept(parameters ...uint32) answer { return refuse(camera.RespOK, parameters...) }

// give is a successful answer with data; err is of the encoding.
func give(data []byte, err error) answer {
	if err != nil {
		return refuse(camera.RespGeneralError)
	}
	return answer{code: camera.RespOK, data: data, phase: true}
}

// Run implements bus.Function.
func (c *Camera) Run(ctx context.Context, host *bus.Host) {
	c.mu.Lock()
	c.host, c.session, c.working, c.flushed = host, 0, false, false
	c.lockLocked() // whoever comes first has to unlock
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.host, c.session = nil, 0
		c.lockLocked()
		c.mu.Unlock()
	}()
	for {
		c.setWorking(false)
		t := &transaction{ctx: ctx, host: host}
		err := c.transact(t)
		switch {
		case errors.Is(err, bus.ErrGone):
			return
		case errors.Is(err, errMalformed):
			c.log.Warn("host is out of step; bulk endpoints halted", "error", err)
			host.Halt(t.epoch, bus.BulkIn, bus.BulkOut)
		case err != nil:
			c.log.Debug("transaction ended early", "reason", err)
		}
	}
}

func (c *Camera) setWorking(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.working = on
	if !on {
		c.flushed = false
	}
}

// transact serves one transaction from command to response.
func (c *Camera) transact(t *transaction) error {
	begun, err := c.command(t)
	if err != nil || !begun {
		return err
	}
	c.setWorking(true)
	a, err := c.operate(t)
	if err != nil {
		return err
	}
	if a.restart {
		defer func() {
			if err := c.Restart(); err != nil {
				c.log.Error("the camera goes on without a restart", "error", err)
			}
		}()
	}
	if a.content != nil {
		defer a.content.reader.Close()
	}
	b, err := camera.Respond(a.code, t.command.Transaction, a.parameters...).Append(nil)
	if err != nil {
		return fmt.Errorf("answering %s: %w", t.op, err)
	}
	b = c.garble(b)
	if a.phase {
		source, size := t.data(&a, c.lie)
		if size%packet == 0 && c.faults.Lies(fault.VariantZeroPacket) {
			return t.host.Send(t.ctx, t.epoch, &joined{source, size, b}, size+int64(len(b)))
		}
		if err := t.host.Send(t.ctx, t.epoch, source, size); err != nil {
			return err
		}
	}
	return t.host.Send(t.ctx, t.epoch, bus.Bytes(b), int64(len(b)))
}

// command reads the next command container. Empty transfers, such as the one that
// closes a data phase of whole packets, are passed over.
func (c *Camera) command(t *transaction) (begun bool, err error) {
	chunk, err := t.host.Receive(bus.AnyEpoch)
	if err != nil || len(chunk.Data) == 0 {
		return false, err
	}
	t.epoch = chunk.Epoch
	if len(chunk.Data) > camera.MaxBlockSize {
		return false, fmt.Errorf("command of %d bytes: %w", len(chunk.Data), errMalformed)
	}
	t.command, err = camera.ParseBlock(chunk.Data)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if t.command.Type != camera.ContainerCommand {
		return false, fmt.Errorf("a %s where a command belongs: %w", t.command.Type, errMalformed)
	}
	t.op = camera.Operation(t.command.Code)
	return true, nil
}

// receive reads the host's data container and returns its payload of at most limit bytes.
func (t *transaction) receive(limit int) ([]byte, error) {
	var data []byte
	for {
		chunk, err := t.host.Receive(t.epoch)
		if err != nil {
			return nil, err
		}
		if len(data)+len(chunk.Data) > camera.HeaderSize+limit {
			return nil, fmt.Errorf("data of more than %d bytes: %w", limit, errMalformed)
		}
		data = append(data, chunk.Data...)
		if len(data) < camera.HeaderSize && !chunk.Ends {
			continue
		}
		h, err := camera.ParseHeader(data)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errMalformed, err)
		}
		if h.Type != camera.ContainerData || h.Code != t.command.Code || h.Transaction != t.command.Transaction {
			return nil, fmt.Errorf("%s container of %s, transaction %d, where data of %s, transaction %d, belongs: %w",
				h.Type, camera.Operation(h.Code), h.Transaction, t.op, t.command.Transaction, errMalformed)
		}
		if uint64(len(data)) >= uint64(h.Length) || chunk.Ends {
			if uint64(len(data)) != uint64(h.Length) {
				return nil, fmt.Errorf("data of %d bytes in a container of %d: %w", len(data), h.Length, errMalformed)
			}
			return data[camera.HeaderSize:], nil
		}
	}
}

// data is the data container of an answer, and its size; lie may change what is in it.
func (t *transaction) data(a *answer, lie func(camera.Operation, []byte) []byte) (bus.Source, int64) {
	if a.content != nil {
		size := a.content.size
		a.content.header = [camera.HeaderSize]byte(camera.DataHeader(t.op, t.command.Transaction, uint64(size)).Append(nil))
		return a.content, camera.HeaderSize + size
	}
	data := lie(t.op, a.data)
	header := camera.DataHeader(t.op, t.command.Transaction, uint64(len(data))).Append(nil)
	return bus.Bytes(append(header, data...)), camera.HeaderSize + int64(len(data))
}

// Control implements bus.Function: the Still Image class requests (PIMA 15740,
// annex D.5.2).
func (c *Camera) Control(host *bus.Host, s usbip.Setup, data []byte) ([]byte, error) {
	switch {
	case s.RequestType == camera.RequestTypeOut && s.Request == camera.RequestCancel:
		if _, err := camera.ParseCancelRequest(data); err != nil {
			return nil, bus.ErrStall
		}
		c.flush(host)
		return nil, nil
	case s.RequestType == camera.RequestTypeOut && s.Request == camera.RequestReset:
		c.flush(host)
		c.endSession()
		return nil, nil
	case s.RequestType == camera.RequestTypeIn && s.Request == camera.RequestGetDeviceStatus:
		b, err := c.status(host).Append(nil)
		if err != nil {
			return nil, bus.ErrStall
		}
		return b, nil
	}
	return nil, bus.ErrStall
}

// Reset implements bus.Function.
func (c *Camera) Reset(*bus.Host) { c.endSession() }

func (c *Camera) endSession() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = 0
}

// flush cancels whatever goes on. The transaction itself finds out on its next
// step; GetDeviceStatus says busy until then.
func (c *Camera) flush(host *bus.Host) {
	c.mu.Lock()
	c.flushed = c.working
	c.mu.Unlock()
	host.Flush()
}

func (c *Camera) status(host *bus.Host) camera.DeviceStatus {
	c.mu.Lock()
	busy := c.working && c.flushed
	c.mu.Unlock()
	if busy {
		return camera.DeviceStatus{Code: camera.RespDeviceBusy}
	}
	s := camera.DeviceStatus{Code: camera.RespOK}
	for _, e := range host.Halted() {
		s.Code, s.Endpoints = camera.RespTransactionCancelled, append(s.Endpoints, uint32(e))
	}
	return s
}
