package upload

import (
	"errors"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
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
