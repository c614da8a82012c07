package daemon

import (
	"context"

	"github.com/sealdock/sealdock/agent/internal/policy"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// server is what dockings ask; upload has the connection and policy what is in
// force without one.
type server struct{ *agent }

// Camera implements offload.Server.
func (s server) Camera(ctx context.Context, serial string, key []byte) (*protocol.CameraAnswer, error) {
	answer, err := s.uploader.Ask(ctx, &protocol.Ask{Camera: &protocol.CameraQuestion{Serial: protocol.CleanText(serial, protocol.MaxText), Key: key}})
	if err != nil {
		return nil, err
	}
	return answer.GetCamera(), nil
}

// Policy implements offload.Server.
func (s server) Policy() *policy.Policy { return s.policy.Current() }

// ClockOffset implements offload.Server.
func (s server) ClockOffset() *evidence.Offset { return s.uploader.ClockOffset() }
