package offload

import (
	"context"
	"time"

	"github.com/sealdock/sealdock/agent/internal/policy"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Server is what a docking asks the server.
type Server interface {
	// Camera asks how a camera stands. key is nil for a camera without one. An error
	// means that there is no answer for now.
	Camera(ctx context.Context, serial string, key []byte) (*upload.CameraAnswer, error)
	// Policy is what is in force, never nil; it outlives the connection.
	Policy() *policy.Policy
	// ClockOffset is how far the dock's clock is ahead of the server's; nil when
	// it was not measured.
	ClockOffset() *evidence.Offset
}

const (
	askTimeout = 3 * time.Second
	askEvery   = 15 * time.Second // how often a docked camera is asked for anew
	askSoon    = time.Second      // how soon, at the earliest, after a question that had no answer
	askFresh   = 30 * time.Second // how old an answer may be that something is erased on
)

// ask asks the server how the camera stands, and says whether it answered. Without
// an answer the one before counts, as long as it is fresh.
func (d *Docking) ask(ctx context.Context) (answered bool) {
	if d.desk.opt.Server == nil {
		return false
	}
	limited, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	began := d.desk.opt.Now()
	answer, err := d.desk.opt.Server.Camera(limited, d.camera.Serial, d.key)
	if err != nil {
		now := d.desk.opt.Now()
		d.askAt = now.Add(askAgain(now.Sub(began)))
		d.log.Debug("the server does not say how the camera stands", "error", err)
		return false
	}
	d.askAt = began.Add(askEvery)
	if d.answer == nil || d.answer.GetStanding() != answer.GetStanding() || d.answer.GetHold() != answer.GetHold() {
		d.log.Info("how the camera stands at the server", "standing", answer.GetStanding(), "officer", answer.GetOfficerId(), "hold", answer.GetHold())
	}
	d.answer, d.answeredAt = answer, began
	d.wears(clean(answer.GetOfficer(), 256), answer.GetStanding() != upload.StandingUnknown && answer.GetStanding() != upload.StandingPending)
	return true
}

// askAgain is how long after a question without an answer the next one comes. A
// camera may be met before the dock's connection is up, and is then refused at
// once; waiting for a server that is silent takes a tenth of the time at most.
func askAgain(took time.Duration) time.Duration {
	return min(askEvery, max(askSoon, 10*took))
}

// withheld is why nothing may be erased from this camera at the moment, in a
// sentence for people; empty when it may. It is where the dock refuses: an
// unsynchronised state, a hold, a camera that is not ours or not itself.
func (d *Docking) withheld() string {
	switch {
	case d.desk.opt.KeepOnCard:
		return "this dock is set to leave recordings on cameras"
	case d.camera.KeyStanding == evidence.KeyFailed:
		return "the camera could not prove who it is; have it looked at"
	case d.camera.KeyStanding == evidence.KeyForeign:
		return "the camera belongs to another agency"
	case d.desk.opt.Server == nil:
		return ""
	case d.answer == nil:
		return "the server has not said yet how this camera stands"
	case d.desk.opt.Now().Sub(d.answeredAt) > askFresh:
		return "the server is not reached, so that a hold would not be known"
	case d.answer.GetHold():
		return "its recordings are on hold: " + clean(d.answer.GetHoldReason(), 256)
	}
	switch standing := d.answer.GetStanding(); {
	case upload.MayErase(standing):
		return ""
	case standing == upload.StandingPending:
		return "nobody at the server has approved this camera yet"
	case standing == upload.StandingBlocked:
		return "this camera is blocked at the server"
	case standing == upload.StandingChanged:
		return "this camera's key is another one than before; somebody at the server must look"
	case standing == upload.StandingForeign:
		return "the camera belongs to another agency"
	}
	return "the server has not approved this camera"
}

// ripe reports whether a recording has stayed on its camera for as long after its
// receipt as the policy wants.
func (d *Docking) ripe(it *item) bool {
	if d.desk.opt.Server == nil {
		return true
	}
	days := d.desk.opt.Server.Policy().KeepDays
	return days == 0 || !d.desk.opt.Now().Before(it.standing.ChangedAt.AddDate(0, 0, days))
}
