package wire

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// closeTime is how long the end of a session may take to reach a peer that
// reads slowly, and how long a closed connection waits for the peer's end.
const closeTime = time.Second

// tcpSession is a session over TLS on TCP: streams in frames. One goroutine
// reads for all streams and never waits for a writer; whoever writes to a stream
// writes to the connection itself, in turns.
type tcpSession struct {
	conn    secured
	under   *corked
	dialled bool
	budget  *Budget
	state   tls.ConnectionState
	meter   meter
	idle    time.Duration
	pause   time.Duration
	turns   turns

	arrivals chan *tcpStream // has room for all that the peer may have open
	over     chan struct{}   // closed when the reader has met its last error
	closing  atomic.Bool     // this side ends the session
	told     atomic.Bool     // the peer knows
	gone     sync.Once

	ctx context.Context
	end context.CancelCauseFunc

	mu       sync.Mutex // guards all below, and what streams say it does
	streams  map[uint32]*tcpStream
	in       window
	credit   uint64        // bytes that the peer will take in all streams
	room     chan struct{} // closed and renewed when credit grows
	opened   uint32        // streams that we opened
	named    uint32        // of them, how many the peer will hear of
	allowed  uint32        // streams that we may open in all
	more     chan struct{} // closed and renewed when allowed grows
	heard    uint32        // streams that the peer opened
	finished uint32        // of them, how many have given their place back
	promised uint32        // streams that the peer may open in all
	places   uint32        // streams that the peer may have open at once
	out      []byte        // frames without data that wait to be sent
	flushing bool
	rtt      time.Duration
	pings    uint32
	pinged   time.Time
	watch    *time.Timer
}

// secured is a *tls.Conn.
type secured interface {
	net.Conn
	NetConn() net.Conn
	CloseWrite() error
	ConnectionState() tls.ConnectionState
}

// newTCP makes a session of a connection whose handshake is complete.
func newTCP(conn secured, under *corked, dialled bool, o Options, b *Budget) *tcpSession {
	places := orDefault(o.MaxStreams, 64)
	if dialled {
		places = max(o.MaxStreams, 0)
	}
	idle := orDefault(o.Idle, 30*time.Second)
	s := &tcpSession{
		conn: conn, under: under, dialled: dialled, budget: b, state: conn.ConnectionState(), meter: meterOf(under),
		idle: idle, pause: min(orDefault(o.KeepAlive, 10*time.Second), idle/2),
		arrivals: make(chan *tcpStream, places), over: make(chan struct{}),
		streams: make(map[uint32]*tcpStream), more: make(chan struct{}), room: make(chan struct{}),
		in:     newWindow(firstWindow(dialled)*3/2, highestWindow(dialled)*3/2, time.Now()),
		credit: firstWindow(!dialled) * 3 / 2, places: uint32(places),
	}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	under.lull.ended = s.ctx.Done() // nobody reads yet
	if dialled {
		s.allowed = firstPlaces
	}
	b.admit(s)
	context.AfterFunc(s.ctx, s.depart)
	under.heard.Store(time.Now().UnixNano())
	s.greet()
	go s.read()
	return s
}

// greet says how many streams the peer may open, and measures the way there and
// back.
func (s *tcpSession) greet() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.promised = s.places; s.promised > 0 {
		s.send(framePlaces, 0, s.promised)
	}
	s.ping()
	s.watch = time.AfterFunc(s.pause, s.look)
}

// depart cleans up when the session has ended.
func (s *tcpSession) depart() {
	s.budget.release(s)
	s.mu.Lock()
	s.watch.Stop()
	s.mu.Unlock()
	if !s.closing.Load() {
		s.leave()
	}
}

func (s *tcpSession) kind() Kind               { return TCP }
func (s *tcpSession) tls() tls.ConnectionState { return s.state }
func (s *tcpSession) remoteAddr() net.Addr     { return s.conn.RemoteAddr() }
func (s *tcpSession) localAddr() net.Addr      { return s.conn.LocalAddr() }
func (s *tcpSession) socket() SocketStats      { return s.meter.stats() }
func (s *tcpSession) congestion() string       { return s.meter.congestion() }
func (s *tcpSession) context() context.Context { return s.ctx }

func (s *tcpSession) traffic() Traffic {
	t := s.meter.traffic()
	if t.RTT == 0 {
		s.mu.Lock()
		t.RTT = s.rtt
		s.mu.Unlock()
	}
	return t
}

func (s *tcpSession) err() error {
	if s.ctx.Err() == nil {
		return nil
	}
	return context.Cause(s.ctx)
}

func (s *tcpSession) openStream(ctx context.Context) (*Stream, error) {
	for {
		s.mu.Lock()
		if s.ctx.Err() == nil && s.opened < s.allowed {
			s.opened++
			s.mu.Unlock()
			stream := newTCPStream(s)
			stream.taken = true
			return &Stream{stream}, nil
		}
		more := s.more
		s.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.ctx.Done():
			return nil, s.err()
		}
	}
}

func (s *tcpSession) acceptStream(ctx context.Context) (*Stream, error) {
	select {
	case stream := <-s.arrivals:
		stream.take()
		return &Stream{stream}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.ctx.Done():
		return nil, s.err()
	}
}

// ours says whether this side opened the stream.
func (s *tcpSession) ours(id uint32) bool { return s.dialled == (id%2 == 1) }

// name gives a stream of ours its number. The next frame that is sent must be of
// this stream. Called under mu.
func (s *tcpSession) name(stream *tcpStream) {
	if stream.id != 0 {
		return
	}
	s.named++
	stream.id = 2 * s.named
	if s.dialled {
		stream.id--
	}
	s.streams[stream.id] = stream
}

// find gives the stream of a frame that came, and opens it when it is new; nil
// when it is one of the past.
func (s *tcpSession) find(id uint32) (*tcpStream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stream := s.streams[id]; stream != nil {
		return stream, nil
	}
	number := (id + 1) / 2
	switch {
	case id == 0, s.ours(id) && number > s.named:
		return nil, fmt.Errorf("%w: a frame of stream %d, which does not exist", errProtocol, id)
	case s.ours(id), number <= s.heard:
		return nil, nil
	case number != s.heard+1 || number > s.promised:
		return nil, fmt.Errorf("%w: it opened stream %d after %d of %d", errProtocol, id, s.heard, s.promised)
	}
	if err := s.listens(); err != nil {
		return nil, err
	}
	s.heard++
	stream := newTCPStream(s)
	stream.id = id
	s.streams[id] = stream
	// What the path has shown to need holds for the next stream too.
	stream.in.size = min(max(stream.in.size, s.in.size*2/3), stream.in.highest)
	if more := stream.in.tell(time.Now()); more > 0 {
		s.send(frameWindow, id, more)
	}
	s.arrivals <- stream // has room: what is not taken holds its place
	return stream, nil
}

// finish forgets a stream of which both directions have ended, and may promise
// the peer another in its place. Called under mu.
func (s *tcpSession) finish(stream *tcpStream) {
	switch {
	case stream.id == 0: // the peer never hears of it
		s.opened--
		s.moreStreams()
		return
	case s.ours(stream.id):
		delete(s.streams, stream.id)
		return
	}
	delete(s.streams, stream.id)
	s.finished++
	// Not for each one: only when the peer may soon have to wait.
	if left := s.promised - s.heard; left < max(s.places/2, 1) {
		s.promised = s.finished + s.places
		s.send(framePlaces, 0, s.promised)
	}
}

// moreStreams wakes who waits to open one. Called under mu.
func (s *tcpSession) moreStreams() {
	close(s.more)
	s.more = make(chan struct{})
}

// dropped counts bytes of the session's window that were read or thrown away.
// Called under mu.
func (s *tcpSession) dropped(n uint64) {
	if more := s.in.free(n, time.Now(), s.rtt, s.grow); more > 0 {
		s.send(frameWindow, 0, more)
	}
}

// grow asks the budget for a larger window of the session. Streams share it, so
// theirs cost nothing more.
func (s *tcpSession) grow(n uint64) bool { return s.budget.allow(s, n) }

// fail ends the session by an error of the connection.
func (s *tcpSession) fail(err error) { s.end(translateTCP(err)) }

func (s *tcpSession) close(code uint64, reason string) error {
	if s.closing.Swap(true) {
		return nil
	}
	if s.ctx.Err() == nil {
		s.end(ErrClosed)
		s.farewell(code, reason)
	}
	s.leave()
	return nil
}

// farewell tells the peer that the session ends, as well as it can within
// closeTime. Nothing is written after it.
func (s *tcpSession) farewell(code uint64, reason string) {
	if s.conn.SetWriteDeadline(time.Now().Add(closeTime)) != nil {
		return
	}
	s.turns.take(context.Background(), nil, mostUrgent)
	defer s.turns.release()
	s.mu.Lock()
	out := appendClose(s.out, code, reason)
	s.out = nil
	s.mu.Unlock()
	if _, err := s.conn.Write(out); err == nil {
		s.told.Store(true)
	}
}

// leave gives the connection up. When the peer was told, it stays in the
// background for the peer's end, or closeTime: if it were closed with bytes
// unread, TCP would take our last word back.
func (s *tcpSession) leave() {
	s.gone.Do(func() {
		if !s.told.Load() {
			_ = s.conn.NetConn().Close() // nothing of it can matter any more
			return
		}
		_ = s.conn.SetDeadline(time.Unix(1, 0)) // ends the reader
		go func() {
			<-s.over
			_ = s.conn.SetWriteDeadline(time.Now().Add(closeTime))
			_ = s.conn.CloseWrite() // a courtesy
			part(s.conn.NetConn())
		}()
	})
}
