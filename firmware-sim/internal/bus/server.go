package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/sealdock/sealdock/proto/camera/usbip"
)

const (
	maxConnections = 256
	requestTimeout = 10 * time.Second // for the first request of a connection
	socketBuffer   = 256 << 10        // larger ones fall out of the processor's cache: half the throughput
)

// Server offers devices to USB/IP clients. Its methods may be called concurrently.
type Server struct {
	log *slog.Logger

	mu      sync.Mutex
	devices []*device                                       // guarded by mu; in the order of Add
	watch   func(busID string, plugged bool, reason string) // guarded by mu
}

// device is one place on the bus and what is in it. busID and number never change.
type device struct {
	busID    string
	number   uint32
	identity *Identity // guarded by Server.mu; what it points to never changes
	function Function  // guarded by Server.mu
	plugged  bool      // guarded by Server.mu
	taken    bool      // guarded by Server.mu: a host holds it, or is about to
	host     *Host     // guarded by Server.mu
}

// NewServer returns a server without devices.
func NewServer(log *slog.Logger) *Server { return &Server{log: log} }

// Add puts a device on the bus, unplugged. The bus id, such as "1-1", is what
// clients import it by; it must be new.
func (s *Server) Add(busID string, identity Identity, function Function) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(busID) != nil {
		return fmt.Errorf("adding device %s: the bus id is in use", busID)
	}
	if len(s.devices) == usbip.MaxDevices {
		return fmt.Errorf("adding device %s: a bus has room for %d", busID, usbip.MaxDevices)
	}
	d := &device{busID: busID, number: uint32(len(s.devices) + 2), identity: &identity, function: function}
	exported := d.identity.exported(busID, d.number)
	if _, err := exported.Append(nil); err != nil {
		return fmt.Errorf("adding device %s: %w", busID, err)
	}
	s.devices = append(s.devices, d)
	return nil
}

func (s *Server) find(busID string) *device {
	i := slices.IndexFunc(s.devices, func(d *device) bool { return d.busID == busID })
	if i < 0 {
		return nil
	}
	return s.devices[i]
}

// Identify changes what a device's descriptors say, for hosts that take it from now on.
func (s *Server) Identify(busID string, identity Identity) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.find(busID)
	if d == nil {
		return fmt.Errorf("there is no bay %q", busID)
	}
	d.identity = &identity
	return nil
}

// Exchange puts what is in one place into another, and the other way round. Both must
// be unplugged, and no host may hold either any more: ErrTaken. moved is called when it
// is done, before anybody can see it; it must not call the server.
func (s *Server) Exchange(a, b string, moved func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, other := s.find(a), s.find(b)
	switch {
	case one == nil || other == nil:
		return fmt.Errorf("there is no bay %q or no bay %q", a, b)
	case one.plugged || other.plugged || one.taken || other.taken:
		return fmt.Errorf("moving the device of bay %s to bay %s: %w", a, b, ErrTaken)
	}
	one.identity, other.identity = other.identity, one.identity
	one.function, other.function = other.function, one.function
	moved()
	return nil
}

// Watch has f called after each device that was plugged in or pulled, also when a
// fault pulled it. f must not call the server. One watcher at most.
func (s *Server) Watch(f func(busID string, plugged bool, reason string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = f
}

// Plug makes a device visible to clients. Plugging it twice is no error.
func (s *Server) Plug(busID string) error { return s.set(busID, true, "by hand") }

// Unplug pulls a device: it leaves the list, and a host that holds it loses it at once.
func (s *Server) Unplug(busID string) error {
	if err := s.set(busID, false, "by hand"); err != nil {
		return err
	}
	s.mu.Lock()
	h := s.find(busID).host
	s.mu.Unlock()
	if h != nil {
		h.Unplug(errPulled)
	}
	return nil
}

func (s *Server) set(busID string, plugged bool, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.find(busID)
	if d == nil {
		return fmt.Errorf("there is no bay %q", busID)
	}
	moved := d.plugged != plugged
	d.plugged = plugged
	if moved && s.watch != nil { // within the lock: reports come in the order of the moves
		s.watch(busID, plugged, reason)
	}
	return nil
}

// Plugged says whether the device is plugged in, and whether a host holds it.
func (s *Server) Plugged(busID string) (plugged, imported bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.find(busID)
	return d != nil && d.plugged, d != nil && d.host != nil
}

// Serve accepts clients until ctx ends, then drops them all and returns when each
// is gone. Its error is nil unless listening failed.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	room := make(chan struct{}, maxConnections)
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accepting USB/IP clients: %w", err)
		}
		if err != nil { // out of file descriptors, or a client that left at once
			s.log.Warn("accepting a USB/IP client failed", "error", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		select {
		case room <- struct{}{}:
		default:
			s.log.Warn("USB/IP client refused: too many connections", "limit", maxConnections)
			conn.Close()
			continue
		}
		clients.Go(func() {
			defer func() { <-room }()
			s.ServeConn(ctx, conn)
		})
	}
}

// ServeConn serves one client on a connection and closes it.
func (s *Server) ServeConn(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
		_ = c.SetWriteBuffer(socketBuffer) // a wish; the system's limit holds
	}
	if err := s.converse(ctx, conn); err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
		s.log.Info("USB/IP client left", "client", conn.RemoteAddr().String(), "reason", err)
	}
}

// converse answers operations until an import hands the connection to a device.
func (s *Server) converse(ctx context.Context, conn net.Conn) error {
	for {
		if err := conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
			return fmt.Errorf("setting the time for a request: %w", err)
		}
		var b [usbip.BusIDSize]byte
		if _, err := io.ReadFull(conn, b[:usbip.OpHeaderSize]); err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
		header, err := usbip.ParseOpHeader(b[:])
		if err != nil {
			return err
		}
		switch header.Code {
		case usbip.OpRequestDeviceList:
			if err := s.list(conn); err != nil {
				return err
			}
		case usbip.OpRequestImport:
			if _, err := io.ReadFull(conn, b[:]); err != nil {
				return fmt.Errorf("reading an import request: %w", err)
			}
			busID, err := usbip.ParseImport(b[:])
			if err != nil {
				return err
			}
			if attached, err := s.attach(ctx, conn, busID); attached || err != nil {
				return err
			}
		default:
			return fmt.Errorf("operation %#04x is unknown: %w", header.Code, usbip.ErrInvalid)
		}
	}
}

func (s *Server) list(conn net.Conn) error {
	s.mu.Lock()
	var devices []usbip.Device
	for _, d := range s.devices {
		if d.plugged {
			devices = append(devices, d.identity.exported(d.busID, d.number))
		}
	}
	s.mu.Unlock()
	b, err := usbip.AppendDeviceList(nil, devices)
	if err != nil {
		return err
	}
	if _, err := conn.Write(b); err != nil {
		return fmt.Errorf("sending the device list: %w", err)
	}
	return nil
}

// take reserves a device for one host, and says what is in its place.
func (s *Server) take(busID string) (*device, *Identity, Function, usbip.OpStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.find(busID)
	switch {
	case d == nil || !d.plugged:
		return nil, nil, nil, usbip.OpNoDevice
	case d.taken:
		return nil, nil, nil, usbip.OpBusy
	}
	d.taken = true
	return d, d.identity, d.function, usbip.OpOK
}

// attach imports a device and serves it to the end of the connection.
func (s *Server) attach(ctx context.Context, conn net.Conn, busID string) (attached bool, err error) {
	d, identity, function, status := s.take(busID)
	reply := usbip.OpHeader{Code: usbip.OpReplyImport, Status: status}.Append(nil)
	if d == nil {
		_, err = conn.Write(reply)
		return false, err
	}
	defer func() {
		s.mu.Lock()
		d.taken, d.host = false, nil
		s.mu.Unlock()
	}()
	exported := identity.exported(d.busID, d.number)
	if reply, err = exported.Append(reply); err != nil {
		return true, err
	}
	pulled := func() { _ = s.set(busID, false, "by a fault") } // the bay is known
	h := newHost(conn, identity, function, pulled, s.log.With("bay", busID))
	s.mu.Lock()
	d.host = h
	plugged := d.plugged
	s.mu.Unlock()
	if !plugged { // pulled since it was taken
		return true, errPulled
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return true, fmt.Errorf("clearing the time for a request: %w", err)
	}
	if _, err := conn.Write(reply); err != nil {
		return true, fmt.Errorf("answering an import: %w", err)
	}
	s.log.Info("camera attached", "bay", busID, "client", conn.RemoteAddr().String())
	err = h.serve(ctx)
	s.log.Info("camera detached", "bay", busID, "reason", err)
	return true, nil
}
