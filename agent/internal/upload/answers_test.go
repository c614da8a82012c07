package upload

import (
	"errors"
	"time"

	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// answer answers a question. The server's clock is behind by s.behind.
func (s *ingest) answer(m *protocol.Ask) protocol.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onAsk != nil {
		if a := s.onAsk(m); a != nil {
			return a
		}
	}
	switch now := time.Now().Add(-s.behind).UnixMicro(); {
	case m.GetClock() != nil:
		return &protocol.Answer{Clock: &protocol.ClockAnswer{DockUs: m.GetClock().GetDockUs(), ReceivedUs: now, SentUs: time.Now().Add(-s.behind).UnixMicro()}}
	case m.GetCamera() != nil:
		return &protocol.Answer{Camera: &protocol.CameraAnswer{Serial: m.GetCamera().GetSerial(), Standing: protocol.StandingApproved}}
	}
	return &protocol.Answer{Policy: s.policy}
}

// image sends blocks of a firmware image.
func (s *ingest) image(stream *wire.Stream, fetch *protocol.FirmwareFetch) error {
	s.mu.Lock()
	s.fetches = append(s.fetches, fetch.GetOffset())
	image, cut := s.firmware, s.cutAt
	s.cutAt = 0
	s.mu.Unlock()
	for at := fetch.GetOffset(); at < uint64(len(image)); at += protocol.MaxBlock {
		if cut > 0 && at >= cut {
			return errors.New("cut")
		}
		if err := protocol.WriteMessage(stream, &protocol.FirmwareBlock{Offset: at, Data: image[at:min(at+protocol.MaxBlock, uint64(len(image)))]}); err != nil {
			return err
		}
	}
	return nil
}

// partial is a recording on its way in.
type partial struct {
	plain [][]byte // nil: missing
	offer *protocol.Offer
	open  *seal.Opener
	m     *evidence.Manifest
	live  bool // its recording stream is open
}

func (p *partial) accept() *protocol.Accept {
	a := &protocol.Accept{Held: make([]byte, (len(p.plain)+7)/8)}
	for a.ResumeSegment < uint64(len(p.plain)) && p.plain[a.ResumeSegment] != nil {
		a.ResumeSegment++
	}
	for i := a.ResumeSegment; i < uint64(len(p.plain)); i++ {
		if n := i - a.ResumeSegment; p.plain[i] != nil {
			a.Held[n/8] |= 1 << (n % 8)
		}
	}
	return a
}
