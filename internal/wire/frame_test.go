package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// bare is a connection without TLS, for what comes out of it.
type bare struct{ net.Conn }

func (b bare) NetConn() net.Conn                    { return b.Conn }
func (b bare) CloseWrite() error                    { return nil }
func (b bare) ConnectionState() tls.ConnectionState { return tls.ConnectionState{} }

// against is a listener's session and the other end of its connection; what the
// session sends is read and forgotten unless deaf.
func against(t *testing.T, deaf bool) (*tcpSession, net.Conn) {
	ours, theirs := net.Pipe()
	under := &corked{Conn: ours}
	s := newTCP(bare{under}, under, false, Options{MaxStreams: 4}, NewBudget(0))
	if !deaf {
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
	}
	t.Cleanup(func() {
		_ = theirs.Close()
		_ = s.close(0, "")
	})
	return s, theirs
}

func frame(kind byte, stream, value uint32, data ...byte) []byte {
	return append(appendHeader(nil, kind, stream, value), data...)
}

func full(stream uint32) []byte {
	return frame(frameData, stream, maxData, make([]byte, maxData)...)
}

func TestAPeerThatBreaksTheRulesIsCutOff(t *testing.T) {
	for name, c := range map[string]struct {
		frames []byte
		words  string
	}{
		"unknown kind":           {frame(77, 1, 0), "unknown kind 77"},
		"no stream":              {frame(frameData, 0, 1, 1), "stream 0"},
		"a stream of ours":       {frame(frameData, 2, 1, 1), "stream 2, which does not exist"},
		"a stream left out":      {frame(frameData, 3, 1, 1), "opened stream 3 after 0"},
		"too many streams":       {bytes.Join([][]byte{frame(frameEnd, 1, 0), frame(frameEnd, 3, 0), frame(frameEnd, 5, 0), frame(frameEnd, 7, 0), frame(frameEnd, 9, 0)}, nil), "opened stream 9 after 4 of 4"},
		"no data":                {frame(frameData, 1, 0), "a frame of 0 bytes"},
		"a frame too long":       {frame(frameData, 1, maxData+1), "a frame of 65537 bytes"},
		"more than the stream":   {bytes.Repeat(full(1), listenerWindow/maxData+1), "more on stream 1 than it may"},
		"more than the session":  {append(bytes.Repeat(full(1), listenerWindow/maxData), bytes.Repeat(full(3), listenerWindow/maxData/2+1)...), "more on stream 3 than it may"},
		"data after the end":     {append(frame(frameEnd, 1, 0), frame(frameData, 1, 1, 1)...), "more on stream 1 than it may"},
		"a close without a code": {frame(frameClose, 0, 7), "a close of 7 bytes"},
		"a close too long":       {frame(frameClose, 0, 8+maxReason+1), "a close of 265 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, peer := against(t, false)
				go func() { _, _ = peer.Write(c.frames) }()
				<-s.ctx.Done()
				if err := s.err(); !errors.Is(err, errProtocol) || !strings.Contains(err.Error(), c.words) {
					t.Errorf("the session ended with %v, want %q", err, c.words)
				}
			})
		})
	}
}

func TestAPeerThatAsksAndDoesNotListenIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, peer := against(t, true)
		pings := bytes.Repeat(frame(framePing, 0, 1), 1<<10)
		for s.ctx.Err() == nil {
			_, _ = peer.Write(pings)
		}
		if err := s.err(); !errors.Is(err, errProtocol) {
			t.Errorf("the session ended with %v", err)
		}
	})
}

// Small pieces must not take more memory than large ones.
func TestSmallPiecesWeighWhatTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, peer := against(t, false)
		const pieces = 64 << 10
		if _, err := peer.Write(bytes.Repeat(frame(frameData, 1, 1, 'x'), pieces)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := weight(s); got > pieces+maxData {
			t.Errorf("%d bytes of buffers for %d bytes", got, pieces)
		}
		stream, err := s.acceptStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, pieces)
		if _, err := io.ReadFull(stream, got); err != nil || bytes.ContainsFunc(got, func(r rune) bool { return r != 'x' }) {
			t.Errorf("reading: %v", err)
		}
	})
}

// weight is what the session's receive buffers take, in bytes.
func weight(s *tcpSession) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := 0
	for _, stream := range s.streams {
		for _, c := range stream.chunks {
			total += len(c.bytes)
		}
	}
	return total
}

// Whatever a peer sends, the session ends when the peer does, holds no more than
// its window, and gives every byte of the budget back.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{}, true)
	f.Add(frame(frameData, 1, 3, 1, 2, 3), true)
	f.Add(append(frame(frameData, 1, 3, 1, 2, 3), frame(frameEnd, 1, 0)...), false)
	f.Add(append(frame(frameStop, 1, 9), frame(frameReset, 1, 9)...), true)
	f.Add(append(frame(frameWindow, 0, 1<<32-1), frame(frameWindow, 1, 1<<32-1)...), true)
	f.Add(append(frame(framePlaces, 0, 1<<32-1), frame(framePing, 0, 5)...), true)
	f.Add(frame(frameClose, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 'n', 'o'), true)
	f.Add(full(1), true)
	f.Fuzz(func(t *testing.T, input []byte, reads bool) {
		synctest.Test(t, func(t *testing.T) {
			s, peer := against(t, false)
			go func() {
				for {
					stream, err := s.acceptStream(context.Background())
					if err != nil {
						return
					}
					go func() {
						if reads {
							_, _ = io.Copy(stream, stream)
							_ = stream.CloseWrite()
							return
						}
						stream.Reset(1)
					}()
				}
			}()
			_, _ = peer.Write(input)
			synctest.Wait()
			if got, most := weight(s), 4*listenerWindow*3/2; got > most {
				t.Errorf("%d bytes of buffers", got)
			}
			_ = peer.Close()
			select {
			case <-s.ctx.Done():
			case <-time.After(time.Hour):
				t.Error("the session goes on without a peer")
			}
			synctest.Wait()
			if left := s.budget.Granted(); left != 0 {
				t.Errorf("%d bytes of the budget are still held", left)
			}
		})
	})
}
