package cameras

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ErrInput: what was asked for cannot be done as it was asked. The error's text
// is for people.
var ErrInput = errors.New("this cannot be taken")

// DefaultGrace is how long a recording may be on its way before completeness
// names it, where nothing else is said.
const DefaultGrace = 30 * time.Minute

// Blobs opens committed blobs. vault.Store fills it.
type Blobs interface {
	Open(ctx context.Context, key vault.Key) (vault.Blob, error)
}

// Config is what a Service works with. All fields but Certify and Grace are
// required.
type Config struct {
	Catalog *sqldb.DB
	Blobs   Blobs
	Agency  evidence.AgencyID
	// Certify signs the certificate of an approved key; nil: cameras get none.
	Certify func(serial string, key []byte) ([]byte, error)
	Grace   time.Duration // 0: DefaultGrace
	Now     func() time.Time
	Log     *slog.Logger
}

// Service knows an agency's cameras. A Desk is what acts.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service {
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	return &Service{c}
}

// Desk is the Service as one person may use it.
type Desk struct {
	*Service
	actor  *auth.Actor // nil for the command line
	by     evidence.Actor
	source string
	local  bool
}

// For returns the Desk of a signed-in person, who may do what auth.May allows.
func (s *Service) For(actor *auth.Actor) *Desk {
	d := &Desk{Service: s, actor: actor}
	if actor != nil {
		d.by, d.source = actor.Custody(), actor.Origin.Address
	}
	return d
}

// CommandLine returns the Desk of whoever may run the server's commands.
func (s *Service) CommandLine() *Desk {
	return &Desk{Service: s, by: evidence.Actor{Kind: "server", ID: "local"}, source: "local", local: true}
}

func (s *Service) instant() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// some asks whether the person may do something on any camera; the list that
// follows holds those.
func (d *Desk) some(do auth.Action) error {
	if d.local || auth.MaySome(d.actor, do, d.Agency) {
		return nil
	}
	return auth.ErrForbidden
}

// allow asks auth.May for a camera, or with no serial for the whole agency. The
// denial of an act, which has a kind, is an event. A camera that the person may not
// even see is catalog.ErrNotFound.
func (d *Desk) allow(ctx context.Context, do auth.Action, kind evidence.EventType, serial string) error {
	if d.local {
		return nil
	}
	if auth.May(d.actor, do, auth.Object{Agency: d.Agency}) {
		return d.clear(ctx, do, kind, serial)
	}
	denied := auth.ErrForbidden
	if serial != "" && auth.MaySome(d.actor, do, d.Agency) {
		camera, err := d.Catalog.Camera(ctx, d.Agency, serial)
		switch {
		case err != nil && !errors.Is(err, catalog.ErrNotFound):
			return err
		case err == nil && d.may(ctx, do, camera):
			return d.clear(ctx, do, kind, serial)
		case err != nil || !d.may(ctx, auth.ListCameras, camera):
			denied = fmt.Errorf("camera %q: %w", serial, catalog.ErrNotFound)
		}
	}
	object := ""
	if serial != "" {
		object = evidence.CameraObject(serial)
	}
	return d.refuse(ctx, do, kind, object, denied)
}

// refuse records the denial of an act, which has a kind, and returns it.
func (d *Desk) refuse(ctx context.Context, do auth.Action, kind evidence.EventType, object string, denied error) error {
	if d.actor != nil && kind != "" {
		refused := d.event(kind, object, auth.Refusal(denied, do), nil)
		refused.Outcome = evidence.OutcomeRefused
		err := d.Catalog.Update(ctx, func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, refused); return err })
		if err != nil {
			d.Log.ErrorContext(ctx, "a denied act could not be recorded", "action", string(do), "error", err)
		}
	}
	return denied
}

// clear has an act, which has a kind, wait for a second person where the agency says so.
func (d *Desk) clear(ctx context.Context, do auth.Action, kind evidence.EventType, serial string) error {
	if kind == "" || auth.Looks(do) {
		return nil
	}
	act := auth.Act{Do: do, On: []auth.Object{{Agency: d.Agency}}, Kind: kind}
	if serial != "" {
		act.About = evidence.CameraObject(serial)
		if camera, err := d.Catalog.Camera(ctx, d.Agency, serial); err == nil {
			if dock, err := d.Catalog.Dock(ctx, d.Agency, camera.LastDock); err == nil {
				act.On[0].Station = dock.Station
			}
		} else if !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
	}
	return auth.Clear(ctx, d.actor, act)
}

// may asks auth.May for a camera, which is of the station where it was docked last.
func (d *Desk) may(ctx context.Context, do auth.Action, camera *catalog.Camera) bool {
	on := auth.Object{Agency: d.Agency}
	if d.local || auth.May(d.actor, do, on) {
		return true
	}
	dock, err := d.Catalog.Dock(ctx, d.Agency, camera.LastDock)
	if err != nil || dock.Station == "" {
		return false
	}
	on.Station = dock.Station
	return auth.May(d.actor, do, on)
}

// visible drops the cameras that the person may not see.
func (d *Desk) visible(ctx context.Context, all []catalog.Camera) []catalog.Camera {
	return slices.DeleteFunc(all, func(c catalog.Camera) bool { return !d.may(ctx, auth.ListCameras, &c) })
}

// event is a custody event of something that this person has done.
func (d *Desk) event(kind evidence.EventType, object, reason string, details map[string]string) evidence.Event {
	return evidence.Event{
		Version: 1, Agency: d.Agency, Type: kind, At: d.instant(), Actor: d.by, Source: d.source, Object: object,
		Outcome: evidence.OutcomeDone, Reason: reason, Details: details,
	}
}

// act does something and records it, both or neither.
func (d *Desk) act(ctx context.Context, e evidence.Event, do func(tx *sqldb.Tx) error) error {
	return d.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, e)
		return err
	})
}

// Bounds of what people write, in bytes.
const (
	maxReason  = 500
	maxOfficer = 200
)

// checkText refuses text that is missing, too long, or holds control characters.
func checkText(what, text string, least, most int) error {
	if len(text) < least || len(text) > most {
		return fmt.Errorf("%w: %s has %d bytes, want %d to %d", ErrInput, what, len(text), least, most)
	}
	for _, r := range text {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError {
			return fmt.Errorf("%w: %s holds a control or broken character", ErrInput, what)
		}
	}
	return nil
}

// checkSerial refuses what cannot be the serial number of a camera.
func checkSerial(serial string) error { return checkText("the serial number", serial, 1, 256) }
