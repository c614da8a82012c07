package usbip

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	wire "github.com/sealdock/sealdock/proto/camera/usbip"
)

// dial connects, with a deadline on the connection that the caller lifts.
func dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	network, rest := split(address)
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, rest)
	if err != nil {
		return nil, fmt.Errorf("connecting to the USB/IP server %s: %w", address, err)
	}
	if err := conn.SetDeadline(time.Now().Add(operationTimeout)); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to the USB/IP server %s: %w", address, err), conn.Close())
	}
	return conn, nil
}

// closeWith ends the connection early when ctx ends; call stop when done.
func closeWith(ctx context.Context, conn net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

func readN(r io.Reader, n int) ([]byte, error) {
	p := make([]byte, n)
	_, err := io.ReadFull(r, p)
	return p, err
}

// readReply reads an operation header and checks that it answers what was asked.
func readReply(r io.Reader, want wire.Op) error {
	p, err := readN(r, wire.OpHeaderSize)
	if err != nil {
		return err
	}
	h, err := wire.ParseOpHeader(p)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", camera.ErrProtocol, err)
	case h.Code != want:
		return fmt.Errorf("%w: operation 0x%04x answers, want 0x%04x", camera.ErrProtocol, uint16(h.Code), uint16(want))
	case h.Status == wire.OpNoDevice:
		return fmt.Errorf("%w: %s", camera.ErrGone, h.Status)
	case h.Status != wire.OpOK:
		return fmt.Errorf("the USB/IP server refused: %s", h.Status)
	}
	return nil
}

// listDevices asks a server what it exports.
func listDevices(ctx context.Context, address string) (list []wire.Device, err error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	defer closeWith(ctx, conn)()
	if list, err = requestList(conn); err != nil {
		return nil, fmt.Errorf("listing the devices of USB/IP server %s: %w", address, err)
	}
	return list, nil
}

func requestList(conn net.Conn) ([]wire.Device, error) {
	if _, err := conn.Write(wire.OpHeader{Code: wire.OpRequestDeviceList}.Append(nil)); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	if err := readReply(r, wire.OpReplyDeviceList); err != nil {
		return nil, err
	}
	p, err := readN(r, wire.CountSize)
	if err != nil {
		return nil, err
	}
	count, err := wire.ParseCount(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", camera.ErrProtocol, err)
	}
	var list []wire.Device
	for range count {
		d, err := readDevice(r, true)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

func readDevice(r io.Reader, withInterfaces bool) (wire.Device, error) {
	p, err := readN(r, wire.DeviceSize)
	if err != nil {
		return wire.Device{}, err
	}
	d, interfaces, err := wire.ParseDevice(p)
	if err != nil {
		return d, fmt.Errorf("%w: %w", camera.ErrProtocol, err)
	}
	if !withInterfaces {
		return d, nil
	}
	if p, err = readN(r, interfaces*wire.InterfaceSize); err != nil {
		return d, err
	}
	if d.Interfaces, err = wire.ParseInterfaces(p, interfaces); err != nil {
		return d, fmt.Errorf("%w: %w", camera.ErrProtocol, err)
	}
	return d, nil
}

// importDevice takes a device over; the connection then carries its transfers.
func importDevice(ctx context.Context, address, busID string) (net.Conn, wire.Device, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, wire.Device{}, err
	}
	stop := closeWith(ctx, conn)
	d, err := requestImport(conn, busID)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		return nil, d, errors.Join(fmt.Errorf("importing device %s from USB/IP server %s: %w", busID, address, err), conn.Close())
	}
	return conn, d, nil
}

func requestImport(conn net.Conn, busID string) (wire.Device, error) {
	request, err := wire.AppendImport(nil, busID)
	if err != nil {
		return wire.Device{}, err
	}
	if _, err := conn.Write(request); err != nil {
		return wire.Device{}, err
	}
	if err := readReply(conn, wire.OpReplyImport); err != nil {
		return wire.Device{}, err
	}
	d, err := readDevice(conn, false)
	if err == nil && d.BusID != busID {
		err = fmt.Errorf("%w: it gave another device than the one asked for", camera.ErrProtocol)
	}
	return d, err
}
