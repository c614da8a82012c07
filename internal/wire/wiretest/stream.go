package wiretest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// streamBuffer is how many bytes of one direction are under way at most, which
// with the round trip gives a connection its rate.
const streamBuffer = 1 << 20

// stream is one end of a reliable connection in memory, as TCP would give it:
// bytes take half the round trip, a blackout holds them up, and a writer waits
// while too many are under way.
type stream struct {
	in, out       *flow
	local, remote net.Addr
}

// connect makes both ends of a connection over the network n.
func connect(n *Network, from, to net.Addr) (dialled, accepted *stream) {
	up, down := newFlow(n), newFlow(n)
	return &stream{in: down, out: up, local: from, remote: to}, &stream{in: up, out: down, local: to, remote: from}
}

// flow is one direction.
type flow struct {
	network *Network

	mu      sync.Mutex // guards all below
	changed chan struct{}
	pieces  []piece
	size    int
	ended   bool // the writer has ended it in good order
	gone    bool // the reader or the network has taken it away
	read    time.Time
	write   time.Time
}

// piece is what one write sent, and when it arrives.
type piece struct {
	bytes []byte
	at    time.Time
}

func newFlow(n *Network) *flow { return &flow{network: n, changed: make(chan struct{})} }

// wake tells all who wait to look again. Called under mu.
func (f *flow) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *flow) change(set func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	set()
	f.wake()
}

// wait lets mu go until something changes, or the time comes; the zero time
// never does.
func (f *flow) wait(until time.Time) {
	changed := f.changed
	f.mu.Unlock()
	defer f.mu.Lock()
	if until.IsZero() {
		<-changed
		return
	}
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (f *flow) take(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		var next time.Time
		switch {
		case f.gone:
			return 0, syscall.ECONNRESET
		case passed(f.read):
			return 0, os.ErrDeadlineExceeded
		case len(f.pieces) > 0 && !f.network.dark():
			if first := &f.pieces[0]; passed(first.at) {
				n := copy(p, first.bytes)
				if first.bytes = first.bytes[n:]; len(first.bytes) == 0 {
					f.pieces = f.pieces[1:]
				}
				f.size -= n
				f.wake()
				return n, nil
			}
			next = f.pieces[0].at
		case len(f.pieces) > 0: // the network tells nobody when it is light again
			next = time.Now().Add(100 * time.Millisecond)
		case f.ended:
			return 0, io.EOF
		}
		f.wait(earlier(next, f.read))
	}
}

func (f *flow) give(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sent := 0
	for {
		switch {
		case f.gone:
			return sent, syscall.EPIPE
		case f.ended:
			return sent, net.ErrClosed
		case passed(f.write):
			return sent, os.ErrDeadlineExceeded
		case f.size < streamBuffer:
			n := min(len(p)-sent, streamBuffer-f.size)
			f.pieces = append(f.pieces, piece{append([]byte(nil), p[sent:sent+n]...), time.Now().Add(f.network.rtt / 2)})
			f.size += n
			f.wake()
			if sent += n; sent == len(p) {
				return sent, nil
			}
		default:
			f.wait(f.write)
		}
	}
}

// Read implements net.Conn.
func (s *stream) Read(p []byte) (int, error) { return s.in.take(p) }

// Write implements net.Conn.
func (s *stream) Write(p []byte) (int, error) { return s.out.give(p) }

// CloseWrite ends the write side, as of a *net.TCPConn.
func (s *stream) CloseWrite() error {
	s.out.change(func() { s.out.ended = true })
	return nil
}

// Close implements net.Conn. What the other end sends from now on is refused.
func (s *stream) Close() error {
	s.in.change(func() { s.in.gone = true })
	return s.CloseWrite()
}

// cut takes both directions away, as a host that was restarted does.
func (s *stream) cut() {
	s.in.change(func() { s.in.gone = true })
	s.out.change(func() { s.out.gone = true })
}

// LocalAddr implements net.Conn.
func (s *stream) LocalAddr() net.Addr { return s.local }

// RemoteAddr implements net.Conn.
func (s *stream) RemoteAddr() net.Addr { return s.remote }

// SetReadDeadline implements net.Conn.
func (s *stream) SetReadDeadline(t time.Time) error {
	s.in.change(func() { s.in.read = t })
	return nil
}

// SetWriteDeadline implements net.Conn.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.out.change(func() { s.out.write = t })
	return nil
}

// SetDeadline implements net.Conn.
func (s *stream) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

// streams are the connections that reach a server; a net.Listener.
type streams struct {
	addr    net.Addr
	arrived chan *stream
	done    chan struct{}
	close   sync.Once

	mu   sync.Mutex // guards live
	live []*stream
}

func newStreams(addr net.Addr) *streams {
	return &streams{addr: addr, arrived: make(chan *stream, 64), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (s *streams) Accept() (net.Conn, error) {
	select {
	case conn := <-s.arrived:
		return conn, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *streams) Close() error {
	s.close.Do(func() { close(s.done) })
	return nil
}

// Addr implements net.Listener.
func (s *streams) Addr() net.Addr { return s.addr }

// offer brings a connection to the server, if there is one.
func (s *streams) offer(conn *stream) error {
	select {
	case <-s.done:
		return syscall.ECONNREFUSED
	case s.arrived <- conn:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = append(s.live, conn)
	return nil
}

// cut takes the server away without a word.
func (s *streams) cut() {
	_ = s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.live {
		conn.cut()
	}
}
