package custody_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

func TestQuestionsAreAnswered(t *testing.T) {
	g := newRig(t)
	received := time.Date(2026, 11, 25, 12, 0, 0, 123_456_000, time.UTC)
	ask := func(q *upload.Ask) *upload.Answer {
		t.Helper()
		answer, err := g.custody.Answer(t.Context(), g.peer, q, received)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Validate(); err != nil {
			t.Fatalf("the answer cannot be sent: %v", err)
		}
		return answer
	}
	clock := ask(&upload.Ask{Clock: &upload.ClockQuestion{DockUs: 77}}).GetClock()
	if clock.GetDockUs() != 77 || clock.GetReceivedUs() != received.UnixMicro() || clock.GetSentUs() <= clock.GetReceivedUs() {
		t.Errorf("the clock's answer is %v", clock)
	}
	camera := ask(&upload.Ask{Camera: &upload.CameraQuestion{Serial: "CAM-77"}}).GetCamera()
	if camera.GetSerial() != "CAM-77" || camera.GetStanding() != upload.StandingUnknown {
		t.Errorf("of an unknown camera it says %v", camera)
	}
	policy := ask(&upload.Ask{Policy: &upload.PolicyQuestion{}}).GetPolicy()
	if len(policy.GetTrust()) == 0 || len(policy.GetAuthority()) == 0 {
		t.Errorf("the policy is %v", policy)
	}
	if short := ask(&upload.Ask{Policy: &upload.PolicyQuestion{Have: policy.GetDigest()}}).GetPolicy(); short.GetTrust() != nil || !bytes.Equal(short.GetDigest(), policy.GetDigest()) {
		t.Errorf("the same policy came again: %v", short)
	}
	stranger := g.peer
	stranger.Agency = "shelbyville"
	if _, err := g.custody.Answer(t.Context(), stranger, &upload.Ask{Policy: &upload.PolicyQuestion{}}, received); codeOf(err) != upload.CodeUnknownDevice {
		t.Errorf("another agency's dock got %v", err)
	}
	if _, err := g.custody.Answer(t.Context(), g.peer, &upload.Ask{}, received); codeOf(err) != upload.CodeBadFrame {
		t.Errorf("no question got %v", err)
	}
	if _, err := g.custody.Firmware(t.Context(), g.peer, evidence.Digest{1}); codeOf(err) != upload.CodeNotFound {
		t.Errorf("an unknown image got %v", err)
	}
}

// A dock that is disabled is kept out at once, also on a connection that it has.
func TestADisabledDockIsKeptOutOfWhatItHasOpen(t *testing.T) {
	g := newRig(t)
	set := func(enabled bool) {
		t.Helper()
		if err := g.custody.Catalog.Update(t.Context(), func(tx *sqldb.Tx) error {
			return tx.SetDockEnabled(t.Context(), g.peer.Agency, g.peer.Dock, enabled)
		}); err != nil {
			t.Fatal(err)
		}
	}
	set(false)
	_, err := g.custody.Offer(t.Context(), g.peer, &upload.Offer{})
	if codeOf(err) != upload.CodeUnknownDevice {
		t.Errorf("its offer got %v", err)
	}
	if _, err := g.custody.Answer(t.Context(), g.peer, &upload.Ask{Policy: &upload.PolicyQuestion{}}, time.Now()); codeOf(err) != upload.CodeUnknownDevice {
		t.Errorf("its question got %v", err)
	}
	set(true)
	if _, err = g.custody.Offer(t.Context(), g.peer, &upload.Offer{}); codeOf(err) == upload.CodeUnknownDevice {
		t.Errorf("when it was let in again: %v", err)
	}
}

func codeOf(err error) upload.Code {
	var refused *upload.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}
