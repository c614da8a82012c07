package custody

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Fleet is what docks and cameras have to follow: what custody needs of
// fleet.Service.
type Fleet interface {
	// Policy answers a dock that has the policy with the given digest.
	Policy(ctx context.Context, agency evidence.AgencyID, have []byte) (*upload.PolicyAnswer, error)
	// Image opens a published firmware image. An error that wraps
	// catalog.ErrNotFound: there is none.
	Image(ctx context.Context, agency evidence.AgencyID, sum evidence.Digest) (*fleet.Image, error)
}

// Answer answers a dock's question.
func (c *Custody) Answer(ctx context.Context, peer receive.Peer, ask *upload.Ask, received time.Time) (*upload.Answer, error) {
	switch {
	case ask.GetClock() != nil:
		return &upload.Answer{Clock: &upload.ClockAnswer{DockUs: ask.GetClock().GetDockUs(), ReceivedUs: received.UnixMicro(), SentUs: c.Now().UnixMicro()}}, nil
	case ask.GetCamera() != nil:
		answer, err := c.CameraAnswer(ctx, peer, ask.GetCamera())
		if err != nil {
			return nil, fmt.Errorf("answering about a camera: %w", err)
		}
		return &upload.Answer{Camera: answer}, nil
	case ask.GetPolicy() != nil: // asked every few seconds
		if _, err := c.stands(ctx, peer); err != nil {
			return nil, err
		}
		answer, err := c.Fleet.Policy(ctx, peer.Agency, ask.GetPolicy().GetHave())
		if err != nil {
			return nil, fmt.Errorf("answering with the policy: %w", err)
		}
		return &upload.Answer{Policy: answer}, nil
	}
	return nil, upload.Errorf(upload.CodeBadFrame, "the question is none that this server knows")
}

// Firmware opens an image for a dock.
func (c *Custody) Firmware(ctx context.Context, peer receive.Peer, sum evidence.Digest) (receive.Image, error) {
	image, err := c.Fleet.Image(ctx, peer.Agency, sum)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, upload.Errorf(upload.CodeNotFound, "no firmware image with this hash is published here, or not any more: ask for the policy again")
	}
	if err != nil {
		return nil, fmt.Errorf("opening a firmware image: %w", err)
	}
	return image, nil
}
